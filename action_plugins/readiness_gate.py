"""``readiness_gate`` inside the worker; documented in library/readiness_gate.py."""

from localloop.ansible.action import step_action

ActionModule = step_action("readiness_gate")
