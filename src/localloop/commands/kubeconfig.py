"""``localloop kubeconfig``: the cluster's kubeconfig, for kubectl, k9s and the like."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from typing import Any

from ..cluster.user_kubeconfig import merge_context, user_kubeconfigs
from ..config.project import load_project
from ..errors import UsageError
from ..session import Session
from .arguments import ProjectOptions, add_project
from .console import Console


@dataclass(frozen=True, kw_only=True)
class Options(ProjectOptions):
    """The command line of ``localloop kubeconfig``."""

    merge: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that ``Options`` holds."""
    add_project(parser)
    parser.add_argument(
        "--merge",
        action="store_true",
        help="put its context into your own kubeconfig, without switching to it",
    )


def run(options: Options, console: Console) -> int:
    """Print the path of the cluster's kubeconfig, or merge it into the user's; 0.

    Raises LocalloopError; UsageError (``no_cluster``) where there is no cluster.
    """
    session = Session(load_project(options.project), os.environ, writes=False)
    if session.cluster.verdict == "create":
        raise UsageError(
            "no_cluster",
            f"there is no cluster {session.cluster_name}, so it has no kubeconfig",
            hint="`localloop bootstrap` creates it.",
        )
    context = session.kube.config.context  # fetches the file if it was deleted
    if options.merge and not session.provider.owns:
        raise UsageError(
            "cluster_not_ours",
            f"context {context} is one of your own kubeconfig already: there is nothing to merge",
        )
    document: dict[str, Any] = {"path": str(session.kubeconfig), "context": context}
    if not options.merge:
        console.document(document)
        if not console.as_json:
            console.say(document["path"])
        return 0
    path = user_kubeconfigs(os.environ)[0]
    changed = merge_context(path, session.kubeconfig, context)
    console.document({**document, "merged": {"path": str(path), "changed": changed}})
    done = "now has" if changed else "already has"
    console.say(f"{path} {done} the context {context}; its current context stays as it is.")
    console.say(f"Use it: kubectl --context {context} get nodes")
    return 0
