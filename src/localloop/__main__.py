"""The command ``localloop``."""

from __future__ import annotations

import argparse
import io
import sys
from importlib import import_module
from pathlib import Path

from . import __version__
from .commands import Console, Options
from .errors import LocalloopError

COMMANDS = {
    "deploy": "build, release and prove what changed (all that changed, or the targets)",
    "plan": "say what a deploy would do, and why; change nothing",
    "bootstrap": "make the cluster run, anew or as it is, and deploy to it",
    "rollback": "take the charts back to what an earlier transaction deployed",
    "status": "say what the cluster runs",
    "history": "list this project's transactions",
    "report": "print a transaction's report (the newest one by default)",
    "baseline": "measure each build, each command of the project and, if asked, the deploy",
    "down": "remove this project's releases and record",
    "prune": "remove this project's old images from the registry",
    "content": "print the directory of ansible.cfg, playbooks and roles",
    "fingerprint": "print one value for the files of a tree, stable across clones and commits",
    "schema": "print the JSON Schema of localloop.yml",
}
PROFILED = ("deploy", "plan", "bootstrap", "rollback", "status", "baseline", "down")


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    spoken = argparse.ArgumentParser(add_help=False)
    spoken.add_argument("-o", "--output", choices=["text", "json"], default="text")
    common = argparse.ArgumentParser(add_help=False, parents=[spoken])
    common.add_argument(
        "--project", type=Path, default=Path(), metavar="DIR", help="the project (default: here)"
    )
    profiled = argparse.ArgumentParser(add_help=False)
    profiled.add_argument("--profile", help="a profile of localloop.yml")
    top = argparse.ArgumentParser(
        prog="localloop", description="Edit, run one command, and the local cluster runs that edit."
    )
    top.add_argument("--version", action="version", version=f"localloop {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, what in COMMANDS.items():
        parents = [common, profiled] if name in PROFILED else [common]
        if name == "fingerprint":
            parents = [spoken]
        sub = commands.add_parser(name, help=what, description=what.capitalize(), parents=parents)
        if name in ("deploy", "plan"):
            sub.add_argument("targets", nargs="*", metavar="TARGET", help="component names, or all")
            sub.add_argument("--full", action="store_true", help="everything, changed or not")
        if name == "plan":
            sub.add_argument("--diff", action="store_true", help="name the changed files")
            sub.add_argument("--bake", action="store_true", help="print the bake file (JSON)")
        if name == "bootstrap":
            over = sub.add_mutually_exclusive_group()
            over.add_argument(
                "--recreate",
                action="store_true",
                help="make an existing cluster anew; all that is in it is lost",
            )
            over.add_argument(
                "--reuse-ok",
                action="store_true",
                help="keep an existing cluster, and accept its inputs as they are now",
            )
            sub.add_argument(
                "--force",
                action="store_true",
                help="recreate even though others are deployed there, or nobody can tell",
            )
        if name == "fingerprint":
            sub.add_argument("path", type=Path, metavar="PATH", help="a directory")
            sub.add_argument(
                "--inputs",
                nargs="+",
                default=(),
                metavar="GLOB",
                help="what counts, in the language of .dockerignore; '!GLOB' leaves out",
            )
        if name == "prune":
            sub.add_argument(
                "--keep",
                type=_count,
                default=10,
                metavar="N",
                help="the newest ones of each component that stay (default: 10)",
            )
        if name == "report":
            sub.add_argument("transaction", nargs="?", metavar="TX")
        if name == "rollback":
            sub.add_argument(
                "transaction", nargs="?", metavar="TX", help="default: the one before now"
            )
        if name == "baseline":
            sub.add_argument(
                "--mode", choices=["cold", "warm", "both"], default="both", help="default: both"
            )
            sub.add_argument("--with-deploy", action="store_true", help="the deploy too")
            sub.add_argument(
                "--output-dir", metavar="DIR", help="default: .cache/perf in the project"
            )
        if name == "down":
            sub.add_argument("--cluster", action="store_true", help="the cluster and registry too")
            sub.add_argument(
                "--force", action="store_true", help="even though other projects are deployed there"
            )
    return top


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


def main(argv: list[str] | None = None) -> int:
    """Run one command; its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # any character is said somehow
        sys.stdout.reconfigure(errors="backslashreplace")
    given = vars(parser().parse_args(argv))
    console = Console(as_json=given.pop("output") == "json")
    options = Options(
        console=console,
        profile=given.pop("profile", None),
        project=given.pop("project", Path()),
        targets=tuple(given.pop("targets", ())),
        inputs=tuple(given.pop("inputs", ())),
        **given,
    )
    try:
        return int(import_module(f".commands.{options.command}", __package__).run(options))
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
