"""Prune: remove old images of the project from the registry. Nothing else removes any."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace

from ..errors import LocalloopError, UsageError
from ..events import Emit
from ..helm.releases import PROJECT_LABEL
from ..kube.client import Kube
from ..kube.kinds import WORKLOADS
from ..plan.model import ComponentPlan, Plan, Reason
from ..plan.other_runs import other_plan
from ..record.model import NAMESPACE
from ..registry.client import Registry
from ..registry.published import PublishedImage
from ..session import Session
from .unused import References, TaggedImage, to_remove

COLLECT_SECONDS = 600.0


def prune_plan(session: Session, *, keep: int) -> Plan:
    """The plan that removes, for each component, all images but the newest ``keep`` and used ones.

    A component that the project no longer names is listed too, as long as the registry has images
    of it. Raises ``LocalloopError`` if the cluster or its registry does not run, because then
    there is no telling which images are in use.
    """
    project, cluster = session.project, session.cluster
    if cluster.verdict != "ok" or cluster.registry_verdict != "ok":
        raise LocalloopError(
            cluster.reason or cluster.registry_reason,
            f"cluster {session.cluster_name} or its registry does not run, so there is no telling"
            " which images are in use",
            hint="`localloop deploy` starts both.",
        )
    if not session.route.keeps_store:
        raise UsageError(
            "registry_not_prunable",
            f"the images are in the registry {session.registry_address}, which is not localloop's",
            hint="Remove old images there as that registry's own documentation says.",
        )
    session.identify()
    registry, references = session.registry, References(_texts(session.kube))
    prefix = session.repository_name("")
    stored = {
        repository.removeprefix(prefix)
        for repository in registry.repositories()
        if repository.startswith(prefix)
    }
    parts = []
    for name in [*project.builds, *sorted(stored - set(project.builds))]:
        images = _tagged(session, name) if name in stored else []
        gone = tuple(each.image.digest for each in to_remove(images, references, keep=keep))
        kind = project.builds[name].kind if name in project.builds else "image"
        parts.append(_part(name, kind, gone))
    return other_plan(session, "prune", parts)


def _part(name: str, kind: str, gone: tuple[str, ...]) -> ComponentPlan:
    part = ComponentPlan(name, kind, removes=gone)
    if not gone:
        return replace(part, skip="nothing_to_prune")
    words = "1 image" if len(gone) == 1 else f"{len(gone)} images"
    return replace(part, steps=("prune",), reasons=(Reason("prune", f"{words} not in use"),))


def prune(session: Session, plan: Plan, emit: Emit) -> Plan:
    """Remove the images of a ``prune_plan`` and free their space; the plan with its results.

    The caller must keep every other run off the cluster, because blobs of an unfinished push would
    be removed too. Raises ``registry_error`` or ``prune_failed``.
    """
    for part in plan.with_step("prune"):
        for digest in part.removes:
            session.registry.delete_manifest(session.repository_name(part.name), digest)
            emit(
                {
                    "event": "progress",
                    "component": part.name,
                    "step": "prune",
                    "text": f"{digest} removed",
                }
            )
        done = replace(part, changed=True)
        plan = replace(plan, components={**plan.components, part.name: done})
        emit({"event": "plan", "plan": plan.as_dict()})
    if plan.with_step("prune"):
        _collect(session)
    return plan


def _texts(kube: Kube) -> Iterator[str]:
    """Everything in the cluster that can name an image that is in use."""
    for secret in kube.list("v1", "Secret", NAMESPACE, label_selector=PROJECT_LABEL)[0]:
        for value in (secret.get("data") or {}).values():
            yield base64.b64decode(value).decode(errors="replace")
    for pod in kube.list("v1", "Pod")[0]:
        yield json.dumps([pod["spec"], pod.get("status")])
    for kind in WORKLOADS:
        for workload in kube.list("apps/v1", kind)[0]:
            yield json.dumps(workload["spec"]["template"])


def _tagged(session: Session, component: str) -> list[TaggedImage]:
    """The images of a component that have a tag; what cannot be read is left alone."""
    registry, repository = session.registry, session.repository_name(component)
    tags: dict[PublishedImage, list[str]] = {}
    for tag in registry.tags(repository):
        manifest = registry.manifest(repository, tag)
        if manifest is not None and manifest.config:
            image = manifest.published(session.repository(component), "")
            tags.setdefault(image, []).append(tag)
    return [
        TaggedImage(image, tuple(found), _created(registry, image)) for image, found in tags.items()
    ]


def _created(registry: Registry, image: PublishedImage) -> str:
    (config,) = image.configs.values()
    return str(json.loads(registry.blob(image.name, config)).get("created") or "")


def _collect(session: Session) -> None:
    """Have the registry remove the blobs that no manifest refers to; no push is under way."""
    found = session.docker.inspect_container(session.registry_container_name) or {}
    # registry:2 starts with a script, ours with the program itself
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
            hint="The images are gone, but their blobs are not: run it again.",
        )
