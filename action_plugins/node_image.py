"""``node_image`` inside the worker; documented in library/node_image.py."""

from localloop.ansible.action import step_action

ActionModule = step_action("node_image")
