"""``project_remove`` inside the worker; documented in library/project_remove.py."""

from localloop.ansible.action import step_action

ActionModule = step_action("project_remove")
