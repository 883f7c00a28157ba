"""Docker, rootless Docker, Podman and nerdctl are distinguished by their output and answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from localloop.system.container_runtime import client_runtime, server_runtime

ANSWERS = Path(__file__).parent / "fixtures/container_runtime"


def answer(name: str) -> dict[str, Any]:
    """An answer of an API, as it was recorded or (where its file says so) from documentation."""
    found: dict[str, Any] = json.loads((ANSWERS / f"{name}.json").read_text())
    return found


@pytest.mark.parametrize(
    ("printed", "runtime"),
    [
        ("Docker version 26.1.5+dfsg1, build a72d7cd", "Docker"),
        ("podman version 4.3.1", "Podman"),
        ("nerdctl version 2.1.6", "nerdctl"),
        ("", ""),
    ],
)
def test_what_the_command_docker_is(printed: str, runtime: str) -> None:
    assert client_runtime(printed) == runtime


@pytest.mark.parametrize(
    ("version", "info", "runtime"),
    [
        ("docker-version", "docker-info", "Docker"),
        ("docker-version", "rootless-info", "rootless Docker"),
        ("podman-version", "podman-info", "Podman"),
    ],
)
def test_what_answers_on_the_socket(version: str, info: str, runtime: str) -> None:
    assert server_runtime(answer(version), answer(info)) == runtime


def test_nothing_answers() -> None:
    assert server_runtime({}, {}) == ""


def test_an_answer_without_the_optional_parts_is_docker_s() -> None:
    assert server_runtime({"Version": "23.0.0", "Components": None}, {}) == "Docker"
