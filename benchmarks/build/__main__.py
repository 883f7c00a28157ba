"""Measure one bake of two images and a node file against the same three built one after another.

python -m benchmarks.build [--rounds 5] [--print-only]

All three take something from one stage. Each step burns CPU, as a compiler does; nothing is pushed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.loop.measure import Case, interleave, ratio
from benchmarks.loop.table import rows, write

from localloop.build.bake import LOG, Target, run_bake
from localloop.session import host_platform
from localloop.system.redact import Redactor

BASE = "debian:bookworm-slim"
PARTS = ("gateway", "worker", "supervisor")
# The last one is a node file: a stage with one file.
EXPORT = {"supervisor": "FROM scratch AS export\nCOPY --from=own /out /supervisor\n"}
WAYS = ("one bake", "one after another")
MEGABYTES = 600
_RAN = re.compile(r"^(\[[^\]]*\b(shared|own) \d+/\d+\]) RUN ", re.MULTILINE)


@dataclass
class Workshop:
    """A directory with three Dockerfiles; ``salt`` makes every step of the next build new."""

    root: Path
    salt: str = ""
    ran: dict[str, list[int]] = field(default_factory=dict)

    def change(self) -> None:
        self.salt = uuid.uuid4().hex
        for part in PARTS:
            # The stage has the same text in each, so BuildKit treats it as one.
            (self.root / f"Dockerfile.{part}").write_text(
                f"FROM {BASE} AS shared\n{_burn(f'shared {self.salt}')}\n"
                f"FROM shared AS own\n{_burn(f'{part} {self.salt}')}\n{EXPORT.get(part, '')}"
            )

    def build(self, way: str) -> None:
        together = way == WAYS[0]
        logs = self._bake(PARTS) if together else "".join(self._bake([part]) for part in PARTS)
        self.ran[way] = count(logs)

    def _bake(self, parts: Sequence[str]) -> str:
        targets = [
            Target(part, self.root, self.root / f"Dockerfile.{part}", None, host_platform())
            for part in parts
        ]
        run_bake(targets, work=self.root / "work", on_step=lambda *_: None, redact=Redactor())
        return (self.root / "work" / LOG).read_text() + "\f"


def _burn(name: str) -> str:
    return f"RUN --network=none head -c {MEGABYTES}M /dev/zero | sha256sum > /out # {name}"


def count(logs: str) -> list[int]:
    """How often the shared stage's steps and the others ran, from BuildKit's logs (``\\f``)."""
    found = {"shared": 0, "own": 0}
    for log in logs.split("\f"):
        for label, stage in set(_RAN.findall(log)):
            if f"{label} cached" not in log.splitlines():
                found[stage] += 1
    return [found["shared"], found["own"]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.build", description=__doc__)
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("ROUNDS") or 5))
    parser.add_argument("--print-only", action="store_true", help="leave the document alone")
    options = parser.parse_args()
    where = describe()
    with tempfile.TemporaryDirectory(prefix="bench-build-") as directory:
        workshop = Workshop(Path(directory))
        cases = [
            Case(way, lambda way=way: workshop.build(way), workshop.change)  # type: ignore[misc]
            for way in WAYS
        ]
        timings = interleave(
            cases, options.rounds, lambda number: print(f"Round {number}", file=sys.stderr)
        )
    body = []
    for way in WAYS:
        least, middle, most = timings[way].spread()
        shared, own = workshop.ran[way]
        compared = ratio(timings[way], timings[WAYS[1]])
        spread = f"{least:.1f} to {most:.1f}"
        body.append([way, f"{middle:.1f}", spread, f"{compared:.2f}", str(shared), str(own)])
    head = ["", "seconds", "range", "ratio", "runs of the shared stage", "runs of the others"]
    text = f"Medians of {options.rounds} interleaved rounds; {where}.\n\n{rows(head, body)}"
    print(text)
    if not options.print_only:
        write("bench-build", text)


def describe() -> str:
    asked = ["docker", "version", "--format", "{{.Server.Version}}"]
    docker = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    cores = len(os.sched_getaffinity(0))
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {cores} cores, load average {os.getloadavg()[0]:.1f} at the"
        f" start, Docker {docker}"
    )


if __name__ == "__main__":
    main()
