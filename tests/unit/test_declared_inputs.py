"""Declared inputs: the ways to write a pattern, and the warning for one that matches nothing."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from print_project import CONFIG, prints, value, write

from localloop.__main__ import main
from localloop.config.project import load_project
from localloop.errors import UsageError
from localloop.fingerprint.components import Fingerprint, fingerprint_cluster
from localloop.inputs.context import build_context
from localloop.inputs.declared import to_ignore_pattern, unmatched_inputs

EQUIVALENT = {
    "src/**": ["./src/**", "src/./**", "src//**", " src/**", "./src/**/"],
    "src": ["./src", "src/", "./src/", "./src/."],
    "**": [".", "./", "./.", "./**"],
    "src/*.c": ["./src/*.c", ".//src/*.c"],
}
SPELLINGS = [(plain, other) for plain, others in EQUIVALENT.items() for other in others]


def declare(root: Path, *inputs: str, command: bool = False) -> None:
    """Inputs of the image app, whose context is the project."""
    how = "build: {command: [make]}" if command else "dockerfile: docker/Dockerfile"
    line = f"app: {{{how}, inputs: {json.dumps(inputs)}}}"
    write(
        root / "localloop.yml",
        CONFIG.replace("app: {dockerfile: docker/Dockerfile, context: src}", line),
    )


def cluster(root: Path, *inputs: str) -> Fingerprint:
    config = CONFIG.replace('["infra/**"]', json.dumps(inputs))
    write(root / "localloop.yml", config)
    found = fingerprint_cluster(load_project(root, environ={}))
    assert found is not None
    return found


@pytest.mark.parametrize("command", [False, True], ids=["dockerfile", "command"])
@pytest.mark.parametrize(("plain", "other"), SPELLINGS)
def test_every_spelling_includes_the_same(
    root: Path, plain: str, other: str, command: bool
) -> None:
    declare(root, plain, command=command)
    first = prints(root)
    assert "src/main.c" in first.manifest
    assert first.warnings == ()
    declare(root, other, command=command)
    again = prints(root)
    assert (again.manifest.keys() - {"localloop.yml"}) == first.manifest.keys() - {"localloop.yml"}
    assert again.warnings == ()
    if plain != "**":
        assert again.value == first.value
    write(root / "src/main.c", "other")
    assert value(root) != again.value


@pytest.mark.parametrize(("plain", "other"), SPELLINGS)
def test_every_spelling_excludes_the_same(root: Path, plain: str, other: str) -> None:
    kept = ["docker"] if plain == "**" else []
    for pattern in (plain, other):
        declare(root, "src", "docker", f"!{pattern}", *kept)
        assert "src/main.c" not in prints(root).manifest
        assert "docker/Dockerfile" in prints(root).manifest


@pytest.mark.parametrize(("plain", "other"), SPELLINGS)
def test_every_spelling_in_cluster_inputs(root: Path, plain: str, other: str) -> None:
    plain, other = plain.replace("src", "infra"), other.replace("src", "infra")
    plain, other = plain.replace(".c", ".yaml"), other.replace(".c", ".yaml")
    first, again = cluster(root, plain), cluster(root, other)
    assert "infra/kube.yaml" in first.manifest
    assert (first.manifest.keys(), first.facts) == (again.manifest.keys(), again.facts)


def test_everything_excludes_what_our_runs_write(root: Path) -> None:
    declare(root, ".")
    first = prints(root)
    write(root / ".git/HEAD", "x")
    write(root / ".cache/localloop/x")
    assert value(root) == first.value
    before = cluster(root, ".").value
    write(root / ".cache/deploy-reports/tx.md", str(time.time()))
    write(root / ".git/HEAD", "y")
    assert cluster(root, ".").value == before
    write(root / ".cache/own", "y")
    assert cluster(root, ".").value != before


@pytest.mark.parametrize(
    "inputs",
    [
        ["nowhere"],
        ["src/**", "nowhere"],
        ["src/nowhere/**", "src"],
        ["**/*.nowhere", "src"],
        ["docker", "src/main.c", "!src/main.c"],
        ["src", "src/main.c/x"],
        ["src", "a[b]c"],
    ],
)
def test_a_pattern_that_matches_nothing_is_named(
    root: Path, inputs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    declare(root, *inputs)
    matching = ("src", "src/**", "docker", "!src/main.c")
    [wrong] = [text for text in inputs if text not in matching]
    assert prints(root).warnings == (f"inputs: {wrong} matches nothing",)
    assert main(["plan", "--project", str(root)]) == 0
    assert f"warning: app: inputs: {wrong} matches nothing\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "pattern",
    [
        *("src", "src/main.c", "s*", "**/*.c", "src/**", "**", "*/main.c", "src/mai[n].c"),
        *("docker/Dockerfile.other", "src/l", "src/link", "src/m|x*", "x|src*"),
    ],
)
def test_a_pattern_that_matches_is_not_named(root: Path, pattern: str) -> None:
    write(root / "src/l/deep")
    write(root / "src/mx")
    (root / "src/link").symlink_to("main.c")
    declare(root, pattern)
    assert prints(root).warnings == ()


def test_an_exclusion_need_not_match(root: Path) -> None:
    declare(root, "src", "!src/nowhere")
    assert prints(root).warnings == ()


@pytest.mark.parametrize("inputs", [["nowhere/**", "./no"], ["src", "!src"]])
def test_no_input_at_all_is_refused(root: Path, inputs: list[str]) -> None:
    declare(root, *inputs, command=True)
    with pytest.raises(UsageError, match=r"images\.app\.inputs: nothing matches") as caught:
        prints(root)
    assert (caught.value.reason, caught.value.where) == ("input_missing", "localloop.yml")
    with pytest.raises(UsageError, match=r"cluster\.inputs: nothing matches"):
        cluster(root, *inputs)
    declare(root, *inputs)  # a warning is enough: the build fails if it copies something
    assert prints(root).warnings


def test_fingerprint_of_any_tree(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*inputs: str) -> tuple[int, str, str]:
        code = main(["fingerprint", str(root), "--inputs", *inputs])
        return (code, *capsys.readouterr())

    assert run("./src/**") == run("src/**") == run("src/")
    assert run(".") == run("**")
    assert run("src") != run(".")
    assert run("src", "nowhere") == (
        0,
        run("src")[1],
        "warning: --inputs: nowhere matches nothing\n",
    )
    code, out, error = run("nowhere")
    assert (code, out) == (2, "")
    assert "--inputs: nothing matches nowhere" in error


def test_the_builder_gets_the_same_patterns(root: Path) -> None:
    declare(root, "./src/", ".", "!./docker/")
    project = load_project(root, environ={})
    text = build_context(project, project.images["app"]).ignore_text
    assert text.splitlines()[:6] == ["*", "!src", "!**", ".cache", "!.cache/*", "docker"]


def test_ignore_patterns() -> None:
    assert [to_ignore_pattern(text) for text in ("a", "!a", "#a", ". ", "! ./a")] == [
        *("!a", "a", "!#a", "!**", "a")
    ]
    assert unmatched_inputs(["a"], {}) == ["a"]
