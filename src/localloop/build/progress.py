"""BuildKit's plain progress as a few lines for people."""

from __future__ import annotations

import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

_STEP = re.compile(r"#(\d+) \[(?P<name>[^\]]+)\] (?P<command>.+)")
_OUTPUT = re.compile(r"#(\d+) (?:\d+\.\d+ )?(?P<text>.*)")
_ENDED = re.compile(r"#(\d+) (DONE|CACHED|CANCELED)\b")
_PLACE = re.compile(r"[^\s:]+:(?P<line>\d+)")
_ERROR = re.compile(r"#(\d+) ERROR: (?P<text>.*)")
_INTERNAL = ("internal", "auth")
_PASSED_ON = re.compile(r"\[[^\]]+\] (?:pushing|exporting) ")
_RULE = "------"
TAIL_LINES = 15
WIDTH = 100


@dataclass
class Step:
    """One step of a Dockerfile; ``began`` and ``ended`` by the clock, in seconds."""

    name: str
    began: float
    ended: float | None = None
    cached: bool = False


def quiet_seconds() -> float:
    """How long nothing is said of what goes on: as briefly as can be where lines are replaced."""
    return 1.0 if os.environ.get("LOCALLOOP_LIVE") else 10.0


def told(steps: list[Step]) -> str:
    """``5 steps, 3 cached, 4.2 s``: from the first one's beginning to the last one's end."""
    cached = sum(step.cached for step in steps)
    ended = [step.ended for step in steps if step.ended is not None]
    seconds = max(ended, default=0.0) - min(step.began for step in steps)
    parts = [f"{len(steps)} step{'s' * (len(steps) != 1)}", f"{cached} cached"]
    return ", ".join([*parts, f"{max(seconds, 0.0):.1f} s"])


class BuildProgress:
    """Takes the lines of ``--progress=plain``; says one for each step that takes a while, and one
    again and again while no new step begins. Cached steps are not worth a line.

    ``whose`` tells of a step's text which build of several it belongs to.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        *,
        whose: Callable[[str], str] = lambda _text: "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._say = say
        self._whose = whose
        self._clock = clock
        self._quiet = quiet_seconds()
        self._steps: dict[str, Step] = {}
        self._running: dict[str, Step] = {}
        self._tails: dict[str, deque[str]] = {}
        self._names: dict[str, str] = {}
        self._unsaid: list[str] = []
        self._errors: list[str] = []
        self._previous = ""
        self._line = 0
        self._spoke = clock()
        self._lock = threading.Lock()

    def feed(self, line: str) -> None:
        with self._lock:
            if step := _STEP.fullmatch(line):
                self._begin(step[1], step["name"], step["command"])
            elif ended := _ENDED.match(line):
                self._end(ended[1], cached=ended[2] == "CACHED")
                if ended[1] in self._unsaid:
                    self._unsaid.remove(ended[1])
            elif error := _ERROR.fullmatch(line):
                self._errors.append(error[1])
                self._end(error[1])
                self._tails.setdefault(error[1], deque(maxlen=TAIL_LINES)).append(error["text"])
            elif (output := _OUTPUT.fullmatch(line)) and output["text"] != "...":
                self._tails.setdefault(output[1], deque(maxlen=TAIL_LINES)).append(output["text"])
            elif self._previous == _RULE and (place := _PLACE.fullmatch(line)):
                self._line = self._line or int(place["line"])
            self._previous = line

    def tick(self) -> None:
        """To be called every second or so."""
        with self._lock:
            now = self._clock()
            for number in self._unsaid:
                self._spoke = now
                self._say(self._names[number][:WIDTH])
            self._unsaid.clear()
            if now - self._spoke < self._quiet:
                return
            newest = {self._whose(step.name): number for number, step in self._running.items()}
            for number in newest.values():
                self._spoke = now
                step, tail = self._running[number], self._tails.get(number)
                last = f": {tail[-1]}" if tail and tail[-1] else ""
                self._say(f"[{step.name}] {now - step.began:.0f} s{last}"[:WIDTH])

    @property
    def failing_line(self) -> int:
        """The failing step's line in its Dockerfile; 0 where BuildKit names none."""
        return self._line

    def steps(self) -> list[Step]:
        """The Dockerfiles' steps so far, in the order in which they began."""
        with self._lock:
            return list(self._steps.values())

    def failure(self) -> tuple[str, list[str]]:
        """The failing step and its last lines.

        Another build's push or export that a failure cancels fails too, in BuildKit's words.
        """
        with self._lock:
            numbers = self._errors or [""]
            own = [each for each in numbers if not _PASSED_ON.match(self._names.get(each, ""))]
            failed = (own or numbers)[0]
            return self._names.get(failed, ""), list(self._tails.get(failed, ()))

    def _begin(self, number: str, name: str, command: str) -> None:
        if any(word in _INTERNAL for word in name.split()):  # bake puts the target's name first
            return
        if number in self._steps:  # said again, after another step's output
            return
        self._names[number] = f"[{name}] {' '.join(command.split())}"
        self._steps[number] = self._running[number] = Step(name, self._clock())
        self._unsaid.append(number)

    def _end(self, number: str, *, cached: bool = False) -> None:
        if step := self._running.pop(number, None):
            step.ended, step.cached = self._clock(), cached


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
