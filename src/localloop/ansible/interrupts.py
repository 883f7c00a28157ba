"""SIGINT and SIGTERM in ansible-playbook and in its workers, in place of Ansible's own handlers.

Those throw an exception out of wherever the main process is. Where Python cannot pass it on (in a
callback after a fork, or of a weak reference) it is lost, and the run goes on. A worker they end on
the spot: with it goes the only process that knows the tool it started and, if it was just telling
the main process something, the lock of the queue between them, for which the run then waits.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from ..system.processes import Descendants

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# How long workers have for ending their tools, and then the main process for ending by itself.
_GRACE_SECONDS = 6.0
_KILLED_SECONDS = 1.0
_POLL_SECONDS = 0.05
_KEYBOARD_INTERRUPT = 99  # ansible-playbook's own exit status


class RunInterrupts:
    """The main process: the first signal stops the run after its present tasks, a second at once.

    ``close`` is called where the run does not come to its end by itself.
    """

    def __init__(self, close: Callable[[], None]) -> None:
        self.received = 0
        self._close = close
        self._pid = os.getpid()
        self._descendants = Descendants()
        self._signals: queue.SimpleQueue[int] = queue.SimpleQueue()  # a handler may put into it
        self._stop_run: Callable[[], None] | None = None

    @property
    def exit_code(self) -> int:
        """The exit status of a run that a signal has ended."""
        return _KEYBOARD_INTERRUPT if self.received == signal.SIGINT else 128 + self.received

    def watch(self) -> None:
        """Take the handlers over from the ``TaskQueueManager``; without effect the second time."""
        manager = getattr(signal.getsignal(signal.SIGINT), "__self__", None)
        terminate = getattr(manager, "terminate", None)
        if self._stop_run is not None or terminate is None:
            return
        self._stop_run = terminate
        threading.Thread(target=self._end_workers, daemon=True).start()
        for each in SIGNALS:
            signal.signal(each, self._handle)

    def wait_for_workers(self) -> None:
        """Until each has ended its tool: the report and the locks come after them."""
        for worker in multiprocessing.active_children():
            worker.join(_GRACE_SECONDS)

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        if os.getpid() != self._pid:  # a worker that has just been forked
            os._exit(128 + signum)
        self.received = self.received or signum
        if self._stop_run is not None:
            self._stop_run()
        self._signals.put(signum)

    def _end_workers(self) -> None:
        signum = self._signals.get()
        deadline = time.monotonic() + _GRACE_SECONDS
        with suppress(_Again):
            while time.monotonic() < deadline:
                for worker in multiprocessing.active_children():
                    if worker.pid is not None:
                        # Again and again: a process forgets what came before it had begun.
                        with suppress(ProcessLookupError):
                            os.kill(worker.pid, signum)
                self._wait_for_another()
        self._descendants.kill()
        time.sleep(_KILLED_SECONDS)
        self._close()
        os._exit(self.exit_code)

    def _wait_for_another(self) -> None:
        with suppress(queue.Empty):
            self._signals.get(timeout=_POLL_SECONDS)
            raise _Again


class _Again(Exception):
    """A second signal."""


class StepInterrupts:
    """A worker: the first signal unwinds its step, ``KeyboardInterrupt`` first, and then ends it.

    Between steps it waits for the next one, or for the worker's own end. What is told to the main
    process is told whole.
    """

    def __init__(self) -> None:
        self._received = 0
        self._raised = False
        self._within = False
        self._telling = False
        self._turn = threading.Lock()

    @contextmanager
    def unwinding(self) -> Iterator[None]:
        """A step."""
        for each in SIGNALS:
            signal.signal(each, self._handle)
        self._within = True
        try:
            self._unwind()
            yield
        except KeyboardInterrupt:
            if not self._received:
                raise
        finally:
            self._within = False
            if self._received:
                self._turn.acquire(timeout=_KILLED_SECONDS)  # a thread may be telling something
                os._exit(128 + self._received)

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Something for the main process, from any thread of the step."""
        main = threading.current_thread() is threading.main_thread()
        self._telling = self._telling or main
        try:
            with self._turn:
                yield
        finally:
            if main:
                self._telling = False
                self._unwind()

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        self._received = self._received or signum
        self._unwind()

    def _unwind(self) -> None:
        if self._received and self._within and not (self._telling or self._raised):
            self._raised = True
            raise KeyboardInterrupt
