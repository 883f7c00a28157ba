"""``component_report`` inside the worker; documented in library/component_report.py."""

from localloop.ansible.action import step_action

ActionModule = step_action("component_report")
