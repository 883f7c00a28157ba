"""Around fingerprints: contexts, base images, cluster inputs; only equal trees are equal."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from print_project import CONFIG, DOCKERFILE, make, prints, value, write

from localloop.config.project import load_project
from localloop.errors import UsageError
from localloop.fingerprint.components import base_images, fingerprint_cluster
from localloop.inputs.context import build_context, write_build_context


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
    assert base_images(project, project.images["app"], platform="x/y") == ("alpine:3",)
    assert prints(root).facts["args"] == {"MODE": "fast"}
    assert prints(root, "other").facts["args"] == {}


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
