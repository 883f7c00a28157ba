"""Laws: ten thousand changes that count are all seen, a thousand that do not are not."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from buildkit import Build, bake, layers, remove
from mutations import Context

from localloop.config.model import Project
from localloop.config.project import load_project
from localloop.fingerprint import stat_cache as statcache
from localloop.fingerprint.components import fingerprint_image
from localloop.fingerprint.folder_cache import FolderCache, InputCache
from localloop.inputs.walk import CachedFolder

CONFIG = """\
version: 1
project: laws
images: {app: {dockerfile: Dockerfile, context: src}}
"""
DOCKERFILE = "FROM base:1 AS one\nARG A\nARG B\nCOPY . /app\nFROM one AS two\n"
COUNT, COUNT_NOT = 10_000, 1_000
SAMPLE = 200


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory in memory where there is one: each change is a few system calls."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as found:
        yield Path(found) / "project"


class Facts:
    """What counts beside the files, changing at random."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.known = {"a": "1", "b": "1", "target": "two", "platform": "x/y", "builder": "docker"}
        self.known["base"] = "sha256:1"

    def change(self) -> str:
        key = self.dice.choice(sorted(self.known))
        values = {"target": ["one", "two"], "platform": ["x/y", "x/z"]}
        now = self.known[key]
        others = values.get(key, ["", "1", "2", "12", f"{now}1"])
        self.known[key] = self.dice.choice([value for value in others if value != now])
        return key

    def fingerprint(self, project: Project, cache: InputCache | None) -> str:
        known = self.known
        image = replace(
            project.images["app"],
            target=known["target"],
            build_args={"A": known["a"], "B": known["b"]},
        )
        return fingerprint_image(
            project,
            image,
            base_digests={"base:1": known["base"]},
            platform=known["platform"],
            builder=known["builder"],
            cache=cache,
        ).value


class Taken:
    """Counts the folders that were taken as an earlier walk left them, and those read again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.known = self.read = 0
        get, put = FolderCache.get, FolderCache.put

        def counted_get(cache: FolderCache, path: bytes) -> CachedFolder | None:
            found = get(cache, path)
            self.known += found is not None
            return found

        def counted_put(
            cache: FolderCache, path: bytes, known: CachedFolder | None, newest: int
        ) -> None:
            self.read += path in cache._known
            put(cache, path, known, newest)

        monkeypatch.setattr(FolderCache, "get", counted_get)
        monkeypatch.setattr(FolderCache, "put", counted_put)

    @property
    def taken(self) -> int:
        return self.known - self.read


@pytest.mark.slow
def test_every_change_that_counts_is_seen_and_no_other(
    place: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the caches of real runs: folders and hashes are trusted once they are old enough.

    Every few changes another run begins, with what the one before wrote. The grain of time is a
    hundredth of a second, so that there is something old in a minute's test.
    """
    monkeypatch.setattr(statcache, "GRAIN_NS", 10_000_000)
    monkeypatch.setattr(statcache, "_FEW", 2)
    counted = Taken(monkeypatch)
    dice = random.Random(seed)
    context = Context(place / "src", dice)
    (place / "localloop.yml").write_text(CONFIG)
    (place / "Dockerfile").write_text(DOCKERFILE)
    project = load_project(place, environ={})
    facts = Facts(dice)
    cache = InputCache(place)

    def look() -> tuple[object, str]:
        state = (context.state(), frozenset(facts.known.items()))
        return state, facts.fingerprint(project, cache)

    done: Counter[str] = Counter()
    state, value = look()
    value_of, state_of = {state: value}, {value: state}
    for number in range(COUNT + COUNT_NOT):
        counts = number % 11 != 0
        change: Callable[[], str] = context.disturb
        if counts:
            change = facts.change if dice.random() < 0.1 else context.change
        name = change()
        done[f"{'seen' if counts else 'not seen'}: {name}"] += 1
        if number % 3 == 0:
            cache = InputCache(place)
        before, (state, value) = value, look()
        assert (value != before) == counts, f"SEED={seed}, change {number}: {name}"
        # Not only from one moment to the next: equal states and only they are equal, at any time.
        assert value_of.setdefault(state, value) == value, f"SEED={seed}, change {number}: {name}"
        assert state_of.setdefault(value, state) == state, f"SEED={seed}, change {number}: {name}"
        if number % 100 == 0:
            fresh = InputCache(place / "none", writes=False)
            assert facts.fingerprint(project, fresh) == value, f"SEED={seed}: cached differs"
    assert sum(count for name, count in done.items() if name.startswith("seen")) == COUNT
    assert sum(count for name, count in done.items() if name.startswith("not")) == COUNT_NOT
    assert len(done) >= 18
    assert counted.taken > COUNT
    assert counted.read > COUNT / 10
    print(dict(done), f"{counted.taken} folders taken, {counted.read} read again")


@pytest.mark.docker
def test_what_counts_is_what_buildkit_sees(place: Path, tmp_path: Path, seed: int) -> None:
    """Two hundred moments, and some again with other times: equal layers where equal states."""
    dice = random.Random(seed)
    context = Context(place, dice)
    builds: dict[str, Build] = {}
    states = []
    for number in range(SAMPLE):
        for _ in range(dice.randint(1, 3)):
            context.change()
        # BuildKit has kept the copies of the contexts of other seeds, each under its last name.
        copy = tmp_path / "contexts" / f"{seed}-{number}"
        context.snapshot(copy)
        builds[f"m{number}"] = Build(copy, "*.log\nout\n", tag=f"localloop-test:{seed}-{number}")
        states.append(context.state())
    again = dice.sample(range(SAMPLE), 20)
    repeats = {}
    for number in again:
        build = builds[f"m{number}"]
        copy = build.context.with_name(f"{seed}-{number}-again")
        shutil.copytree(build.context, copy, symlinks=True)
        for path in copy.rglob("*"):
            os.utime(path, (1, 1), follow_symlinks=False)
        (copy / "debug.log").write_text("x")
        repeats[f"a{number}"] = replace(build, context=copy, tag=f"{build.tag}-again")
    tags = [build.tag for build in (*builds.values(), *repeats.values())]
    try:
        bake(tmp_path / "first", builds)
        bake(tmp_path / "second", repeats)
        found = layers(tmp_path, tags)
        first, second = found[:SAMPLE], found[SAMPLE:]
    finally:
        remove(tags)
    assert second == [first[number] for number in again]
    by_layers: dict[object, object] = {}
    by_state: dict[object, object] = {}
    for state, layer in zip(states, first, strict=True):
        assert by_state.setdefault(state, layer) == layer, f"SEED={seed}"
        assert by_layers.setdefault(layer, state) == state, f"SEED={seed}"
    assert len(by_layers) > SAMPLE * 0.9
