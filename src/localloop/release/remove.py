"""Down: remove what the project has deployed, or the whole cluster with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from ..cluster import mirrors
from ..cluster.containers import judge_nodes, list_nodes
from ..cluster.hosting import withdraw
from ..cluster.owner import noted
from ..cluster.registry_state import LABEL_CLUSTER
from ..cluster.route import CONFIGMAP
from ..cluster.state import inspect_registry
from ..config.model import Chart, Project
from ..errors import LocalloopError, UsageError
from ..events import Emit
from ..helm.command import Helm, HelmHungError
from ..helm.live import live_release, revision_after
from ..helm.releases import Release, all_releases, mark_failed
from ..kube.client import ApiUnreachable
from ..observe.others import left_behind, others_on
from ..plan.model import ComponentPlan, Plan, Reason
from ..plan.other_runs import other_plan
from ..plan.preflight import require_helm
from ..record.model import ChartEntry, ImageEntry, NodeFileEntry, Record
from ..record.store import RecordStore
from ..registry.client import Registry
from ..session import Session
from .charts import hook_bound
from .failure import release_failed
from .leftovers import Left, may_stay, that_stayed
from .namespaces import owners, went_along

WITH_CLUSTER = Reason("down", "with the cluster")


def removal_plan(session: Session, *, with_cluster: bool, force: bool = False) -> Plan:
    """What goes: the project's releases, or everything that it has on a cluster that goes as well.

    Releases that carry the project's label and that no chart names any more go too, each as a
    component named ``NAMESPACE/RELEASE``. The verdict on a cluster that does not exist is
    ``absent``, and nothing goes.

    Raises ``LocalloopError`` where the cluster does not run, so that only the cluster as a whole
    could be removed, and ``UsageError`` where others are deployed on a cluster that is to go, or
    may be (``force``: it goes all the same).
    """
    cluster, project = session.cluster, session.project
    if cluster.verdict == "create":
        parts = [replace(part, skip="cluster_missing") for part in _components(project)]
        absent = {"verdict": "absent", "reason": cluster.reason}
        return other_plan(session, "down", parts, cluster=absent)
    verdict, reason = cluster.verdict, cluster.reason
    if verdict == "ok":
        try:
            session.identify()
        except ApiUnreachable:
            if not with_cluster:
                raise
            verdict, reason = "restart", "cluster_not_answering"
    if verdict != "ok":
        _require_unseen(session, reason, with_cluster=with_cluster, force=force)
        parts = [_goes(part, WITH_CLUSTER) for part in _components(project)]
        stopped = {"verdict": verdict, "reason": reason}
        return other_plan(session, "down", parts, cluster=stopped)
    if with_cluster and not force:
        _require_unshared(session)
    record = _record(session, with_cluster=with_cluster)
    parts = [*_builds(project, record, with_cluster), *_charts(session, record, with_cluster)]
    return other_plan(session, "down", parts, serial=record.serial)


def has_remains(session: Session) -> bool:
    """Whether Docker has anything of the cluster: nodes, running or not, or what has our label.

    The label is that of its registry, and of all that a cluster of localloop 0.1 consists of.
    """
    if session.cluster.nodes:
        return True
    return session.docker.has_labelled(f"{LABEL_CLUSTER}={session.cluster_name}")


def _require_unseen(session: Session, reason: str, *, with_cluster: bool, force: bool) -> None:
    """Refuse a cluster that does not run, unless it goes as a whole, whatever is on it."""
    name = session.cluster_name
    if not with_cluster:
        raise LocalloopError(
            reason,
            f"cluster {name} does not run",
            hint="`localloop deploy` starts it; `localloop down --cluster` removes it.",
        )
    if not force:
        raise UsageError(
            "cluster_unseen",
            f"cluster {name} does not run ({reason}), so there is no telling what else is deployed"
            " there",
            hint="`localloop deploy` starts it; add --force to remove it all the same"
            " (in a playbook run: -e down_force=true).",
        )


def _require_unshared(session: Session) -> None:
    others = others_on(session.kube, session.project.name)
    if others:
        raise UsageError(
            "cluster_shared",
            f"cluster {session.cluster_name} also has {', '.join(others)}",
            hint="`localloop down` removes this project alone; add --force to remove them all"
            " (in a playbook run: -e down_force=true).",
        )


def _record(session: Session, *, with_cluster: bool) -> Record:
    try:
        return RecordStore(session.kube, session.project.name).load()
    except UsageError:
        if not with_cluster:
            raise
        return Record(session.project.name)  # it goes, readable or not


def _components(project: Project) -> Iterator[ComponentPlan]:
    for name, component in project.components.items():
        yield ComponentPlan(name, component.kind)


def _goes(part: ComponentPlan, why: Reason, *removes: str) -> ComponentPlan:
    return replace(part, steps=("remove",), reasons=(why,), removes=removes)


def _builds(project: Project, record: Record, with_cluster: bool) -> Iterator[ComponentPlan]:
    """Images stay in the registry and files on the nodes, unless both go with the cluster."""
    for name, component in project.builds.items():
        image, file = record.images.get(name), record.node_files.get(name)
        entry: ImageEntry | NodeFileEntry | None = image if component.kind == "image" else file
        if entry is None:
            yield ComponentPlan(name, component.kind, skip="not_deployed")
        elif with_cluster:
            part = ComponentPlan(name, component.kind, previous=entry.fingerprint)
            yield _goes(part, WITH_CLUSTER, _bytes(entry))
        else:
            yield ComponentPlan(name, component.kind, skip="kept")


def _bytes(entry: ImageEntry | NodeFileEntry) -> str:
    return entry.image.digest if isinstance(entry, ImageEntry) else f"sha256:{entry.sha256}"


def _charts(session: Session, record: Record, with_cluster: bool) -> Iterator[ComponentPlan]:
    every = all_releases(session.kube)
    live = {release.place: release for release in every}
    for chart in session.project.charts.values():
        yield _chart(
            session.project,
            chart,
            record.charts.get(chart.name),
            live.get(chart.place),
            with_cluster,
        )
    for release in left_behind(every, session.project):
        yield _goes(ComponentPlan(release.place, "chart"), *_words(release, with_cluster))


def _chart(
    project: Project,
    chart: Chart,
    entry: ChartEntry | None,
    live: Release | None,
    with_cluster: bool,
) -> ComponentPlan:
    part = ComponentPlan(
        chart.name,
        "chart",
        previous=entry.target.fingerprint if entry else "",
        deployed=entry.target.images if entry else {},
        base_revision=live.revision if live else 0,
    )
    if live is None:
        return replace(part, skip="not_deployed")
    if live.belongs_to(project.name, adopt=chart.adopt and entry is not None):
        return _goes(part, *_words(live, with_cluster))
    left = f"{live.place} is left, it is {live.whose} (if it may go: {live.removal})"
    return replace(part, skip="release_not_ours", warnings=(left,) if entry else ())


def _words(release: Release, with_cluster: bool) -> tuple[Reason, str]:
    what = f"release {release.place}, revision {release.revision}"
    return (WITH_CLUSTER if with_cluster else Reason("down", what)), what


def remove_project(session: Session, plan: Plan, emit: Emit) -> Plan:
    """Uninstall the plan's releases and delete the record; the plan with its results.

    Raises ``ReleaseFailedError`` (``uninstall_failed``) for a release that Helm could not remove,
    with what its hooks and pods say; the record then stays.
    """
    for part in plan.components.values():
        for warning in part.warnings:
            emit(_progress(part.name, warning))
    leaving = plan.with_step("remove")
    if leaving:
        plan = _uninstall_all(session, plan, leaving, emit)
    if plan.serial:
        RecordStore(session.kube, session.project.name).delete()
    with_store = not session.provider.owns and remove_store(session, emit)
    if leaving or plan.serial or with_store:
        emit({"event": "removed"})
    return plan


def remove_store(session: Session, emit: Emit) -> bool:
    """Remove localloop's registry beside a cluster which it did not create, whatever its route is.

    What leads the nodes and others to it goes first, as far as it still is what localloop wrote. It
    stays if another project has images there, or a kind cluster of localloop's uses it too.
    Returns whether there was anything to remove.
    """
    docker, name = session.docker, session.cluster_name
    container = session.registry_container_name
    if judge_nodes(list_nodes(docker, name), noted(name)).ours:
        return False
    found = inspect_registry(docker, name, network="")
    if found.ours and found.verdict == "ok":
        registry, prefix = Registry(f"127.0.0.1:{found.port}"), session.repository_name("")
        others = [each for each in registry.repositories() if not each.startswith(prefix)]
        if any(map(registry.tags, others)):
            emit(_progress("", f"registry {container} stays: other projects have images there"))
            return False
    removed = _unwire(session, emit)
    if not found.ours:
        return removed
    docker.engine.remove_container(container)
    docker.engine.remove_volume(container)
    emit(_progress("", f"registry {container} removed, with its volume"))
    return True


def _unwire(session: Session, emit: Emit) -> bool:
    """Remove what leads nodes and others to localloop's registry; whether there was anything."""
    docker, name, removed = session.docker, session.cluster_name, False
    for node in session.cluster.nodes:
        files = mirrors.written(docker, name, node.name)
        if files and node.state != "running":
            emit(_progress("", f"node {node.name} does not run, and keeps {', '.join(files)}"))
        elif files:
            mirrors.unwire(docker, node.name, files)
            emit(_progress("", f"node {node.name}: {', '.join(files)} removed"))
            removed = True
    if withdraw(session.kube, name):
        emit(_progress("", f"{CONFIGMAP} removed"))
        removed = True
    return removed


def goes_with_cluster(session: Session, plan: Plan, emit: Emit) -> Plan:
    """The plan as done, where the caller removes the whole cluster next."""
    gone = {part.name: replace(part, changed=True) for part in plan.with_step("remove")}
    plan = replace(plan, components={**plan.components, **gone})
    if has_remains(session):
        emit({"event": "plan", "plan": plan.as_dict()})
        emit({"event": "removed"})
    return plan


def _uninstall_all(
    session: Session, plan: Plan, leaving: Sequence[ComponentPlan], emit: Emit
) -> Plan:
    require_helm(session)
    runner = Helm(session.kubeconfig, session.context)
    # With a namespace Helm loses the other releases in it: what contains one goes last.
    last = owners(session.kube)
    charts = {part.name: _chart_of(session.project, part) for part in leaving}
    for part in sorted(leaving, key=lambda each: charts[each.name].place in last):
        chart = charts[part.name]
        emit(_progress(part.name, f"helm uninstall {chart.place}"))
        left = _may_stay(session, runner, chart)
        _uninstall(session, runner, chart, emit)
        for words in that_stayed(session.kube, left):
            emit(_progress(part.name, words))
        done = replace(part, changed=True)
        plan = replace(plan, components={**plan.components, part.name: done})
        emit({"event": "plan", "plan": plan.as_dict()})
    return plan


def _may_stay(session: Session, runner: Helm, chart: Chart) -> Left:
    """Nothing where that cannot be read: what is damaged can be uninstalled all the same."""
    with suppress(LocalloopError):
        live = live_release(session.kube, chart)
        return may_stay(session.kube, runner, session.project, chart, live)
    return {}


def _chart_of(project: Project, part: ComponentPlan) -> Chart:
    if part.name in project.charts:
        return project.charts[part.name]
    namespace, _, release = part.name.partition("/")
    return Chart(name=part.name, release=release, namespace=namespace)


def _progress(component: str, text: str) -> dict[str, object]:
    return {"event": "progress", "component": component, "step": "remove", "text": text}


def _uninstall(session: Session, runner: Helm, chart: Chart, emit: Emit) -> None:
    bound = hook_bound(session.project)
    done = None
    with suppress(HelmHungError):
        done = runner.uninstall(chart.release, namespace=chart.namespace, timeout=bound)
    if done is not None and not done.returncode:
        return
    if went_along(
        session.kube,
        chart,
        done,
        session.project.readiness.timeout,
        lambda text: emit(_progress(chart.name, text)),
    ):
        return
    live = None
    with suppress(LocalloopError):  # the cluster may be what failed
        live = revision_after(session.kube, chart, None)
    error = release_failed(
        session,
        chart,
        done,
        live=live,
        verb="uninstall",
        bound=bound,
        emit=emit,
        reason="uninstall_failed",
    )
    if live is not None and live.release.status == "uninstalling":
        with suppress(LocalloopError):
            mark_failed(session.kube, live.release)  # so that a deploy can upgrade it
    raise error
