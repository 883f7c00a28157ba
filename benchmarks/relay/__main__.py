"""Measure examples/relay: the cost of an edit of either part, and the compiler's share.

python -m benchmarks.relay [--rounds 5] [--keep] [--print-only]
"""

from __future__ import annotations

import argparse
import os
import re
import uuid
from pathlib import Path

from benchmarks.loop.bed import Workbench
from benchmarks.loop.machine import describe
from benchmarks.loop.measure import Case, Timing, interleave
from benchmarks.loop.table import rows, write

# From OpenShell's pull request 367: its authors' machine, whole seconds.
SEED = {"nothing": "1", "gateway": "20 to 43", "supervisor": "14 to 17"}
PARTS = (
    ("change_detection", "plan"),
    ("compiler", "compiler"),
    ("buildkit", "the rest of the build"),
    ("image_push", "tags"),
    ("supervisor_build_deploy", "put"),
    ("helm_upgrade", "release"),
    ("supervisor_reconcile", "reconcile"),
    ("readiness_gate", "gate"),
)
CARGO = re.compile(r"Finished .* in ([\d.]+)s$", re.MULTILINE)


class Relay(Workbench):
    """The deployed relay; an edit changes what a part answers."""

    def __enter__(self) -> Relay:
        self.copy(self.project)
        try:
            self.deploy()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        names = ("gateway", "sandbox", "supervisor")
        self.remove([f"{self.registry()}/relay/{name}" for name in names])

    def edit(self, crate: str) -> None:
        path = self.project / "crates" / crate / "src" / "main.rs"
        line = f'const GREETING: &str = "Edit {uuid.uuid4().hex[:8]}";'
        text, count = re.subn(r"const GREETING: &str = .*", line, path.read_text())
        assert count == 1, path
        path.write_text(text)

    def spans(self) -> dict[str, float]:
        """The report's durations, with the build split by cargo's own times."""
        spans = self.last_spans()
        compiler = sum(map(float, CARGO.findall(self._build_log()))) if spans["builds_total"] else 0
        return {**spans, "compiler": compiler, "buildkit": spans["builds_total"] - compiler}

    def _build_log(self) -> str:
        return Path(self.project, ".cache", "localloop", "build", "bake.log").read_text()


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.relay", description=__doc__)
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("ROUNDS") or 5))
    parser.add_argument("--keep", action="store_true", default=bool(os.environ.get("KEEP")))
    parser.add_argument("--print-only", action="store_true", help="leave the document alone")
    options = parser.parse_args()
    with Relay("bench-relay", "relay", keep=options.keep) as relay:
        where = describe(relay)
        interleave(cases(relay), 1)
        timings = interleave(cases(relay), options.rounds)
    text = f"Medians of {options.rounds} interleaved rounds; {where}.\n\n{table(timings)}"
    print(text)
    if not options.print_only:
        write("bench-relay", text)


def cases(relay: Relay) -> list[Case]:
    """The three runs; each edit is new to every build."""
    return [
        Case("nothing", relay.deploy, details=relay.spans),
        Case("gateway", relay.deploy, lambda: relay.edit("gateway"), relay.spans),
        Case("supervisor", relay.deploy, lambda: relay.edit("supervisor"), relay.spans),
    ]


def table(timings: dict[str, Timing]) -> str:
    head = ["seconds", "nothing changed", "gateway edit", "supervisor edit"]
    names = ("nothing", "gateway", "supervisor")
    totals = {name: timings[name].spread()[1] for name in names}
    parts = {text: [timings[name].detail(span) for name in names] for span, text in PARTS}
    rest = [totals[name] - sum(part[n] for part in parts.values()) for n, name in enumerate(names)]
    body = [["`localloop deploy`", *(f"{totals[name]:.2f}" for name in names)]]
    for text, values in {**parts, "Ansible, Python and the rest": rest}.items():
        body.append([text, *(f"{value:.2f}" if value >= 0.005 else "" for value in values)])
    shares = [parts["compiler"][n] / totals[name] for n, name in enumerate(names)]
    body.append(["the compiler's share", *(f"{share:.0%}" if share else "" for share in shares)])
    body.append(["the seed's deploy", *(SEED[name] for name in names)])
    return rows(head, body)


if __name__ == "__main__":
    main()
