"""How a transaction ends: whatever happened, it is closed and has its report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from localloop.errors import InterruptedRun, LocalloopError
from localloop.transaction.run import run_to_its_end


class FakeTransaction:
    def __init__(self) -> None:
        self.closed: list[LocalloopError | None] = []

    def close(self, *, error: LocalloopError | None = None) -> Path:
        self.closed.append(error)
        return Path("/reports/tx.md")


def ended(failure: BaseException | None) -> tuple[Any, FakeTransaction]:
    transaction: Any = FakeTransaction()

    def act() -> None:
        if failure is not None:
            raise failure

    return run_to_its_end(transaction, act), transaction


def test_a_success() -> None:
    found, transaction = ended(None)
    assert found == (Path("/reports/tx.md"), None)
    assert transaction.closed == [None]


def test_a_failure_is_handed_on() -> None:
    failure = LocalloopError("some_reason", "why")
    found, transaction = ended(failure)
    assert found == (Path("/reports/tx.md"), failure)
    assert transaction.closed == [failure]


def test_ctrl_c_is_an_interruption() -> None:
    (_, error), transaction = ended(KeyboardInterrupt())
    assert isinstance(error, InterruptedRun)
    assert transaction.closed == [error]


def test_a_defect_has_a_report_and_shows_itself() -> None:
    transaction: Any = FakeTransaction()
    with pytest.raises(ZeroDivisionError):
        run_to_its_end(transaction, lambda: 1 / 0)
    (error,) = transaction.closed
    assert error.reason == "defect"
    assert "ZeroDivisionError" in error.message
