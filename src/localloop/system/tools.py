"""How external tools are run: argv lists, own process group, timeout, bounded capture."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Any

from ..errors import LocalloopError
from .environ import without_proxy

CAPTURE_BYTES = 1 << 20
LINE_BYTES = 1 << 20  # a longer line is passed on in pieces
TERM_GRACE_SECONDS = 5.0
ORPHAN_GRACE_SECONDS = 1.0


@dataclass(frozen=True)
class Completed:
    """A finished tool: its exit status, the last ``CAPTURE_BYTES`` of each stream, its seconds."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str
    duration_s: float


def find(tool: str, *, hint: str) -> str:
    """The tool's path; raises ``tool_missing`` with ``hint`` if it is not on PATH."""
    path = shutil.which(tool)
    if path is None:
        raise LocalloopError("tool_missing", f"{tool} is not on PATH", hint=hint)
    return path


def run(
    argv: Sequence[str],
    *,
    timeout: float,
    stdin: bytes | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    on_stdout_line: Callable[[str], None] | None = None,
    on_stderr_line: Callable[[str], None] | None = None,
    end_by: signal.Signals = signal.SIGTERM,
    grace: float | None = None,
) -> Completed:
    """Run a tool to its end, whatever its exit status.

    Its environment is ``env``, by default ours; in either case loopback is asked without a proxy.
    After ``timeout`` seconds the tool's process group gets the signal ``end_by``, another ``grace``
    seconds later (default 5) SIGKILL, and ``LocalloopError`` (``tool_timeout``) is raised. On any
    other exception (such as Ctrl-C) the group is ended in the same way before it propagates.
    """
    started = time.monotonic()
    interrupt = _DeferredInterrupts()
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=without_proxy(os.environ if env is None else env),
            start_new_session=True,
            pass_fds=tuple(pass_fds),
        )
    except BaseException as error:
        interrupt.release()
        if isinstance(error, ValueError):  # a NUL in a word
            raise OSError(errno.EINVAL, str(error)) from error
        raise
    out, err = _Tail(on_stdout_line), _Tail(on_stderr_line)
    readers = [
        threading.Thread(target=tail.read, args=(stream,), daemon=True)
        for tail, stream in ((out, process.stdout), (err, process.stderr))
    ]
    try:
        interrupt.release()
        for reader in readers:
            reader.start()
        if stdin is not None:  # in a thread: the tool may hang before it reads
            threading.Thread(target=_feed, args=(process.stdin, stdin), daemon=True).start()
        process.wait(timeout=timeout)
    except subprocess.TimeoutExpired:
        _end(process, end_by, grace)
        raise LocalloopError(
            "tool_timeout", f"{Path(argv[0]).name} did not end within {timeout:g} s"
        ) from None
    except BaseException:
        _end(process, end_by, grace)
        raise
    for reader in readers:
        reader.join(timeout=TERM_GRACE_SECONDS)
    for tail in (out, err):
        if tail.failure is not None:
            raise tail.failure
    duration = time.monotonic() - started
    return Completed(tuple(argv), process.returncode, out.text(), err.text(), duration)


class _DeferredInterrupts:
    """Holds back SIGINT and SIGTERM while a process is being started, so that it can be ended."""

    def __init__(self) -> None:
        self._first: tuple[int, FrameType | None] | None = None
        self._handlers: dict[signal.Signals, Callable[[int, FrameType | None], Any]] = {}
        if threading.current_thread() is threading.main_thread():
            for each in (signal.SIGINT, signal.SIGTERM):
                handler = signal.getsignal(each)
                if callable(handler):
                    self._handlers[each] = handler
                    signal.signal(each, self._remember)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self._first = self._first or (number, frame)

    def release(self) -> None:
        for each, handler in self._handlers.items():
            signal.signal(each, handler)
        if self._first:
            self._handlers[signal.Signals(self._first[0])](*self._first)


def _feed(pipe: IO[bytes], content: bytes) -> None:
    # A tool that ends before it has read its input reports why by its exit status.
    with suppress(BrokenPipeError), pipe:
        pipe.write(content)


def _end(process: subprocess.Popen[bytes], first: signal.Signals, grace: float | None) -> None:
    """Signal the group, wait, then SIGKILL what is left; at once on a second Ctrl-C."""
    try:
        _signal(process, first)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=TERM_GRACE_SECONDS if grace is None else grace)
            deadline = time.monotonic() + ORPHAN_GRACE_SECONDS
            while _signal(process, 0) and time.monotonic() < deadline:
                time.sleep(0.02)
    finally:
        _signal(process, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=TERM_GRACE_SECONDS)


def _signal(process: subprocess.Popen[bytes], number: int) -> bool:
    """Signal the process group; returns whether it still existed."""
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
        return False
    return True


class _Tail:
    """Keeps a stream's last bytes and passes its lines on."""

    def __init__(self, on_line: Callable[[str], None] | None = None) -> None:
        self._kept = bytearray()
        self._on_line = on_line
        self.failure: Exception | None = None

    def read(self, stream: IO[bytes]) -> None:
        for line in iter(lambda: stream.readline(LINE_BYTES), b""):
            self._kept += line
            if len(self._kept) > 2 * CAPTURE_BYTES:
                del self._kept[:-CAPTURE_BYTES]
            if self._on_line is not None:
                try:
                    self._on_line(line.decode(errors="replace").rstrip("\n"))
                except Exception as error:  # keep reading, or the tool blocks on a full pipe
                    self.failure, self._on_line = error, None

    def text(self) -> str:
        return bytes(self._kept[-CAPTURE_BYTES:]).decode(errors="replace")
