"""``digest_compare`` inside the worker; documented in library/digest_compare.py."""

from localloop.ansible.action import step_action

ActionModule = step_action("digest_compare")
