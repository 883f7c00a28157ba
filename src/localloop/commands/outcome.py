"""Output at the end of a run, and while the cluster starts."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import LocalloopError
from .console import Console


def task_shower(console: Console) -> Callable[[str, str], None]:
    """A function that shows the tasks that start the cluster: each may take a while."""

    def show(role: str, task: str) -> None:
        if role in ("cluster", "registry"):
            console.tell(f"{role}: {task}")

    return show


def say_outcome(console: Console, report: Path, error: LocalloopError | None) -> int:
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
    words = {
        "unchanged": "Nothing to do: the cluster runs this tree",
        "deployed": "Deployed: the cluster runs this tree",
        "rolled_back": "Rolled back",
    }
    seconds = time.monotonic() - console.started
    console.say(f"{words.get(outcome, outcome.capitalize())} ({seconds:.2f} s)")
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
