"""The processes below this one, and how to end them: a portable reading of ``ps``."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True)
class Process:
    """One line of ``ps``; ``started`` tells a process from a later one with the same number."""

    pid: int
    parent: int
    group: int
    started: str


def parse_table(text: str) -> list[Process]:
    """The output of ``ps -A -o pid=,ppid=,pgid=,lstart=``."""
    table = []
    for line in text.splitlines():
        fields = line.split(None, 3)
        if len(fields) == 4 and all(field.isdigit() for field in fields[:3]):
            table.append(Process(int(fields[0]), int(fields[1]), int(fields[2]), fields[3].strip()))
    return table


def below(root: int, table: list[Process]) -> set[Process]:
    """All descendants of the process ``root``."""
    children: dict[int, list[Process]] = {}
    for process in table:
        children.setdefault(process.parent, []).append(process)
    found: set[Process] = set()
    waiting = [root]
    while waiting:
        for process in children.get(waiting.pop(), ()):
            if process not in found and process.pid != root:
                found.add(process)
                waiting.append(process.pid)
    return found


def read_table() -> list[Process]:
    """All processes of this machine but ``ps`` itself; empty where it cannot be run."""
    try:
        with subprocess.Popen(
            ["ps", "-A", "-o", "pid=,ppid=,pgid=,lstart="],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        ) as ps:
            text = ps.communicate()[0].decode(errors="replace")
    except OSError:
        return []
    return [process for process in parse_table(text) if process.pid != ps.pid]


class Family:
    """The descendants of this process, remembered also once their parents are gone."""

    def __init__(self) -> None:
        self._known: set[Process] = set()

    def look(self) -> set[Process]:
        """Those that are alive now: the present descendants and the ones seen earlier."""
        table = read_table()
        alive = {(process.pid, process.started) for process in table}
        self._known |= below(os.getpid(), table)
        self._known = {each for each in self._known if (each.pid, each.started) in alive}
        return set(self._known)

    def kill(self) -> None:
        """KILL to the process group of each, or to itself where it is in our own."""
        ours = os.getpgrp()
        for process in self.look():
            with suppress(ProcessLookupError, PermissionError):
                if process.group == ours:
                    os.kill(process.pid, signal.SIGKILL)
                else:
                    os.killpg(process.group, signal.SIGKILL)
