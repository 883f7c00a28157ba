#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Note on a cluster that was just made which inputs it was made for."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_record
short_description: Note on a cluster that was just made which inputs it was made for
description:
  - Writes the fingerprint of the project's C(cluster.inputs) and the transaction into an annotation
    on namespace C(localloop), which is created where it is missing.
  - A later deploy whose inputs have another fingerprint makes the cluster anew, or is refused.
options:
  project:
    description: The project's directory.
    type: path
    required: true
  recreated:
    description: Whether another cluster of that name was removed for it; the report says so.
    type: bool
    default: false
attributes:
  check_mode:
    description: The fingerprint is computed; nothing is written.
    support: full
  diff_mode:
    description: There is nothing to show but the fingerprint.
    support: none
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Note what the cluster was made for
  cluster_record:
    project: "{{ localloop_project }}"
"""

RETURN = r"""
fingerprint:
  description: The fingerprint of the inputs, empty where the project declares none.
  type: str
  returned: success
reason:
  description: The stable name of what went wrong.
  type: str
  returned: failure
error:
  description: The failure as data, such as its C(message), C(component) and C(hint).
  type: dict
  returned: failure
"""

from ansible.module_utils.localloop.ansible.module import run_module
from ansible.module_utils.localloop.steps import cluster_record


def main() -> None:
    run_module(cluster_record)


if __name__ == "__main__":
    main()
