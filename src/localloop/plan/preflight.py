"""The tools and files that a run needs, checked before it changes anything."""

from __future__ import annotations

from ..cluster.identity import pin_first
from ..config.model import Chart, Project
from ..errors import LocalloopError, UsageError
from ..helm import command as helm
from ..session import Session
from ..system.paths import cache_dir
from ..system.tool_version import known_version
from .model import UNCHECKED, Plan
from .programs import require_programs


def require_tools(session: Session, plan: Plan) -> None:
    """Raise ``UsageError`` if what this plan needs is not usable.

    Helm is needed for a chart, buildx for a Dockerfile, kind for a new cluster, which gets every
    component, so that their tools are needed before there is a plan for them. Programs of the
    project's own commands have to be there too.
    """
    require_route(session)
    new_cluster = plan.cluster["verdict"] in ("create", "bootstrap")
    require_programs(session.project, plan, everything=new_cluster)
    releases_all = new_cluster and bool(session.project.charts)
    if releases_all or plan.with_step("release") or plan.with_step("rollback"):
        require_helm(session)
    if _builds_by_dockerfile(session.project, plan, everything=new_cluster):
        from ..system.buildx import require_buildx

        require_buildx(cache_dir(session.project.root) / "buildx-version.json")
    if new_cluster:
        from ..cluster.kind import require_kind

        require_kind()
        require_docker(session)


def _builds_by_dockerfile(project: Project, plan: Plan, *, everything: bool) -> bool:
    built = {part.name for part in plan.with_step("build")}
    return any(
        image.build is None and (everything or image.name in built)
        for image in (*project.images.values(), *project.node_files.values())
    )


def require_files(session: Session, plan: Plan) -> None:
    """Raise ``UsageError`` where a file that a chart of the plan is made of cannot be used.

    ``input_invalid`` and ``input_unreadable`` name the file and the line; ``kustomize_failed``.
    """
    for chart in _to_release(session.project, plan):
        _require_files_of(session.project, chart)


def require_charts(session: Session, plan: Plan) -> None:
    """Raise ``UsageError`` for a chart to release that could only fail; Helm has to be usable.

    Dependencies that a chart lacks are fetched now (``dependencies_failed``). Then what the chart
    renders is looked at: images as no node could get them, values that its schema forbids (see
    ``refuse_unservable_images``), and edits under ``crds/`` that the running cluster would not
    take (``crd_version_stored``, ``crd_refused``).
    """
    for chart in _to_release(session.project, plan):
        if chart.path:
            from ..helm.dependencies import built_chart

            with built_chart(session.project, chart):
                pass
    if not plan.with_step("release"):
        return
    from .rendered_images import refuse_unservable_images

    refuse_unservable_images(session, plan)
    if plan.cluster["verdict"] == "ok":
        from .crds import refuse_crds

        refuse_crds(session, plan)


def _to_release(project: Project, plan: Plan) -> list[Chart]:
    """The charts that a run will release, or may if it is not known yet."""
    unseen = not plan.components or any(part.skip == UNCHECKED for part in plan.components.values())
    released = {part.name for part in plan.with_step("release")}
    return [chart for chart in project.charts.values() if unseen or chart.name in released]


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


def require_route(session: Session) -> None:
    """Raise ``UsageError`` if images would not reach a node as the route says.

    ``registry_unusable``: of a registry that is not localloop's own, the node cannot pull what is
    pushed here. ``no_image_route``: the node does not use this Docker's store. Each node is asked
    once. ``node_not_wireable``: a node of somebody else's that is to pull from localloop's own.
    """
    if session.route.name == "shared":
        from ..cluster.shared_probe import require_shared

        ready = session.cluster.registry_verdict == "ok"
        require_shared(
            session.kube,
            session.docker,
            session.cluster_name,
            session.registry if ready else None,
            session.platform,
        )
    if session.route.keeps_store:
        if session.route.network and not session.provider.owns:
            from ..cluster.mirrors import require_wireable

            cluster = session.cluster
            nodes = [node.name for node in cluster.pulling]
            require_wireable(session.docker, session.cluster_name, nodes, cluster.registry_port)
        return
    from ..cluster.registry_probe import require_pulls

    require_pulls(
        session.docker,
        session.cluster_name,
        session.route,
        session.cluster.nodes,
        session.platform,
    )


def remember_first_use(session: Session, plan: Plan) -> None:
    """Pin the identity of a running cluster that this project has never been deployed to."""
    if plan.cluster["verdict"] == "ok":
        pin_first(session.pin, session.identify())


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
        runner = helm.Helm(session.kubeconfig, session.context)
    except LocalloopError as error:
        raise UsageError("tool_missing", error.message, hint=error.hint) from error
    found = helm_version(session, runner)
    if found < helm.OLDEST:
        raise UsageError(
            "tool_too_old:helm",
            f"{runner.path} is Helm {'.'.join(map(str, found))}",
            hint=helm.INSTALL_HINT,
        )


def helm_version(session: Session, runner: helm.Helm) -> tuple[int, ...]:
    """Helm's version, asked once for each binary and kept by its path, size and mtime."""
    cache = cache_dir(session.project.root) / "helm-version.json"
    return known_version(cache, runner.identity(), runner.version)
