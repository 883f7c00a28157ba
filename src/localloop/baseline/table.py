"""What a baseline measured, as plain data, CSV and Markdown; nothing here reads or writes files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import InterruptedRun, LocalloopError, UsageError
from ..report.markdown import clean

COLUMNS = ("run", "category", "step", "status", "duration_s")


@dataclass(frozen=True)
class Measurement:
    """One step of one run (``cold`` or ``warm``).

    ``status`` is ``ok``, ``failed``, ``interrupted`` or, before its turn, ``not_run``; ``error``
    says why it is not ``ok``; ``changed`` whether it changed the cluster.
    """

    run: str
    category: str
    step: str
    status: str = "not_run"
    duration_s: float = 0.0
    error: str = ""
    changed: bool = False

    def cells(self) -> list[str]:
        """The row in the table and the CSV file; no cell needs quoting."""
        return [self.run, self.category, self.step, self.status, f"{self.duration_s:.3f}"]


@dataclass(frozen=True)
class Baseline:
    """A baseline so far; steps that it has not reached are ``not_run``."""

    run_id: str
    mode: str
    include_deploy: bool
    profile: str
    csv: Path
    steps: tuple[Measurement, ...]

    @property
    def measured(self) -> list[Measurement]:
        """The steps that were started."""
        return [step for step in self.steps if step.status != "not_run"]

    @property
    def markdown(self) -> Path:
        """The path of the Markdown report, beside the CSV file."""
        return self.csv.with_suffix(".md")

    def error(self) -> LocalloopError | None:
        """Why the baseline did not succeed; None if it did."""
        if any(step.status == "interrupted" for step in self.steps):
            return InterruptedRun("interrupted", "interrupted by Ctrl-C", where=str(self.csv))
        failed = [step for step in self.steps if step.status == "failed"]
        if not failed:
            return None
        names = ", ".join(f"{step.run} {step.category}/{step.step}" for step in failed)
        return LocalloopError(
            "baseline_failed",
            f"{len(failed)} of {len(self.steps)} steps failed: {names}",
            hint=f"Their output is in {self.markdown}.",
            details=self.as_dict(),
        )

    def as_dict(self) -> dict[str, Any]:
        """The baseline as plain data."""
        return {
            "run_id": self.run_id,
            "mode": self.mode,
            "include_deploy": self.include_deploy,
            "profile": self.profile or "none",
            "cargo_build_profile": self.profile or "none",  # its name in OpenShell's baselines
            "csv": str(self.csv),
            "markdown": str(self.markdown),
            "steps": [asdict(step) for step in self.steps],
        }


def rows(steps: Iterable[Measurement]) -> list[list[str]]:
    """The rows of the table, with the header first."""
    return [list(COLUMNS), *(step.cells() for step in steps)]


def csv_text(baseline: Baseline) -> str:
    """The content of the CSV file."""
    return "".join(f"{','.join(row)}\n" for row in rows(baseline.measured))


def baseline_rows(text: Any) -> list[dict[str, Any]]:
    """The rows of a baseline's CSV file, by column; ``duration_s`` as a number of seconds.

    Raises UsageError if the text is not such a file.
    """
    head, *body = (line.split(",") for line in str(text).splitlines() or [""])
    try:
        if tuple(head) != COLUMNS:
            raise ValueError(f"its header is not {','.join(COLUMNS)}")
        found = [dict(zip(COLUMNS, row, strict=True)) for row in body]
        return [{**row, "duration_s": float(row["duration_s"])} for row in found]
    except ValueError as error:
        raise UsageError("unexpected_data", f"not a baseline's CSV file: {error}") from None


def markdown_text(baseline: Baseline) -> str:
    """The content of the Markdown report."""
    head, *body = rows(baseline.measured)
    lines = [
        f"# Baseline {baseline.run_id}",
        "",
        f"- run_id: {baseline.run_id}",
        f"- mode: {baseline.mode}",
        f"- include_deploy: {int(baseline.include_deploy)}",
        f"- profile: {baseline.profile or 'none'}",
        f"- cargo_build_profile: {baseline.profile or 'none'}",
        f"- csv: `{clean(str(baseline.csv)).replace('`', ' ')}`",
        "",
        _row(head),
        "|---|---|---|---|---:|",
        *map(_row, body),
    ]
    for step in baseline.steps:
        if step.error:
            lines += ["", f"## {step.run} {step.category}/{step.step}: {step.status}", ""]
            lines += [f"    {line}".rstrip() for line in clean(step.error).splitlines()]
    return "\n".join(lines) + "\n"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
