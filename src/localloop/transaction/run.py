"""How a run begins and ends: its locks, and the first and last entry of its journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InterruptedRun, LocalloopError
from ..session import Session
from .transaction import Transaction, open_transaction


def open_run(
    session: Session,
    command: str,
    *,
    mode: str = "auto",
    targets: Sequence[str] = (),
    details: Mapping[str, Any] | None = None,
    started: float | None = None,
) -> Transaction:
    """Open the transaction of a run of ``command``; raises what ``open_transaction`` raises.

    ``started``: the ``time.monotonic()`` from which the run counts its seconds (default: now).
    """
    project, provider = session.project, session.provider
    transaction = open_transaction(
        project.root,
        command=command,
        project=project.name,
        cluster=f"{provider.name}/{provider.address}",
        details={
            "cluster_name": session.cluster_name,
            "container_name": session.container_name if provider.owns else "",
            "profile": project.profile,
            "mode": mode,
            "targets": list(targets),
            "readiness_timeout_seconds": project.readiness.timeout,
            **(details or {}),
        },
        environ=session.environ,
        started=started,
    )
    try:
        frozen = provider.freeze(transaction.project_lock)
    except LocalloopError as error:
        transaction.close(error=error)
        raise
    if frozen is not None:
        transaction.remove_at_end(frozen)
    return transaction


def run_to_its_end(
    transaction: Transaction, act: Callable[[], object]
) -> tuple[Path, LocalloopError | None]:
    """Call ``act`` and close the transaction; its report, and the error that ended it, if any."""
    error: LocalloopError | None = None
    try:
        act()
    except KeyboardInterrupt:
        error = InterruptedRun("interrupted", "interrupted by Ctrl-C")
    except LocalloopError as found:
        error = found
    except BaseException as found:
        transaction.close(error=LocalloopError("defect", f"localloop failed: {found!r}"))
        raise
    return transaction.close(error=error), error
