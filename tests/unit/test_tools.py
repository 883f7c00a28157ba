"""Real processes: timeouts end whole groups, output is bounded, Ctrl-C leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from localloop.errors import LocalloopError
from localloop.system import tools


def alive(pid: int) -> bool:
    """Whether the process runs (an unreaped zombie does not)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    argv = ["ps", "-o", "stat=", "-p", str(pid)]
    state = subprocess.run(argv, check=False, capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


def wait_until_dead(pid: int, seconds: float = 3.0) -> bool:
    deadline = time.monotonic() + seconds
    while alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def wait_for_text(path: Path) -> str:
    deadline = time.monotonic() + 5
    while not (path.exists() and path.read_text().endswith("\n")):
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.01)
    return path.read_text().strip()


def test_streams_status_and_input(tmp_path: Path) -> None:
    script = "cat; pwd; echo to-stderr >&2; echo $ONLY; exit 3"
    done = tools.run(
        ["sh", "-c", script],
        timeout=10,
        stdin=b"from stdin\n",
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "ONLY": "this"},
    )
    assert done.argv == ("sh", "-c", script)
    assert done.returncode == 3
    assert done.stdout == f"from stdin\n{tmp_path}\nthis\n"
    assert done.stderr == "to-stderr\n"
    assert 0 < done.duration_s < 5


def test_without_input_stdin_is_empty() -> None:
    assert tools.run(["cat"], timeout=5).stdout == ""


def test_arguments_do_not_go_through_a_shell() -> None:
    hostile = "$(touch p); `id` ; a;touch p\n--x"
    assert tools.run(["printf", "%s", hostile], timeout=5).stdout == hostile


def test_tool_that_does_not_read_its_input() -> None:
    assert tools.run(["true"], timeout=5, stdin=b"x" * 1_000_000).returncode == 0


def test_timeout_while_the_input_is_not_read() -> None:
    started = time.monotonic()
    with pytest.raises(LocalloopError, match=r"sleep did not end within 0\.2 s") as caught:
        tools.run(["sleep", "60"], timeout=0.2, stdin=b"x" * 1_000_000)
    assert caught.value.reason == "tool_timeout"
    assert time.monotonic() - started < 3


def test_timeout_ends_the_whole_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "ORPHAN_GRACE_SECONDS", 0.2)
    pids = tmp_path / "pids"
    script = f"sleep 60 & echo $! >{pids}; sleep 60"
    with pytest.raises(LocalloopError, match="sh did not end"):
        tools.run(["sh", "-c", script], timeout=0.6)
    assert wait_until_dead(int(wait_for_text(pids)))


def test_timeout_ends_a_child_that_ignores_term(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "ORPHAN_GRACE_SECONDS", 0.2)
    pids = tmp_path / "pids"
    child = f"trap '' TERM; echo $$ >{pids}; while :; do sleep 0.1; done"
    with pytest.raises(LocalloopError):
        tools.run(["sh", "-c", 'sh -c "$0" & sleep 60', child], timeout=0.6)
    assert wait_until_dead(int(wait_for_text(pids)))


def test_timeout_kills_a_tool_that_ignores_term(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "TERM_GRACE_SECONDS", 0.2)
    started = time.monotonic()
    with pytest.raises(LocalloopError):
        tools.run(["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"], timeout=0.2)
    assert time.monotonic() - started < 3


def test_timeout_by_a_signal_that_the_tool_answers(tmp_path: Path) -> None:
    said = tmp_path / "said"
    script = f"trap 'sleep 0.3; echo ended > {said}; exit' INT; while :; do sleep 0.05; done"
    with pytest.raises(LocalloopError, match="did not end"):
        tools.run(["sh", "-c", script], timeout=0.3, end_by=signal.SIGINT, grace=5)
    assert said.read_text() == "ended\n"


def test_capture_keeps_the_end() -> None:
    size = 20 * tools.CAPTURE_BYTES
    done = tools.run(
        ["sh", "-c", f"head -c {size} /dev/zero | tr '\\0' x; echo the end"], timeout=30
    )
    assert len(done.stdout) == tools.CAPTURE_BYTES
    assert done.stdout.endswith("xthe end\n")


def test_output_that_is_not_utf8() -> None:
    assert tools.run(["printf", r"a\377b"], timeout=5).stdout == "a\N{REPLACEMENT CHARACTER}b"


def test_lines_of_stderr_are_passed_on() -> None:
    lines: list[str] = []
    script = "printf 'one\\ntwo\\nno newline' >&2; echo elsewhere"
    done = tools.run(["sh", "-c", script], timeout=5, on_stderr_line=lines.append)
    assert lines == ["one", "two", "no newline"]
    assert done.stderr == "one\ntwo\nno newline"


def test_failing_listener_does_not_block_the_tool() -> None:
    def listen(line: str) -> None:
        raise LocalloopError("journal_unwritable", line)

    with pytest.raises(LocalloopError, match="first"):
        tools.run(
            ["sh", "-c", "echo first >&2; head -c 500000 /dev/zero >&2"],
            timeout=5,
            on_stderr_line=listen,
        )


def test_descriptor_is_inherited_where_passed(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        number = file.fileno()
        script = f"echo hello >/dev/fd/{number}"
        assert tools.run(["sh", "-c", script], timeout=5).returncode != 0
        assert tools.run(["sh", "-c", script], timeout=5, pass_fds=(number,)).returncode == 0
    assert (tmp_path / "file").read_text() == "hello\n"


def test_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "helm"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tools.find("helm", hint="-") == str(tool)
    with pytest.raises(LocalloopError, match="docker is not on PATH\n  Install it") as caught:
        tools.find("docker", hint="Install it.")
    assert caught.value.reason == "tool_missing"


RUNNER = """
import sys
from localloop.system import tools
tools.TERM_GRACE_SECONDS = float(sys.argv[1])
tools.ORPHAN_GRACE_SECONDS = 0.2
try:
    tools.run(["sh", "-c", sys.argv[2]], timeout=60)
except KeyboardInterrupt:
    sys.exit(130)
"""


def interrupted(grace: float, script: str, pids: Path, times: int) -> tuple[int, float]:
    """Exit status and seconds of a process that gets Ctrl-C inside ``tools.run``."""
    process = subprocess.Popen([sys.executable, "-c", RUNNER, str(grace), script])
    wait_for_text(pids)
    started = time.monotonic()
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
    return process.wait(timeout=10), time.monotonic() - started


def test_interrupt_ends_the_group(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 60 & echo $! >{pids}; wait"
    status, _ = interrupted(5, script, pids, 1)
    assert status == 130
    assert wait_until_dead(int(wait_for_text(pids)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_while_the_tool_starts(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """The signal arrives when the process exists but ``run`` does not have it yet."""
    started = []

    class Started(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            started.append(self.pid)
            os.kill(os.getpid(), number)

    monkeypatch.setattr(tools.subprocess, "Popen", Started)
    before = signal.getsignal(number)
    signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            tools.run(["sleep", "60"], timeout=60)
        assert wait_until_dead(started[0])
        assert signal.getsignal(number) is signal.default_int_handler
        with pytest.raises(FileNotFoundError):
            tools.run(["/nowhere"], timeout=60)
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, before)


def test_second_interrupt_does_not_wait_for_the_grace(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"trap '' TERM INT; echo $$ >{pids}; while :; do sleep 0.1; done"
    _, seconds = interrupted(30, script, pids, 2)
    assert seconds < 5
    assert wait_until_dead(int(wait_for_text(pids)))
