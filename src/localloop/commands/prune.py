"""``localloop prune``: remove this project's old images from the registry; nothing else does."""

from __future__ import annotations

import argparse
import base64
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

from ..config.project import load_project
from ..errors import LocalloopError
from ..helm.releases import PROJECT_LABEL
from ..kube.client import Kube
from ..kube.kinds import WORKLOADS
from ..publish.prune import Named, Published, to_remove
from ..record.model import NAMESPACE
from ..registry.client import Registry
from ..session import Session
from ..transaction.run import open_run, run_to_its_end
from ..transaction.transaction import Transaction
from .arguments import ProjectOptions, add_project
from .console import Console

COLLECT_SECONDS = 600.0


@dataclass(frozen=True, kw_only=True)
class Options(ProjectOptions):
    """The command line of ``localloop prune``."""

    keep: int = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that ``Options`` holds."""
    add_project(parser)
    parser.add_argument(
        "--keep",
        type=_count,
        default=Options.keep,
        metavar="N",
        help="the newest ones of each component that stay (default: %(default)s)",
    )


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


def run(options: Options, console: Console) -> int:
    """Remove old images; 0. Raises LocalloopError."""
    project = load_project(options.project)
    session = Session(project, os.environ)
    if session.cluster.verdict != "ok" or session.cluster.registry_verdict != "ok":
        raise LocalloopError(
            session.cluster.reason or session.cluster.registry_reason,
            f"cluster {session.cluster_name} or its registry does not run, so nobody can tell"
            " which images are in use",
            hint="`localloop deploy` starts both.",
        )
    transaction = open_run(
        session, "prune", details={"keep": options.keep}, started=console.started
    )
    removed: dict[str, list[str]] = {}
    report, error = run_to_its_end(
        transaction,
        lambda: _prune(session, console, transaction, options.keep, removed),
        outcome="pruned",
    )
    if error:
        console.say(f"Report: {report}")
        raise error
    console.document({"outcome": "pruned", "removed": removed, "report": str(report)})
    console.say(f"{sum(map(len, removed.values()))} images removed. Report: {report}")
    return 0


def _prune(
    session: Session,
    console: Console,
    transaction: Transaction,
    keep: int,
    removed: dict[str, list[str]],
) -> None:
    """Note in ``removed`` the digests that are gone, by repository."""
    transaction.require_exclusive()
    registry, named = session.registry, Named(_texts(session.kube))
    for repository in registry.repositories():
        if not repository.startswith(f"{session.project.name}/"):
            continue
        for image in to_remove(_published(registry, repository), named, keep=keep):
            registry.delete_manifest(repository, image.digest)
            removed.setdefault(repository, []).append(image.digest)
            said = f"{repository}@{image.digest} removed ({', '.join(image.tags)})"
            transaction.emit({"event": "progress", "component": "", "step": "prune", "text": said})
            console.say(said)
    if removed:
        _collect(session)


def _texts(kube: Kube) -> Iterator[str]:
    """Everything in the cluster that can name an image that somebody needs."""
    for secret in kube.list("v1", "Secret", NAMESPACE, label_selector=PROJECT_LABEL)[0]:
        for value in (secret.get("data") or {}).values():
            yield base64.b64decode(value).decode(errors="replace")
    for pod in kube.list("v1", "Pod")[0]:
        yield json.dumps([pod["spec"], pod.get("status")])
    for kind in WORKLOADS:
        for workload in kube.list("apps/v1", kind)[0]:
            yield json.dumps(workload["spec"]["template"])


def _published(registry: Registry, repository: str) -> list[Published]:
    """The images of a repository; what cannot be read is left alone."""
    tags: dict[str, list[str]] = {}
    configs: dict[str, str] = {}
    for tag in registry.tags(repository):
        manifest = registry.manifest(repository, tag)
        if manifest is not None and manifest.config:
            tags.setdefault(manifest.digest, []).append(tag)
            configs[manifest.digest] = manifest.config
    return [
        Published(digest, config, tuple(tags[digest]), _created(registry, repository, config))
        for digest, config in configs.items()
    ]


def _created(registry: Registry, repository: str, config: str) -> str:
    return str(json.loads(registry.blob(repository, config)).get("created") or "")


def _collect(session: Session) -> None:
    """Let the registry remove the blobs that no manifest names: no push is under way."""
    found = session.docker.inspect_container(session.registry_container_name) or {}
    # registry:2 starts by a script, ours by the program itself.
    program = "registry" if found["Path"].endswith(".sh") else found["Path"]
    status, said = session.docker.engine.execute(
        session.registry_container_name,
        [program, "garbage-collect", found["Args"][-1]],
        timeout=COLLECT_SECONDS,
    )
    if status:
        raise LocalloopError(
            "prune_failed",
            f"the registry's garbage collection ended with {status}: {said.strip()[-300:]}",
            hint="The images are gone already, their blobs are not: run it again.",
        )
