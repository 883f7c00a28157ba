"""docs/troubleshooting.md explains every reason name that the sources can give, and no other."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from types import ModuleType

import pytest
from reason_names import Found, index_of, read_names, reasons_in, values_of

from localloop.readiness.causes import CAUSES
from localloop.readiness.reasons import REASONS

DOCS = Path(__file__).resolve().parents[2] / "docs"
NAMES, UNREAD = read_names()
GATE = {reason.name for reason in REASONS}


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """docs/tables.py."""
    monkeypatch.syspath_prepend(str(DOCS))
    return importlib.import_module("tables")


def named(*kinds: int | str, rooms: tuple[str, ...] = (), but: tuple[str, ...] = ()) -> set[str]:
    return {
        found.name
        for found in NAMES
        if found.kind in kinds and (not rooms or found.room in rooms) and found.room not in but
    }


READINESS, RECONCILE = ("readiness",), ("node_files",)
# What the sources give, by the table that has to explain it.
GIVEN = {
    "failed": named(1) - GATE,
    "refused": named(2),
    "busy": named(75),
    "interrupted": named(130),
    "waiting": named("state", rooms=READINESS) - GATE,
    "cluster": named("state", but=READINESS + RECONCILE) - GATE,
    "reconcile": named("state", rooms=RECONCILE),
    "planned": named("plan"),
    "skipped": named("skip"),
}


@pytest.mark.parametrize("name", GIVEN)
def test_a_table_explains_what_the_sources_give_and_nothing_else(
    name: str, tables: ModuleType
) -> None:
    explained = [row.name for row in tables.TABLES[name][2]]
    assert len(set(explained)) == len(explained)
    places = {found.name: found.where for found in NAMES}
    missing = {each: places[each] for each in GIVEN[name] - set(explained)}
    assert missing == {}, "add rows to docs/reasons.py, then `make docs`"
    assert set(explained) - GIVEN[name] == set(), "nothing gives these any more"


def test_every_table_is_compared(tables: ModuleType) -> None:
    assert set(tables.TABLES) == {*GIVEN, "reason", "cause"}


def test_the_gate_gives_each_of_its_reasons() -> None:
    """Those of the API server are made from its own words."""
    made = named("state", 1) | {f"api_{word}" for word in ("forbidden", "unauthorized")}
    assert GATE - made == set()


def test_every_reason_can_be_read_from_the_sources() -> None:
    assert UNREAD == [], "write the name as a literal, or in a table of literals"


def test_rows_are_whole(tables: ModuleType) -> None:
    for _, columns, rows in tables.TABLES.values():
        for row in rows:
            assert row.meaning and not row.meaning.endswith("."), row.name
            assert bool(row.next_step) == (len(columns) == 3), row.name
            if columns[-1] == tables.DO:
                assert row.next_step.endswith("."), row.name
    assert {cause.name for cause in CAUSES}.isdisjoint(GATE)


def test_the_page_is_up_to_date(tables: ModuleType) -> None:
    """`make docs` writes it."""
    assert tables.main(["--check"]) == 0


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('raise LocalloopError("one", "text")', {("one", 1)}),
        ('raise Busy(f"two:{name}", "text")', {("two", 75)}),
        ("ERROR = 'three'\nraise LocalloopError(ERROR, 'text')", {("three", 1)}),
        ('OF = {"a": ("four", 1), "b": ("five", 2)}\nreason, n = OF.get(k)',
         {("four", "state"), ("five", "state")}),
        ('Reason("six" if x else "seven")', {("six", "plan"), ("seven", "plan")}),
        ('replace(part, skip="eight")', {("eight", "skip")}),
        ('def f(reason="nine"):\n  return {"reason": reason}', {("nine", "state")}),
        ('def f(a, reason): ...\nf(1, "ten")', {("ten", "state")}),
        ('def f():\n  return "eleven", 1\nreason, n = f()', {("eleven", "state")}),
        ('raise LocalloopError(error.reason, "text")', set()),
        ('raise LocalloopError(f"{what}_taken", "text")', {None}),
        ('raise LocalloopError(make_name(), "text")', {None}),
    ],
)  # fmt: skip
def test_the_reader_itself(source: str, expected: set[tuple[str, int | str] | None]) -> None:
    tree = ast.parse(f"class Busy(LocalloopError):\n  exit_code = 75\n{source}")
    index = index_of([tree])
    found: set[tuple[str, int | str] | None] = set()
    for node, kind in reasons_in(tree, index):
        values = values_of(node, index)
        found |= {None} if values is None else {(value, kind) for value in values}
    assert found == expected


def test_the_sources_are_read() -> None:
    """So that a path that moved cannot make the tests above pass on nothing."""
    assert Found("locked", 75, next(f.where for f in NAMES if f.name == "locked")) in NAMES
    assert len({found.name for found in NAMES}) > 150
