"""``deploy_plan`` inside the worker; documented in library/deploy_plan.py."""

from localloop.ansible.action import step_action

ActionModule = step_action("deploy_plan")
