"""``cluster_inspect`` inside the worker; documented in library/cluster_inspect.py."""

from localloop.ansible.action import step_action

ActionModule = step_action("cluster_inspect")
