"""The lists of docs/configuration.md ("What counts as a change"), one test a row."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localloop import statcache
from localloop.config import load_project
from localloop.context import build_context, write_build_context
from localloop.errors import UsageError
from localloop.explain import explain, load_manifest, save_manifest
from localloop.fingerprint import (
    Fingerprint,
    base_images,
    fingerprint_chart,
    fingerprint_cluster,
    fingerprint_image,
)

CONFIG = """\
version: 1
project: demo
profiles:
  fast: {build_args: {MODE: fast}}
  slow: {build_args: {MODE: slow, UNUSED: x}}
default_profile: fast
cluster: {inputs: ["infra/**"]}
images:
  app: {dockerfile: docker/Dockerfile, context: src}
  other: {dockerfile: docker/Dockerfile.other, context: other}
charts:
  web: {path: chart, namespace: demo, values: {tag: $app.tag}}
"""
DOCKERFILE = "FROM alpine:3\nARG MODE\nCOPY . /app\n"


def write(path: Path, text: str | bytes = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make(tmp_path / "project")


def make(root: Path) -> Path:
    write(root / "localloop.yml", CONFIG)
    write(root / "docker/Dockerfile", DOCKERFILE)
    write(root / "docker/Dockerfile.other", "FROM scratch\nCOPY . /\n")
    write(root / "src/main.c", "int main;")
    write(root / "src/.dockerignore", "*.log\nbuild\n")
    write(root / "other/file", "x")
    write(root / "chart/Chart.yaml", "name: web\n")
    write(root / "chart/templates/a.yaml", "a: 1\n")
    write(root / "infra/kube.yaml", "k: 1\n")
    return root


def prints(
    root: Path, name: str = "app", *, profile: str | None = None, **more: object
) -> Fingerprint:
    project = load_project(root, profile=profile, environ={})
    if name in project.charts:
        return fingerprint_chart(project, project.charts[name])
    options: dict[str, object] = {
        "base_digests": {"alpine:3": "sha256:aa"},
        "platform": "linux/amd64",
        "builder": "docker",
        **more,
    }
    return fingerprint_image(project, project.builds[name], **options)  # type: ignore[arg-type]


def value(root: Path, name: str = "app", **more: object) -> str:
    return prints(root, name, **more).value  # type: ignore[arg-type]


def git(root: Path, *words: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    subprocess.run(["git", *identity, *words], cwd=root, check=True, capture_output=True)


# -- must differ


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


def test_differs_same_size_edit_with_restored_mtime(root: Path) -> None:
    file = write(root / "src/f", "foo")
    old = time.time_ns() - 10**12
    os.utime(file, ns=(old, old))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statcache, "_GRAIN_NS", -(10**15))  # even where everything gets cached
        first = value(root)
        assert (root / ".cache/localloop/stat-cache").exists()
        time.sleep(0.02)
        write(file, "bar")
        os.utime(file, ns=(old, old))
        assert value(root) != first


def test_differs_executable_bit(root: Path) -> None:
    first = value(root)
    (root / "src/main.c").chmod(0o755)
    assert value(root) != first


def test_differs_unreadable_for_others(root: Path) -> None:
    first = value(root)
    (root / "src/main.c").chmod(0o600)
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


@pytest.mark.parametrize("hide", ["--assume-unchanged", "--skip-worktree"])
def test_differs_edit_hidden_from_git(root: Path, hide: str) -> None:
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "x")
    git(root, "update-index", hide, "src/main.c")
    first = value(root)
    write(root / "src/main.c", "other")
    assert value(root) != first


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


# -- must not differ


def test_same_touch(root: Path) -> None:
    first = value(root)
    os.utime(root / "src/main.c", (1, 1))
    assert value(root) == first


def test_same_git_add_commit_and_branches(root: Path) -> None:
    seen = {value(root)}  # no repository at all
    git(root, "init", "-q", "-b", "main")
    seen.add(value(root))  # a repository without a commit
    git(root, "add", ".")
    seen.add(value(root))
    git(root, "commit", "-qm", "x")
    seen.add(value(root))
    git(root, "checkout", "-qb", "side")
    write(root / "src/main.c", "side")
    git(root, "commit", "-qam", "y")
    other = value(root)
    git(root, "checkout", "-q", "main")
    seen.add(value(root))
    assert len(seen) == 1
    assert other not in seen


def test_same_clone_elsewhere(root: Path, tmp_path: Path) -> None:
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "x")
    clone = tmp_path / "deep" / "another name"
    clone.parent.mkdir()
    git(root, "clone", "-q", str(root), str(clone))
    for name in ("app", "web"):
        assert value(clone, name) == value(root, name)


def test_same_umask(tmp_path: Path) -> None:
    seen = set()
    for mask in (0o002, 0o022):
        before = os.umask(mask)
        try:
            seen.add(value(make(tmp_path / oct(mask))))
        finally:
            os.umask(before)
    assert len(seen) == 1


def test_same_in_another_locale(root: Path) -> None:
    write(root / "src/é ünï", "x")
    code = (
        "import sys; from pathlib import Path; sys.path[:0] = sys.argv[2:];"
        "from localloop.config import load_project;"
        "from localloop.fingerprint import fingerprint_image as f;"
        "p = load_project(Path(sys.argv[1]), environ={});"
        "print(f(p, p.images['app'], base_digests={}, platform='x/y', builder='b').value)"
    )
    seen = set()
    for locale in (
        {"LC_ALL": "C.UTF-8"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "tr_TR.ISO-8859-9", "PYTHONUTF8": "0"},
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, str(root), *filter(None, sys.path)],
            env={"PATH": os.environ["PATH"], **locale},
            check=True,
            capture_output=True,
            text=True,
        )
        seen.add(done.stdout)
    assert len(seen) == 1


def test_same_reversed_readdir(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abcdef":
        write(root / f"src/{name}/{name}", name)
    first = value(root), value(root, "web")
    from localloop.inputs import walk

    original = walk._scan
    monkeypatch.setattr(walk, "_scan", lambda *args: original(*args)[::-1])
    assert (value(root), value(root, "web")) == first


def test_same_edit_in_an_ignored_path(root: Path) -> None:
    first = value(root)
    write(root / "src/debug.log", "x")
    write(root / "src/build/out/x", "x")
    write(root / "src/.git/HEAD", "x")
    assert value(root) == first


def test_same_after_our_own_first_run(root: Path) -> None:
    write(root / "localloop.yml", CONFIG.replace(", context: src}", "}"))
    first = prints(root)
    for name in ("localloop", "deploy-reports", "perf"):
        write(root / ".cache" / name / "x", "x")
    assert value(root) == first.value
    write(root / ".cache/theirs/x", "x")  # anything else in it is the user's
    assert {*prints(root).manifest} == {
        *first.manifest, ".cache", ".cache/theirs", ".cache/theirs/x"
    }  # fmt: skip


def test_same_unrelated_component_edit(root: Path) -> None:
    first = value(root), value(root, "web")
    write(root / "other/file", "y")
    assert (value(root), value(root, "web")) == first


def test_same_from_a_subdirectory(root: Path) -> None:
    assert value(root / "src") == value(root)


def test_same_argument_that_the_dockerfile_does_not_declare(root: Path) -> None:
    assert value(root, "other", profile="fast") == value(root, "other", profile="slow")


def test_same_unhashed_argument(root: Path) -> None:
    seen = set()
    for version in ("1", "2"):
        text = CONFIG.replace("src}", f"src, unhashed_args: {{MODE: {version}}}}}")
        write(root / "localloop.yml", text)
        seen.add(value(root))
    assert len(seen) == 1


# -- must work

NAMES = [
    b"new\nline",
    b"a space",
    b"-dash",
    b" leading",
    b"$(id)",
    b"\x1b[31m",
    "é".encode(),
    "e\u0301".encode(),
    b"A",
    b"a",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_works_odd_name(root: Path, name: bytes) -> None:
    first = value(root)
    path = root / "src" / os.fsdecode(name)
    path.write_text("1")
    second = prints(root)
    assert name.decode() in second.manifest
    path.write_text("2")
    assert len({first, second.value, value(root)}) == 3


def test_works_two_normal_forms_are_two_files(root: Path) -> None:
    write(root / "src/é", "1")
    write(root / "src/e\u0301", "1")
    assert {"é", "e\u0301"} <= set(prints(root).manifest)


def test_works_name_that_is_not_utf8(root: Path) -> None:
    bad = os.fsdecode(b"bad\xff.yaml")
    write(root / "src" / bad, "1")
    with pytest.raises(UsageError, match=r"bad\\xff.yaml is not UTF-8") as caught:
        value(root)
    assert "\n" not in caught.value.message
    (root / "src" / bad).rename(root / "src/build.log")
    value(root)
    write(root / "chart/templates" / bad, "1")  # no business of BuildKit's
    save_manifest(root, prints(root, "web"))
    assert load_manifest(root, value(root, "web")) is not None


def test_works_dangling_link_and_link_loop(root: Path) -> None:
    (root / "src/dangling").symlink_to("nowhere")
    (root / "src/loop").symlink_to("loop")
    assert {"dangling", "loop"} <= set(prints(root).manifest)


def test_works_link_out_of_the_tree(root: Path) -> None:
    (root / "src/hosts").symlink_to("/etc/hosts")  # copied as a link: its text counts
    value(root)
    write(root / "docker/Dockerfile", "FROM alpine:3\nCOPY hosts /\n")
    with pytest.raises(UsageError, match="link out of the context"):
        value(root)
    (root / "chart/hosts").symlink_to("/etc/hosts")
    with pytest.raises(UsageError, match="out of the project"):
        value(root, "web")


def test_works_link_loop_as_a_source(root: Path) -> None:
    (root / "src/loop").symlink_to("loop")
    write(root / "docker/Dockerfile", "FROM alpine:3\nCOPY loop /\n")
    with pytest.raises(UsageError, match="loop of links"):
        value(root)


def test_works_link_loop_in_a_chart(root: Path) -> None:
    (root / "chart/templates/up").symlink_to("..")
    with pytest.raises(UsageError, match="leads back"):
        value(root, "web")


def test_works_fifo_is_refused_by_name_and_never_opened(root: Path) -> None:
    os.mkfifo(root / "src/pipe")
    with pytest.raises(UsageError, match="pipe is a FIFO"):
        value(root)  # an open would hang
    os.mkfifo(root / "chart/pipe")
    with pytest.raises(UsageError, match="pipe is a FIFO"):
        value(root, "web")


def test_works_socket_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root / "src")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        with pytest.raises(UsageError, match="s is a socket"):
            value(root)


def test_works_device_is_refused(root: Path) -> None:
    try:
        os.mknod(root / "src/null", 0o020666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("needs the right to make devices")
    with pytest.raises(UsageError, match="null is a character device"):
        value(root)


def test_works_ignored_special_file_is_no_error(root: Path) -> None:
    os.mkfifo(root / "src/pipe.log")
    value(root)


def test_works_unreadable_file_is_an_error(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "src/main.c").chmod(0)
    if os.geteuid() == 0:
        real = os.open

        def refuse(path: object, *args: int, **more: int) -> int:
            if os.fsencode(path).endswith(b"main.c"):  # type: ignore[arg-type]
                raise PermissionError(13, "Permission denied")
            return real(path, *args, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(UsageError, match=r"main.c cannot be read: Permission denied"):
        value(root)


def test_works_file_that_grows_while_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(root / "src/growing", b"x" * 10)
    real = os.read

    def grow(handle: int, size: int) -> bytes:
        if size == file.stat().st_size or file.stat().st_size > 10:
            with file.open("ab") as more:
                more.write(b"y")
        return real(handle, size)

    monkeypatch.setattr(os, "read", grow)
    found = prints(root)
    assert any(name.endswith("growing") for name in found.moved)


def test_works_sparse_file_is_streamed(root: Path) -> None:
    import tracemalloc

    with (root / "src/sparse").open("wb") as handle:
        handle.truncate(256 << 20)
    tracemalloc.start()
    value(root)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 << 20


def test_works_ignored_directories_are_never_read(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from localloop.inputs import walk

    for number in range(50):
        write(root / f"src/build/{number}/deep/file", "x")
    write(root / "src/.dockerignore", "build\n!keep/*.c\n")
    read: list[bytes] = []
    original = walk._scan
    monkeypatch.setattr(walk, "_scan", lambda r, p: read.append(p) or original(r, p))
    value(root)
    assert read == [b""]


# -- the stat cache


def old(root: Path) -> None:
    for path in root.rglob("*"):
        if path.is_file():
            os.utime(path, (1, 1))


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are written milliseconds before: let the cache take them nevertheless."""
    monkeypatch.setattr(statcache, "_GRAIN_NS", -(10**15))


@pytest.mark.usefixtures("eager")
def test_cache_spares_reading_and_is_not_rewritten(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = value(root)
    cache = root / ".cache/localloop/stat-cache"
    before = cache.stat()
    read: list[bytes] = []
    original = statcache._hash
    monkeypatch.setattr(statcache, "_hash", lambda r, s: read.append(s) or original(r, s))
    assert value(root) == first
    assert read == []
    assert cache.stat() == before or cache.stat().st_ino == before.st_ino


def test_cache_does_not_trust_recent_files(root: Path) -> None:
    value(root)
    assert statcache.StatCache(load_project(root).root)._known == {}


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("damage", [b"", b"junk", b"flip"])
def test_cache_damaged_is_set_aside(root: Path, damage: bytes) -> None:
    first = value(root)
    cache = root / ".cache/localloop/stat-cache"
    data = bytearray(cache.read_bytes())
    data[-1] ^= 1
    cache.write_bytes(bytes(data) if damage == b"flip" else damage)
    assert value(root) == first
    assert cache.with_name("stat-cache.damaged").exists()
    assert statcache.StatCache(root)._known


@pytest.mark.usefixtures("eager")
def test_cache_that_cannot_be_written_is_no_error(root: Path, tmp_path: Path) -> None:
    (root / ".cache").symlink_to(tmp_path)
    value(root)
    assert not (tmp_path / "localloop").exists()


@pytest.mark.usefixtures("eager")
def test_cache_gives_the_same_as_none(root: Path) -> None:
    first = value(root)
    second = value(root)
    shutil.rmtree(root / ".cache")
    assert first == second == value(root)


# -- around


def test_cluster_inputs(root: Path) -> None:
    first = fingerprint_cluster(load_project(root, environ={}))
    write(root / "src/main.c", "y")
    second = fingerprint_cluster(load_project(root, environ={}))
    write(root / "infra/kube.yaml", "k: 2\n")
    third = fingerprint_cluster(load_project(root, environ={}))
    assert first and second and third
    assert first.value == second.value != third.value
    assert "infra/kube.yaml" in first.manifest


def test_bases_and_arguments(root: Path) -> None:
    project = load_project(root, environ={})
    assert base_images(project, project.images["app"]) == ("alpine:3",)
    assert prints(root).facts["args"] == {"MODE": "fast"}
    assert prints(root, "other").facts["args"] == {}


def test_unchecked_base_is_named(root: Path) -> None:
    assert prints(root, base_digests={}).untracked == ("base alpine:3: unchecked",)


def test_unknown_target_is_an_error(root: Path) -> None:
    write(root / "localloop.yml", CONFIG.replace("context: src}", "context: src, target: no}"))
    with pytest.raises(UsageError, match="no stage 'no'"):
        value(root)


def test_missing_dockerfile_is_an_error(root: Path) -> None:
    (root / "docker/Dockerfile").unlink()
    with pytest.raises(UsageError, match=r"images.app.dockerfile: there is no docker/Dockerfile"):
        value(root)


def test_context_that_is_a_link_out_of_the_project(root: Path, tmp_path: Path) -> None:
    shutil.move(root / "src", tmp_path / "elsewhere")
    (root / "src").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="leads out of the project"):
        value(root)


def test_explain(root: Path) -> None:
    first = prints(root)
    save_manifest(root, first)
    write(root / "src/main.c", "other")
    write(root / "src/new", "x")
    second = prints(root, platform="linux/arm64")
    answer = explain(load_manifest(root, first.value[:16]), second)
    assert answer == {
        "known": True,
        "added": {"count": 1, "first": ["new"]},
        "changed": {"count": 1, "first": ["main.c"]},
        "removed": {"count": 0, "first": []},
        "facts_changed": ["platform"],
    }
    assert explain(load_manifest(root, "0" * 16), second)["known"] is False
    assert load_manifest(root, "../../x") is None


def test_explain_nothing_for_equal(root: Path) -> None:
    first = prints(root)
    save_manifest(root, first)
    answer = explain(load_manifest(root, first.value), prints(root))
    assert answer["facts_changed"] == []


def test_generated_ignore(root: Path) -> None:
    project = load_project(root, environ={})
    made = build_context(project, project.images["app"])
    dockerfile, text = made.dockerfile, made.ignore_text
    assert made.context == root / "src"
    assert dockerfile == root / ".cache/localloop/build/app/Dockerfile"
    assert not dockerfile.exists()
    assert text.splitlines() == [
        "*.log",
        "build",
        "**/.git",
        "**/.cache/localloop",
        "**/.cache/deploy-reports",
        "**/.cache/perf",
    ]
    write_build_context(project, project.images["app"])
    assert dockerfile.read_text() == DOCKERFILE
    assert Path(f"{dockerfile}.dockerignore").read_text() == text
    assert (root / ".cache/localloop/.gitignore").read_text() == "*\n"


def test_declared_inputs_narrow_the_context(root: Path) -> None:
    config = CONFIG.replace("context: src}", 'context: src, inputs: ["a/**", "!a/skip"]}')
    write(root / "localloop.yml", config)
    write(root / "src/a/x", "1")
    write(root / "src/a/skip/y", "1")
    write(root / "src/a/z.log", "1")
    write(root / "src/.dockerignore", "**/*.log\n")
    project = load_project(root, environ={})
    text = build_context(project, project.images["app"]).ignore_text
    assert text.splitlines()[:4] == ["*", "!a/**", "a/skip", "**/.git"]
    assert set(prints(root).manifest) == {"a", "a/x"}


def test_specific_ignore_file_wins(root: Path) -> None:
    write(root / "docker/Dockerfile.dockerignore", "main.c\n")
    assert set(prints(root).manifest) == {".dockerignore"}


# -- a property: equal trees and only they have equal fingerprints

FILES = st.dictionaries(
    st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=2).map("/".join),
    st.tuples(st.sampled_from(["", "a", "b", "ab"]), st.booleans()),
    max_size=4,
).filter(lambda tree: not any(f"{one}/" in f"{two}" for one in tree for two in tree))


@given(FILES, FILES)
@settings(max_examples=60, deadline=None)
def test_property_equal_trees_have_equal_fingerprints(
    one: dict[str, tuple[str, bool]], two: dict[str, tuple[str, bool]]
) -> None:
    found = []
    with tempfile.TemporaryDirectory() as place:
        for index, tree in enumerate((one, two)):
            root = make(Path(place) / str(index))
            for name, (text, executable) in tree.items():
                write(root / "src/t" / name, text).chmod(0o755 if executable else 0o644)
            found.append(value(root))
    assert (found[0] == found[1]) == (one == two)
