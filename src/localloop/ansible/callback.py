"""The transaction of a playbook that is run without the ``localloop`` command.

A playbook of your own that uses the roles names its command in its play's ``vars``, for example
``localloop_command: deploy`` (a literal, not a template; the same holds for ``down_cluster``).

``ansible-playbook playbooks/deploy-fast.yml`` takes the same locks, keeps the same journal and
writes the same report as ``localloop deploy``. If the command started the playbook it does all that
itself, and this plugin only records the process that Ctrl-C has to reach.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible import context
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.callback import CallbackBase

from ..config.project import load_project
from ..errors import BusyError, InterruptedRun, LocalloopError, UsageError

# Workers are forks of this process: what the steps need is imported here once, not in each worker.
from ..gate import run as gating  # noqa: F401
from ..plan import make as planning  # noqa: F401
from ..plan.cluster_verdict import ANSWERS, BootstrapChoice, cluster_verdict, require_answer
from ..release import charts as releases  # noqa: F401
from ..report.journal import attach
from ..session import Session
from ..system.clock import process_started
from ..system.environ import without_proxy
from ..system.paths import content_dir
from ..transaction.run import open_run
from ..transaction.transaction import Transaction
from .interrupts import RunInterrupts
from .whole_run import require_project, require_whole_run

# The playbooks of localloop that change something, and the command of each.
COMMANDS = {
    "deploy-fast.yml": "deploy",
    "bootstrap.yml": "bootstrap",
    "rollback.yml": "rollback",
    "prune.yml": "prune",
    "down.yml": "down",
    "stop.yml": "stop",
}
_CLOSING_SECONDS = 5.0
_ORPHAN_POLL_SECONDS = 0.5


class CallbackModule(CallbackBase):
    """Opens the transaction before the first play, and closes it after the last or on exit."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "localloop"
    CALLBACK_NEEDS_ENABLED = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._started = process_started()
        self._command: str | None = None
        self._within = False
        self._transaction: Transaction | None = None
        self._problem: LocalloopError | None = None
        self._interrupts = RunInterrupts(self._close)
        self._closing = threading.Lock()

    def v2_playbook_on_start(self, playbook: Any) -> None:
        path = Path(playbook._file_name)
        journal = attach(os.environ)
        if journal is not None:
            self._within = True
            self._interrupts.watch()
            journal.emit({"event": "playbook", "pid": os.getpid(), "playbook": path.name})
            threading.Thread(target=_exit_with_parent, args=(os.getppid(),), daemon=True).start()
        elif path.resolve().parent == content_dir() / "playbooks":
            self._interrupts.watch()
            self._command = COMMANDS.get(path.name)
            if self._command is not None:
                self._refuse(require_whole_run, path.name)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        if self._within or self._transaction is not None or context.CLIARGS["check"]:
            return
        command = self._command or play.get_vars().get("localloop_command")
        if command is None:
            return
        manager = play.get_variable_manager()
        inventory = manager._inventory.groups["all"].get_vars()
        everywhere = {**inventory, **play.get_vars(), **manager.extra_vars}
        root = everywhere.get("localloop_project")
        if root is None and self._command is None:
            return  # not our inventory, so there is no project
        if root is None:
            self._refuse(require_project)
        self._refuse(self._open, Path(str(root)), str(command), everywhere)

    def _refuse(self, check: Callable[..., None], *arguments: Any) -> None:
        """Call ``check``; what it raises ends the run."""
        try:
            check(*arguments)
        except LocalloopError as error:
            self._problem = error
            self._display.display(f"localloop: {error}", color="red", stderr=True)
            # Not caught by Ansible, which would carry on. Nothing has been changed yet.
            raise SystemExit(error.exit_code) from error

    def _open(self, root: Path, command: str, variables: Mapping[str, Any]) -> None:
        if command not in COMMANDS.values():
            raise UsageError(
                "unknown_command",
                f"the play's localloop_command {command!r} is not a command",
                hint=f"Commands: {', '.join(COMMANDS.values())}.",
            )
        self._interrupts.watch()
        session = Session(load_project(root), os.environ)
        choice = _bootstrap_choice(variables)
        if command == "bootstrap":
            require_answer(session, choice)
        self._transaction = open_run(
            session,
            command,
            details={"argv": sys.argv[1:], "bootstrap": choice.answer},
            started=self._started,
        )
        atexit.register(self._at_exit, os.getpid())
        # The workers are forks.
        os.environ.update(without_proxy(os.environ, session.direct_hosts))
        os.environ.update(self._transaction.environment())
        self._transaction.emit({"event": "playbook", "pid": os.getpid()})
        if _needs_exclusive_cluster(session, command, choice, variables):
            self._transaction.require_exclusive()

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if not ignore_errors and self._problem is None:
            self._problem = _problem(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        if self._problem is None:
            self._problem = _problem(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._close()
        if self._interrupts.received:
            raise SystemExit(self._interrupts.exit_code)

    def _at_exit(self, pid: int) -> None:
        if os.getpid() != pid:
            return
        if self._problem is None:
            self._problem = LocalloopError(
                "playbook_aborted",
                "ansible-playbook ended before the last task",
                hint="Its own message above says why.",
            )
        self._close()

    def _close(self) -> None:
        if not self._closing.acquire(timeout=_CLOSING_SECONDS):
            return  # another thread is closing it
        try:
            transaction, self._transaction = self._transaction, None
            if transaction is not None:
                self._write_report(transaction)
                self._started = time.monotonic()  # for the next playbook in this process
        finally:
            self._closing.release()

    def _write_report(self, transaction: Transaction) -> None:
        error = self._problem
        if self._interrupts.received:
            name = signal.Signals(self._interrupts.received).name
            error = InterruptedRun("interrupted", f"ended by {name}")
            self._display.display(f"localloop: {error}", color="red", stderr=True)
            self._interrupts.wait_for_workers()
        elif any(event.get("event") == "failed" for event in transaction.events()):
            error = None  # the step's own error is more precise
        try:
            report = transaction.close(error=error)
        except LocalloopError as problem:
            self._display.display(f"localloop: {problem}", color="red", stderr=True)
        else:
            self._display.display(f"Report: {report}")
        for key in transaction.environment():
            os.environ.pop(key, None)


def _needs_exclusive_cluster(
    session: Session, command: str, choice: BootstrapChoice, variables: Mapping[str, Any]
) -> bool:
    """Whether the run creates, repairs, prunes or removes what other runs use."""
    if command in ("deploy", "bootstrap"):
        return cluster_verdict(session, choice)["verdict"] != "ok"
    removes = boolean(variables.get("down_cluster", False), strict=False)
    return command in ("prune", "stop") or (command == "down" and removes)


def _bootstrap_choice(variables: Mapping[str, Any]) -> BootstrapChoice:
    answer = str(variables.get("localloop_bootstrap", "auto"))
    if answer not in ANSWERS:
        raise UsageError(
            "unknown_answer",
            f"localloop_bootstrap is {answer!r}",
            hint=f"Use one of: {', '.join(ANSWERS)}.",
        )
    return BootstrapChoice(
        answer, force=boolean(variables.get("localloop_force", False), strict=False)
    )


def _problem(result: Any) -> LocalloopError:
    data = result.result
    if isinstance(data.get("error"), dict) and isinstance(data.get("reason"), str):
        busy = data["error"].get("exit_code") == BusyError.exit_code
        kind = BusyError if busy else LocalloopError
        return kind(data["reason"], str(data["error"].get("message", data.get("msg", ""))))
    task = result.task.get_name()
    return LocalloopError(
        "task_failed",
        f"task {task!r} failed on {result.host.get_name()}: {data.get('msg', 'no message')}",
    )


def _exit_with_parent(parent: int) -> None:
    """End this process once the command that started it has been killed.

    Its terminal is gone then, and Ansible would hang because it can no longer write its output.
    A tool that is still working finishes first; the next run waits for it.
    """
    while os.getppid() == parent:
        time.sleep(_ORPHAN_POLL_SECONDS)
    while multiprocessing.active_children():
        time.sleep(_ORPHAN_POLL_SECONDS)
    os._exit(1)
