"""``registry_mirrors`` inside the worker; documented in library/registry_mirrors.py."""

from localloop.ansible.action import step_action

ActionModule = step_action("registry_mirrors")
