"""The command ``localloop``."""

from __future__ import annotations

import argparse
import io
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from . import __version__
from .commands.console import Console
from .errors import LocalloopError
from .system.clock import process_started

COMMANDS = {
    "deploy": "build, release and verify what changed (everything that changed, or the targets)",
    "plan": "show what a deploy would do, and why, without changing anything",
    "bootstrap": "create, recreate or reuse the cluster, and deploy to it",
    "rollback": "roll the charts back to what an earlier transaction deployed",
    "status": "show what the cluster runs",
    "history": "list this project's transactions",
    "report": "print the report of a transaction (default: the newest)",
    "kubeconfig": "print the path of the cluster's kubeconfig, or merge it into your own",
    "baseline": "measure the builds, the project's own commands and, on request, a deploy",
    "stop": "stop the cluster, which frees its memory and keeps everything",
    "down": "remove this project's releases and record; on request, the cluster",
    "prune": "remove this project's old images from the registry",
    "content": "print the directory that has ansible.cfg, the playbooks and the roles",
    "fingerprint": "print one value for the files of a directory, the same for every clone of them",
    "schema": "print the JSON Schema of localloop.yml",
}


def parser(chosen: str = "") -> argparse.ArgumentParser:
    """The command line's grammar: all commands, and the arguments of the chosen one.

    Only that command's module is imported.
    """
    top = argparse.ArgumentParser(
        prog="localloop", description="Edit, run one command, and the local cluster runs that edit."
    )
    top.add_argument("--version", action="version", version=f"localloop {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, what in COMMANDS.items():
        sub = commands.add_parser(name, help=what, description=what[0].upper() + what[1:])
        if name == chosen:
            sub.add_argument("-o", "--output", choices=["text", "json"], default="text")
            _module(name).add_arguments(sub)
    return top


def _module(command: str) -> Any:
    return import_module(f".commands.{command}", __package__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code.

    Without ``argv`` this process is the command: its arguments are used, and the run counts its
    seconds from the start of the process.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # print any character, whatever the encoding
        sys.stdout.reconfigure(errors="backslashreplace")
    words = sys.argv[1:] if argv is None else argv
    # Options before the command take no value, so the first other word is the command.
    chosen = next((word for word in words if not word.startswith("-")), "")
    given = vars(parser(chosen).parse_args(words))
    command = _module(given.pop("command"))
    started = process_started() if argv is None else time.monotonic()
    console = Console(as_json=given.pop("output") == "json", started=started)
    try:
        return int(command.run(command.Options(**given), console))
    except LocalloopError as error:
        console.document({"outcome": "failed", "error": error.as_dict()})
        print(f"{console.paint('error', '31')}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 141


if __name__ == "__main__":
    sys.exit(main())
