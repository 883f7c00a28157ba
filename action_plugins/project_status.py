"""``project_status`` inside the worker; documented in library/project_status.py."""

from localloop.ansible.action import step_action

ActionModule = step_action("project_status")
