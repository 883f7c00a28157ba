"""SIGINT and SIGTERM in ansible-playbook and in its workers, in place of Ansible's own handlers.

In the main process Ansible's handler raises an exception at whatever point it has reached. Where
Python cannot propagate it (in an after-fork callback or one of a weak reference) it is lost, and
the run goes on. A worker is ended on the spot. With it goes the only process that knows the tool
that it started; and if it was sending something to the main process just then, the lock of their
queue is never released, and the run hangs.
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
# How long workers may take to end their tools, and after that the main process to end itself.
_GRACE_SECONDS = 6.0
_KILLED_SECONDS = 1.0
_POLL_SECONDS = 0.05
_KEYBOARD_INTERRUPT = 99  # ansible-playbook's own exit status


class RunInterrupts:
    """Handles signals in the main process.

    The first signal stops the run after its current tasks, a second one at once. ``close`` is
    called if the run does not end by itself.
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
        """The exit status of a run that was ended by a signal."""
        return _KEYBOARD_INTERRUPT if self.received == signal.SIGINT else 128 + self.received

    def watch(self) -> None:
        """Replace the handlers of the ``TaskQueueManager``; a second call has no effect."""
        manager = getattr(signal.getsignal(signal.SIGINT), "__self__", None)
        terminate = getattr(manager, "terminate", None)
        if self._stop_run is not None or terminate is None:
            return
        self._stop_run = terminate
        threading.Thread(target=self._end_workers, daemon=True).start()
        for each in SIGNALS:
            signal.signal(each, self._handle)

    def wait_for_workers(self) -> None:
        """Wait until the workers have ended their tools, before the report is written."""
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
        with suppress(_SecondSignal):
            while time.monotonic() < deadline:
                for worker in multiprocessing.active_children():
                    if worker.pid is not None:
                        # Repeatedly: a worker misses a signal that arrives before it is set up.
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
            raise _SecondSignal


class _SecondSignal(Exception):
    """A second signal."""


class StepInterrupts:
    """Handles signals in a worker.

    The first signal raises ``KeyboardInterrupt`` in the step and ends the worker once the step is
    unwound. Between steps it takes effect when the next step begins. A message to the main process
    is always sent completely.
    """

    def __init__(self) -> None:
        self._received = 0
        self._raised = False
        self._within = False
        self._sending = False
        self._turn = threading.Lock()

    @contextmanager
    def unwinding(self) -> Iterator[None]:
        """The context in which a step runs: a signal unwinds it, then ends the process."""
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
                self._turn.acquire(timeout=_KILLED_SECONDS)  # a thread may be sending something
                os._exit(128 + self._received)

    @contextmanager
    def sending(self) -> Iterator[None]:
        """The context in which any thread of the step sends something to the main process."""
        main = threading.current_thread() is threading.main_thread()
        self._sending = self._sending or main
        try:
            with self._turn:
                yield
        finally:
            if main:
                self._sending = False
                self._unwind()

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        self._received = self._received or signum
        self._unwind()

    def _unwind(self) -> None:
        if self._received and self._within and not (self._sending or self._raised):
            self._raised = True
            raise KeyboardInterrupt
