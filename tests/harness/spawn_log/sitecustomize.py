"""Notes every process that a Python process starts, and whether it imports Ansible.

Python reads this by itself where the directory is on PYTHONPATH. An audit hook cannot be removed
and is called by the interpreter before the system call, so what is noted does not depend on how
localloop starts a process.
"""

import os
import sys

_STARTS = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system")
_IMPORTS = ("ansible", "ansible_runner")


def _install(path):
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(event, args):
        if event in _STARTS:
            os.write(descriptor, f"start {os.fsdecode(args[0])} {args[1:2]!r}\n".encode())
        elif event == "import" and args[0] in _IMPORTS:
            os.write(descriptor, f"import {args[0]}\n".encode())

    sys.addaudithook(note)


if os.environ.get("E2E_SPAWN_LOG"):
    _install(os.environ["E2E_SPAWN_LOG"])
