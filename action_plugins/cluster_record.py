"""``cluster_record`` inside the worker; documented in library/cluster_record.py."""

from localloop.ansible.action import step_action

ActionModule = step_action("cluster_record")
