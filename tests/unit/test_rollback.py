"""Which states a rollback goes back to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from localloop.errors import UsageError
from localloop.record.model import ChartState, Record
from localloop.release.rollback import states_of


def deployed(record: Record, transaction: str, *charts: str) -> Record:
    """The record after a transaction that has released these charts and was settled."""
    for chart in charts:
        before = record.charts[chart].target.revision if chart in record.charts else 0
        state = ChartState(transaction, f"fp-{transaction}", {}, before, revision=before + 1)
        record = record.unsettle(chart, state).settle(chart, state)
    return replace(record, serial=record.serial + 2)


def chosen(record: Record, transaction: str | None = None) -> dict[str, tuple[str, int]]:
    states = states_of(record, transaction)
    return {name: (state.transaction, state.revision) for name, state in states.items()}


@pytest.fixture
def record() -> Record:
    record = deployed(Record("hello"), "tx-1", "web", "db")
    record = deployed(record, "tx-2", "web")
    record = deployed(record, "tx-3", "db")
    return deployed(record, "tx-4", "web", "cache")


def test_the_one_before_now(record: Record) -> None:
    assert chosen(record) == {"web": ("tx-2", 2), "db": ("tx-3", 2)}


def test_what_ran_when_a_transaction_was_done(record: Record) -> None:
    assert chosen(record, "tx-1") == {"web": ("tx-1", 1), "db": ("tx-1", 1)}
    assert chosen(record, "tx-2") == {"web": ("tx-2", 2), "db": ("tx-1", 1)}
    assert chosen(record, "tx-3") == {"web": ("tx-2", 2), "db": ("tx-3", 2)}
    assert chosen(record, "tx-4") == {
        "web": ("tx-4", 3),
        "db": ("tx-3", 2),
        "cache": ("tx-4", 1),
    }


def test_an_unfinished_deploy_goes_back_to_what_was_last_ready(record: Record) -> None:
    failing = record.unsettle("web", ChartState("tx-5", "fp", {}, 3))
    assert chosen(failing) == chosen(record, "tx-4")


def test_twice_is_once_forth(record: Record) -> None:
    state = replace(states_of(record, None)["web"], base_revision=3, revision=4)
    back = replace(record.settle("web", state), serial=record.serial + 2)
    assert chosen(back)["web"] == ("tx-4", 3)


def test_a_transaction_that_is_not_known(record: Record) -> None:
    with pytest.raises(UsageError, match=r"no state of tx-9\n  It knows: tx-4, tx-3, tx-2, tx-1"):
        states_of(record, "tx-9")


def again(record: Record, *charts: str) -> Record:
    """The record after a repaired drift, a ``--full`` or an automatic rollback."""
    for chart in charts:
        target = record.charts[chart].target
        state = replace(target, transaction="tx-again", revision=target.revision + 1)
        record = record.unsettle(chart, state).settle(chart, state)
    return replace(record, serial=record.serial + 2)


def test_states_that_are_the_same_are_one(record: Record) -> None:
    assert chosen(again(record, "web")) == chosen(record)
    assert chosen(again(again(record, "web"), "web", "db", "cache")) == chosen(record)


def test_a_manifest_that_is_the_same_is_the_same_state(record: Record) -> None:
    """Other inputs, such as a comment in the values, that Helm rendered to the same."""
    first = ChartState("tx-5", "fp-5", {}, 3, revision=4, manifest="m")
    then = replace(first, transaction="tx-6", fingerprint="fp-comment", revision=5)
    for state in (first, then):
        record = replace(record.settle("web", state), serial=record.serial + 2)
    assert chosen(record)["web"] == ("tx-4", 3)


def test_what_was_only_repeated_has_nothing_before() -> None:
    once = deployed(Record("hello"), "tx-1", "web")
    with pytest.raises(UsageError) as caught:
        states_of(again(once, "web"), None)
    assert caught.value.reason == "nothing_before"


def test_nothing_before() -> None:
    for empty in (Record("hello"), deployed(Record("hello"), "tx-1", "web")):
        with pytest.raises(UsageError) as caught:
            states_of(empty, None)
        assert caught.value.reason == "nothing_before"
