#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Measure how long the parts of the loop take."""

from __future__ import annotations

DOCUMENTATION = r"""
module: baseline_measure
short_description: Measure how long the parts of the loop take
description:
  - Measures the commands that the project's C(baseline) names, the build of every image and of
    every node file and, where wanted, the deploy. A CSV file and a markdown file keep the result.
  - A step that fails is recorded and the rest goes on; the task fails at the end.
  - Nothing is published, and no cache of the loop is used or changed. Only O(with_deploy) touches
    the cluster, by the ordinary C(localloop deploy).
options:
  project:
    description: The project's directory, or one below it.
    type: path
    required: true
  mode:
    description:
      - V(cold) starts from empty caches, V(warm) from those of the last V(warm), V(both) measures
        a cold run and then a warm one from its caches.
    type: str
    choices: [cold, warm, both]
    default: both
  with_deploy:
    description: Whether the deploy is measured too.
    type: bool
    default: false
  output_dir:
    description:
      - Where the two files go, an absolute directory or one inside the project. By default
        C(LOCALLOOP_PERF_DIR), else C(.cache/perf).
    type: str
  profile:
    description: The profile whose build arguments take effect.
    type: str
attributes:
  check_mode:
    description: Names the steps and measures none of them.
    support: full
  diff_mode:
    description: There is nothing to differ.
    support: none
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Measure from nothing, and again
  baseline_measure:
    project: "{{ localloop_project }}"
    mode: both
  run_once: true
  register: baseline_result
"""

RETURN = r"""
baseline:
  description: What was measured, and the files that keep it; C(changed) tells of a deploy.
  type: dict
  returned: success
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
  description: The stable name of what went wrong.
  type: str
  returned: failure
error:
  description: The failure as data, such as its C(message), C(component) and C(hint).
  type: dict
  returned: failure
"""

from ansible.module_utils.localloop.ansible.module import run_module
from ansible.module_utils.localloop.steps import baseline_measure


def main() -> None:
    run_module(baseline_measure)


if __name__ == "__main__":
    main()
