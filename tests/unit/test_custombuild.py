"""Images that a command makes: what localloop.yml may say, what counts, what bake is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from localloop.bake import Target
from localloop.baking import without
from localloop.config import Image, Project, load_project
from localloop.context import build_context, write_build_context
from localloop.custombuild import of_bake
from localloop.errors import UsageError
from localloop.fingerprint import Fingerprint, fingerprint_image

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
        ("build: {command: [make]}", "images.web needs the key 'inputs' beside build"),
        ("build: {}, inputs: [src]", "images.web.build needs the key 'command'"),
        ("build: {command: []}, inputs: [src]", "must not be empty"),
        ("build: {command: make}, inputs: [src]", "must be a list"),
        ("build: {command: [make], timeout: 0}, inputs: [src]", "must be more than 0"),
        (f"{BUILD}, dockerfile: D", "it has dockerfile and build"),
        (f"{BUILD}, target: x", "target means nothing beside build"),
        (f"{BUILD}, needs: [x]", "needs means nothing beside build"),
        (f"{BUILD}, secrets: {{a: {{env: A}}}}", "secrets means nothing beside build"),
        (f"{BUILD}, ssh: [default]", "ssh means nothing beside build"),
        (f"{BUILD}, cache_to: [type=inline]", "cache_to means nothing beside build"),
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
    assert first.untracked == ("what its command reads beside its inputs",)
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
    left = of_bake([made, page, alone])
    assert [each.component for each in left] == ["page", "alone"]
    assert left[0].contexts == {"web": "docker-image://127.0.0.1:25000/demo/web:tx"}
    assert left[1] == alone
    assert of_bake([target("page", "base"), target("base")])[0].contexts == {"base": "target:base"}
    assert without([made, page, alone], "web") == [alone]
