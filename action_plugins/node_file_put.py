"""``node_file_put`` inside the worker; documented in library/node_file_put.py."""

from localloop.ansible.action import step_action

ActionModule = step_action("node_file_put")
