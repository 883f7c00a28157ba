"""Time that a test spends for a part of the suite of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

_spent: list[tuple[str, object]] = []


@contextmanager
def part(name: str) -> Iterator[None]:
    """Count the block's time as the part ``name``, not as the running test's."""
    started = monotonic()
    try:
        yield
    finally:
        _spent.append((name, monotonic() - started))


def taken() -> list[tuple[str, object]]:
    """The parts' names and seconds since the last call."""
    found = list(_spent)
    _spent.clear()
    return found
