"""Runs of a command: to their end, or watched while they run."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .processes import MARK, kill_all

DEADLINE = 180.0


@dataclass
class Run:
    """A run that has ended."""

    argv: list[str]
    code: int
    out: str
    err: str
    seconds: float
    mark: str
    project: Path
    _report: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def text(self) -> str:
        return f"{self.out}\n{self.err}"

    @property
    def report_path(self) -> Path:
        """The markdown file that the run's output names."""
        found = re.findall(r"Report: (\S+\.md)", self.text)
        assert len(found) == 1, f"no report is named:\n{self.text}"
        return Path(found[0])

    @property
    def report(self) -> dict[str, Any]:
        if self._report is None:
            self._report = json.loads(self.report_path.with_suffix(".json").read_text())
        return self._report

    @property
    def markdown(self) -> str:
        return self.report_path.read_text()

    def plan_of(self, component: str) -> dict[str, Any]:
        """What the report says of a component: steps, skip, reasons, changed, …"""
        return self.report["components"][component]

    def reasons(self, component: str) -> str:
        return "; ".join(self.plan_of(component)["reasons"])

    def recap(self) -> dict[str, dict[str, int]]:
        """ansible-playbook's recap: host → counters."""
        _, _, recap = self.out.partition("PLAY RECAP")
        return {
            host: {key: int(number) for key, number in re.findall(r"(\w+)=(\d+)", counters)}
            for host, counters in re.findall(r"^(\S+)\s+: (.+)$", recap, re.MULTILINE)
        }


class Running:
    """A run in progress; its output is read in the background."""

    def __init__(self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, project: Path):
        self.argv = list(argv)
        self.mark = uuid.uuid4().hex
        self.project = project
        self.started = time.monotonic()
        self._reports = project / ".cache" / "deploy-reports"
        self._before = set(self._reports.glob("*"))
        self._said: dict[str, list[str]] = {"out": [], "err": []}
        self.process = subprocess.Popen(
            self.argv,
            env={**env, MARK: self.mark},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=_terminal_signals,  # noqa: PLW1509 (it takes no lock)
        )
        self._readers = [
            threading.Thread(target=self._read, args=(name, stream), daemon=True)
            for name, stream in (("out", self.process.stdout), ("err", self.process.stderr))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str, stream: Any) -> None:
        for line in stream:
            self._said[name].append(line)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def text(self) -> str:
        return "".join(self._said["out"]) + "".join(self._said["err"])

    def journal(self) -> Path | None:
        new = [path for path in self._reports.glob("*.jsonl") if path not in self._before]
        return new[0] if new else None

    def events(self) -> list[dict[str, Any]]:
        """The journal so far, without a line that is being written."""
        events = []
        path = self.journal()
        if path is not None:
            with suppress(OSError):
                for line in path.read_text().splitlines():
                    with suppress(ValueError):
                        events.append(json.loads(line))
        return events

    def transaction(self) -> str:
        path = self.journal()
        assert path is not None
        return path.stem

    def until(self, what: str, happened: Callable[[], object], *, within: float = 60) -> Any:
        """Wait until something is true of the run; fail if the run ends before."""
        deadline = time.monotonic() + within
        while not (found := happened()):
            assert self.process.poll() is None, f"ended before {what}:\n{self.text}"
            assert time.monotonic() < deadline, f"{what} did not come:\n{self.text}"
            time.sleep(0.005)
        return found

    def until_said(self, component: str, step: str, text: str = "") -> None:
        """Wait until the journal has a progress event of the step with that text."""
        self.until(
            f"{component} {step} {text!r}",
            lambda: any(
                event.get("event") == "progress"
                and (event.get("component"), event.get("step")) == (component, step)
                and re.search(text, event.get("text", ""))
                for event in self.events()
            ),
        )

    def until_gate(self) -> None:
        """Wait until the release is done and the gate is watching."""
        self.until_said("hello", "release", r"^revision \d+")
        self.until("the gate's first words", lambda: "Deployment hello: " in self.text)

    def interrupt(self, *, group: bool) -> None:
        """Ctrl-C: to the process group, as a terminal does, or to the command alone."""
        (os.killpg if group else os.kill)(self.pid, signal.SIGINT)

    def kill_command(self) -> None:
        self.process.kill()
        self.process.wait()

    def kill_tree(self) -> None:
        kill_all(self.mark)
        self.process.wait()

    def kill_all_but(self, tool: str) -> None:
        """SIGKILL to all processes, except a tool that may finish."""
        kill_all(self.mark, but=tool)
        self.process.wait()

    def end(self, *, within: float = DEADLINE) -> Run:
        """Wait for its end, up to a limit."""
        try:
            self.process.wait(within)
        except subprocess.TimeoutExpired:
            kill_all(self.mark)
            raise AssertionError(f"{self.argv} did not end in {within} s:\n{self.text}") from None
        seconds = time.monotonic() - self.started
        for reader in self._readers:
            reader.join(5)
        return Run(
            self.argv,
            self.process.returncode,
            "".join(self._said["out"]),
            "".join(self._said["err"]),
            seconds,
            self.mark,
            self.project,
        )


def _terminal_signals() -> None:
    # A shell that runs the tests in the background ignores SIGINT, and children inherit that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
