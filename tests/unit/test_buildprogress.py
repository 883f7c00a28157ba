"""BuildKit's structured progress as a few lines; real recordings are in test_bake.py."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from localloop.build.own_image import content_tag
from localloop.build.progress import BuildProgress, summary


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


NOW = "2026-11-29T13:37:45.275Z"


def begun(number: int, name: str) -> str:
    return json.dumps({"vertexes": [{"digest": f"sha256:{number}", "name": name, "started": NOW}]})


def ended(number: int, **more: Any) -> str:
    vertex = {"digest": f"sha256:{number}", "name": "x", "started": NOW, "completed": NOW, **more}
    return json.dumps({"vertexes": [vertex]})


def output(number: int, data: bytes, stream: int = 1) -> str:
    log = {"vertex": f"sha256:{number}", "stream": stream, "data": b64encode(data).decode()}
    return json.dumps({"logs": [log]})


def fed(progress: BuildProgress, *lines: str) -> BuildProgress:
    for line in lines:
        progress.feed(line)
    return progress


def test_only_steps_that_take_a_while_are_said() -> None:
    clock, said = Clock(), []
    progress = BuildProgress(said.append, clock=clock)
    fed(
        progress,
        '{"vertexes":[{"digest":"sha256:9","name":"[kubernetes 1/4] FROM x"}]}',  # not begun
        begun(1, "[internal] load build definition from Dockerfile"),
        ended(1),
        begun(5, "[source 1/3] COPY build/fetch-source /usr/local/bin/"),
        ended(5, cached=True),
        begun(7, "[kubernetes 4/4] RUN   build-binaries"),
    )
    assert said == []
    clock.now = 1
    progress.tick()
    assert said == ["[kubernetes 4/4] RUN build-binaries"]
    progress.feed(output(7, b"k8s.io/kubernetes/cmd/kubelet\n"))
    clock.now = 5
    progress.tick()
    assert len(said) == 1
    clock.now = 12
    progress.tick()
    assert said[1:] == ["[kubernetes 4/4] 12 s: k8s.io/kubernetes/cmd/kubelet"]
    progress.feed(ended(7))
    clock.now = 40
    progress.tick()
    assert len(said) == 2


def test_the_failing_step_keeps_its_last_lines() -> None:
    progress = fed(
        BuildProgress(lambda _text: None),
        begun(9, '[source 3/3] RUN fetch-source "1.37.2"'),
        begun(8, "[other 1/1] RUN true"),
        output(9, b"/bin/sh: 1: fetch-source: not found\n", stream=2),
        ended(8, error="process true: exit code: 137: context canceled: context canceled"),
        ended(9, error='process "/bin/sh" did not complete successfully: exit code: 127'),
    )
    assert progress.failure() == (
        '[source 3/3] RUN fetch-source "1.37.2"',
        [
            "/bin/sh: 1: fetch-source: not found",
            'process "/bin/sh" did not complete successfully: exit code: 127',
        ],
    )


def test_a_failure_of_buildkits_own_names_its_build() -> None:
    """Such as a base image that does not exist, or a Dockerfile that is missing."""
    progress = fed(
        BuildProgress(lambda _text: None),
        begun(3, "[web internal] load metadata for docker.io/library/debian:99"),
        ended(3, error="docker.io/library/debian:99: not found"),
    )
    name, lines = progress.failure()
    assert name.startswith("[web internal] load metadata")
    assert lines == ["docker.io/library/debian:99: not found"]


def test_steps_are_timed_and_said_once() -> None:
    clock, said = Clock(), []
    progress = BuildProgress(said.append, clock=clock)
    fed(
        progress,
        begun(4, "[web 1/3] FROM debian"),
        ended(4),
        ended(4, cached=True),  # it is reported again, and the newest report counts
        begun(5, "[web 2/3] RUN one"),
        begun(6, "[web internal] load build context"),
        begun(8, "[web] exporting to image"),
        ended(8),
    )
    clock.now = 1
    progress.tick()
    fed(progress, begun(7, "[web 3/3] RUN two"), begun(5, "[web 2/3] RUN one"))
    clock.now = 3.5
    progress.tick()
    fed(progress, ended(5), ended(7))
    assert said == ["[web 2/3] RUN one", "[web 3/3] RUN two"]
    steps = progress.steps()
    assert [(step.name, step.cached) for step in steps] == [
        ("[web 1/3] FROM debian", True),
        ("[web 2/3] RUN one", False),
        ("[web 3/3] RUN two", False),
    ]
    assert summary(steps) == "3 steps, 1 cached, 3.5 s"
    assert summary(steps[:1]) == "1 step, 1 cached, 0.0 s"


def test_output_is_cut_into_lines_whatever_the_pieces_it_comes_in() -> None:
    log: list[str] = []
    progress = BuildProgress(lambda _text: None, log=log.append, redact=redact)
    fed(
        progress,
        begun(1, "[2/2] RUN make hunter2"),
        output(1, b"one\ntw"),
        output(1, b"error: hun", stream=2),
        output(1, "o\n10 %\r20 %\r100 %\r\n\n gr\u00fc".encode()[:-1]),
        output(1, b"\xbcn"),
        output(1, b"ter2\n", stream=2),
        ended(1, error="hunter2: exit code: 1"),
    )
    assert log == [
        "[2/2] RUN make ***",
        "[2/2] one",
        "[2/2] two",
        "[2/2] 100 %",
        "[2/2] error: ***",
        "[2/2]  gr\u00fcn",
        "[2/2] failed: ***: exit code: 1",
    ]
    assert progress.failure() == (
        "[2/2] RUN make ***",
        ["one", "two", "100 %", "error: ***", " gr\u00fcn", "***: exit code: 1"],
    )


def redact(text: str) -> str:
    return text.replace("hunter2", "***")


def test_text_between_messages() -> None:
    """Messages of one line, of many, and one that is cut off; text is hidden too."""
    log: list[str] = []
    progress = BuildProgress(lambda _text: None, log=log.append, redact=redact)
    fed(
        progress,
        "{",
        *json.dumps(
            {"vertexes": [{"digest": "a", "name": "[1/1] RUN", "started": NOW}]}, indent=2
        ).splitlines()[1:],
        '{"no": "message',
        "WARNING: hunter2",
        "",
        "Dockerfile of mine:12",
        "--------------------",
        "{",
        '  "vertexes": [',
        "ERROR: failed to receive status: EOF",
    )
    assert log == [
        "[1/1] RUN",
        '{"no": "message',
        "WARNING: ***",
        "",
        "Dockerfile of mine:12",
        "--------------------",
        "{",
        '  "vertexes": [',
        "ERROR: failed to receive status: EOF",
    ]
    assert progress.text() == log[1:]
    assert progress.failing_line == 12


def test_warnings_are_kept_in_the_log() -> None:
    log: list[str] = []
    warning = {"short": b64encode(b"JSONArgsRecommended: use JSON").decode(), "url": "https://x/y"}
    fed(BuildProgress(print, log=log.append), json.dumps({"warnings": [warning]}))
    assert log == ["warning: JSONArgsRecommended: use JSON https://x/y"]


def test_an_image_s_tag_follows_its_files_and_arguments(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    script = tmp_path / "sub" / "run"
    script.write_text("#!/bin/sh\n")
    first = content_tag(tmp_path, {"A": "1"}, "1.37.2")
    assert first.startswith("1.37.2-")
    assert content_tag(tmp_path, {"A": "1"}, "1.37.2") == first
    assert content_tag(tmp_path, {"A": "2"}, "1.37.2") != first
    script.chmod(0o755)
    second = content_tag(tmp_path, {"A": "1"}, "1.37.2")
    assert second != first
    script.write_text("#!/bin/bash\n")
    assert content_tag(tmp_path, {"A": "1"}, "1.37.2") not in (first, second)


def test_each_build_tells_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line for each of several builds; every second where lines are replaced."""
    for live, pace in (("", 10), ("1", 1)):
        monkeypatch.setenv("LOCALLOOP_LIVE", live)
        clock, said = Clock(), []
        progress = BuildProgress(
            said.append, whose=lambda step: step.strip("[").partition(" ")[0], clock=clock
        )
        status = {
            "id": "sha256:0123456789abcdef", "vertex": "sha256:6", "name": "extracting",
            "current": 3_100_000, "total": 30_400_000,
        }  # fmt: skip
        fed(
            progress,
            begun(4, "[web 1/2] RUN one"),
            begun(5, "[api 1/2] RUN two"),
            begun(6, "[api other 1/1] FROM x"),
            output(4, b"compiling\n"),
            json.dumps({"statuses": [status]}),
        )
        clock.now = 0.5
        progress.tick()
        said.clear()
        clock.now = 0.5 + pace - 0.1
        progress.tick()
        assert said == []
        clock.now = 0.5 + pace
        progress.tick()
        seconds = f"{clock.now:.0f} s"
        assert said == [
            f"[web 1/2] {seconds}: compiling",
            f"[api other 1/1] {seconds}: extracting sha256:0123456789ab 3.1/30.4 MB",
        ]


def test_a_push_that_is_cancelled_is_not_the_failure() -> None:
    """As BuildKit says it where one build fails while another one's result is pushed."""
    pushing = begun(7, "[web] pushing 127.0.0.1:25740/p/web:tx with docker")
    copying = begun(8, "[tool 2/2] COPY absent /")
    push_failed = ended(7, error="failed to solve: failed to compute cache key: absent: not found")
    failed = ended(8, error='failed to calculate checksum of ref x: "/absent": not found')
    for lines in (
        [pushing, copying, push_failed, failed],
        [copying, pushing, failed, push_failed],
    ):
        progress = fed(BuildProgress(lambda _text: None), *lines)
        step, said = progress.failure()
        assert step == "[tool 2/2] COPY absent /"
        assert said == ['failed to calculate checksum of ref x: "/absent": not found']
    alone = BuildProgress(lambda _text: None)
    fed(alone, pushing, ended(7, error="unexpected status: 500 Internal Server Error"))
    assert alone.failure()[0].startswith("[web] pushing ")
