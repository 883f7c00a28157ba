#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Say which tools this machine lacks."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_inspect
short_description: Say which tools this machine lacks
description:
  - Looks for Docker with buildx, Helm, kubectl and mmdebstrap in the versions that are needed.
  - Nothing is changed.
options: {}
attributes:
  check_mode:
    description: There is nothing that it would change.
    support: full
  diff_mode:
    description: There is nothing to differ.
    support: none
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Look at the machine
  host_inspect:
  register: host_result
"""

RETURN = r"""
host:
  description: What was seen.
  type: dict
  returned: success
missing:
  description: What is missing, each with its C(name), C(problem) and C(fix).
  type: list
  elements: dict
  returned: success
  sample:
    - {name: helm, problem: helm is missing, fix: Install helm 3.18.4 or newer.}
packages:
  description: Debian packages to install.
  type: list
  elements: str
  returned: success
tools:
  description: Which of helm and kubectl to install.
  type: list
  elements: str
  returned: success
docker_needs_suite:
  description: Whether Docker's packages have to come from Debian 13.
  type: bool
  returned: success
start_docker:
  description: Whether Docker does not run.
  type: bool
  returned: success
can_install:
  description: Whether the role can install what is missing (Debian 12 or 13, root, amd64).
  type: bool
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
from ansible.module_utils.localloop.steps import host_inspect


def main() -> None:
    run_module(host_inspect)


if __name__ == "__main__":
    main()
