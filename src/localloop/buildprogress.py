"""BuildKit's plain progress as a few lines for people."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable

_STEP = re.compile(r"#(\d+) \[(?P<name>[^\]]+)\] (?P<command>.+)")
_OUTPUT = re.compile(r"#(\d+) (?:\d+\.\d+ )?(?P<text>.*)")
_ENDED = re.compile(r"#(\d+) (DONE|CACHED|CANCELED)\b")
_ERROR = re.compile(r"#(\d+) ERROR: (?P<text>.*)")
_INTERNAL = ("internal", "auth")
TAIL_LINES = 15
QUIET_SECONDS = 10.0
WIDTH = 100


class BuildProgress:
    """Takes the lines of ``--progress=plain``; says one for each step that takes a while, and one
    every ten seconds while no new step begins. Cached steps are not worth a line."""

    def __init__(
        self, say: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._say = say
        self._clock = clock
        self._running: dict[str, tuple[str, float]] = {}
        self._tails: dict[str, deque[str]] = {}
        self._names: dict[str, str] = {}
        self._unsaid: list[str] = []
        self._failed = ""
        self._spoke = clock()
        self._lock = threading.Lock()

    def feed(self, line: str) -> None:
        with self._lock:
            if step := _STEP.fullmatch(line):
                self._begin(step[1], step["name"], step["command"])
            elif ended := _ENDED.match(line):
                self._running.pop(ended[1], None)
                if ended[1] in self._unsaid:
                    self._unsaid.remove(ended[1])
            elif error := _ERROR.fullmatch(line):
                self._failed = self._failed or error[1]
                self._tails.setdefault(error[1], deque(maxlen=TAIL_LINES)).append(error["text"])
            elif (output := _OUTPUT.fullmatch(line)) and output["text"] != "...":
                self._tails.setdefault(output[1], deque(maxlen=TAIL_LINES)).append(output["text"])

    def tick(self) -> None:
        """To be called every second or so."""
        with self._lock:
            now = self._clock()
            for number in self._unsaid:
                self._spoke = now
                self._say(self._names[number][:WIDTH])
            self._unsaid.clear()
            if now - self._spoke < QUIET_SECONDS or not self._running:
                return
            self._spoke = now
            number, (name, began) = next(reversed(self._running.items()))
            tail = self._tails.get(number)
            last = f": {tail[-1]}" if tail and tail[-1] else ""
            self._say(f"[{name}] {now - began:.0f} s{last}"[:WIDTH])

    def failure(self) -> tuple[str, list[str]]:
        """The failing step and its last lines."""
        with self._lock:
            return self._names.get(self._failed, ""), list(self._tails.get(self._failed, ()))

    def _begin(self, number: str, name: str, command: str) -> None:
        if any(word in _INTERNAL for word in name.split()):  # bake puts the target's name first
            return
        self._names[number] = f"[{name}] {' '.join(command.split())}"
        self._running[number] = (name, self._clock())
        self._unsaid.append(number)


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
