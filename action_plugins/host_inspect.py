"""``host_inspect`` inside the worker; documented in library/host_inspect.py."""

from localloop.ansible.action import step_action

ActionModule = step_action("host_inspect")
