"""``chart_rollback`` inside the worker; documented in library/chart_rollback.py."""

from localloop.ansible.action import step_action

ActionModule = step_action("chart_rollback")
