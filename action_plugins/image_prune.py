"""``image_prune`` inside the worker; documented in library/image_prune.py."""

from localloop.ansible.action import step_action

ActionModule = step_action("image_prune")
