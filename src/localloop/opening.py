"""How a run begins: the same locks and the same first journal entry, whoever starts it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .session import Session
from .transaction import Transaction, open_transaction


def open_run(
    session: Session,
    command: str,
    *,
    mode: str = "auto",
    targets: Sequence[str] = (),
    details: Mapping[str, Any] | None = None,
) -> Transaction:
    """Open the transaction of one run of ``command``; raises ``BusyError`` or ``UsageError``."""
    project = session.project
    return open_transaction(
        project.root,
        command=command,
        project=project.name,
        cluster=f"{session.provider}/{session.cluster_name}",
        details={
            "cluster_name": session.cluster_name,
            "container_name": session.container_name,
            "profile": project.profile,
            "mode": mode,
            "targets": list(targets),
            "readiness_timeout_seconds": project.readiness.timeout,
            **(details or {}),
        },
        environ=session.environ,
    )
