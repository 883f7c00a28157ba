"""Why a fingerprint differs: each kind of change in the words that a user knows."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from print_project import CONFIG, DOCKERFILE, git, make, prints, value, write

from localloop.fingerprint import explain as explain_module
from localloop.fingerprint.explain import (
    KEPT,
    explain,
    last_deployed,
    load_manifest,
    save_manifest,
    summary_of,
)


def replace_config(root: Path, old: str, new: str) -> None:
    assert old in CONFIG
    write(root / "localloop.yml", CONFIG.replace(old, new))


def lines(found: dict[str, Any]) -> list[str]:
    """``added a``, ``Dockerfile``: all that an explanation names."""
    files = [
        f"{word} {name}"
        for word in ("added", "changed", "removed")
        for name in found[word]["first"]
    ]
    return files + found["facts_changed"]


IMAGE: dict[str, tuple[Callable[[Path], object], dict[str, Any], list[str]]] = {
    "file changed": (lambda r: write(r / "src/main.c", "2"), {}, ["changed main.c"]),
    "file added": (lambda r: write(r / "src/a/b/new", "2"), {}, ["added a/b/new"]),
    "file removed": (lambda r: (r / "src/main.c").unlink(), {}, ["removed main.c"]),
    "empty folder added": (lambda r: (r / "src/void").mkdir(), {}, ["added void/"]),
    "mode": (
        lambda r: (r / "src/main.c").chmod(0o600),
        {},
        ["changed main.c (mode 644 → 600)"],
    ),
    "mode of a folder": (
        lambda r: (r / "src/lib").chmod(0o2777),
        {},
        ["changed lib/ (mode 755 → 2777)"],
    ),
    "mode and content": (
        lambda r: write(r / "src/main.c", "2").chmod(0o755),
        {},
        ["changed main.c"],
    ),
    "file becomes a link": (
        lambda r: ((r / "src/main.c").unlink(), (r / "src/main.c").symlink_to("x")),
        {},
        ["changed main.c"],
    ),
    "file becomes a folder": (
        lambda r: ((r / "src/main.c").unlink(), write(r / "src/main.c/x", "")),
        {},
        ["added main.c/x", "removed main.c"],
    ),
    "Dockerfile": (
        lambda r: write(r / "docker/Dockerfile", DOCKERFILE + "RUN true\n"),
        {},
        ["Dockerfile"],
    ),
    "ignore file": (
        lambda r: write(r / "src/.dockerignore", "main.c\n"),
        {},
        ["changed .dockerignore", "removed main.c", "ignore file"],
    ),
    "build argument": (
        lambda r: replace_config(r, "MODE: fast}", "MODE: faster}"),
        {},
        ["build argument MODE"],
    ),
    "profile": (lambda r: None, {"profile": "slow"}, ["build argument MODE (profile fast → slow)"]),
    "base image": (
        lambda r: None,
        {"base_digests": {"alpine:3": "sha256:bb"}},
        ["base image alpine:3"],
    ),
    "target": (
        lambda r: (
            write(r / "docker/Dockerfile", DOCKERFILE.replace("alpine:3", "alpine:3 AS last")),
            replace_config(r, "context: src}", "context: src, target: last}"),
        ),
        {},
        ["Dockerfile", "target none → last"],
    ),
    "platform": (
        lambda r: None,
        {"platform": "linux/arm64"},
        ["platform linux/amd64 → linux/arm64"],
    ),
    "builder": (
        lambda r: None,
        {"builder": "docker-container"},
        ["builder docker → docker-container"],
    ),
    "declared inputs": (
        lambda r: replace_config(r, "context: src}", 'context: src, inputs: ["main.c"]}'),
        {},
        ["removed .dockerignore", "ignore file", "which inputs count"],
    ),
}


@pytest.mark.parametrize("what", IMAGE)
def test_why_image(root: Path, what: str) -> None:
    change, options, expected = IMAGE[what]
    if what == "mode of a folder":
        write(root / "src/lib/a.c", "a")
    before = prints(root)
    save_manifest(root, before)
    change(root)
    after = prints(root, **options)
    assert after.value != before.value
    found = explain(load_manifest(root, before.value), after)
    assert found["known"]
    assert lines(found) == expected


CHART: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "template": (lambda r: write(r / "chart/templates/a.yaml", "2"), ["changed templates/a.yaml"]),
    "value": (
        lambda r: replace_config(r, "{tag: $app.tag}", "{tag: $app.ref, a: {b: {c: 1}}}"),
        ["value a", "value tag"],
    ),
    "namespace": (
        lambda r: replace_config(r, "namespace: demo", "namespace: other"),
        ["namespace demo → other"],
    ),
    "release name": (
        lambda r: replace_config(r, "path: chart,", "path: chart, release: web2,"),
        ["release name"],
    ),
    "values file": (
        lambda r: (
            write(r / "v.yaml", "a: 1"),
            replace_config(r, "path: chart,", "path: chart, values_files: [v.yaml],"),
        ),
        ["values files"],
    ),
}


@pytest.mark.parametrize("what", CHART)
def test_why_chart(root: Path, what: str) -> None:
    change, expected = CHART[what]
    before = prints(root, "web")
    save_manifest(root, before)
    change(root)
    assert lines(explain(load_manifest(root, before.value), prints(root, "web"))) == expected


def test_nested_values_are_named_by_their_path_and_never_shown(root: Path) -> None:
    replace_config(root, "{tag: $app.tag}", "{a: {b: {c: secret-1, d: 1}}}")
    before = prints(root, "web")
    save_manifest(root, before)
    replace_config(root, "{tag: $app.tag}", "{a: {b: {c: secret-2, d: 1}}}")
    found = explain(load_manifest(root, before.value), prints(root, "web"))
    assert lines(found) == ["value a.b.c"]


def test_needed_image_is_named(root: Path) -> None:
    write(root / "docker/Dockerfile.other", "FROM app\nCOPY . /\n")
    replace_config(root, "context: other}", "context: other, needs: [app]}")
    before = prints(root, "other")
    save_manifest(root, before)
    write(root / "src/main.c", "2")
    found = explain(load_manifest(root, before.value), prints(root, "other"))
    assert lines(found) == ["image app, which it needs"]


def test_changes_are_counted_and_the_first_named(root: Path) -> None:
    before = prints(root)
    save_manifest(root, before)
    for number in range(30):
        write(root / f"src/new/{number:02}", "x")
    write(root / "src/main.c", "2")
    found = explain(load_manifest(root, before.value), prints(root))
    assert found["added"] == {"count": 30, "first": [f"new/{n:02}" for n in range(5)]}
    assert summary_of(found) == "changed main.c; added new/00, new/01, new/02 and 27 more"


def test_equal_fingerprints_have_nothing_to_explain(root: Path) -> None:
    first = prints(root)
    save_manifest(root, first)
    assert lines(explain(load_manifest(root, first.value), prints(root))) == []


def test_clone_of_a_changed_commit(root: Path, tmp_path: Path) -> None:
    """What one checkout kept explains another one's change."""
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "x")
    before = prints(root)
    save_manifest(root, before)
    clone = tmp_path / "clone"
    git(root, "clone", "-q", str(root), str(clone))
    write(clone / "src/main.c", "2")
    found = explain(load_manifest(root, before.value[:16]), prints(clone))
    assert lines(found) == ["changed main.c"]


def test_nothing_kept_is_said(root: Path) -> None:
    found = explain(load_manifest(root, "0" * 16), prints(root))
    assert found["known"] is False
    assert lines(found) == []
    assert load_manifest(root, "../../x") is None


def test_damaged_is_nothing_kept(root: Path) -> None:
    found = prints(root)
    save_manifest(root, found)
    path = root / f".cache/localloop/manifests/app.{found.value[:16]}"
    path.write_bytes(path.read_bytes()[:-1])
    assert load_manifest(root, found.value) is None
    save_manifest(root, found)
    assert load_manifest(root, found.value) is not None


def test_only_the_newest_are_kept(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = []
    for number in range(KEPT + 2):
        write(root / "src/main.c", str(number))
        found = prints(root)
        values.append(found.value)
        save_manifest(root, found)
    kept = {path.name for path in (root / ".cache/localloop/manifests").iterdir()}
    assert kept == {f"app.{value[:16]}" for value in values[2:]}
    monkeypatch.setattr(explain_module, "KEPT_BYTES", 1)
    write(root / "src/main.c", "last")
    save_manifest(root, prints(root))
    kept = {path.name for path in (root / ".cache/localloop/manifests").iterdir()}
    assert kept == {f"app.{value(root)[:16]}"}


def test_last_deployed_is_the_one_kept_last(root: Path) -> None:
    first = prints(root)
    save_manifest(root, first)
    save_manifest(root, prints(root, "web"))
    write(root / "src/main.c", "2")
    save_manifest(root, prints(root))
    write(root / "src/main.c", "int main;")
    time.sleep(0.01)
    save_manifest(root, prints(root))  # deployed again: it is the newest now
    kept = last_deployed(root, "app")
    assert kept is not None
    assert kept.value == first.value
    assert last_deployed(root, "ap") is None


def test_names_that_are_not_text_survive(root: Path) -> None:
    name = b"templates/bad\xff.yaml".decode("utf-8", "surrogateescape")
    write(root / "chart" / name, "1")
    before = prints(root, "web")
    save_manifest(root, before)
    write(root / "chart" / name, "2")
    found = explain(load_manifest(root, before.value), prints(root, "web"))
    assert lines(found) == [r"changed templates/bad\xff.yaml"]


def test_moved_project_keeps_its_explanations(root: Path, tmp_path: Path) -> None:
    before = prints(root)
    save_manifest(root, before)
    shutil.move(root, tmp_path / "elsewhere")
    elsewhere = tmp_path / "elsewhere"
    assert value(elsewhere) == before.value
    assert load_manifest(elsewhere, before.value) is not None
    assert value(make(tmp_path / "third")) == before.value
