"""Measure the project's builds and commands, and its deploy on request."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .context import Context

ARGUMENT_SPEC: dict[str, Any] = {
    "project": {"type": "path", "required": True},
    "mode": {"type": "str", "choices": ["cold", "warm", "both"], "default": "both"},
    "with_deploy": {"type": "bool", "default": False},
    "output_dir": {"type": "str"},
    "profile": {"type": "str"},
}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Measure the project's builds and commands, and its deploy on request.

    Takes ``project`` (its directory, or one below it), ``mode`` (``cold``, ``warm`` or ``both``),
    ``with_deploy``, ``output_dir`` (by default the environment decides) and ``profile``.
    Returns ``changed`` (whether a measured deploy changed the cluster) and ``baseline``, with
    durations in seconds. In check mode no step has run.

    Raises:
        LocalloopError (exit 1): ``baseline_failed`` after the last step if any of them failed;
            ``scope_not_emptied``, ``baseline_unwritable``, ``docker_unreachable``.
        UsageError (exit 2): ``nothing_to_measure``, ``bad_report_dir``, ``config_missing``,
            ``config_invalid``, ``profile_unknown``.
        InterruptedRun (exit 130): ``interrupted``.
    """
    from ..baseline.measure import plan_baseline, run_baseline
    from ..config.project import load_project
    from ..session import Session
    from ..system.paths import perf_dir

    project = load_project(Path(params["project"]), profile=params.get("profile") or None)
    planned = plan_baseline(
        Session(project, os.environ, writes=not context.check),
        mode=params["mode"],
        with_deploy=params["with_deploy"],
        directory=perf_dir(project.root, os.environ, params.get("output_dir") or None),
    )
    if context.check:
        return {"changed": False, "baseline": planned.baseline.as_dict()}
    baseline = run_baseline(planned, context.emit)
    if error := baseline.error():
        raise error
    return {
        "changed": any(step.changed for step in baseline.steps),
        "baseline": baseline.as_dict(),
    }
