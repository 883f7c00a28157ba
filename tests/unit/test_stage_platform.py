"""A failed build whose cause is the platform of one of its stages."""

from __future__ import annotations

import pytest

from localloop.build.stage_platform import platform_hint, stage_platform

HERE = "linux/amd64"
STAGES = """# syntax=docker/dockerfile:1
ARG OTHER=linux/arm64/v8
FROM --platform=$BUILDPLATFORM golang AS build
RUN go build
FROM --platform=$OTHER debian AS tools
RUN apt-get update
FROM tools AS more
RUN true
FROM --platform=linux/amd64 debian
RUN true
"""


@pytest.mark.parametrize(
    ("line", "arguments", "found"),
    [
        (4, {}, ""),
        (5, {}, "linux/arm64/v8"),
        (6, {}, "linux/arm64/v8"),
        (6, {"OTHER": "linux/riscv64"}, "linux/riscv64"),
        (6, {"OTHER": "linux/amd64/v2"}, ""),
        (8, {}, "linux/arm64/v8"),
        (10, {}, ""),
        (0, {}, "linux/arm64/v8"),
    ],
)
def test_the_platform_of_a_stage(line: int, arguments: dict[str, str], found: str) -> None:
    assert stage_platform(STAGES, line, arguments, HERE) == found


@pytest.mark.parametrize("text", ["", "FROM", "RUN x", "FROM --platform= x", "\0"])
def test_what_is_no_dockerfile_has_none(text: str) -> None:
    assert stage_platform(text, 1, {}, HERE) == ""


RUN = "[web tools 2/2] RUN apt-get update"
METADATA = "[web internal] load metadata for docker.io/library/debian:latest"


@pytest.mark.parametrize(
    ("step", "said", "asked", "hint"),
    [
        (RUN, "exec /bin/sh: exec format error", "linux/arm64", "that the builder cannot run"),
        (
            "",
            "runtime execution on platform linux/arm64 not supported",
            "linux/arm64",
            "cannot run",
        ),
        (RUN, "exec ./x: exec format error", "", "without a #! line"),
        (METADATA, "no match for platform in manifest: not found", "linux/s390x", "linux/s390x:"),
        (METADATA, "no matching manifest for linux/s390x", "", f"not exist for {HERE}"),
        (METADATA, "dial tcp: lookup registry-1.docker.io: no such host", "linux/arm64", "needs"),
        (METADATA, "dial tcp: lookup registry-1.docker.io: no such host", "", ""),
        (RUN, "exit code: 1", "linux/arm64", ""),
    ],
)
def test_the_hint(step: str, said: str, asked: str, hint: str) -> None:
    found = platform_hint(step, [said], asked, HERE)
    assert hint in found
    assert bool(found) == bool(hint)
