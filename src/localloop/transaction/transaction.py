"""A transaction: one run, from the plan to the verdict, with its id, its locks and its journal.

The journal is a file of JSON lines next to the reports. Every process of the run appends to it, and
the report is made from it. It is removed once the report is written, so a journal without a report
belongs to a run that was killed; the next run writes that report.

Events (each with ``at``, UTC with milliseconds, and ``mono``, ``time.monotonic()`` in seconds):
``opened`` (who, what, where), ``exclusive`` (no other run is at work on the cluster),
``playbook`` (pid of ansible-playbook), ``plan``, ``span`` (``name``,
``component``, ``duration_s``), ``progress`` (``component``, ``step``, ``text``), ``result``
(``step``, ``component``, ``changed``, facts), ``evidence`` (of a Helm that failed), ``gate``,
``failed`` (an error), ``closed``.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import LocalloopError, UsageError
from ..report.journal import Journal, read_events, utc_now
from ..system.locks import Lock, holder_of, is_held, lock_path, wait_for_step
from ..system.paths import report_dir

ID_PATTERN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


def new_id(environ: Mapping[str, str]) -> str:
    """``DEPLOY_TX_ID``, or ``tx-YYYYMMDD-HHMMSS-xxxxxx`` (UTC) if that is not set.

    Raises ``UsageError`` (``bad_transaction_id``) for one that cannot be a label.
    """
    given = environ.get("DEPLOY_TX_ID", "")
    if not given:
        return f"tx-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    if not ID_PATTERN.fullmatch(given):
        raise UsageError(
            "bad_transaction_id",
            f"DEPLOY_TX_ID {given!r} is not a transaction id",
            hint="Use 1 to 63 letters, digits, '-', '_' or '.', a letter or digit at both ends.",
        )
    return given


class Transaction(Journal):
    """An open transaction, in the process that lives as long as the run."""

    def __init__(
        self, transaction: str, root: Path, reports: Path, locks: tuple[Lock, Lock], holder: Any
    ) -> None:
        self._cluster_lock, self._project_lock = locks
        super().__init__(transaction, reports / f"{transaction}.jsonl", self._project_lock.path)
        self.root = root
        self.reports = reports
        self._holder = holder
        self._private: list[Path] = []

    def environment(self) -> dict[str, str]:
        """The variables that a child process needs in order to ``attach``."""
        return {
            "LOCALLOOP_TRANSACTION": self.id,
            "LOCALLOOP_JOURNAL": str(self.path),
            "LOCALLOOP_LOCK": str(self.project_lock),
        }

    def require_exclusive(self) -> None:
        """Keep every other run off the cluster: it is created, repaired, pruned or removed.

        Raises ``BusyError`` where another run is at work on it.
        """
        self._cluster_lock.acquire(self._holder, exclusive=True)
        self.emit({"event": "exclusive"})

    def remove_at_end(self, path: Path) -> None:
        """Have a file of this run removed when it is closed."""
        self._private.append(path)

    def close(self, *, error: LocalloopError | None = None) -> Path:
        """Write the report (markdown and JSON) and release the locks; the markdown file's path.

        ``error`` is what ended the run, ``outcome`` the word for its success. Raises
        ``report_unwritable`` or ``journal_unwritable``.
        """
        from ..report.content import write_report

        try:
            if error is not None:
                self.emit({"event": "failed", "error": error.as_dict()})
            self.emit({"event": "closed"})
            return write_report(self.path)
        finally:
            for path in self._private:
                path.unlink(missing_ok=True)
            self._project_lock.release()
            self._cluster_lock.release()


def open_transaction(
    root: Path,
    *,
    command: str,
    project: str,
    cluster: str,
    details: Mapping[str, Any],
    environ: Mapping[str, str],
    started: float | None = None,
) -> Transaction:
    """Take the locks and open the journal.

    ``started``: the ``time.monotonic()`` from which the run counts its seconds (default: now).

    ``cluster`` identifies the cluster on this machine (``kind/hello``). Raises ``BusyError`` if
    another run holds a lock, ``UsageError`` for a transaction id that is unusable or used already,
    ``reports_unwritable``. Nothing is written then.
    """
    transaction = new_id(environ)
    reports = report_dir(root, environ)
    if any((reports / f"{transaction}{suffix}").exists() for suffix in (".md", ".json", ".jsonl")):
        raise UsageError(
            "transaction_exists",
            f"{reports} already has a report of {transaction}",
            hint="Give each run its own DEPLOY_TX_ID, or leave it unset.",
        )
    holder = {
        "pid": os.getpid(),
        "transaction": transaction,
        "command": command,
        "root": str(root),
        "since": utc_now(),
    }
    cluster_lock = Lock(lock_path("cluster", cluster))
    project_lock = Lock(lock_path("project", cluster, project))
    project_lock.acquire(holder, exclusive=True)
    try:
        cluster_lock.acquire(holder, exclusive=False)
        wait_for_step(step_lock_path(project_lock.path))
        _make_reports(reports)
        _report_killed_runs(reports)
        opened = Transaction(transaction, root, reports, (cluster_lock, project_lock), holder)
        opened.emit(
            {
                "event": "opened",
                **holder,
                "project": project,
                "project_lock": str(project_lock.path),
                "started": time.monotonic() if started is None else started,
                **details,
            }
        )
    except BaseException:
        cluster_lock.release()
        project_lock.release()
        raise
    return opened


def step_lock_path(project_lock: Path) -> Path:
    """The path of the step lock that belongs to a project's lock."""
    return project_lock.with_name("step-" + project_lock.name)


def _make_reports(reports: Path) -> None:
    try:
        reports.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LocalloopError(
            "reports_unwritable",
            f"cannot make {reports}: {error.strerror} (errno {error.errno})",
            hint="Make it writable or set DEPLOY_REPORT_DIR to a directory that is.",
        ) from error


def _report_killed_runs(reports: Path) -> None:
    from ..report.content import write_report

    for path in sorted(reports.glob("*.jsonl")):
        events = read_events(path)
        opened = next((event for event in events if event.get("event") == "opened"), None)
        if opened is None:
            continue
        try:
            lock = Path(opened["project_lock"])
            if is_held(lock) and holder_of(lock).get("transaction") == opened.get("transaction"):
                continue
            write_report(path, killed=True)
        except (KeyError, TypeError, ValueError, AttributeError):
            path.replace(path.with_suffix(".jsonl.damaged"))  # it is unusable
