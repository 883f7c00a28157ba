"""The steps are the package's API: each says what it takes, what it returns and how it fails."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

import pytest
from reason_names import SOURCES, read_names
from test_layout import PACKAGE, arrows

from harness.documented import returned
from localloop import errors
from localloop.readiness.reasons import REASONS
from localloop.steps.context import Context

STEPS = sorted(
    path.stem
    for path in (SOURCES / "steps").glob("*.py")
    if path.stem not in ("__init__", "context")
)
NAMES, _ = read_names()
ERROR = re.compile(r"(\w+) \(exit (\d+)\): ((?:.|\n)*?)(?=\n\w|\Z)")


def public(step: str) -> Iterator[tuple[str, Any]]:
    module = import_module(f"localloop.steps.{step}")
    for name, found in vars(module).items():
        own = inspect.isfunction(found) and found.__module__ == module.__name__
        if own and not name.startswith("_"):
            yield name, found


def raises(step: str) -> str:
    text = inspect.getdoc(dict(public(step))["run"]) or ""
    _, found, section = text.partition("\nRaises:\n")
    assert found, f"{step}.run: its docstring has no section Raises"
    return inspect.cleandoc(section)


@pytest.mark.parametrize("step", [*STEPS, "context"])
def test_every_public_function_has_a_docstring_with_its_errors(step: str) -> None:
    found = dict(public(step))
    assert step == "context" or "run" in found
    for name, function in found.items():
        assert "Raises" in (inspect.getdoc(function) or ""), f"{step}.{name}"


@pytest.mark.parametrize("step", STEPS)
def test_parameters_and_results_are_named(step: str) -> None:
    text = inspect.getdoc(dict(public(step))["run"]) or ""
    takes, found, returns = text.partition("\nRaises:")[0].partition("Returns ``changed``")
    assert found, f"{step}.run says nothing of what it returns"
    spec = import_module(f"localloop.steps.{step}").ARGUMENT_SPEC
    assert {name for name in spec if f"``{name}``" not in takes} == set()
    results = {name for name, doc in returned(step).items() if doc["returned"] != "failure"}
    assert {name for name in results if f"``{name}``" not in returns} == set()


@pytest.mark.parametrize("step", STEPS)
def test_errors_are_those_of_the_sources(step: str) -> None:
    """Each name is a reason that the step's own imports can give, of an error with that code."""
    text = raises(step)
    if text.startswith("Nothing"):
        return
    listed = ERROR.findall(text)
    assert listed, text
    reached = reached_from(f"steps.{step}")
    for kind, code, reasons in listed:
        assert getattr(errors, kind).exit_code == int(code)
        for reason in re.findall(r"``([a-z]+_[a-z_]+|timeout|interrupted)``", reasons):
            given = [found for found in NAMES if found.name == reason]
            assert given, f"{step}.run: nothing gives {reason}"
            of_gate = reason in {row.name for row in REASONS}
            kinds = {found.kind for found in given}
            assert int(code) in kinds or of_gate or "state" in kinds, f"{step}.run: {reason}"
            places = {found.module for found in given}
            assert places & reached, f"{step}.run: {reason} is given in {places} alone"


TAKE_A_PLAN = [
    step
    for step in STEPS
    if import_module(f"localloop.steps.{step}").ARGUMENT_SPEC.get("plan", {}).get("required")
    and step != "component_report"  # it only looks one component up
]


@pytest.mark.parametrize("step", TAKE_A_PLAN)
def test_what_is_not_a_plan_is_refused_by_name(step: str) -> None:
    """Such as the whole result of the step before, of which the plan is a part."""
    module = import_module(f"localloop.steps.{step}")
    others = {"when": "before_deploy", "gate": {}}
    for given in ({}, {"plan": {"components": {}}}, {"components": None}, {"components": {"a": 1}}):
        with pytest.raises(errors.UsageError) as caught:
            module.run({**others, "plan": given}, Context(check=True))
        assert caught.value.reason == "plan_unreadable"


@cache
def edges() -> frozenset[tuple[str, str]]:
    return frozenset(arrows(PACKAGE))


def reached_from(module: str) -> set[str]:
    """The module with all that it imports, also inside functions, and what that imports."""
    found, left = set(), [module]
    while left:
        each = left.pop()
        if each not in found:
            found.add(each)
            left += [target for start, target in edges() if start == each]
    return found
