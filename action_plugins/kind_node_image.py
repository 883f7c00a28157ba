"""``kind_node_image`` inside the worker; documented in library/kind_node_image.py."""

from localloop.ansible.action import step_action

ActionModule = step_action("kind_node_image")
