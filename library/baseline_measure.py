#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Measure how long the parts of the loop take."""

from __future__ import annotations

DOCUMENTATION = r"""
module: baseline_measure
short_description: Measure how long the parts of the loop take
description:
  - Measures the commands that the project's C(baseline) names, the build of every image and node
    file and, on request, a deploy. Writes the result to a CSV and a markdown file.
  - A step that fails is recorded and the others still run; the task fails at the end.
  - Publishes nothing, and neither uses nor changes the caches of the loop. Only O(with_deploy)
    touches the cluster, with an ordinary C(localloop deploy).
requirements:
  - python >= 3.11
  - PyYAML >= 6.0.2
  - docker >= 7.1 (the Python library)
  - Docker >= 23
  - Docker's buildx >= 0.12
options:
  project:
    description: The project's directory, or one below it.
    type: path
    required: true
  mode:
    description:
      - V(cold) starts with empty caches, V(warm) with those of the last V(warm). V(both) measures a
        cold run, then a warm one with its caches.
    type: str
    choices: [cold, warm, both]
    default: both
  with_deploy:
    description: Whether to measure the deploy too.
    type: bool
    default: false
  output_dir:
    description:
      - Where the two files go; an absolute directory or one inside the project. The default is
        C(LOCALLOOP_PERF_DIR), or else C(.cache/perf).
    type: str
  profile:
    description: The profile whose build arguments are used.
    type: str
attributes:
  check_mode:
    description: Names the steps and measures none of them.
    support: full
  diff_mode:
    description: There is no diff.
    support: none
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Measure a cold and a warm run
  baseline_measure:
    project: "{{ localloop_project }}"
    mode: both
  run_once: true
  register: baseline_result
"""

RETURN = r"""
baseline:
  description: What was measured, and the files that it was written to.
  type: dict
  returned: success
  contains:
    run_id: {type: str, description: When it began; part of the files' names.}
    mode: {type: str, description: The mode asked for.}
    include_deploy: {type: bool, description: Whether the deploy was measured.}
    profile: {type: str, description: The profile's name; C(none) without one.}
    cargo_build_profile: {type: str, description: "An alias of C(profile)."}
    csv: {type: str, description: The path of the CSV file.}
    markdown: {type: str, description: The path of the markdown file.}
    steps:
      description: The steps, in the order in which they are measured.
      type: list
      elements: dict
      contains:
        run: {type: str, description: C(cold) or C(warm).}
        category: {type: str, description: The step's group in the table.}
        step: {type: str, description: The step's name.}
        status: {type: str, description: "C(ok), C(failed), C(interrupted) or C(not_run)."}
        duration_s: {type: float, description: Seconds that it took.}
        error: {type: str, description: Why it failed; empty if it did not.}
        changed: {type: bool, description: Whether it changed the cluster.}
  sample:
    run_id: 20260101-120000
    mode: cold
    include_deploy: false
    profile: local-fast
    cargo_build_profile: local-fast
    csv: /src/relay/.cache/perf/cluster-baseline-20260101-120000.csv
    markdown: /src/relay/.cache/perf/cluster-baseline-20260101-120000.md
    steps:
      - run: cold
        category: image
        step: gateway
        status: ok
        duration_s: 31.402
        error: ""
        changed: false
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
from ansible.module_utils.localloop.steps import baseline_measure


def main() -> None:
    run_module(baseline_measure)


if __name__ == "__main__":
    main()
