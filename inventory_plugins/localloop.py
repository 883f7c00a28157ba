"""Inventory plugin ``localloop``; the code is in ``localloop.ansible.inventory``."""

from localloop.ansible.inventory import InventoryModule

__all__ = ["InventoryModule"]

DOCUMENTATION = r"""
name: localloop
short_description: The components of a localloop.yml as hosts
description:
  - Every component of the project is a host in the group of its kind, which is C(images),
    C(node_files) or C(charts). Tasks run on this machine, with the Python that runs Ansible.
  - All hosts have the variables C(localloop_project), C(localloop_project_name),
    C(localloop_cluster_name), C(localloop_cluster_provider), C(localloop_cluster_context),
    C(localloop_registry_port), C(localloop_profile), C(localloop_timeout), C(localloop_bootstrap),
    C(localloop_force), C(localloop_mode), C(localloop_targets) and C(localloop_plan) (the file of
    the plan that the command made, or empty); each host has C(localloop_kind), a chart also
    C(localloop_release) and C(localloop_namespace).
  - Values of the file are never treated as templates.
  - The source is a file named C(*localloop.inventory.yml) that names this plugin, or a
    C(localloop.yml) itself.
author:
  - The localloop authors
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [localloop]
  project:
    description: The project's directory, or one below it; relative to the current directory.
    type: str
    default: "."
    env:
      - name: LOCALLOOP_PROJECT
"""

EXAMPLES = r"""
# inventory/localloop.inventory.yml
plugin: localloop
"""
