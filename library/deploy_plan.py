#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Decide what a deploy has to do."""

from __future__ import annotations

DOCUMENTATION = r"""
module: deploy_plan
short_description: Decide what a deploy has to do
description:
  - Compares the fingerprints of the project's components with the record in the cluster and with
    what the cluster and the registry contain now. Returns a plan with a reason for each step and
    each skip.
  - Pulls base images that Docker lacks if something has to be built from them, because their
    digests are part of the fingerprint. Changes nothing else.
requirements:
  - python >= 3.11
  - PyYAML >= 6.0.2
  - docker >= 7.1 (the Python library)
  - Docker >= 23
  - Docker's buildx >= 0.12
  - Helm >= 3.18.4
options:
  project:
    description: The directory of C(localloop.yml).
    type: path
    required: true
  targets:
    description:
      - Components to deploy; each brings along the charts that use it.
      - An empty list means everything that has changed, C(all) means every component.
    type: list
    elements: str
    default: []
  mode:
    description: V(full) deploys everything, V(auto) what has changed.
    type: str
    choices: [auto, full]
    default: auto
  profile:
    description: A profile of the project; by default the project's own rules choose one.
    type: str
  bootstrap:
    description:
      - What to do about a cluster that exists and has to be replaced.
      - V(refuse), for a play that replaces no cluster, fails if its inputs changed.
      - V(auto) plans to replace it then, unless something else is deployed on it.
      - V(reuse) keeps the cluster, V(recreate) plans to replace it in any case.
    type: str
    choices: [refuse, auto, reuse, recreate]
    default: refuse
  force:
    description: Plan to replace a cluster even if something else is deployed on it.
    type: bool
    default: false
  made:
    description:
      - A file with the plan that C(localloop deploy) made before it started the playbook. It is
        returned as it is.
      - It has to be of the same run, of the same O(project), O(targets), O(mode) and O(profile),
        and what O(bootstrap) says about the cluster. Otherwise the task fails.
      - Without one the plan is made here.
    type: path
    default: ""
  built:
    description:
      - The plan of this run whose images have been built.
      - It is returned as it is, unless the cluster was replaced in the meantime. Then everything
        is planned again for the new cluster, with those images.
    type: dict
    default: {}
attributes:
  check_mode:
    description:
      - Pulls nothing.
      - Without a cluster to compare with, the plan says how each component's inputs changed since
        it was last deployed from this directory.
    support: full
  diff_mode:
    description: Returns no diff of its own; M(component_report) shows one for each component.
    support: none
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Decide what to do
  deploy_plan:
    project: "{{ localloop_project }}"
    targets: [gateway]
  run_once: true
  register: plan_result
"""

RETURN = r"""
plan:
  description: What to do and why. Each step returns it with its results, for the next step.
  type: dict
  returned: success
  contains:
    project: {type: str, description: The project's name.}
    root: {type: str, description: The project's directory.}
    profile: {type: str, description: The profile in effect; empty without one.}
    mode: {type: str, description: "C(auto), C(full), C(rollback), C(prune) or C(down)."}
    targets: {type: list, elements: str, description: The components asked for; empty for all.}
    cluster:
      description: What has to happen to the cluster first.
      type: dict
      contains:
        verdict:
          description:
            - C(ok), C(create), C(start), C(restart), C(registry), C(bootstrap), C(refused),
              C(absent) for a run that creates none or, where it does not answer, C(unknown).
            - With any other than C(ok), components are planned once the cluster is there.
          type: str
        reason: {type: str, description: The stable name of the reason; empty if C(ok).}
        detail:
          description: What changed in its inputs, what it lacks, or which nodes are stopped.
          type: str
          returned: when there is something to name
        others:
          description: What else is deployed on a cluster that would have to be replaced.
          type: str
          returned: when the verdict is C(refused)
        loses:
          description: The releases and claims that go with a cluster that is replaced.
          type: str
          returned: when the verdict is C(bootstrap)
        lacks:
          description: What the cluster lacks by C(localloop.yml), and is kept without.
          type: str
          returned: with O(bootstrap=reuse)
        inputs:
          description: C(same), C(changed), or C(accept) if they are to be recorded as accepted.
          type: str
          returned: when the project declares inputs of the cluster and the cluster runs
        inputs_previous:
          description: The fingerprint recorded in the cluster.
          type: str
          returned: as C(inputs)
        inputs_current:
          description: The fingerprint of the inputs as they are now.
          type: str
          returned: as C(inputs)
        inputs_state:
          description: C(bootstrapped) or C(accepted), as recorded.
          type: str
          returned: as C(inputs)
        inputs_transaction:
          description: The transaction that recorded it.
          type: str
          returned: as C(inputs)
    components:
      description: Every component of the project, by name.
      type: dict
      contains:
        COMPONENT:
          description: One component.
          type: dict
          returned: for each component
          contains:
            name: {type: str, description: The component's name.}
            kind: {type: str, description: "C(image), C(node_file) or C(chart)."}
            steps: {type: list, elements: str, description: "What is done, in this order."}
            reasons:
              description: Why it has these steps.
              type: list
              elements: dict
              contains:
                name: {type: str, description: The reason's stable name.}
                detail: {type: str, description: What it is about.}
            skip: {type: str, description: Why it has no steps; empty if it has some.}
            fingerprint: {type: str, description: The fingerprint of its inputs.}
            previous: {type: str, description: The fingerprint recorded at the last deploy.}
            changes:
              description: What changed in its inputs since then; empty if nothing did.
              type: dict
              contains:
                known:
                  description: Whether the earlier inputs are still known.
                  type: bool
                  returned: when something changed
                added:
                  description: Files that are new, their C(count) and the C(first) five names.
                  type: dict
                  returned: when something changed
                changed:
                  description: Files that changed, their C(count) and the C(first) five names.
                  type: dict
                  returned: when something changed
                removed:
                  description: Files that are gone, their C(count) and the C(first) five names.
                  type: dict
                  returned: when something changed
                facts_changed:
                  description: What else changed, such as build arguments.
                  type: list
                  elements: str
                  returned: when something changed
            image:
              description: The published image of an image or node file; null until it is built.
              type: dict
              contains:
                repository: {type: str, description: "Host, port, project and component."}
                digest: {type: str, description: The manifest's digest.}
                configs: {type: dict, description: "The configuration's digest, by platform."}
                loaded: {type: bool, description: "Whether it is written into the nodes."}
            consumes: {type: list, elements: str, description: The images that a chart uses.}
            images:
              description: The published images that a chart is to run, by name, as C(image).
              type: dict
            deployed:
              description: The images that a chart was last deployed with, by name, as C(image).
              type: dict
            only_if_digest_differs:
              description: Whether the steps are dropped if the build gives the bytes that run.
              type: bool
            file:
              description: The part of a node file.
              type: dict
              contains:
                mode: {type: str, description: C(rolling-delete) or C(none).}
                timeout: {type: float, description: Seconds that a pod has to become ready.}
                deployed: {type: str, description: The SHA-256 that the record has.}
                lost: {type: list, elements: str, description: Nodes without those bytes.}
                pending: {type: int, description: Pods that still use earlier bytes.}
                sha256: {type: str, description: The SHA-256 of what was put.}
                expected: {type: int, description: Running pods that used earlier bytes.}
                restarted: {type: int, description: Pods that were restarted.}
                waits: {type: int, description: How often a replacement was waited for.}
                failure: {type: str, description: Why the restarts stopped; empty if they did not.}
            back_to:
              description: The state that a rollback takes a chart to.
              type: dict
              contains:
                transaction: {type: str, description: The transaction that deployed it.}
                revision: {type: int, description: Its Helm revision.}
            removes:
              description: What is removed of it, in the run of M(image_prune) or M(project_remove).
              type: list
              elements: str
            base_revision: {type: int, description: A chart's Helm revision before this run.}
            warnings: {type: list, elements: str, description: What is odd about its inputs.}
            untracked:
              description: What can change its output and is in no fingerprint.
              type: list
              elements: str
            changed: {type: bool, description: Whether this run has changed it.}
            moved: {type: bool, description: Whether its inputs changed while it was built.}
            revision: {type: int, description: The Helm revision that this run has released.}
    serial: {type: int, description: The serial number of the cluster's record.}
    config_sha256: {type: str, description: The SHA-256 of C(localloop.yml).}
    platform: {type: str, description: "The nodes' platform, such as C(linux/amd64)."}
    registry: {type: str, description: The registry's host and port.}
    provider:
      description: Where the cluster comes from.
      type: dict
      contains:
        name: {type: str, description: "C(kind) or C(existing)."}
        context: {type: str, description: The kubeconfig context.}
        why: {type: str, description: "Why that one was chosen, in a few words."}
    route:
      description: How images reach the nodes.
      type: dict
      contains:
        name: {type: str, description: "C(ours), C(registry), C(advertised), C(shared) or C(load)."}
        why: {type: str, description: "Why that way, in a few words."}
        push: {type: str, description: "The registry on this host; empty for localloop's own."}
        pull: {type: str, description: "The registry as the nodes name it; empty likewise."}
        network: {type: str, description: "Docker's, in which nodes pull from localloop's own."}
    unchecked:
      description: What could not be looked at, and what was assumed instead.
      type: list
      elements: str
    warnings:
      description: What is suspicious in the project's files, and belongs to no component.
      type: list
      elements: str
  sample:
    cluster: {verdict: ok, reason: ""}
    components:
      gateway:
        kind: image
        steps: [build, publish]
        reasons: [{name: inputs_changed, detail: changed src/main.rs}]
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
from ansible.module_utils.localloop.steps import deploy_plan


def main() -> None:
    run_module(deploy_plan)


if __name__ == "__main__":
    main()
