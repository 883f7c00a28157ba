"""BuildKit's plain progress (buildx 0.13) as a few lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from localloop.build.node_image import content_tag
from localloop.build.progress import BuildProgress, told


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_only_steps_that_take_a_while_are_said() -> None:
    clock, said = Clock(), []
    progress = BuildProgress(said.append, clock=clock)
    for line in (
        "#1 [internal] load build definition from Dockerfile",
        "#1 DONE 0.0s",
        "#5 [source 1/3] COPY build/fetch-source /usr/local/bin/",
        "#5 CACHED",
        "#7 [kubernetes 4/4] RUN   build-binaries",
    ):
        progress.feed(line)
    assert said == []
    clock.now = 1
    progress.tick()
    assert said == ["[kubernetes 4/4] RUN build-binaries"]
    progress.feed("#7 1.234 k8s.io/kubernetes/cmd/kubelet")
    clock.now = 5
    progress.tick()
    assert len(said) == 1
    clock.now = 12
    progress.tick()
    assert said[1:] == ["[kubernetes 4/4] 12 s: k8s.io/kubernetes/cmd/kubelet"]
    progress.feed("#7 DONE 12.1s")
    clock.now = 40
    progress.tick()
    assert len(said) == 2


def test_the_failing_step_keeps_its_last_lines() -> None:
    progress = BuildProgress(lambda _text: None)
    for line in (
        '#9 [source 3/3] RUN fetch-source "1.20.2"',
        "#8 [other 1/1] RUN true",
        "#9 0.117 /bin/sh: 1: fetch-source: not found",
        '#9 ERROR: process "/bin/sh" did not complete successfully: exit code: 127',
        "#8 CANCELED",
    ):
        progress.feed(line)
    step, lines = progress.failure()
    assert step == '[source 3/3] RUN fetch-source "1.20.2"'
    assert lines == [
        "/bin/sh: 1: fetch-source: not found",
        'process "/bin/sh" did not complete successfully: exit code: 127',
    ]


def test_steps_are_timed_and_said_once() -> None:
    clock, said = Clock(), []
    progress = BuildProgress(said.append, clock=clock)
    progress.feed("#4 [web 1/3] FROM debian")
    progress.feed("#4 CACHED")
    progress.feed("#5 [web 2/3] RUN one")
    progress.feed("#6 [web internal] load build context")
    clock.now = 1
    progress.tick()
    progress.feed("#7 [web 3/3] RUN two")
    progress.feed("#5 [web 2/3] RUN one")  # as it does after another step's lines
    clock.now = 3.5
    progress.tick()
    progress.feed("#5 DONE 3.5s")
    progress.feed("#7 DONE 2.5s")
    assert said == ["[web 2/3] RUN one", "[web 3/3] RUN two"]
    steps = progress.steps()
    assert [(step.name, step.cached) for step in steps] == [
        ("web 1/3", True),
        ("web 2/3", False),
        ("web 3/3", False),
    ]
    assert told(steps) == "3 steps, 1 cached, 3.5 s"
    assert told(steps[:1]) == "1 step, 1 cached, 0.0 s"


def test_an_image_s_tag_follows_its_files_and_arguments(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    script = tmp_path / "sub" / "run"
    script.write_text("#!/bin/sh\n")
    first = content_tag(tmp_path, {"A": "1"}, "1.20.2")
    assert first.startswith("1.20.2-")
    assert content_tag(tmp_path, {"A": "1"}, "1.20.2") == first
    assert content_tag(tmp_path, {"A": "2"}, "1.20.2") != first
    script.chmod(0o755)
    second = content_tag(tmp_path, {"A": "1"}, "1.20.2")
    assert second != first
    script.write_text("#!/bin/bash\n")
    assert content_tag(tmp_path, {"A": "1"}, "1.20.2") not in (first, second)


def test_each_build_tells_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line for each of several builds; every second where lines are replaced."""
    for live, pace in (("", 10), ("1", 1)):
        monkeypatch.setenv("LOCALLOOP_LIVE", live)
        clock, said = Clock(), []
        progress = BuildProgress(
            said.append, whose=lambda step: step.partition(" ")[0], clock=clock
        )
        for line in ("#4 [web 1/2] RUN one", "#5 [api 1/2] RUN two", "#6 [api other 1/1] RUN x"):
            progress.feed(line)
        progress.feed("#4 0.1 compiling")
        clock.now = 0.5
        progress.tick()
        said.clear()
        clock.now = 0.5 + pace - 0.1
        progress.tick()
        assert said == []
        clock.now = 0.5 + pace
        progress.tick()
        seconds = f"{clock.now:.0f} s"
        assert said == [f"[web 1/2] {seconds}: compiling", f"[api other 1/1] {seconds}"]


def test_a_push_that_is_cancelled_is_not_the_failure() -> None:
    """As BuildKit says it where one build fails while another one's result is pushed."""
    lines = [
        "#7 [web] pushing 127.0.0.1:25740/p/web:tx with docker",
        "#8 [tool 2/2] COPY absent /",
        "#7 ERROR: failed to solve: failed to compute cache key: absent: not found",
        '#8 ERROR: failed to calculate checksum of ref x: "/absent": not found',
    ]
    for order in (lines, [lines[1], lines[0], lines[3], lines[2]]):
        progress = BuildProgress(lambda _text: None)
        for line in order:
            progress.feed(line)
        step, said = progress.failure()
        assert step == "[tool 2/2] COPY absent /"
        assert said == ['failed to calculate checksum of ref x: "/absent": not found']
    alone = BuildProgress(lambda _text: None)
    for line in (lines[0], "#7 ERROR: unexpected status: 500 Internal Server Error"):
        alone.feed(line)
    assert alone.failure()[0].startswith("[web] pushing ")
