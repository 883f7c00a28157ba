"""What a project needs of a cluster that localloop did not create."""

from __future__ import annotations

from ..errors import UsageError
from ..session import Session


def require_usable(session: Session) -> None:
    """Raise ``UsageError`` if the project cannot be deployed to a cluster that it only found.

    ``cluster_replaced``: it is another than before; not even its registry is started then.
    ``node_files_unreachable``: it has node files, and nodes are not here. ``registry_unusable``: no
    registry answers where the cluster's images are to be.
    """
    cluster = session.cluster
    session.identify()
    if not cluster.route.keeps_store:
        from ..cluster.registry_probe import require_registry

        require_registry(cluster.route)
    if not session.project.node_files:
        return
    if not cluster.remote and cluster.nodes:
        return
    names = ", ".join(session.project.node_files)
    raise UsageError(
        "node_files_unreachable",
        f"node files ({names}) cannot be put on {', '.join(cluster.remote) or 'any node'} of"
        f" context {session.context}: no container of this Docker is that node",
        hint="Use a cluster whose nodes run in this Docker, or ship the file in an image.",
    )
