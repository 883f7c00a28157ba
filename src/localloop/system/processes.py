"""The processes below this one, and how to kill them."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil


class Family:
    """The descendants of this process, remembered even after their parents have ended.

    psutil is imported only when somebody asks: most runs are never interrupted.
    """

    def __init__(self) -> None:
        self._known: set[psutil.Process] = set()

    def look(self) -> set[psutil.Process]:
        """The descendants that are alive now: present ones, and those seen by earlier calls.

        A zombie is not alive. A process that got the number of one seen earlier is not that one.
        """
        import psutil

        self._known.update(psutil.Process().children(recursive=True))
        self._known = {process for process in self._known if _is_alive(process)}
        return set(self._known)

    def kill(self) -> None:
        """Send KILL to the process group of each; only to the process where the group is ours."""
        import psutil

        ours = os.getpgrp()
        for process in self.look():
            with suppress(ProcessLookupError, PermissionError, psutil.Error):
                group = os.getpgid(process.pid)
                if group == ours:
                    process.kill()
                else:
                    os.killpg(group, signal.SIGKILL)


def _is_alive(process: psutil.Process) -> bool:
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
