"""When this process started: a run's seconds count from then, imports included."""

from __future__ import annotations

import os
import time
from pathlib import Path

# The estimate without /proc: the time of this import, less the CPU time used before it.
IMPORTED = time.monotonic() - time.process_time()


def process_started(stat: Path = Path("/proc/self/stat")) -> float:
    """The start of this process as a value of ``time.monotonic()``, in seconds.

    Linux keeps it in ``stat``, in ticks of usually 10 ms, so it is up to one tick early. Elsewhere
    it is the time at which this module was imported, less the CPU time used before: a little late.
    """
    try:
        # The second field is a name in parentheses that may hold anything; the start is the 22nd.
        fields = stat.read_bytes().rpartition(b")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # since boot
        return time.monotonic() - (time.clock_gettime(time.CLOCK_BOOTTIME) - started)
    except (OSError, ValueError, IndexError, AttributeError):
        return IMPORTED
