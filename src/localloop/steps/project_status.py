"""Report what the cluster runs of the project."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .context import Context

ARGUMENT_SPEC: dict[str, Any] = {
    "project": {"type": "path", "required": True},
    "profile": {"type": "str"},
}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Look at what the cluster runs of the project; nothing is changed or written.

    Takes ``project`` (its directory) and ``profile``, which the next deploy is planned for.
    Returns ``changed`` (always false), ``status`` and ``summary``, a line for each component.

    Raises:
        LocalloopError (exit 1): ``docker_unreachable``, ``apiserver_unreachable``,
            ``registry_unreachable``.
        UsageError (exit 2): ``cluster_not_ours``, ``record_unreadable``, ``input_missing``,
            ``config_missing``, ``config_invalid``, ``profile_unknown``.
    """
    from ..config.project import load_project
    from ..report.status import cluster_lines, left_behind_lines, summary, what_runs
    from ..session import Session

    project = load_project(Path(params["project"]), profile=params.get("profile") or None)
    status = what_runs(Session(project, os.environ, writes=False))
    for line in [*cluster_lines(status), *left_behind_lines(status)]:
        context.emit({"event": "progress", "component": None, "step": "status", "text": line})
    return {
        "changed": False,
        "status": status,
        "summary": {name: summary(status, name) for name in project.components},
    }
