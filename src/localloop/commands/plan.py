"""``localloop plan``: what a deploy would do, and why. Nothing is changed or written."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..config.model import Project
from ..config.project import load_project
from ..errors import LocalloopError
from ..observe.facts import Request, request
from ..plan.make import make_plan
from ..plan.model import UNCHECKED, ComponentPlan, Plan
from ..plan.preflight import require_files
from ..plan.summary import cluster_text, images_text
from ..session import Session, host_platform
from .arguments import TargetOptions, add_targets, requested
from .console import Console

_CLUSTER = {
    "create": "is created first",
    "start": "is started first",
    "restart": "is restarted first",
    "registry": "gets its registry started first",
    "bootstrap": "is recreated when everything is built",
    "unknown": "cannot be seen",
    "refused": "is not changed, and a deploy would be refused",
}


@dataclass(frozen=True, kw_only=True)
class Options(TargetOptions):
    """The command line of ``localloop plan``."""

    diff: bool = False
    bake: bool = False
    inputs: str | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that ``Options`` holds."""
    add_targets(parser)
    parser.add_argument("--diff", action="store_true", help="name the changed files")
    parser.add_argument(
        "--bake", action="store_true", help="print the file for docker buildx bake (JSON)"
    )
    parser.add_argument(
        "--inputs",
        nargs="?",
        const="",
        metavar="COMPONENT",
        help="list what counts as input and why, instead of the plan",
    )


def run(options: Options, console: Console) -> int:
    """Print the plan; 0. Raises LocalloopError."""
    project = load_project(options.project, profile=options.profile)
    if options.inputs is not None:
        return _list_inputs(project, options.inputs or None, options.targets, console)
    wanted = requested(options, project, os.environ)
    plan, session = _plan(Session(project, os.environ, pulls=False), wanted)
    require_files(session, plan)
    if plan.with_step("release"):
        from ..plan.rendered_images import refuse_unservable_images

        refuse_unservable_images(session, plan)
    if options.bake:
        console = Console(as_json=True)
    show_plan(console, plan)
    if options.diff:
        for part in plan.components.values():
            for line in changes(session, part):
                console.say(line)
    from ..plan.typos import typos

    warnings = typos(session, plan)
    for warning in warnings:
        console.say(f"warning: {warning}")
    if options.bake:
        console.document(_bake_file(session, plan))
    else:
        console.document({**plan.as_dict(), "warnings": [*plan.warnings, *warnings]})
    return 0


def _list_inputs(
    project: Project, component: str | None, targets: Sequence[str], console: Console
) -> int:
    """Print what counts for a component, or for all; no cluster is asked."""
    from ..fingerprint.listed import CLUSTER, inputs_of

    known = [*project.components, *([CLUSTER] if project.cluster.inputs else [])]
    chosen = tuple(filter(None, (component, *targets)))
    names = request(chosen, full=False, known=known).targets or known
    session = Session(project, os.environ, platform=host_platform(), pulls=False, blind=True)
    listed = {name: inputs_of(project, session.fingerprints, name) for name in names}
    rows = [[name, *each] for name, found in listed.items() for each in found]
    console.table([["COMPONENT", "INPUT", "WHY"], *rows])
    console.document({name: [each._asdict() for each in found] for name, found in listed.items()})
    return 0


def _bake_file(session: Session, plan: Plan) -> dict[str, Any]:
    """The file for ``docker buildx bake``; ``tx`` stands for the id of the transaction.

    Without a cluster that says what is built already, it builds everything.
    """
    from ..build.bake import bake_file
    from ..build.command import built_by_bake
    from ..build.targets import bake_targets
    from ..inputs.context import build_context

    if not plan.registry:
        from ..plan.unseen import to_build

        plan, session = to_build(session, plan)
    return bake_file(built_by_bake(bake_targets(session, plan, "tx", make=build_context)))


def _plan(session: Session, wanted: Request) -> tuple[Plan, Session]:
    """The plan; if the cluster cannot be reached, the part that follows from the inputs."""
    from ..plan.unseen import UNREACHABLE, with_inputs, without_cluster

    try:
        plan, _ = make_plan(session, wanted, emit=_nothing)
    except LocalloopError as error:
        if error.reason not in UNREACHABLE:
            raise
        return without_cluster(session, wanted, error)
    return (plan if plan.components else with_inputs(session, plan)), session


def _nothing(_event: dict[str, Any]) -> None:
    pass


def show_plan(console: Console, plan: Plan) -> None:
    """Print the plan as a table, with its warnings and what could not be checked."""
    cluster, parts = plan.cluster, plan.components.values()
    verdict = cluster["verdict"]
    if verdict != "ok":
        why_cluster = ": ".join(filter(None, (cluster["reason"], cluster.get("detail"))))
        planned = verdict == "unknown" or any(part.skip != UNCHECKED for part in parts)
        then = "" if planned else "; then each component is planned"
        console.say(f"cluster {_CLUSTER.get(verdict, verdict)} ({why_cluster}){then}")
    if cluster.get("loses"):
        console.say(f"with the old cluster go: {cluster['loses']}")
    if cluster.get("lacks"):
        console.say(f"kept although it lacks: {cluster['lacks']}")
    if plan.provider:
        console.say(f"cluster: {cluster_text(plan)}")
        console.say(f"images: {images_text(plan)}")
    for warning in plan.warnings:
        console.say(f"warning: {warning}")
    if not parts:
        return
    rows = [["COMPONENT", "KIND", "STEPS", "WHY"]]
    console.table(rows + [[part.name, part.kind, steps(part), why(part)] for part in parts])
    for text in plan.unchecked:
        console.say(text)
    for part in parts:
        for warning in part.warnings:
            console.say(f"warning: {part.name}: {warning}")
        for what in part.untracked:
            console.say(f"not tracked: {part.name}: {what}")


def steps(part: ComponentPlan) -> str:
    """A component's steps, ``skip``, or its fingerprint if the steps cannot be known."""
    if part.skip == UNCHECKED:
        return f"{UNCHECKED} {part.fingerprint[:16]}"
    return ", ".join(part.steps) or "skip"


def why(part: ComponentPlan) -> str:
    """The reasons for a component's steps, or for its skip."""
    return "; ".join(map(str, part.reasons)) or part.skip


def changes(session: Session, part: ComponentPlan) -> list[str]:
    """One line for each changed input: ``M web site/index.html``, or ``* web FACT`` if no file.

    The letters are A (added), M (changed) and D (removed).
    """
    from ..fingerprint.explain import load_manifest
    from ..inputs.names import one_line
    from ..inputs.tree import differences

    if part.previous in ("", part.fingerprint):
        return []
    before = load_manifest(session.project.root, part.previous)
    if before is None:
        return [f"? {part.name} (the inputs of {part.previous[:16]} are not cached here)"]
    letters = {"added": "A", "changed": "M", "removed": "D"}
    found = differences(before.tree, session.fingerprints.of(part.name).tree)
    lines = [
        f"{letters[word]} {part.name} {one_line(path)}"
        for word, paths in found.items()
        for path in paths
    ]
    return lines + [f"* {part.name} {fact}" for fact in part.changes.get("facts_changed") or ()]
