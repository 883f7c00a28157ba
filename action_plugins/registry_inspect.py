"""``registry_inspect`` inside the worker; documented in library/registry_inspect.py."""

from localloop.ansible.action import step_action

ActionModule = step_action("registry_inspect")
