"""In which order charts are released."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..config.model import Chart
from ..plan.model import ComponentPlan


def in_order(
    parts: Sequence[ComponentPlan], charts: Mapping[str, Chart]
) -> Iterator[ComponentPlan]:
    """The parts, each after those that its chart needs, directly or through others."""
    left = {part.name: part for part in parts}

    def with_needs(name: str) -> Iterator[ComponentPlan]:
        for need in charts[name].needs:
            yield from with_needs(need)
        if name in left:
            yield left.pop(name)

    for part in parts:
        yield from with_needs(part.name)
