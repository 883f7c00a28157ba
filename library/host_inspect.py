#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Find out which tools this machine lacks."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_inspect
short_description: Find out which tools this machine lacks
description:
  - Looks for Docker with buildx, Helm, kubectl and mmdebstrap in the versions that are needed.
  - Changes nothing.
requirements:
  - python >= 3.11
options: {}
attributes:
  check_mode:
    description: It never changes anything.
    support: full
  diff_mode:
    description: There is no diff.
    support: none
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Inspect the machine
  host_inspect:
  register: host_result
"""

RETURN = r"""
host:
  description: What was found.
  type: dict
  returned: success
  contains:
    distribution: {type: str, description: "The C(ID) of os-release, such as C(debian)."}
    release: {type: str, description: "Its C(VERSION_ID), such as C(12)."}
    root: {type: bool, description: Whether the module runs as root.}
    machine: {type: str, description: "The architecture, such as C(x86_64)."}
    docker_server: {type: str, description: The running daemon's version; empty if none answers.}
    docker_client: {type: str, description: What C(docker --version) prints; empty without it.}
    dockerd: {type: str, description: The installed daemon's version; empty if there is none.}
    buildx: {type: str, description: What C(docker buildx version) prints; empty without it.}
    helm: {type: str, description: Helm's version; empty without it.}
    kubectl: {type: str, description: kubectl's version; empty without it.}
    mmdebstrap: {type: bool, description: Whether mmdebstrap is installed.}
    systemd: {type: bool, description: Whether systemd runs.}
missing:
  description: What is missing or too old.
  type: list
  elements: dict
  returned: success
  contains:
    name: {type: str, description: The tool.}
    problem: {type: str, description: What is wrong with it.}
    fix: {type: str, description: What to do about it.}
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
  description: Whether Docker has to be started.
  type: bool
  returned: success
can_install:
  description: Whether the role can install what is missing (Debian 12 or 13 on amd64, as root).
  type: bool
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
from ansible.module_utils.localloop.steps import host_inspect


def main() -> None:
    run_module(host_inspect)


if __name__ == "__main__":
    main()
