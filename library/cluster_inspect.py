#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Say what has to be done about the cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_inspect
short_description: Say what has to be done about the cluster
description:
  - Asks Docker for the cluster's nodes, in one request, and for its registry, and the API server
    whether it is ready, and derives a verdict.
  - If the cluster runs, makes sure that the user's kubeconfig is that of this cluster. Changes
    nothing else.
requirements:
  - python >= 3.11
  - docker >= 7.1 (the Python library)
  - Docker >= 23
  - kind >= 0.33 (if the kubeconfig has to be fetched)
options:
  name:
    description: The cluster's name.
    type: str
    required: true
  project:
    description:
      - For a cluster that localloop did not create, the directory of the project whose
        C(localloop.yml) names its context.
      - It is found by that context, and nothing is ever to be done about it.
    type: path
attributes:
  check_mode:
    description: Compares the kubeconfig without writing it.
    support: full
  diff_mode:
    description: There is no diff; a kubeconfig contains a private key.
    support: none
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Inspect the cluster
  cluster_inspect:
    name: hello
  register: cluster_result
"""

RETURN = r"""
cluster:
  description: What has to be done, and what was seen.
  type: dict
  returned: success
  contains:
    name: {type: str, description: The cluster's name.}
    verdict: {type: str, description: "C(ok), C(create), C(start) or C(restart)."}
    reason: {type: str, description: The stable name of the reason; empty if C(ok).}
    ours: {type: bool, description: Whether localloop created the cluster.}
    nodes:
      type: list
      elements: dict
      description: The nodes, the control plane first.
      contains:
        name: {type: str, description: "The node's name, also that of its container."}
        role: {type: str, description: "C(control-plane) or C(worker)."}
        state: {type: str, description: "Docker's state of the container, such as C(running)."}
        container_id: {type: str, description: The container's id.}
        image: {type: str, description: The container's image.}
        age: {type: int, description: "Seconds since its start, null from a minute on."}
    lacks:
      type: list
      elements: str
      description: Empty; what localloop.yml asks for is compared by M(deploy_plan).
    api: {type: str, description: "The API server's URL on this host; empty if not published."}
    image: {type: str, description: The image that the cluster was created from.}
    kubernetes: {type: str, description: "The version of Kubernetes, if localloop created it."}
    published:
      type: list
      elements: str
      description: "Other ports of the nodes on this host, such as C(127.0.0.1:8080 -> 30080/tcp)."
    registry_verdict:
      type: str
      description: C(ok), C(create), C(start), C(recreate), or C(refuse) if it is not localloop's.
    registry_reason: {type: str, description: The stable name of its reason; empty if C(ok).}
    registry_ours: {type: bool, description: Whether localloop made the registry container.}
    registry_port: {type: int, description: "The registry's port on 127.0.0.1, or null."}
    adopted: {type: bool, description: Whether it was found by its context.}
    remote:
      type: list
      elements: str
      description: "The nodes of such a cluster that are no containers of this Docker."
    platform: {type: str, description: "Its nodes' platform, such as C(linux/amd64)."}
    route:
      type: dict
      description: How images reach the nodes.
      contains:
        name: {type: str, description: "C(ours), C(registry), C(advertised), C(shared) or C(load)."}
        why: {type: str, description: "Why that way, in a few words."}
        push: {type: str, description: "The registry on this host; empty for localloop's own."}
        pull: {type: str, description: "The registry as the nodes name it; empty likewise."}
        network: {type: str, description: "Docker's, in which nodes pull from localloop's own."}
  sample:
    name: hello
    verdict: start
    reason: cluster_stopped
    ours: true
    nodes:
      - name: hello-control-plane
        role: control-plane
        state: exited
        container_id: 4f6d2a
        image: localloop/kind-node:1.37-0f3c2b1a9d8e
        age: null
    lacks: []
    api: ""
    image: localloop/kind-node:1.37-0f3c2b1a9d8e
    kubernetes: 1.37.2
    published: []
    registry_verdict: ok
    registry_reason: ""
    registry_ours: true
    registry_port: 5001
    adopted: false
    remote: []
    platform: ""
    route: {name: ours, why: "the cluster is localloop's own", push: "", pull: "", network: kind}
kubeconfig:
  description: The path of the user's kubeconfig for this cluster.
  type: str
  returned: success
  sample: /root/.local/state/localloop/clusters/hello/kubeconfig
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
from ansible.module_utils.localloop.steps import cluster_inspect


def main() -> None:
    run_module(cluster_inspect)


if __name__ == "__main__":
    main()
