"""One measurement in its own process, as JSON: seconds, CPU seconds, files, peak memory (MiB).

``python probe.py fingerprint ROOT`` makes the fingerprint of a project's image as a deploy does
(what it keeps is used and written). Plain Python in one thread, to compare with: ``scan ROOT``
only lists and looks at every file, ``read ROOT`` also reads it and computes its sha256. None counts
the start of Python and the imports.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
import time
from pathlib import Path

Used = tuple[float, float]
"""Seconds and CPU seconds."""


def clock() -> Used:
    return time.perf_counter(), time.process_time()


def since(started: Used) -> Used:
    now = clock()
    return now[0] - started[0], now[1] - started[1]


def fingerprint(root: str) -> tuple[Used, int]:
    """The measured time, and how many files and links count."""
    from localloop.config.project import load_project
    from localloop.fingerprint.components import fingerprint_image
    from localloop.fingerprint.folder_cache import InputCache
    from localloop.inputs.tree import tree_entries

    started = clock()
    project = load_project(Path(root), environ={})
    found = fingerprint_image(
        project,
        project.images["app"],
        base_digests={},
        platform="linux/amd64",
        builder="docker",
        cache=InputCache(project.root),
    )
    used = since(started)
    return used, sum(1 for folder in found.tree.values() for _ in tree_entries(folder.section))


def scan(root: str) -> tuple[Used, int]:
    """``scandir`` and ``lstat``, and nothing else."""
    started = clock()
    count = 0
    stack = [os.fsencode(root)]
    while stack:
        with os.scandir(stack.pop()) as found:
            for entry in found:
                entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)
                else:
                    count += 1
    return since(started), count


def read(root: str) -> tuple[Used, int]:
    """The sha256 of each file, and nothing else."""
    started = clock()
    count = 0
    for folder, _, names in os.walk(os.fsencode(root)):
        for name in names:
            with open(folder + b"/" + name, "rb", buffering=0) as file:  # noqa: PTH123
                digest = hashlib.sha256()
                while block := file.read(1 << 20):
                    digest.update(block)
                digest.digest()
            count += 1
    return since(started), count


if __name__ == "__main__":
    probe = {"fingerprint": fingerprint, "scan": scan, "read": read}[sys.argv[1]]
    (seconds, cpu), files = probe(sys.argv[2])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "cpu": cpu, "files": files, "peak": peak / 1024}))
