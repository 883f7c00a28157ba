"""Measure fingerprints against git and against bare loops; see docs/performance.md.

    python -m benchmarks.fingerprint [--rounds 7] [--scale 1.0] [--print-only]

It needs no Docker. The trees lie in the folder for temporary files: 310,000 files, 2 GiB.

Ends with 1 if an aim is missed: a ratio of seconds above its case's, or too much memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from ..loop.machine import machine
from ..loop.table import rows, write
from . import trees

MEMORY = 300
"""The limit for the memory of a fingerprint's process, in MiB."""

_SHORT = 4  # more turns a round for what takes less than a tenth of a second
GIT = ["git", "-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false"]

Sample = tuple[float, float]
"""Seconds and CPU seconds."""


@dataclass
class Case:
    """``run`` gives its seconds and CPU seconds; ``other`` is what it is compared with."""

    title: str
    run: Callable[[], Sample]
    other: str = ""
    aim: str = ""
    short: bool = False
    samples: list[Sample] = field(default_factory=list)

    def ratios(self, other: Case) -> list[str]:
        """The medians of each round's ratios, of seconds and of CPU seconds."""
        pairs = list(zip(self.samples, other.samples, strict=True))
        return [f"{median(one[i] / two[i] for one, two in pairs):.2f}" for i in (0, 1)]


class Bench:
    """The trees, and the commands on them."""

    def __init__(self, root: Path, scale: float) -> None:
        self.tracked = trees.project(root / "tracked")
        self.alone = trees.project(root / "alone")
        self.beside = trees.project(root / "beside")
        self.large = trees.project(root / "large")
        self.peak = 0.0
        trees.fill(self.tracked / "src", int(100_000 * scale))
        trees.commit(self.tracked)
        for tree in (self.alone, self.beside):
            trees.fill(tree / "src", int(5_000 * scale))
        trees.fill_ignored(self.beside, int(200_000 * scale))
        trees.fill_large(self.large / "src", 16, max(1, int(64 * scale)))
        time.sleep(trees.SETTLED)

    def cases(self) -> dict[str, Case]:
        warm = "as kept from the run before"
        return {
            "git": Case("100,000 tracked files: `git status --porcelain`", self._git),
            "scan": Case("… a bare `scandir` and `lstat` in Python", self._scan, "git"),
            "tracked": Case(
                f"… fingerprint, {warm}", lambda: self._print(self.tracked), "git", "2.5"
            ),
            "plan": Case("… `localloop plan`, the whole command", self._plan, "git"),
            "alone": Case(
                f"5,000 inputs: fingerprint, {warm}", lambda: self._print(self.alone), short=True
            ),
            "beside": Case(
                "… 200,000 ignored files beside them",
                lambda: self._print(self.beside),
                "alone",
                "1.1",
                short=True,
            ),
            "alone cold": Case(
                "5,000 inputs: fingerprint, nothing kept", lambda: self._cold(self.alone)
            ),
            "beside cold": Case(
                "… 200,000 ignored files beside them",
                lambda: self._cold(self.beside),
                "alone cold",
                "1.1",
            ),
            "read": Case(
                "100,000 files: read and sha256 in Python", lambda: self._read(self.tracked)
            ),
            "cold": Case("… fingerprint, nothing kept", lambda: self._cold(self.tracked), "read"),
            "read large": Case(
                "1 GiB in 16 files, from the disk: read and sha256 in Python",
                lambda: self._read(self.large),
            ),
            "large": Case(
                "… fingerprint, nothing kept", lambda: self._cold(self.large), "read large"
            ),
        }

    def _git(self) -> Sample:
        return _timed([*GIT, "status", "--porcelain"], self.tracked)

    def _scan(self) -> Sample:
        return self._probe("scan", self.tracked / "src")

    def _print(self, root: Path) -> Sample:
        return self._probe("fingerprint", root)

    def _plan(self) -> Sample:
        unseen = {**os.environ, "DOCKER_HOST": f"unix://{self.tracked}/none"}
        return _timed([sys.executable, "-m", "localloop", "plan"], self.tracked, env=unseen)

    def _cold(self, root: Path) -> Sample:
        """Run without caches, and restore them afterwards."""
        kept, aside = root / ".cache", root.with_name(f"{root.name}.kept")
        if kept.exists():
            kept.rename(aside)
        self._drop_large(root)
        sample = self._probe("fingerprint", root)
        shutil.rmtree(kept)
        if aside.exists():
            aside.rename(kept)
        return sample

    def _read(self, root: Path) -> Sample:
        self._drop_large(root)
        return self._probe("read", root / "src")

    def _drop_large(self, root: Path) -> None:
        """Drop the large files from the page cache."""
        for path in (root / "src").glob("*.bin"):
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def _probe(self, what: str, root: Path) -> Sample:
        argv = [sys.executable, str(Path(__file__).with_name("probe.py")), what, str(root)]
        found = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)
        if what == "fingerprint":
            self.peak = max(self.peak, found["peak"])
        return found["seconds"], found["cpu"]


def _timed(argv: list[str], root: Path, env: dict[str, str] | None = None) -> Sample:
    cpu, started = _cpu(), time.perf_counter()
    subprocess.run(argv, cwd=root, env=env, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started, _cpu() - cpu


def _cpu() -> float:
    """CPU seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.fingerprint", description=__doc__)
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("ROUNDS") or 7))
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of the trees' sizes; only 1 is written and judged"
    )
    parser.add_argument("--print-only", action="store_true", help="leave the document alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="localloop-bench-") as folder:
        say("Making the trees …")
        bench = Bench(Path(folder), options.scale)
        where = machine()
        cases = bench.cases()
        say("One round to warm up …")
        for case in cases.values():
            case.run()
        for number in range(options.rounds):
            say(f"Round {number + 1}")
            for case in cases.values():
                case.samples.append(case.run())
            for _ in range(_SHORT):
                for case in cases.values():
                    if case.short:
                        case.samples.append(case.run())
    git = subprocess.run(["git", "version"], check=True, capture_output=True, text=True).stdout
    text = "\n\n".join(
        [
            f"Medians of {options.rounds} interleaved rounds; {where}, {git.strip()}.",
            rows(
                ["", "ms", "range", "ratio", "CPU ms", "CPU ratio", "aim, at most"],
                [_row(case, cases) for case in cases.values()],
            ),
            f"Peak memory of a fingerprint, Python included: {bench.peak:.0f} MiB"
            f" (aim: below {MEMORY}).",
        ]
    )
    print(text)
    if not options.print_only and options.scale == 1:
        write("bench-fingerprint", text)
    wrong = missed(cases, bench.peak)
    for line in wrong:
        say(f"missed: {line}")
    return int(bool(wrong) and options.scale == 1)


def missed(cases: dict[str, Case], peak: float) -> list[str]:
    """The targets that were missed, as written."""
    found = []
    for case in cases.values():
        if case.aim:
            ratio = case.ratios(cases[case.other])[0]
            if float(ratio) > float(case.aim):
                found.append(f"{case.title}: {ratio} (aim: at most {case.aim})")
    if peak >= MEMORY:
        found.append(f"peak memory {peak:.0f} MiB (aim: below {MEMORY})")
    return found


def _row(case: Case, cases: dict[str, Case]) -> list[str]:
    found = [seconds * 1000 for seconds, _ in case.samples]
    cpu = median(cpu for _, cpu in case.samples) * 1000
    ratio, cpu_ratio = case.ratios(cases[case.other]) if case.other else ["", ""]
    spread = f"{min(found):.0f} to {max(found):.0f}"
    return [case.title, f"{median(found):.0f}", spread, ratio, f"{cpu:.0f}", cpu_ratio, case.aim]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
