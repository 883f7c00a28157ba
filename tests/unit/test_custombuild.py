"""Images that a command makes: what localloop.yml may say, what counts, what bake gets."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from localloop.build.bake import Target, push_failure
from localloop.build.command import _published, built_by_bake, run_command
from localloop.build.retry import without
from localloop.config.model import Image, Project
from localloop.config.project import load_project
from localloop.errors import LocalloopError, UsageError
from localloop.fingerprint.components import Fingerprint, fingerprint_image
from localloop.inputs.context import build_context, write_build_context
from localloop.registry.client import Manifest
from localloop.system.redact import Redactor

BUILD = "build: {command: [make, image]}, inputs: [src]"


def load(root: Path, keys: str, environ: dict[str, str] | None = None) -> Project:
    (root / "localloop.yml").write_text(f"version: 1\nproject: demo\nimages:\n  web: {{{keys}}}\n")
    return load_project(root, environ=environ or {})


def web(root: Path, keys: str = BUILD) -> Image:
    return load(root, keys).images["web"]


def test_a_command_instead_of_a_dockerfile(tmp_path: Path) -> None:
    image = web(tmp_path)
    assert image.build is not None
    assert (image.dockerfile, image.build.command) == ("", ("make", "image"))
    assert image.build.timeout == 3600.0
    later = web(tmp_path, "build: {command: [make], timeout: 0.5}, inputs: ['src/**', '!src/x']")
    assert later.build is not None
    assert (later.build.timeout, later.inputs) == (0.5, ("src/**", "!src/x"))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("target: x", "images.web needs one of dockerfile, build"),
        ("build: {command: [make]}", "images.web needs the key 'inputs' with build"),
        ("build: {}, inputs: [src]", "images.web.build needs the key 'command'"),
        ("build: {command: []}, inputs: [src]", "must not be empty"),
        ("build: {command: make}, inputs: [src]", "must be a list"),
        ("build: {command: [make], timeout: 0}, inputs: [src]", "must be more than 0"),
        (f"{BUILD}, dockerfile: D", "it has dockerfile and build"),
        (f"{BUILD}, target: x", "target cannot be combined with build"),
        (f"{BUILD}, needs: [x]", "needs cannot be combined with build"),
        (f"{BUILD}, secrets: {{a: {{env: A}}}}", "secrets cannot be combined with build"),
        (f"{BUILD}, ssh: [default]", "ssh cannot be combined with build"),
        (f"{BUILD}, cache_to: [type=inline]", "cache_to cannot be combined with build"),
    ],
)
def test_refused(tmp_path: Path, keys: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, keys)
    assert said in str(caught.value)
    assert (caught.value.where or "").startswith("localloop.yml:")


def test_of_node_files_there_is_always_a_dockerfile(tmp_path: Path) -> None:
    tool = "tool: {dockerfile: D, file: a, dest: /a, build: {}}"
    text = f"version: 1\nproject: demo\nnode_files: {{{tool}}}\n"
    (tmp_path / "localloop.yml").write_text(text)
    with pytest.raises(UsageError, match="unknown key 'build'"):
        load_project(tmp_path, environ={})


def prints(root: Path, keys: str = BUILD, *, builder: str = "docker") -> Fingerprint:
    project = load(root, keys)
    return fingerprint_image(
        project,
        project.images["web"],
        base_digests={},
        platform="linux/amd64",
        builder=builder,
    )


def test_what_counts_is_its_inputs_its_words_and_its_arguments(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.c").write_text("one")
    (tmp_path / ".dockerignore").write_text("src\n")  # of Docker's contexts, and this is none
    first = prints(tmp_path)
    assert set(first.manifest) == {"src", "src/main.c"}
    assert first.untracked == ("what its command reads besides its inputs",)
    (tmp_path / "other").write_text("nothing")
    later = BUILD.replace("image]", "image], timeout: 7")
    for keys in (BUILD, later, f"{BUILD}, unhashed_args: {{V: '1'}}"):
        assert prints(tmp_path, keys).value == first.value, keys
    assert prints(tmp_path, builder="remote").value == first.value
    for keys in (BUILD.replace("image", "other"), f"{BUILD}, build_args: {{V: '1'}}"):
        assert prints(tmp_path, keys).value != first.value, keys
    (tmp_path / "src" / "main.c").write_text("two")
    assert prints(tmp_path).value != first.value


def test_names_that_buildkit_could_not_take_are_inputs_like_any(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/src/caf\xe9"))).write_text("x")
    assert len(prints(tmp_path).manifest) == 2


def test_nothing_is_written_for_it(tmp_path: Path) -> None:
    project = load(tmp_path, BUILD)
    made = write_build_context(project, project.images["web"])
    assert made == build_context(project, project.images["web"])
    assert not (tmp_path / ".cache").exists()


def target(name: str, *needs: str, command: tuple[str, ...] = ()) -> Target:
    contexts = {need: f"target:{need}" for need in needs}
    reference = f"127.0.0.1:25000/demo/{name}:tx"
    return Target(
        name, Path("/p"), Path("/p/D"), reference, "linux/amd64", contexts=contexts, command=command
    )


def test_bake_takes_what_a_command_made_from_the_registry() -> None:
    made, page, alone = target("web", command=("make",)), target("page", "web"), target("alone")
    left = built_by_bake([made, page, alone])
    assert [each.component for each in left] == ["page", "alone"]
    assert left[0].contexts == {"web": "docker-image://127.0.0.1:25000/demo/web:tx"}
    assert left[1] == alone
    assert built_by_bake([target("page", "base"), target("base")])[0].contexts == {
        "base": "target:base"
    }
    assert without([made, page, alone], "web") == [alone]


# -- the command itself, a real one


def asked(root: Path, script: str, *, timeout: float = 30, **arguments: str) -> Target:
    return Target(
        "web",
        root,
        root / "D",
        "127.0.0.1:25000/demo/web:tx",
        "linux/amd64",
        arguments=arguments,
        command=("sh", "-c", script),
        timeout=timeout,
    )


def ran(root: Path, target: Target, said: list[str]) -> str:
    """Run it; what its log holds."""
    session: Any = SimpleNamespace(project=SimpleNamespace(root=root), direct_hosts=())
    try:
        run_command(session, target, lambda _, text: said.append(text), Redactor(["s3cret"]))
    finally:
        log = root / ".cache/localloop/build/web/command.log"
        text = log.read_text()
    return text


def test_what_it_finds_and_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MINE", "LOCALLOOP_LOCK", "ANSIBLE_CONFIG", "DEPLOY_TX_ID"):
        monkeypatch.setenv(name, "theirs")
    script = """
        echo "$PWD $LOCALLOOP_IMAGE $LOCALLOOP_PLATFORM $MODE"
        echo "${MINE-}${LOCALLOOP_LOCK-}${ANSIBLE_CONFIG-}${DEPLOY_TX_ID-}nothing else" >&2
        echo s3cret
    """
    text = ran(tmp_path, asked(tmp_path, script, MODE="fast"), [])
    image = "127.0.0.1:25000/demo/web:tx"
    assert set(text.splitlines()) == {
        f"{tmp_path} {image} linux/amd64 fast",
        "nothing else",
        "***",
    }


def test_a_slow_one_tells_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALLOOP_LIVE", "1")
    said: list[str] = []
    ran(tmp_path, asked(tmp_path, "echo compiling; sleep 2.5"), said)
    assert said[0] in ("1 s: compiling", "2 s: compiling")


@pytest.mark.parametrize(
    ("script", "timeout", "said"),
    [
        ("echo out; echo err >&2; exit 3", 30, "exit 3\n    "),
        ("echo out; echo err >&2; sleep 30", 0.5, "did not end within 0.5 s\n    "),
    ],
)
def test_a_failure_has_its_last_lines(
    tmp_path: Path, script: str, timeout: float, said: str
) -> None:
    with pytest.raises(LocalloopError) as caught:
        ran(tmp_path, asked(tmp_path, script, timeout=timeout), [])
    assert caught.value.reason == "build_failed:web"
    assert said in caught.value.message
    assert {"    out", "    err"} <= set(caught.value.message.splitlines())
    assert "command.log" in (caught.value.hint or "")


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    missing = replace(asked(tmp_path, ""), command=("no-such-program", "x"))
    with pytest.raises(LocalloopError, match="no-such-program x: No such file"):
        ran(tmp_path, missing, [])


def test_what_docker_push_says(tmp_path: Path) -> None:
    reasons = {
        'Get "http://127.0.0.1:25000/v2/": EOF': "builder_lost",
        "dial tcp 127.0.0.1:25000: connect: connection refused": "builder_lost",
        "write /var/lib/x: no space left on device": "disk_full",
        "An image does not exist locally with the tag: 127.0.0.1:25000/p/web": "image_taken",
        "denied: requested access to the resource is denied": "push_failed",
    }
    for text, reason in reasons.items():
        error = push_failure("web", f"{text}\n")
        assert (error.reason, error.component) == (reason, "web")
        assert text in error.message


class FakeRegistry:
    """An index of two platforms."""

    def __init__(self) -> None:
        self.tagged: dict[str, str] = {}

    def manifest(self, _: str, reference: str) -> Manifest | None:
        if reference == "tx":
            entries = [
                {"digest": f"sha256:{name}", "platform": {"os": "linux", "architecture": name}}
                for name in ("arm64", "amd64", "gone")
            ]
            return Manifest("sha256:index", "", "", json.dumps({"manifests": entries}).encode())
        if reference == "sha256:gone":
            return None
        return Manifest(reference, f"{reference}-config", "", b"{}")

    def put_manifest(self, _: str, tag: str, manifest: Manifest) -> None:
        self.tagged[tag] = manifest.digest


@pytest.mark.parametrize("architecture", ["amd64", "gone", "s390x"])
def test_of_an_index_the_nodes_platform_counts(tmp_path: Path, architecture: str) -> None:
    registry = FakeRegistry()
    session: Any = SimpleNamespace(
        registry=registry,
        docker=SimpleNamespace(inspect_image=lambda _: None),
        repository_name=lambda name: f"demo/{name}",
    )
    target = replace(asked(tmp_path, ""), platform=f"linux/{architecture}")
    if architecture == "amd64":
        found = _published(session, target, lambda *_: None, 0)
        assert (found.digest, registry.tagged) == ("sha256:amd64", {"tx": "sha256:amd64"})
        return
    with pytest.raises(LocalloopError, match=f"without linux/{architecture}") as caught:
        _published(session, target, lambda *_: None, 0)
    assert caught.value.reason == "image_platform"
    assert registry.tagged == {}
