"""Measure the loop against the bare commands; see docs/performance.md.

    python -m benchmarks.loop [--rounds 7] [--keep] [--print-only]

KEEP=1 (or --keep) leaves the cluster and the copy for the next run.
"""

from __future__ import annotations

import argparse
import os
import sys

from .bed import Bed
from .counts import Counts, count
from .machine import describe
from .measure import Case, Timing, interleave, ratio
from .table import rows, write

SPANS = (
    ("change_detection", "plan"),
    ("builds_total", "build and push"),
    ("image_push", "tags"),
    ("helm_upgrade", "release"),
    ("readiness_gate", "gate"),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.loop", description=__doc__)
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("ROUNDS") or 7))
    parser.add_argument("--keep", action="store_true", default=bool(os.environ.get("KEEP")))
    parser.add_argument("--print-only", action="store_true", help="leave the document alone")
    options = parser.parse_args()
    say("Preparing the cluster and the two releases …")
    with Bed(keep=options.keep) as bed:
        where = describe(bed)
        say("One round to warm up …")
        interleave(cases(bed), 1)
        timings = interleave(cases(bed), options.rounds, lambda number: say(f"Round {number}"))
        bed.deploy()
        text = "\n\n".join(
            [
                f"Medians of {options.rounds} interleaved rounds; {where}.",
                loop_table(timings),
                edit_table(timings),
                *counts_tables(count(bed, options.rounds)),
            ]
        )
    print(text)
    if not options.print_only:
        write("bench", text)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def cases(bed: Bed) -> list[Case]:
    """Each of localloop's ways next to the bare commands it is compared with."""
    edited, bare_edited = (lambda: bed.edit(bed.project)), (lambda: bed.edit(bed.bare))
    return [
        Case("unchanged deploy", bed.deploy),
        Case("unchanged bare", bed.bare_release),
        Case("unchanged playbook", bed.playbook),
        Case("edit deploy", bed.deploy, edited, bed.last_spans),
        Case("edit bare", bed.bare_edit, bare_edited, lambda: bed.steps),
        Case("edit playbook", bed.playbook, edited, bed.last_spans),
    ]


def loop_table(timings: dict[str, Timing]) -> str:
    """The time of each way, and its ratio to the bare commands."""
    names = {
        "deploy": "`localloop deploy`",
        "playbook": "`ansible-playbook deploy-fast.yml`",
        "bare": "bare commands",
    }
    body = []
    for tree in ("unchanged", "edit"):
        bare = timings[f"{tree} bare"]
        for way, text in names.items():
            timing = timings[f"{tree} {way}"]
            low, middle, high = timing.spread()
            body.append(
                [
                    f"{text}, {'nothing changed' if tree == 'unchanged' else 'one-line edit'}",
                    f"{middle:.2f}",
                    f"{low:.2f} to {high:.2f}",
                    f"{timing.median_cpu():.2f}",
                    f"{ratio(timing, bare):.2f}",
                ]
            )
    return rows(["", "seconds", "range", "CPU seconds", "ratio to bare"], body)


def edit_table(timings: dict[str, Timing]) -> str:
    """The parts of the edit: what localloop's report says, and the bare commands one by one."""
    deploy, bare = timings["edit deploy"], timings["edit bare"]
    body = []
    known = 0.0
    for span, text in SPANS:
        ours = deploy.detail(span)
        known += ours
        theirs = bare.detail(span)
        body.append([text, f"{ours:.2f}", f"{theirs:.2f}" if theirs else ""])
    body.append(["Ansible, Python and the rest", f"{deploy.spread()[1] - known:.2f}", ""])
    return rows(["one-line edit, seconds", "`localloop deploy`", "bare commands"], body)


def counts_tables(counts: Counts) -> list[str]:
    """What an unchanged deploy did, and where its time went."""
    requests = ", ".join(f"{number} to {server}" for server, number in counts.requests.items())
    facts = (
        f"An unchanged `localloop deploy` starts {len(counts.processes)} processes, makes"
        f" {sum(counts.requests.values())} requests ({requests}) and imports"
        f" {counts.modules} modules. Where its time goes:"
    )
    order = sorted(counts.phases.items(), key=lambda item: -item[1])
    body = [[phase, f"{seconds * 1000:.0f}"] for phase, seconds in order]
    return [facts, rows(["unchanged `localloop deploy`", "ms"], body)]


if __name__ == "__main__":
    main()
