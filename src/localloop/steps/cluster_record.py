"""Note on a cluster that was just made which inputs it was made for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from . import Context

ARGUMENT_SPEC: dict[str, Any] = {
    "project": {"type": "path", "required": True},
    "recreated": {"type": "bool", "default": False},
}


def run(params: dict[str, Any], context: Context) -> dict[str, Any]:
    from ..clusterinputs import BOOTSTRAPPED, note
    from ..config import load_project
    from ..session import Session

    session = Session(load_project(Path(params["project"])), os.environ, writes=not context.check)
    fingerprint = session.cluster_inputs.value if session.cluster_inputs else ""
    if not context.check:
        session.identify()
        note(
            session,
            BOOTSTRAPPED,
            context.transaction or "",
            context.emit,
            recreated=params["recreated"],
        )
    return {"changed": True, "fingerprint": fingerprint}
