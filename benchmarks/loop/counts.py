"""What one unchanged ``localloop deploy`` does: requests, processes, modules, and its time."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from .bed import Bed

PROBE = Path(__file__).with_name("probe.py")


@dataclass(frozen=True)
class Counts:
    """Counts are those of one run and must not differ between runs; phases are medians."""

    requests: dict[str, int]
    processes: list[str]
    modules: int
    phases: dict[str, float]


def count(bed: Bed, rounds: int) -> Counts:
    samples: list[dict[str, Any]] = []
    starts = []
    for _ in range(rounds):
        started = time.perf_counter()
        bed.run([sys.executable, "-c", "pass"])
        starts.append(time.perf_counter() - started)
        target = bed.root / "probe.json"
        bed.run([sys.executable, str(PROBE), str(target), "deploy"])
        samples.append(json.loads(target.read_text()))
    for key in ("requests", "processes"):
        if any(sample[key] != samples[0][key] for sample in samples):
            raise SystemExit(f"{key} differ between runs: {[sample[key] for sample in samples]}")
    phases = {"Python itself": median(starts)}
    for name in sorted(samples[0]["phases"]):
        phases[name] = median(sample["phases"].get(name, 0.0) for sample in samples)
    return Counts(samples[0]["requests"], samples[0]["processes"], samples[0]["modules"], phases)
