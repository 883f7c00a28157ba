"""``kind_cluster`` inside the worker; documented in library/kind_cluster.py."""

from localloop.ansible.action import step_action

ActionModule = step_action("kind_cluster")
