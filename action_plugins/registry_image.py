"""``registry_image`` inside the worker; documented in library/registry_image.py."""

from localloop.ansible.action import step_action

ActionModule = step_action("registry_image")
