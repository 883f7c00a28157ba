"""``localloop history``: this project's transactions, newest first."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..config.project import find_config
from ..system.paths import report_dir
from . import Options


def run(options: Options) -> int:
    found = reports(report_dir(find_config(options.project).parent, os.environ))
    options.console.document(
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
    options.console.table(rows)
    return 0


def reports(directory: Path) -> list[tuple[Path, dict[str, Any]]]:
    """The JSON reports of a directory, newest first; files that are not reports are left out."""
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
