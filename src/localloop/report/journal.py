"""The journal of a run: a file with one event per line, as JSON."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import BusyError, LocalloopError, UsageError
from ..system.locks import holder_of, is_held


def utc_now() -> str:
    """The time now: ``2026-01-31T12:00:00.000Z``."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Journal:
    """The journal of the transaction with this id.

    Several processes may append to its file: each event is written as one whole line.
    """

    def __init__(self, transaction: str, path: Path, project_lock: Path) -> None:
        self.id = transaction
        self.path = path
        self.project_lock = project_lock

    def emit(self, event: dict[str, Any]) -> None:
        """Append an event, with the time. Raises ``LocalloopError`` (``journal_unwritable``)."""
        line = json.dumps({"at": utc_now(), "mono": time.monotonic(), **event}, default=str) + "\n"
        try:
            descriptor = os.open(
                self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
            try:
                rest = line.encode()
                while rest:  # a single write, except on a full disk
                    rest = rest[os.write(descriptor, rest) :]
            finally:
                os.close(descriptor)
        except OSError as error:
            raise LocalloopError(
                "journal_unwritable",
                f"cannot write {self.path}: {error.strerror} (errno {error.errno})",
                hint="Free some space or set DEPLOY_REPORT_DIR to a writable directory.",
            ) from error

    def events(self) -> list[dict[str, Any]]:
        """All events so far, oldest first. Raises ``OSError``."""
        return read_events(self.path)

    def require_lock(self) -> None:
        """Raise ``BusyError`` (``run_gone``) if the command that opened the run has ended."""
        holder = holder_of(self.project_lock)
        if holder.get("transaction") != self.id or not is_held(self.project_lock):
            raise BusyError(
                "run_gone",
                f"the command that opened {self.id} is gone",
                hint="Run the deploy again: it sees what is already done and continues.",
            )

    def require_exclusive(self) -> None:
        """Raise ``UsageError`` (``not_exclusive``) if other runs may be using the same cluster."""
        if not any(event.get("event") == "exclusive" for event in self.events()):
            raise UsageError(
                "not_exclusive",
                "this step needs the cluster for itself, and the run shares it with others",
                hint="Run playbooks/down.yml or playbooks/prune.yml; a play of your own has"
                " `localloop_command: down` (with `down_cluster: true`) or `prune` in its vars.",
            )


def read_events(path: Path) -> list[dict[str, Any]]:
    """The events of a journal, without a line that was cut short by a kill. Raises ``OSError``."""
    events = []
    for line in path.read_bytes().splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            events.append(event)
    return events


def attach(environ: Mapping[str, str]) -> Journal | None:
    """The journal of the transaction that a parent process opened; None if there is none."""
    transaction = environ.get("LOCALLOOP_TRANSACTION")
    journal, lock = environ.get("LOCALLOOP_JOURNAL"), environ.get("LOCALLOOP_LOCK")
    if not (transaction and journal and lock):
        return None
    return Journal(transaction, Path(journal), Path(lock))


def attach_or_refuse(environ: Mapping[str, str]) -> Journal:
    """The open transaction's journal, for a step that must not change anything without one.

    Raises ``UsageError`` (``no_transaction``).
    """
    journal = attach(environ)
    if journal is None:
        raise UsageError(
            "no_transaction",
            "this step changes the cluster and runs only inside a transaction",
            hint="Run it with the `localloop` command or one of its playbooks; a play of your own"
            " names its command in its vars, for example `localloop_command: deploy`.",
        )
    return journal
