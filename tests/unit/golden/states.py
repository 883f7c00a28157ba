"""The states in ``fixtures/readiness``, with the verdict on each."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from localloop.kube.objects import Snapshot, timestamp, uid_of
from localloop.readiness.judge import judge
from localloop.readiness.pod_rule import Thresholds
from localloop.readiness.verdict import Verdict

from .compare import mistake

FIXTURES = Path(__file__).parents[1] / "fixtures" / "readiness"
Object = dict[str, Any]


@dataclass(frozen=True)
class Base:
    """A ready object and related ones, by short names; ``judge`` names the one to judge."""

    name: str
    kubernetes: str
    captured: bool
    judge: str
    objects: dict[str, Object]
    expected: dict[str, list[str]] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return str(self.objects[self.judge]["kind"])


@dataclass(frozen=True)
class State:
    """One change to a base, and the verdict that follows."""

    base: Base
    name: str
    state: str
    reason: str = ""
    detail: str | None = None
    suspects: tuple[str, ...] = ()
    warns: str | None = None
    set: Mapping[str, Any] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    add: Mapping[str, Any] = field(default_factory=dict)
    since: str | None = None  # when the gate began
    run: str | None = None  # when the run began
    baseline: Mapping[str, int] = field(default_factory=dict)
    load_balancers: bool = False

    def __str__(self) -> str:
        return f"{self.base.name}: {self.name}"

    def objects(self) -> dict[str, Object]:
        """The base's objects with this state's changes."""
        # Copied one by one: YAML aliases share what each object must own.
        found = {name: copy.deepcopy(obj) for name, obj in self.base.objects.items()}
        for name, extra in self.add.items():
            found[name] = copy.deepcopy(found[extra["from"]])
            for path, value in extra["set"].items():
                put(found[name], path, value)
        for path, value in self.set.items():
            put(found, path, self._filled(value))
        for path in self.remove:
            drop(found, path)
        return found

    def _filled(self, value: Any) -> Any:
        """``{repository}`` stands for the repository whose images are expected."""
        if isinstance(value, str) and "{repository}" in value:
            return value.replace("{repository}", next(iter(self.base.expected)))
        return value

    def mistake(self) -> str:
        """How the verdict is wrong, or an empty string."""
        return mistake(self.verdict(), self.state, self.reason, self.suspects, self.warns)

    def verdict(self) -> Verdict:
        """The actual verdict."""
        objects = self.objects()
        baseline = {}
        for path, count in self.baseline.items():
            alias, _, container = path.partition("/")
            baseline[uid_of(objects[alias]), container] = count
        view = Snapshot(
            tuple(objects.values()),
            gate_started=timestamp(self.since),
            run_started=timestamp(self.run),
            initial_restarts=baseline,
            now=0.0,
        )
        return judge(
            objects[self.base.judge],
            view,
            expected={name: frozenset(found) for name, found in self.base.expected.items()},
            thresholds=Thresholds(load_balancers=self.load_balancers),
        )


def bases() -> list[Path]:
    """The files of all bases."""
    return sorted((FIXTURES / "bases").glob("*.yaml"))


@cache
def base(name: str) -> Base:
    """The base of that name."""
    document = yaml.safe_load((FIXTURES / "bases" / f"{name}.yaml").read_text())
    return Base(name, **document)


def states() -> Iterator[State]:
    """Every state of every file, once for each base that it is for."""
    for path in sorted(FIXTURES.glob("*.yaml")):
        document = yaml.safe_load(path.read_text())
        for entry in document["states"]:
            changes = dict(entry)
            for name in changes.pop("bases", document["bases"]):
                changes["remove"] = tuple(changes.get("remove", ()))
                yield State(base(name), **changes)


# -- paths: parts between slashes (~1 stands for one); of a list, by index, name or type ---------


def put(root: Any, path: str, value: Any) -> None:
    """Set the value at a path, creating what is missing."""
    *parents, last = _parts(path)
    for part in parents:
        root = root[_index(root, part)] if isinstance(root, list) else root.setdefault(part, {})
    value = copy.deepcopy(value)
    if isinstance(root, list):
        index = _index(root, last)
        root[index : index + 1] = [value]
    else:
        root[last] = value


def drop(root: Any, path: str) -> None:
    """Remove the value at a path, which must exist."""
    *parents, last = _parts(path)
    for part in parents:
        root = root[_index(root, part) if isinstance(root, list) else part]
    del root[_index(root, last) if isinstance(root, list) else last]


def _parts(path: str) -> list[str]:
    return [part.replace("~1", "/") for part in path.split("/")]


def _index(items: list[Any], part: str) -> int:
    for index, item in enumerate(items):
        if isinstance(item, dict) and part in (item.get("name"), item.get("type")):
            return index
    return int(part) if part.isdigit() else len(items)
