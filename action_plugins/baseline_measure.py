"""``baseline_measure`` inside the worker; documented in library/baseline_measure.py."""

from localloop.ansible.action import step_action

ActionModule = step_action("baseline_measure")
