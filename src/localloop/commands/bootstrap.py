"""``localloop bootstrap``: make the cluster run, anew or as it is, and deploy to it."""

from __future__ import annotations

import os
import sys
import time

from ..config.project import load_project
from ..errors import UsageError
from ..plan.cluster_verdict import Wish, require_answer
from ..session import Session
from . import Console, Options
from .deploy import run_loop


def run(options: Options) -> int:
    started = time.monotonic()
    project = load_project(options.project, profile=options.profile)
    session = Session(project, os.environ)
    wish = Wish(_answer(session, options), force=options.force)
    require_answer(session, wish)
    return run_loop(session, options, "bootstrap", wish, started)


def _answer(session: Session, options: Options) -> str:
    """What is to become of a cluster that exists: by the flags, else asked where that can be."""
    if options.recreate:
        return "recreate"
    if options.reuse_ok:
        return "reuse"
    if session.cluster.verdict == "create" or not sys.stdin.isatty():
        return "auto"
    return _ask(options.console, session.cluster_name)


def _ask(console: Console, name: str) -> str:
    console.say(
        f"Cluster {name} exists.\n"
        "  reuse     keep it and deploy to it\n"
        "  recreate  make it anew; all that is in it is lost\n"
        "Which? Anything else stops here."
    )
    given = sys.stdin.readline().strip().lower()
    if given not in ("reuse", "recreate"):
        raise UsageError(
            "not_answered",
            f"cluster {name} is left as it is",
            hint="Answer reuse or recreate, or give --reuse-ok or --recreate.",
        )
    return given
