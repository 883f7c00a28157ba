"""``node_file_reconcile`` inside the worker; documented in library/node_file_reconcile.py."""

from localloop.ansible.action import step_action

ActionModule = step_action("node_file_reconcile")
