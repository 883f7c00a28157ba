"""``hook_run`` inside the worker; documented in library/hook_run.py."""

from localloop.ansible.action import step_action

ActionModule = step_action("hook_run")
