#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Decide what a deploy has to do."""

from __future__ import annotations

DOCUMENTATION = r"""
module: deploy_plan
short_description: Decide what a deploy has to do
description:
  - Compares the project's fingerprints with the record in the cluster and with what the cluster
    and the registry show now, and returns a plan with a reason for every step and every skip.
  - Base images that Docker lacks are pulled, where something is to be built from them, since their
    digests decide. Nothing else is changed.
options:
  project:
    description: The directory of C(localloop.yml).
    type: path
    required: true
  targets:
    description:
      - Components to deploy; each one brings the charts that consume it.
      - An empty list means whatever has changed; C(all) means everything.
    type: list
    elements: str
    default: []
  mode:
    description: V(full) deploys everything, V(auto) what has changed.
    type: str
    choices: [auto, full]
    default: auto
  profile:
    description: A profile of the project; its own rules choose one where this is not set.
    type: str
  bootstrap:
    description:
      - What may become of a cluster that exists and is not as it should be, or is to be made anew.
      - V(refuse), for a play that makes no cluster anew, fails where its inputs changed.
      - V(auto) plans a bootstrap there, unless others are deployed on that cluster.
      - V(reuse) keeps the cluster, V(recreate) plans a bootstrap in any case.
    type: str
    choices: [refuse, auto, reuse, recreate]
    default: refuse
  force:
    description: Plan to recreate a cluster even though others are deployed there.
    type: bool
    default: false
  built:
    description:
      - The plan of this run whose images were built already.
      - It is handed on, unless the cluster was made anew meanwhile. Then everything is planned anew
        on it, with those images.
    type: dict
    default: {}
attributes:
  check_mode:
    description:
      - Pulls nothing.
      - Where there is no cluster to compare with, the plan says what became of each component's
        inputs since it was last deployed from this directory.
    support: full
  diff_mode:
    description: Returns no diff of its own; M(component_report) shows one per component.
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
  description: What to do, and why.
  type: dict
  returned: success
  sample:
    cluster: {verdict: ok, reason: ""}
    components:
      gateway:
        kind: image
        steps: [build, publish]
        reasons: [{name: inputs_changed, detail: src/main.rs}]
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
from ansible.module_utils.localloop.steps import deploy_plan


def main() -> None:
    run_module(deploy_plan)


if __name__ == "__main__":
    main()
