"""``localloop history``: this project's transactions, newest first."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config.project import find_config
from ..system.paths import report_dir
from .arguments import ProjectOptions, add_project
from .console import Console


@dataclass(frozen=True, kw_only=True)
class Options(ProjectOptions):
    """The command line of ``localloop history``."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that ``Options`` holds."""
    add_project(parser)


def run(options: Options, console: Console) -> int:
    """Print the transactions; 0. Raises UsageError (``config_missing``)."""
    found = reports(report_dir(find_config(options.project).parent, os.environ))
    console.document(
        [
            {**report["header"], "outcome": report["outcome"], "report": str(path)}
            for path, report in found
        ]
    )
    rows = [["TRANSACTION", "WHEN", "OUTCOME", "TOOK", "CHANGED"]]
    for _, report in found:
        changed = [name for name, part in report["components"].items() if part["changed"]]
        rows.append(
            [
                report["header"]["transaction_id"],
                report["header"]["timestamp_utc"],
                report["outcome"],
                f"{report['durations_ms']['total'] / 1000:.2f} s",
                ", ".join(changed) or "-",
            ]
        )
    console.table(rows)
    return 0


def reports(directory: Path) -> list[tuple[Path, dict[str, Any]]]:
    """The JSON reports of a directory with their paths, newest first; other files are skipped."""
    found = []
    for path in directory.glob("*.json"):
        try:
            report = json.loads(path.read_text())
            when = report["header"]["timestamp_utc"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        found.append((when, path, report))
    found.sort(key=lambda entry: entry[0], reverse=True)
    return [(path, report) for _, path, report in found]
