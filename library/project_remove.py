#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Remove what a project has deployed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: project_remove
short_description: Remove what a project has deployed
description:
  - Uninstalls the project's releases and deletes its record from the cluster. Images stay in the
    registry, and node files on the nodes.
  - Also uninstalls releases with the project's label that no chart of C(localloop.yml) names any
    more. A release that belongs to something else by now is left alone and named.
  - With O(with_cluster) it removes nothing itself. It refuses a cluster on which something else is
    deployed, and says what will be removed; the role C(cluster) then removes the cluster.
  - Runs only inside a transaction; with O(with_cluster) in one that keeps every other run off the
    cluster.
requirements:
  - python >= 3.11
  - PyYAML >= 6.0.2
  - Docker >= 23
  - Helm >= 3.18.4
options:
  project:
    description: The directory of C(localloop.yml).
    type: path
    required: true
  profile:
    description: A profile of the project; by default the project's own rules choose one.
    type: str
  with_cluster:
    description: Whether the whole cluster is about to be removed.
    type: bool
    default: false
  force:
    description:
      - With O(with_cluster), go on even if something else is deployed on the cluster, or if it does
        not run and that is unknown.
    type: bool
    default: false
attributes:
  check_mode:
    description: Says what would be removed, and removes nothing.
    support: full
  diff_mode:
    description: Returns no diff of its own; M(component_report) shows one for each component.
    support: none
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Remove the project's releases and record
  project_remove:
    project: "{{ localloop_project }}"
  run_once: true
  register: down_result
"""

RETURN = r"""
plan:
  description: The plan with this step's results; M(deploy_plan) describes all of it.
  type: dict
  returned: success
  contains:
    components:
      description: The components that had this step, and what it sets in them.
      type: dict
      contains:
        COMPONENT:
          description: One component.
          type: dict
          contains:
            removes:
              description: The release that is removed or, with the cluster, the bytes' digest.
              type: list
              elements: str
            changed: {type: bool, description: Whether this run has changed it.}
reason:
  description: The stable name of what went wrong; docs/troubleshooting.md explains each one.
  type: str
  returned: failure
error:
  description: The failure as data.
  type: dict
  returned: failure
  contains:
    reason: {type: str, description: "The stable name, with its subject after a colon."}
    message: {type: str, description: What went wrong.}
    component: {type: str, description: "The component that it concerns, or null."}
    where: {type: str, description: "A position in a file or the name of an object, or null."}
    hint: {type: str, description: "What to do about it, or null."}
    details: {type: dict, description: More data; its keys depend on the reason.}
    exit_code: {type: int, description: What C(localloop) exits with for such a failure.}
"""

from ansible.module_utils.localloop.ansible.module import run_module
from ansible.module_utils.localloop.steps import project_remove


def main() -> None:
    run_module(project_remove)


if __name__ == "__main__":
    main()
