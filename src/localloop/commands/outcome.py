"""Output at the end of a run, and while the cluster starts."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InterruptedRun, LocalloopError
from ..events import Emit, progress_line
from ..transaction.transaction import Transaction
from .console import Console

if TYPE_CHECKING:
    from ..ansible.runner import RunnerOutcome

_WORDS = {
    "unchanged": "Nothing to do: the cluster runs this tree",
    "deployed": "Deployed: the cluster runs this tree",
    "rolled_back": "Rolled back",
}


def emit_to(console: Console, transaction: Transaction) -> Emit:
    """A function that writes events to the journal and shows their progress on the console."""

    def emit(event: dict[str, Any]) -> None:
        transaction.emit(event)
        if event["event"] == "progress":
            console.update(progress_line(event))

    return emit


def cluster_tasks_to(console: Console) -> Callable[[str, str], None]:
    """A function that shows the tasks that start the cluster: each may take a while."""

    def show(role: str, task: str) -> None:
        if role in ("cluster", "registry"):
            console.update(f"{role}: {task}")

    return show


def require_success(playbook: str, outcome: RunnerOutcome, transaction: Transaction) -> None:
    """Raise an error if a playbook failed, unless one of its steps left one in the journal.

    Raises InterruptedRun, or LocalloopError (``playbook_failed``).
    """
    if outcome.interrupted:
        raise InterruptedRun("interrupted", "interrupted by Ctrl-C")
    if not outcome.rc or any(event.get("event") == "failed" for event in transaction.events()):
        return
    said = "; ".join(f"{each.task}: {each.message}" for each in outcome.failed)
    said = said or " ".join(outcome.said) or "it printed nothing"
    raise LocalloopError("playbook_failed", f"{playbook} ended with {outcome.rc}: {said}")


def print_outcome(console: Console, report: Path, error: LocalloopError | None) -> int:
    """Print how a run ended and how long it took; its exit code.

    ``report`` is its markdown file, ``error`` what ended it in this process, if anything did.
    """
    import json

    data = json.loads(report.with_suffix(".json").read_text())
    console.document(data)
    outcome, code = data["outcome"], int(data["exit_code"])
    failure = data.get("error")
    if failure:
        import sys

        text = str(error) if error is not None else _render(failure)
        print(f"{console.paint('error', '31')}: {text}", file=sys.stderr)
    words = _WORDS.get(outcome, outcome.capitalize())
    if outcome == "unchanged" and data["header"]["command"] in ("down", "prune"):
        words = "Nothing to remove"
    if outcome == "unchanged" and data["header"]["command"] == "stop":
        words = "Nothing to stop"
    if outcome == "stopped":
        words = "Stopped: the next deploy starts the cluster again"
    seconds = time.monotonic() - console.started
    console.say(f"{words} ({seconds:.2f} s)")
    console.say(f"Report: {report}")
    return code


def _render(failure: dict[str, Any]) -> str:
    return str(
        LocalloopError(
            failure["reason"],
            failure["message"],
            component=failure.get("component"),
            where=failure.get("where"),
            hint=failure.get("hint"),
        )
    )
