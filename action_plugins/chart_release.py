"""``chart_release`` inside the worker; documented in library/chart_release.py."""

from localloop.ansible.action import step_action

ActionModule = step_action("chart_release")
