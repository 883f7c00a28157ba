"""BuildKit's structured progress (``--progress=rawjson``) as a few lines for people."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from base64 import b64decode
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# ``[web base 2/3] COPY …``: one step of a Dockerfile, with the target and the stage it is in.
_STEP = re.compile(r"\[(?:[^\]]* )?\d+/\d+\] ")
_HEAD = re.compile(r"\[([^\]]+)\]")
_INTERNAL = ("internal", "auth")
_PASSED_ON = re.compile(r"(?:\[[^\]]+\] )?(?:pushing|exporting) ")
_CANCELED = "context canceled"
# buildx prints where in the Dockerfile a build failed as text: ``Dockerfile:2``, a rule, the lines.
_PLACE = re.compile(r".+:(?P<line>\d+)")
_RULE = re.compile(r"-{6,}")
TAIL_LINES = 15
TEXT_LINES = 50
WIDTH = 100


@dataclass
class Vertex:
    """One thing that BuildKit does; ``began`` and ``ended`` are by our own clock, in seconds.

    BuildKit shares results between builds, so that its own times may be those of another build.
    """

    name: str
    began: float
    ended: float | None = None
    cached: bool = False
    error: str = ""
    activity: str = ""
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL_LINES))
    unfinished: dict[int, bytes] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """``[web base 2/3]``, or the whole name if it does not begin like that."""
        found = _HEAD.match(self.name)
        return found[0] if found else self.name

    @property
    def is_step(self) -> bool:
        """Whether it is an instruction of a Dockerfile."""
        return bool(_STEP.match(self.name))

    @property
    def is_internal(self) -> bool:
        """Whether it is internal to BuildKit; bake puts the target's name in front."""
        return any(word in _INTERNAL for word in self.label.strip("[]").split())


def quiet_seconds() -> float:
    """Seconds between two lines about the same work; fewer if the lines replace each other."""
    return 1.0 if os.environ.get("LOCALLOOP_LIVE") else 10.0


def summary(steps: Sequence[Vertex]) -> str:
    """``5 steps, 3 cached, 4.2 s``: from the start of the first to the end of the last."""
    cached = sum(step.cached for step in steps)
    ended = [step.ended for step in steps if step.ended is not None]
    seconds = max(ended, default=0.0) - min(step.began for step in steps)
    parts = [f"{len(steps)} step{'s' * (len(steps) != 1)}", f"{cached} cached"]
    return ", ".join([*parts, f"{max(seconds, 0.0):.1f} s"])


class BuildProgress:
    """Takes what buildx writes to standard error, line by line.

    ``say`` is called for each step that takes a while, and again and again for what is going on
    while nothing new begins; cached steps get no line. ``whose`` says which of several builds a
    step belongs to. ``log`` gets everything as text, one line for each call. All output has gone
    through ``redact``.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        *,
        whose: Callable[[str], str] = lambda _text: "",
        log: Callable[[str], None] = lambda _line: None,
        redact: Callable[[str], str] = str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say = say
        self._whose = whose
        self._log = log
        self._redact = redact
        self._clock = clock
        self._quiet = quiet_seconds()
        self._messages = _Messages()
        self._vertexes: dict[str, Vertex] = {}
        self._unsaid: list[Vertex] = []
        self._failed: list[Vertex] = []
        self._text: deque[str] = deque(maxlen=TEXT_LINES)
        self._line = 0
        self._spoke = clock()
        self._lock = threading.Lock()

    def feed(self, line: str) -> None:
        """One line of buildx's standard error."""
        with self._lock:
            for found in self._messages.take(line):
                if isinstance(found, str):
                    self._take_text(self._redact(found))
                else:
                    self._take_message(found)

    def tick(self) -> None:
        """To be called every second or so."""
        with self._lock:
            now = self._clock()
            for vertex in self._unsaid:
                self._spoke = now
                self._say(vertex.name[:WIDTH])
            self._unsaid.clear()
            if now - self._spoke < self._quiet:
                return
            running = [each for each in self._vertexes.values() if each.ended is None]
            newest = {self._whose(each.name): each for each in running if not each.is_internal}
            for vertex in newest.values():
                self._spoke = now
                doing = vertex.tail[-1] if vertex.tail else vertex.activity
                said = f"{vertex.label} {now - vertex.began:.0f} s{f': {doing}' if doing else ''}"
                self._say(said[:WIDTH])

    @property
    def started(self) -> bool:
        """Whether BuildKit reported anything at all."""
        return bool(self._vertexes)

    @property
    def failing_line(self) -> int:
        """The failing step's line in its Dockerfile; 0 if buildx names none."""
        return self._line

    def text(self) -> list[str]:
        """The last lines that were not progress: buildx's own errors above all."""
        with self._lock:
            return list(self._text)

    def steps(self) -> list[Vertex]:
        """The Dockerfiles' steps so far, in the order in which they began."""
        with self._lock:
            return [vertex for vertex in self._vertexes.values() if vertex.is_step]

    def failure(self) -> tuple[str, list[str]]:
        """The name of what failed, and its last lines; empty if BuildKit names nothing.

        If one build fails, BuildKit also fails the pushes and exports of others, with the same
        message. They count only if nothing else failed.
        """
        with self._lock:
            own = [each for each in self._failed if not _PASSED_ON.match(each.name)]
            for vertex in own or self._failed:
                return vertex.name, list(vertex.tail)
            return "", []

    def failed_step(self) -> str:
        """What the step that failed said in its first line; empty if none but a push failed."""
        with self._lock:
            for vertex in self._failed:
                if not _PASSED_ON.match(vertex.name):
                    return vertex.error.partition("\n")[0]
            return ""

    def _take_text(self, line: str) -> None:
        previous = self._text[-1] if self._text else ""
        if _RULE.fullmatch(line) and (place := _PLACE.fullmatch(previous)):
            self._line = self._line or int(place["line"])
        self._text.append(line)
        self._log(line)

    def _take_message(self, message: Mapping[str, Any]) -> None:
        newest = {data.get("digest", ""): data for data in message.get("vertexes") or ()}
        for digest, data in newest.items():
            self._take_vertex(digest, data)
        for data in message.get("statuses") or ():
            if vertex := self._vertexes.get(data.get("vertex", "")):
                vertex.activity = self._redact(_activity(data))
        for data in message.get("logs") or ():
            if vertex := self._vertexes.get(data.get("vertex", "")):
                self._take_output(vertex, data.get("stream", 1), b64decode(data.get("data") or ""))
        for data in message.get("warnings") or ():
            short = b64decode(data.get("short") or "").decode(errors="replace")
            self._log(self._redact(f"warning: {short} {data.get('url', '')}".rstrip()))

    def _take_vertex(self, digest: str, data: Mapping[str, Any]) -> None:
        """BuildKit reports a vertex again with each change; the newest report is what counts."""
        if not data.get("started"):
            return
        vertex = self._vertexes.get(digest)
        if vertex is None:
            name = self._redact(" ".join(str(data.get("name", "")).split()))
            vertex = self._vertexes[digest] = Vertex(name, self._clock())
            self._log(name)
            if not vertex.is_internal:
                self._unsaid.append(vertex)
        if not data.get("completed"):
            vertex.ended = None
            return
        vertex.cached = bool(data.get("cached"))
        error = self._redact(str(data.get("error") or ""))
        if vertex.ended is None:
            vertex.ended = self._clock()
            for stream in list(vertex.unfinished):
                self._take_output(vertex, stream, b"\n")
            if error or not vertex.is_internal:
                self._log(f"{vertex.label} {_how_it_ended(vertex, error)}")
        if error and not error.endswith(_CANCELED) and not vertex.error:
            vertex.error = error
            vertex.tail.extend(error.splitlines())
            self._failed.append(vertex)
        elif vertex in self._unsaid:
            self._unsaid.remove(vertex)

    def _take_output(self, vertex: Vertex, stream: int, data: bytes) -> None:
        *lines, rest = (vertex.unfinished.pop(stream, b"") + data).split(b"\n")
        if rest and vertex.ended is not None:
            lines.append(rest)
        elif rest:
            vertex.unfinished[stream] = rest
        for line in lines:
            # keep only the last state of a line that redraws itself
            text = self._redact(line.decode(errors="replace").rstrip("\r").rpartition("\r")[2])
            if text.strip():
                vertex.tail.append(text)
                self._log(f"{vertex.label} {text}")


class _Messages:
    """Finds the JSON messages among the lines: before 0.15 buildx spreads one over many lines."""

    def __init__(self) -> None:
        self._open: list[str] = []

    def take(self, line: str) -> Iterator[dict[str, Any] | str]:
        """The messages and lines of text that end with this line."""
        if self._open and line[:1] not in (" ", "}"):  # it was cut off
            yield from self._open
            self._open = []
        if self._open or line == "{":
            self._open.append(line)
            if line == "}":
                whole, self._open = "\n".join(self._open), []
                yield _parsed(whole)
        else:
            yield _parsed(line) if line.startswith('{"') else line


def _parsed(text: str) -> dict[str, Any] | str:
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return found if isinstance(found, dict) else text


def _activity(status: Mapping[str, Any]) -> str:
    """``extracting sha256:12… 3.1/30.4 MB``"""
    name, what = str(status.get("name") or ""), str(status.get("id") or "")
    words = what if not name or what.startswith(name) else f"{name} {what[:19]}"
    if total := status.get("total"):
        words += f" {status.get('current', 0) / 1e6:.1f}/{total / 1e6:.1f} MB"
    return words


def _how_it_ended(vertex: Vertex, error: str) -> str:
    if error:
        return "canceled" if error.endswith(_CANCELED) else f"failed: {error}"
    return "cached" if vertex.cached else f"done, {(vertex.ended or 0.0) - vertex.began:.1f} s"


class Ticker:
    """Calls a function every second while a block runs."""

    def __init__(self, tick: Callable[[], None], *, every: float = 1.0) -> None:
        self._tick = tick
        self._every = every
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._ended.wait(self._every):
            self._tick()
