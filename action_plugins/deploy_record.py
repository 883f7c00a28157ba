"""``deploy_record`` inside the worker; documented in library/deploy_record.py."""

from localloop.ansible.action import step_action

ActionModule = step_action("deploy_record")
