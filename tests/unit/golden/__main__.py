"""``make gate-report``: how often the gate is wrong about states whose verdict is known.

``GATE_SEED`` repeats a run. Exits with 1 if any verdict is wrong.
"""

from __future__ import annotations

import os
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable

from .compare import FALSE_FAILED, FALSE_READY, OTHER
from .generated import generate
from .states import states

GENERATED = 10_000
COLUMNS = ("golden", "generated", FALSE_READY, FALSE_FAILED, OTHER)


def new_seed() -> int:
    """``GATE_SEED``, or a new random seed."""
    return int(os.environ.get("GATE_SEED") or random.SystemRandom().randrange(10**9))


def main() -> int:
    seed = new_seed()
    tally: defaultdict[str, Counter[str]] = defaultdict(Counter)
    mistakes = []
    every = [("golden", state.base.kind, state) for state in states()]
    every += [("generated", made.kind, made) for made in generate(seed, GENERATED)]
    for source, kind, state in every:
        how = state.mistake()
        tally[kind].update((source, how))
        if how:
            mistakes.append(f"{how}: {state}: {state.state} {state.reason}, got {state.verdict()}")
    print(f"seed {seed}")
    _row("kind", COLUMNS)
    for kind in sorted(tally):
        _row(kind, (tally[kind][name] for name in COLUMNS))
    total = sum(tally.values(), Counter())
    _row("all", (total[name] for name in COLUMNS))
    print(*mistakes[:20], sep="\n", end="\n" if mistakes else "")
    return 1 if mistakes else 0


def _row(title: str, cells: Iterable[object]) -> None:
    print(f"{title:26}" + "".join(f"{cell!s:>14}" for cell in cells))


if __name__ == "__main__":
    sys.exit(main())
