#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Record which inputs a new cluster was made for."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_record
short_description: Record which inputs a new cluster was made for
description:
  - Writes the fingerprint of the project's C(cluster.inputs) and the transaction into an annotation
    of namespace C(localloop), and creates that namespace if it is missing.
  - A later deploy whose inputs have another fingerprint replaces the cluster, or is refused.
requirements:
  - python >= 3.11
  - PyYAML >= 6.0.2
  - Docker >= 23
options:
  project:
    description: The project's directory.
    type: path
    required: true
  recreated:
    description: Whether the new cluster replaced another one; the report says so.
    type: bool
    default: false
attributes:
  check_mode:
    description: Computes the fingerprint and writes nothing.
    support: full
  diff_mode:
    description: There is no diff but the fingerprint.
    support: none
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Record what the cluster was made for
  cluster_record:
    project: "{{ localloop_project }}"
"""

RETURN = r"""
fingerprint:
  description: The fingerprint of the inputs; empty if the project declares none.
  type: str
  returned: success
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
from ansible.module_utils.localloop.steps import cluster_record


def main() -> None:
    run_module(cluster_record)


if __name__ == "__main__":
    main()
