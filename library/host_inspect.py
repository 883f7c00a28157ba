#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Find out which tools this machine lacks."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_inspect
short_description: Find out which tools this machine lacks
description:
  - Looks for Docker with buildx, kind, Helm, kubectl and mmdebstrap in the versions that are
    needed, for a Go that can build kind, and at the kernel's limits for a cluster of several nodes.
  - What PATH finds first counts, whatever else is installed.
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
    runtime:
      type: str
      description: >-
        What answers on Docker's socket: C(Docker), C(rootless Docker) or C(Podman); empty if
        nothing does.
    docker_server: {type: str, description: The running daemon's version; empty if none answers.}
    docker_client: {type: str, description: What C(docker --version) prints; empty without it.}
    dockerd: {type: str, description: The installed daemon's version; empty if there is none.}
    buildx: {type: str, description: What C(docker buildx version) prints; empty without it.}
    podman: {type: str, description: Podman's version; empty without it.}
    nerdctl: {type: str, description: nerdctl's version; empty without it.}
    kind: {type: str, description: kind's version; empty without it.}
    helm: {type: str, description: Helm's version; empty without it.}
    kubectl: {type: str, description: kubectl's version; empty without it.}
    hidden:
      type: dict
      description: >-
        By tool (C(kind), C(helm), C(kubectl)): the newest copy on PATH, where PATH finds an older
        one first.
      contains:
        NAME:
          type: dict
          description: The two copies.
          contains:
            path: {type: str, description: Where the newer one is.}
            version: {type: str, description: Its version.}
            behind: {type: str, description: "Where the older one is, which PATH finds first."}
    go: {type: str, description: Go's version; empty without it.}
    go_path: {type: str, description: Where Go is; empty without it.}
    mmdebstrap: {type: bool, description: Whether mmdebstrap is installed.}
    sysctl: {type: bool, description: Whether sysctl is installed.}
    inotify:
      type: dict
      description: The kernel's limits for inotify; without those that cannot be read.
      contains:
        NAME: {type: int, description: "The limit, such as that of C(max_user_instances)."}
    inotify_writable: {type: bool, description: Whether these limits can be written here.}
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
  description: Which of kind, helm and kubectl to install.
  type: list
  elements: str
  returned: success
go:
  description: >-
    The Go to build kind with, once the packages are installed; empty if it has to be downloaded, or
    kind is there already.
  type: str
  returned: success
sysctls:
  description: The kernel's settings to raise, and to which values.
  type: dict
  returned: success
  contains:
    NAME: {type: int, description: "The value, such as that of C(fs.inotify.max_user_instances)."}
notes:
  description: >-
    What is worth knowing without a need to act, such as which container runtime was found, and what
    works only in part.
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
  description: >-
    Whether the role can install all that is missing (Debian 12 or 13 on amd64, as root, and nothing
    that has to be done by hand).
  type: bool
  returned: success
cannot_because:
  description: Why it cannot; empty if it can.
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
from ansible.module_utils.localloop.steps import host_inspect


def main() -> None:
    run_module(host_inspect)


if __name__ == "__main__":
    main()
