"""Which builds share a compiler cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from localloop.build.cache_scope import cache_scope
from localloop.config.project import load_project
from localloop.errors import UsageError

CONFIG = """
version: 1
project: relay
profiles: {fast: {build_args: {P: fast}}, release: {build_args: {P: release}}}
default_profile: fast
images:
  gateway: {dockerfile: Dockerfile, cache_scope: [Cargo.lock]}
  other: {dockerfile: Dockerfile, cache_scope: [Cargo.lock]}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "localloop.yml").write_text(CONFIG)
    (tmp_path / "Dockerfile").write_text("FROM rust:1.80\nCOPY src /src\n")
    (tmp_path / "Cargo.lock").write_text("one")
    return tmp_path


def scope(root: Path, name: str = "gateway", profile: str = "fast", given: str = "") -> str:
    project = load_project(root, profile=profile, environ={})
    environ = {"LOCALLOOP_CACHE_SCOPE": given}
    return cache_scope(project, project.images[name], environ, platform="linux/amd64")


def test_a_scope_is_sixteen_hex_digits_and_stays(root: Path) -> None:
    assert len(scope(root)) == 16
    assert int(scope(root), 16) >= 0
    assert scope(root) == scope(root)


def test_component_profile_lock_file_and_toolchain_each_make_another(root: Path) -> None:
    seen = {scope(root), scope(root, "other"), scope(root, profile="release")}
    (root / "Cargo.lock").write_text("two")
    seen.add(scope(root))
    (root / "Dockerfile").write_text("FROM rust:1.81\nCOPY src /src\n")
    seen.add(scope(root))
    assert len(seen) == 5


def test_the_way_back_finds_the_old_cache(root: Path) -> None:
    before = scope(root)
    (root / "Cargo.lock").write_text("two")
    assert scope(root) != before
    (root / "Cargo.lock").write_text("one")
    assert scope(root) == before


def test_sources_make_no_new_scope(root: Path) -> None:
    before = scope(root)
    (root / "src").mkdir()
    (root / "src" / "main.rs").write_text("fn main() {}")
    assert scope(root) == before


def test_the_variable_overrides(root: Path) -> None:
    assert scope(root, given="mine-1") == "mine-1"


@pytest.mark.parametrize("given", ["a/b", "-x", "a b", "x" * 64, "$(id)"])
def test_what_cannot_name_a_cache_is_refused(root: Path, given: str) -> None:
    with pytest.raises(UsageError, match="LOCALLOOP_CACHE_SCOPE"):
        scope(root, given=given)


def test_a_lock_file_that_is_missing_is_named(root: Path) -> None:
    (root / "Cargo.lock").unlink()
    with pytest.raises(UsageError, match=r"images\.gateway\.cache_scope: there is no Cargo\.lock"):
        scope(root)
