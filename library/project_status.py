#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Say what the cluster runs of a project."""

from __future__ import annotations

DOCUMENTATION = r"""
module: project_status
short_description: Say what the cluster runs of a project
description:
  - For each component, says what runs (from the cluster's record and from observation) and what the
    next deploy would do. Names releases that the project has left behind.
  - Changes and writes nothing, and needs no transaction.
requirements:
  - python >= 3.11
  - PyYAML >= 6.0.2
  - docker >= 7.1 (the Python library)
  - Docker >= 23
options:
  project:
    description: The directory of C(localloop.yml).
    type: path
    required: true
  profile:
    description: The profile that the next deploy is planned for; by default the project's own.
    type: str
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
- name: Inspect what runs
  project_status:
    project: "{{ localloop_project }}"
  run_once: true
  register: status_result
"""

RETURN = r"""
status:
  description: What runs, by the cluster's record and by observation.
  type: dict
  returned: success
  contains:
    project: {type: str, description: The project's name.}
    cluster:
      description: The cluster.
      type: dict
      contains:
        name: {type: str, description: Its name.}
        provider: {type: str, description: "Where it comes from: C(kind) or C(existing)."}
        context: {type: str, description: The kubeconfig context that it is reached by.}
        why: {type: str, description: Why this cluster was chosen.}
        images: {type: str, description: "How images reach its nodes, and why."}
        verdict: {type: str, description: "C(ok), C(create), C(start) or C(restart)."}
        reason: {type: str, description: The stable name of the reason; empty if C(ok).}
        nodes: {type: list, elements: str, description: "Its nodes, the control plane first."}
        kubernetes: {type: str, description: Its version of Kubernetes; empty if unknown.}
        image: {type: str, description: The image that it was created from.}
        ports:
          description: Ports of the nodes on this host, such as C(127.0.0.1:8080 -> 30080/tcp).
          type: list
          elements: str
        kubeconfig: {type: str, description: The path of its kubeconfig.}
        inputs:
          description: The fingerprints of the inputs that it depends on.
          type: dict
          contains:
            previous: {type: str, description: The fingerprint recorded in it.}
            current: {type: str, description: The fingerprint of the inputs as they are now.}
            state: {type: str, description: "C(bootstrapped) or C(accepted), as recorded."}
            transaction: {type: str, description: The transaction that recorded it.}
            summary: {type: str, description: All of it in a few words; empty without inputs.}
    components:
      description: The components by name; none where there is no cluster to ask.
      type: dict
      contains:
        COMPONENT:
          description: One component.
          type: dict
          returned: for each component
          contains:
            kind: {type: str, description: "C(image), C(node_file) or C(chart)."}
            next_deploy: {type: str, description: What the next deploy would do for it.}
            fingerprint: {type: str, description: The fingerprint of what runs; empty if unknown.}
            transaction: {type: str, description: The transaction that deployed it.}
            age_s: {type: int, description: "Seconds since then, or null if it does not run."}
            state:
              description: C(settled), C(settling), C(never_deployed), or empty.
              type: str
              returned: for images and charts
            digest: {type: str, returned: for images, description: The digest that runs.}
            charts: {type: dict, returned: for images, description: The digest in each chart.}
            sha256: {type: str, returned: for node files, description: The SHA-256 of its bytes.}
            pending:
              description: How many pods still use earlier bytes.
              type: int
              returned: for node files
            revision: {type: int, returned: for charts, description: The Helm revision that runs.}
            images: {type: dict, returned: for charts, description: "Its images' digests, by name."}
            ready:
              description: A line for each workload.
              type: list
              elements: str
              returned: for charts
            drift:
              description: What was changed by hand since the deploy.
              type: list
              elements: str
              returned: for charts
    left_behind:
      description: The project's releases that no chart names any more, as NAMESPACE/RELEASE.
      type: list
      elements: str
summary:
  description: A line on each component, by name.
  type: dict
  returned: success
  sample:
    hello: "runs revision 3; tx-20260101-120000-abcdef; 5m old; Deployment hello: ready 1/1; next
      deploy: nothing to do"
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
from ansible.module_utils.localloop.steps import project_status


def main() -> None:
    run_module(project_status)


if __name__ == "__main__":
    main()
