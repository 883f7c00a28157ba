"""The descendants of this process, and how to kill them."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil


class Descendants:
    """The descendants of this process, remembered even after their parents have ended.

    psutil is imported only when needed: most runs are never interrupted.
    """

    def __init__(self) -> None:
        self._known: set[psutil.Process] = set()

    def alive(self) -> set[psutil.Process]:
        """The descendants that are alive: the present ones, and those that earlier calls saw.

        A zombie does not count, nor does an unrelated process that reuses a pid seen earlier.
        """
        import psutil

        self._known.update(psutil.Process().children(recursive=True))
        self._known = {process for process in self._known if _is_alive(process)}
        return set(self._known)

    def kill(self) -> None:
        """Send SIGKILL to the process group of each; to the process alone if that group is ours."""
        import psutil

        ours = os.getpgrp()
        for process in self.alive():
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
