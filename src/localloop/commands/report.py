"""``localloop report``: print a transaction's report."""

from __future__ import annotations

import os

from ..config.project import find_config
from ..errors import UsageError
from ..system.paths import report_dir
from . import Options
from .history import reports


def run(options: Options) -> int:
    directory = report_dir(find_config(options.project).parent, os.environ)
    for path, report in reports(directory):
        if options.transaction in (None, report["header"]["transaction_id"]):
            options.console.document(report)
            if not options.console.as_json:
                options.console.say(path.with_suffix(".md").read_text().rstrip("\n"))
            return 0
    raise UsageError(
        "no_report",
        f"{directory} has no report"
        + (f" of {options.transaction}" if options.transaction else ""),
        hint="`localloop history` lists them.",
    )
