"""How localloop runs ansible-playbook: the only place that knows its argv, environment and signals.

Only ``RunnerConfig`` and ``Runner`` of ansible-runner are used. Its ``run()`` would replace
this process's signal handlers, and its environment is the caller's, which a project may control:
the configuration's ``env`` is replaced by ``environment()`` before anything starts.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from ..errors import LocalloopError
from ..report.journal import Journal
from ..system.environ import for_playbooks, without_proxy
from ..system.locales import utf8_locale
from ..system.paths import content_dir
from ..system.processes import Descendants

# How long tools, workers and the playbook may take to end after the first Ctrl-C.
INTERRUPT_GRACE_SECONDS = 8.0
_POLL_SECONDS = 0.1
_SAID_LINES = 5
_KILLED = 137  # ansible-runner gives no exit status for a killed process


@dataclass(frozen=True)
class Failure:
    """A task that failed."""

    task: str
    message: str


@dataclass(frozen=True)
class RunnerOutcome:
    """How the playbook ended. It is the gate that decides whether the deploy succeeded.

    ``said``: the last lines that it printed, which say why if it ended before its first task.
    """

    rc: int
    interrupted: bool = False
    failed: list[Failure] = field(default_factory=list)
    said: tuple[str, ...] = ()


def run_playbook(
    playbook: str,
    *,
    project_root: Path,
    on_line: Callable[[str], None],
    on_task: Callable[[str, str], None] | None = None,
    transaction: Journal | None = None,
    plan: Mapping[str, Any] | None = None,
    extra_environ: Mapping[str, str] | None = None,
    direct_hosts: Sequence[str] = (),
    variables: Mapping[str, Any] | None = None,
    color: bool = False,
) -> RunnerOutcome:
    """Run one of our playbooks to its end, with ``variables`` as Ansible's extra variables.

    ``plan`` is passed to the playbook, which then makes none. ``direct_hosts`` are what its
    processes ask no proxy for. ``on_line`` is called with each line
    that the steps print, ``on_task`` with the role and name of each task that succeeded.

    Call it from the main thread: it handles SIGINT and SIGTERM while it runs. The first one
    lets the playbook end its workers, and these their tools; a second kills them all. Both set
    ``interrupted``. Raises ``LocalloopError`` (``ansible_runner_failed``).
    """
    private = Path(tempfile.mkdtemp(prefix="localloop-"))  # 0700
    try:
        config = configure(
            playbook,
            private=private,
            environ=environment(
                os.environ,
                private=private,
                plan=_write_plan(plan, transaction, private),
                project_root=project_root,
                transaction=transaction,
                extra=extra_environ or {},
                direct_hosts=direct_hosts,
                color=color,
            ),
            variables=variables,
        )
        return _Run(config, transaction, on_line, on_task).run()
    finally:
        shutil.rmtree(private, ignore_errors=True)


def environment(
    base: Mapping[str, str],
    *,
    private: Path,
    project_root: Path,
    transaction: Journal | None,
    plan: Path | None = None,
    extra: Mapping[str, str],
    direct_hosts: Sequence[str] = (),
    color: bool,
) -> dict[str, str]:
    """The whole environment of ansible-playbook, except for what ``configure`` adds."""
    ours = {
        "ANSIBLE_CONFIG": str(content_dir() / "ansible.cfg"),
        # Ansible would also look here for the user's plugins and collections.
        "ANSIBLE_HOME": str(private / "ansible"),
        "ANSIBLE_REMOTE_TMP": str(private / "ansible" / "tmp"),
        "LOCALLOOP_PROJECT": str(project_root),
        "LOCALLOOP_PLAN": str(plan or ""),
        "PATH": base.get("PATH", os.defpath),
        **({} if color else {"ANSIBLE_NOCOLOR": "1"}),
    }
    inherited = {} if transaction is None else _transaction_environ(transaction)
    environ = {**for_playbooks(base), **utf8_locale(base), **extra, **ours, **inherited}
    return without_proxy(environ, direct_hosts)


def _write_plan(
    plan: Mapping[str, Any] | None, transaction: Journal | None, private: Path
) -> Path | None:
    """Write the file that passes the plan to the playbook; None without a plan.

    It is not an Ansible variable because it contains file names, which must not be templated.
    """
    if plan is None or transaction is None:
        return None
    path = private / "plan.json"
    path.write_text(json.dumps({"transaction": transaction.id, "plan": plan}))
    return path


def _transaction_environ(transaction: Journal) -> dict[str, str]:
    return {
        "LOCALLOOP_TRANSACTION": transaction.id,
        "LOCALLOOP_JOURNAL": str(transaction.path),
        "LOCALLOOP_LOCK": str(transaction.project_lock),
    }


def configure(
    playbook: str,
    *,
    private: Path,
    environ: Mapping[str, str],
    variables: Mapping[str, Any] | None = None,
) -> Any:
    """An ansible-runner configuration with our own command and environment.

    ``environ`` is what ``environment`` returned; ansible-runner's files go to ``private``.
    """
    from ansible_runner import RunnerConfig
    from ansible_runner.utils import get_callback_dir

    settings = private / "env" / "settings"
    settings.parent.mkdir(mode=0o700)
    settings.write_text(json.dumps({"suppress_ansible_output": True, "suppress_output_file": True}))
    config = RunnerConfig(
        str(private),
        playbook=str(content_dir() / "playbooks" / playbook),
        extravars=dict(variables or {}),
        fact_cache_type="memory",
        ident="run",
        quiet=True,
    )
    config.prepare()
    config.command[0] = str(Path(sys.executable).with_name("ansible-playbook"))
    config.env = {
        **environ,
        "ANSIBLE_CALLBACK_PLUGINS": os.pathsep.join(
            (str(content_dir() / "playbooks/callback_plugins"), get_callback_dir())
        ),
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_STDOUT_CALLBACK": "awx_display",
        "AWX_ISOLATED_DATA_DIR": config.artifact_dir,
    }
    return config


class _Run:
    """One run of ansible-runner in its own thread, watched from the main thread."""

    def __init__(
        self,
        config: Any,
        transaction: Journal | None,
        on_line: Callable[[str], None],
        on_task: Callable[[str, str], None] | None,
    ) -> None:
        self._config = config
        self._transaction = transaction
        self._on_line = on_line
        self._on_task = on_task
        # The thread's events; None is the last one.
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._status: int | None = None
        self._ended = False
        self._crash: BaseException | None = None
        self._signals = 0
        self._handled = 0
        self._kill_at: float | None = None
        self._descendants = Descendants()
        self._failed: list[Failure] = []
        self._said: deque[str] = deque(maxlen=_SAID_LINES)

    def run(self) -> RunnerOutcome:
        thread = threading.Thread(target=self._in_thread, name="ansible-runner", daemon=True)
        with self._counting_signals():
            thread.start()
            try:
                self._watch()
                thread.join()  # its last event has come
            finally:
                if thread.is_alive():  # on_line raised: the run cannot be watched any longer
                    self._descendants.kill()
                thread.join(INTERRUPT_GRACE_SECONDS)
                if self._signals:
                    self._end_leftovers()
        if not self._ended:
            raise LocalloopError(
                "ansible_runner_failed", f"ansible-runner ended without a result: {self._crash!r}"
            ) from self._crash
        return RunnerOutcome(
            rc=_KILLED if self._status is None else self._status,
            interrupted=self._signals > 0,
            failed=self._failed,
            said=tuple(self._said),
        )

    def _in_thread(self) -> None:
        from ansible_runner import Runner

        try:
            _, self._status = Runner(self._config, event_handler=self._enqueue).run()
            self._ended = True
        except BaseException as error:  # raised in the main thread
            self._crash = error
        finally:
            self._events.put(None)

    def _enqueue(self, event: dict[str, Any]) -> bool:
        self._events.put(event)
        return False  # write no file for it

    def _watch(self) -> None:
        running = True
        while running:
            with suppress(queue.Empty):
                event = self._events.get(timeout=_POLL_SECONDS)
                running = event is not None
                if event is not None:
                    self._handle_event(event)
            self._handle_signals()

    def _handle_event(self, event: dict[str, Any]) -> None:
        data = event.get("event_data") or {}
        kind = event.get("event")
        if kind == "verbose":  # a step's line; Ansible's own display of tasks is not shown
            for line in str(event.get("stdout") or "").splitlines():
                self._said.append(line)
                self._on_line(line)
        elif kind == "runner_on_ok" and self._on_task is not None:
            self._on_task(str(data.get("role", "")), str(data.get("task", "")))
        if kind in ("runner_on_failed", "runner_on_unreachable") and not data.get("ignore_errors"):
            self._failed.append(_failure(data))

    # -- signals

    @contextmanager
    def _counting_signals(self) -> Iterator[None]:
        def count(_signum: int, _frame: FrameType | None) -> None:
            self._signals += 1

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        wanted = (signal.SIGINT, signal.SIGTERM)
        previous = [signal.signal(each, count) for each in wanted]
        try:
            yield
        finally:
            for each, handler in zip(wanted, previous, strict=True):
                signal.signal(each, handler)

    def _handle_signals(self) -> None:
        if self._signals > self._handled:
            if self._kill_at is None:
                self._kill_at = time.monotonic() + INTERRUPT_GRACE_SECONDS
            if self._signals > 1:
                self._descendants.kill()
            elif not self._interrupt():
                return  # no process to signal yet: try again
            self._handled = self._signals
        if self._kill_at is not None and time.monotonic() > self._kill_at:
            self._kill_at = None
            self._descendants.kill()

    def _interrupt(self) -> bool:
        """Send SIGINT to ansible-playbook alone: it ends its workers, and each of them its tool.

        If it is still starting it is killed: SIGINT would only print a traceback of its imports.
        Returns whether there was a process.
        """
        alive = {each.pid for each in self._descendants.alive()}
        recorded = self._recorded_playbook()
        if recorded is not None and recorded in alive:
            with suppress(ProcessLookupError):
                os.kill(recorded, signal.SIGINT)
        elif alive:
            self._descendants.kill()
        return bool(alive)

    def _recorded_playbook(self) -> int | None:
        if self._transaction is None:
            return None
        pids = [
            event.get("pid")
            for event in self._transaction.events()
            if event.get("event") == "playbook"
        ]
        return pids[-1] if pids and isinstance(pids[-1], int) else None

    def _end_leftovers(self) -> None:
        deadline = self._kill_at if self._kill_at is not None else 0.0
        while self._descendants.alive():
            if self._signals > 1 or time.monotonic() > deadline:
                self._descendants.kill()
                return
            time.sleep(_POLL_SECONDS)


def _failure(data: Mapping[str, Any]) -> Failure:
    result = data.get("res") or {}
    return Failure(task=str(data.get("task", "")), message=str(result.get("msg", "")))
