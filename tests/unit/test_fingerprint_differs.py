"""What must change a fingerprint: one test a row."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from print_project import CONFIG, DOCKERFILE, git, prints, value, write

from localloop.config.project import load_project
from localloop.fingerprint import components as fingerprint
from localloop.fingerprint.components import fingerprint_cluster


def test_differs_boundary_between_path_and_content(root: Path) -> None:
    write(root / "src/a/f", "oo")
    first = value(root)
    shutil.rmtree(root / "src/a")
    write(root / "src/b/fo", "o")
    assert value(root) != first


def test_differs_git_mv_between_identical_siblings(root: Path) -> None:
    for name in ("a", "b"):
        write(root / f"src/{name}/same", "1")
    write(root / "src/a/x", "2")
    first = value(root)
    (root / "src/a/x").rename(root / "src/b/x")
    assert value(root) != first


def test_differs_symlink_retargeted(root: Path) -> None:
    link = root / "src/link"
    link.symlink_to("main.c")
    first = value(root)
    link.unlink()
    link.symlink_to("./main.c")
    assert value(root) != first


def test_differs_edit_behind_a_symlinked_directory(root: Path) -> None:
    write(root / "docker/Dockerfile", "FROM alpine:3\nCOPY lib/ /lib\n")
    write(root / "src/real/a.c", "1")
    (root / "src/lib").symlink_to("real")
    first = prints(root)
    assert set(first.manifest) == {"lib", "real", "real/a.c"}
    write(root / "src/real/a.c", "2")
    assert value(root) != first.value


def test_differs_edit_behind_a_symlinked_directory_of_a_chart(root: Path) -> None:
    write(root / "common/x.yaml", "1")
    (root / "chart/templates/common").symlink_to("../../common")
    first = value(root, "web")
    write(root / "common/x.yaml", "2")
    assert value(root, "web") != first


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(
    ("siblings", "size"), [(0, 1), (250, 1), (0, 3 << 20)], ids=["alone", "among-many", "large"]
)
def test_differs_same_size_edit_with_restored_mtime(root: Path, siblings: int, size: int) -> None:
    """Whatever remembers it: what is known of its folder, or, of many or large files, its hash."""
    for number in range(siblings):
        write(root / f"src/{number}")
    file = write(root / "src/f", b"foo" * size)
    old = time.time_ns() - 10**12
    os.utime(file, ns=(old, old))
    first = value(root)
    assert (root / ".cache/localloop/folders/app").exists()
    assert (root / ".cache/localloop/stat-cache").exists() == (siblings > 0 or size > 1)
    time.sleep(0.02)
    write(file, b"bar" * size)
    os.utime(file, ns=(old, old))
    assert value(root) != first


@pytest.mark.parametrize("bit", range(12))
@pytest.mark.parametrize("path", ["main.c", "lib"])
def test_differs_every_bit_of_a_mode(root: Path, path: str, bit: int) -> None:
    write(root / "src/lib/a", "a")
    (root / "src" / path).chmod(0o700)
    first = value(root)
    (root / "src" / path).chmod(0o700 ^ 1 << bit)
    if os.access(root / "src" / path, os.R_OK | os.X_OK * (path == "lib")):
        assert value(root) != first


def test_differs_crlf(root: Path) -> None:
    write(root / "src/t", "a\n")
    first = value(root)
    write(root / "src/t", "a\r\n")
    assert value(root) != first


def test_differs_empty_and_missing_file(root: Path) -> None:
    first = value(root)
    write(root / "src/empty")
    assert value(root) != first


def test_differs_second_dirty_edit(root: Path) -> None:
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "x")
    seen = {value(root)}
    for text in ("1", "2"):
        write(root / "src/main.c", text)
        seen.add(value(root))
    assert len(seen) == 3


def test_differs_dirty_submodule_edited_twice(root: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    write(library / "f", "0")
    git(library, "init", "-q")
    git(library, "add", ".")
    git(library, "commit", "-qm", "x")
    git(root, "init", "-q")
    allow = ["-c", "protocol.file.allow=always"]
    git(root, *allow, "submodule", "add", "-q", str(library), "src/sub")
    seen = {value(root)}
    for text in ("1", "2"):
        write(root / "src/sub/f", text)
        seen.add(value(root))
    assert len(seen) == 3


def test_differs_git_ignored_file_that_is_copied(root: Path) -> None:
    git(root, "init", "-q")
    write(root / ".gitignore", "generated.c\n")
    write(root / "src/generated.c", "1")
    first = value(root)
    write(root / "src/generated.c", "2")
    assert value(root) != first


# -- git only accelerates: what the builder sees are the bytes on disk


@pytest.mark.parametrize("hide", ["--assume-unchanged", "--skip-worktree"])
def test_differs_edit_hidden_from_git(root: Path, hide: str) -> None:
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "x")
    git(root, "update-index", hide, "src/main.c")
    first = value(root)
    write(root / "src/main.c", "other")
    assert value(root) != first


def test_differs_edit_outside_a_sparse_checkout(root: Path) -> None:
    write(root / "src/deep/left-out.c", "1")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "x")
    git(root, "sparse-checkout", "set", "--no-cone", "/*", "!/src/deep")
    assert not (root / "src/deep").exists()
    gone = value(root)
    seen = {gone}
    for text in ("1", "2"):
        write(root / "src/deep/left-out.c", text)
        seen.add(value(root))
    assert len(seen) == 3


def test_differs_edit_that_a_clean_filter_takes_back(root: Path) -> None:
    """As Git LFS: git sees a pointer, the builder sees the file."""
    git(root, "init", "-q")
    git(root, "config", "filter.pointer.clean", "echo pointer; cat >/dev/null")
    write(root / ".gitattributes", "*.bin filter=pointer\n")
    write(root / "src/large.bin", "1")
    git(root, "add", ".")
    git(root, "commit", "-qm", "x")
    first = value(root)
    write(root / "src/large.bin", "22")
    git(root, "add", ".")
    assert not git(root, "status", "--porcelain")
    assert value(root) != first


def test_differs_line_ends_that_autocrlf_hides(root: Path) -> None:
    git(root, "init", "-q")
    git(root, "config", "core.autocrlf", "true")
    write(root / "src/t", "a\r\n")
    git(root, "add", ".")
    git(root, "commit", "-qm", "x")
    first = value(root)
    write(root / "src/t", "a\n")
    git(root, "add", ".")
    assert not git(root, "status", "--porcelain")
    assert value(root) != first


# -- beside the files


def test_differs_build_argument(root: Path) -> None:
    assert value(root, profile="fast") != value(root, profile="slow")


def test_differs_target(root: Path) -> None:
    write(root / "docker/Dockerfile", "FROM alpine:3 AS a\nCOPY . /\nFROM a AS b\n")
    first = value(root)
    config = CONFIG.replace("context: src}", "context: src, target: a}")
    write(root / "localloop.yml", config)
    assert value(root) != first


@pytest.mark.parametrize(
    "changed",
    [
        {"platform": "linux/arm64"},
        {"builder": "remote"},
        {"base_digests": {"alpine:3": "sha256:bb"}},
        {"base_digests": {}},
    ],
    ids=["platform", "builder", "base-digest", "base-unknown"],
)
def test_differs_fact(root: Path, changed: dict[str, object]) -> None:
    assert value(root) != value(root, **changed)


def test_differs_schema_version(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def all_values() -> list[str]:
        cluster = fingerprint_cluster(load_project(root, environ={}))
        assert cluster is not None
        return [value(root), value(root, "web"), cluster.value]

    first = all_values()
    monkeypatch.setattr(fingerprint, "SCHEMA_VERSION", fingerprint.SCHEMA_VERSION + 1)
    assert not set(first) & set(all_values())


def test_differs_inputs_from_here(root: Path) -> None:
    config = CONFIG.replace("context: src}", 'context: src, inputs: ["./deep/**", "./main.c"]}')
    write(root / "localloop.yml", config)
    write(root / "src/deep/f", "1")
    seen = {value(root)}
    for name in ("deep/f", "deep/new", "main.c"):
        write(root / "src" / name, "other")
        seen.add(value(root))
    assert len(seen) == 4


@pytest.mark.parametrize("copied", [True, False])
def test_differs_dockerfile_and_dockerignore_by_what_they_say(root: Path, copied: bool) -> None:
    """The builder always gets both; they are a part of COPY only if the ignore file lets them."""
    write(root / "localloop.yml", CONFIG.replace("docker/Dockerfile,", "src/Dockerfile,"))
    ignored = "*.log\nbuild\n" + ("" if copied else "Dockerfile\n.dockerignore\n")
    write(root / "src/.dockerignore", ignored)
    write(root / "src/Dockerfile", DOCKERFILE)
    first = prints(root)
    assert ({"Dockerfile", ".dockerignore"} <= first.manifest.keys()) == copied
    assert copied != first.manifest.keys().isdisjoint({"Dockerfile", ".dockerignore"})
    write(root / "src/.dockerignore", f"# a remark\n{ignored}")
    assert (value(root) != first.value) == copied
    write(root / "src/.dockerignore", f"{ignored}*.tmp\n")
    assert value(root) != first.value
    write(root / "src/.dockerignore", ignored)
    assert value(root) == first.value
    write(root / "src/Dockerfile", DOCKERFILE + "# a remark\n")
    assert value(root) != first.value


def test_differs_dockerignore(root: Path) -> None:
    first = value(root)
    write(root / "src/.dockerignore", "*.log\nbuild\n*.tmp\n")
    assert value(root) != first


def test_differs_dockerfile_outside_the_context(root: Path) -> None:
    first = value(root)
    write(root / "docker/Dockerfile", DOCKERFILE + "RUN true\n")
    assert value(root) != first


def test_differs_needed_image(root: Path) -> None:
    write(root / "docker/Dockerfile.other", "FROM app\nCOPY . /\n")
    config = CONFIG.replace("context: other}", "context: other, needs: [app]}")
    write(root / "localloop.yml", config)
    first = prints(root, "other")
    assert list(first.facts["needs"]) == ["app"]
    write(root / "src/main.c", "other")
    assert value(root, "other") != first.value


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("chart/templates/a.yaml", "a: 2\n"),
        ("chart/Chart.lock", "x"),
        ("chart/charts/dep.tgz", "x"),
        ("localloop.yml", CONFIG.replace("$app.tag}", "$app.digest}")),
        ("localloop.yml", CONFIG.replace("namespace: demo", "namespace: demo2")),
    ],
)
def test_differs_chart(root: Path, path: str, text: str) -> None:
    first = value(root, "web")
    write(root / path, text)
    assert value(root, "web") != first


def test_differs_values_file(root: Path) -> None:
    replaced = CONFIG.replace("path: chart,", "path: chart, values_files: [v.yaml],")
    write(root / "localloop.yml", replaced)
    write(root / "v.yaml", "a: 1")
    first = value(root, "web")
    write(root / "v.yaml", "a: 2")
    assert value(root, "web") != first


@pytest.mark.parametrize(
    "keys",
    [
        "secrets: {token: {env: TOKEN}}",
        "secrets: {ca: {ca_bundle: host}}",
        "secrets: {other: {env: TOKEN}}",
        "ssh: [default]",
    ],
)
def test_differs_by_which_secrets_there_are(root: Path, keys: str) -> None:
    seen = {value(root)}
    for more in (keys, "secrets: {token: {env: TOKEN}, third: {file: f}}"):
        config = CONFIG.replace("context: src}", f"context: src, {more}}}")
        write(root / "localloop.yml", config)
        seen.add(value(root))
    assert len(seen) == 3
