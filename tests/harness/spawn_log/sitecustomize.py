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
    def note(event, args):
        if event in _STARTS:
            write(f"start {os.fsdecode(args[0])} {args[1:2]!r}\n")
        elif event == "import" and args[0] in _IMPORTS:
            write(f"import {args[0]}\n")

    def write(line):
        # Opened each time: a child that is about to exec has closed what it inherited.
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, line.encode())
        os.close(descriptor)

    sys.addaudithook(note)


if os.environ.get("E2E_SPAWN_LOG"):
    _install(os.environ["E2E_SPAWN_LOG"])
