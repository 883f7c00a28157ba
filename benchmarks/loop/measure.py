"""Time commands against each other: interleaved, so that they share the machine's noise."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Case:
    """A command; ``prepare`` runs before it and is not timed, ``details`` splits its time."""

    name: str
    run: Callable[[], None]
    prepare: Callable[[], None] = lambda: None
    details: Callable[[], dict[str, float]] = dict


@dataclass
class Timing:
    """All samples of one case, in seconds."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    details: list[dict[str, float]] = field(default_factory=list)

    def spread(self) -> tuple[float, float, float]:
        """The minimum, the median and the maximum."""
        return min(self.wall), median(self.wall), max(self.wall)

    def median_cpu(self) -> float:
        return median(self.cpu)

    def detail(self, name: str) -> float:
        """The median of one of the details."""
        return median(sample.get(name, 0.0) for sample in self.details)


def interleave(
    cases: list[Case], rounds: int, on_round: Callable[[int], None] = lambda number: None
) -> dict[str, Timing]:
    """Run all cases once in each round, A B A B …"""
    timings = {case.name: Timing() for case in cases}
    for number in range(1, rounds + 1):
        on_round(number)
        for case in cases:
            case.prepare()
            cpu, started = _cpu(), time.perf_counter()
            case.run()
            timings[case.name].wall.append(time.perf_counter() - started)
            timings[case.name].cpu.append(_cpu() - cpu)
            timings[case.name].details.append(dict(case.details()))
    return timings


def ratio(one: Timing, other: Timing) -> float:
    """The median of the rounds' ratios."""
    return median(a / b for a, b in zip(one.wall, other.wall, strict=True))


def _cpu() -> float:
    """CPU seconds of all children that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
