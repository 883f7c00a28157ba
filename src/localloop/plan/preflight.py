"""The tools and files that a run needs, checked before it changes anything."""

from __future__ import annotations

import json

from ..cluster.state import context_name
from ..config.model import Chart, Project
from ..errors import LocalloopError, UsageError
from ..helm import command as helm
from ..session import Session
from ..system.paths import cache_dir
from .model import UNCHECKED, Plan


def require_tools(session: Session, plan: Plan) -> None:
    """Raise ``UsageError`` if Helm is needed for a chart, or kind for a cluster, and is not usable.

    A new cluster gets every chart, so that Helm is needed before there is a plan for it.
    """
    new_cluster = plan.cluster["verdict"] in ("create", "bootstrap")
    releases_all = new_cluster and bool(session.project.charts)
    if releases_all or plan.with_step("release") or plan.with_step("rollback"):
        require_helm(session)
    if new_cluster:
        from ..cluster.kind import require_kind

        require_kind()
        require_docker(session)


def require_files(session: Session, plan: Plan) -> None:
    """Raise ``UsageError`` where a file that a chart of the plan is made of cannot be used.

    ``input_invalid`` and ``input_unreadable`` name the file and the line; ``kustomize_failed``.
    """
    project = session.project
    unseen = not plan.components or any(part.skip == UNCHECKED for part in plan.components.values())
    released = {part.name for part in plan.with_step("release")}
    for chart in project.charts.values():
        if unseen or chart.name in released:
            _require_files_of(project, chart)


def _require_files_of(project: Project, chart: Chart) -> None:
    from ..helm.files import require_readable

    require_readable(project, chart)
    if not (chart.manifests or chart.kustomize):
        return
    from ..helm.raw_chart import raw_objects

    try:
        raw_objects(project, chart)
    except UsageError:
        raise
    except LocalloopError as error:
        raise UsageError(error.reason, error.message, hint=error.hint) from error


def require_docker(session: Session) -> None:
    """Raise ``UsageError`` (``runtime_refused``) if what answers is not Docker.

    Rootless Docker runs kind's own node images, but not the one that is built here.
    """
    from ..system.container_runtime import DOCKER, ROOTLESS, server_runtime

    found = server_runtime(session.docker.version(), session.docker.info())
    if found not in (DOCKER, ROOTLESS):
        raise UsageError(
            "runtime_refused",
            f"{found} answers on Docker's socket; localloop creates clusters in Docker only",
            hint="Start Docker, and point DOCKER_HOST or the Docker context at it.",
        )


def require_helm(session: Session) -> None:
    """Raise ``UsageError`` (``tool_missing``, ``tool_too_old:helm``) without a usable Helm."""
    try:
        runner = helm.Helm(session.kubeconfig, context_name(session.cluster_name))
    except LocalloopError as error:
        raise UsageError("tool_missing", error.message, hint=error.hint) from error
    found = helm_version(session, runner)
    if found < helm.OLDEST:
        raise UsageError(
            "tool_too_old:helm",
            f"{runner.path} is Helm {'.'.join(map(str, found))}",
            hint=helm.INSTALL_HINT,
        )


def helm_version(session: Session, runner: helm.Helm) -> tuple[int, int, int]:
    """Helm's version, asked once for each binary and kept by its path, size and mtime."""
    cache = cache_dir(session.project.root) / "helm-version.json"
    key = runner.identity()
    try:
        known = json.loads(cache.read_text())
        if known["key"] == key:
            major, minor, patch = map(int, known["version"])
            return major, minor, patch
    except (OSError, ValueError, TypeError, KeyError):
        pass  # not known yet
    version = runner.version()
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        cache.write_text(json.dumps({"key": key, "version": version}))
    except OSError:
        pass  # it is asked again next time
    return version
