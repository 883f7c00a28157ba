"""``image_build`` inside the worker; documented in library/image_build.py."""

from localloop.ansible.action import step_action

ActionModule = step_action("image_build")
