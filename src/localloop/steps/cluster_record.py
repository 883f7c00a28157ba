"""Record on a new cluster which inputs it was created for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .context import Context

ARGUMENT_SPEC: dict[str, Any] = {
    "project": {"type": "path", "required": True},
    "recreated": {"type": "bool", "default": False},
}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    """Record on a new cluster which inputs it was made for.

    Takes ``project`` (its directory) and ``recreated`` (whether it replaced another cluster).
    Returns ``changed`` (whether the annotation was written) and ``fingerprint``. Check mode writes
    nothing.

    Raises:
        LocalloopError (exit 1): ``docker_unreachable``, ``apiserver_unreachable``,
            ``record_unwritable``.
        UsageError (exit 2): ``config_missing``, ``config_invalid``, ``input_missing``.
    """
    from ..config.project import load_project
    from ..record import cluster_inputs
    from ..session import Session

    session = Session(load_project(Path(params["project"])), os.environ, writes=not context.check)
    wanted = cluster_inputs.wanted(session, cluster_inputs.BOOTSTRAPPED, context.transaction or "")
    absent = session.cluster.verdict == "create"  # in check mode it was not created
    if not absent:
        session.identify()
    changed = absent or cluster_inputs.load(session.kube, session.project.name) != wanted
    if changed and not context.check:
        cluster_inputs.note(session, wanted, context.emit, recreated=params["recreated"])
    return {"changed": changed, "fingerprint": wanted.fingerprint}
