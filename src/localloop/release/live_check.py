"""Whether a release is still what the plan saw, before Helm is called."""

from __future__ import annotations

from ..config.model import Chart
from ..errors import BusyError
from ..helm import releases
from ..helm.releases import Release, is_pending
from ..plan.model import ComponentPlan
from ..record.model import Record
from ..record.store import cluster_moved
from ..session import Session


def free_pending(
    session: Session,
    chart: Chart,
    part: ComponentPlan,
    record: Record,
    live: Release | None,
) -> bool:
    """Check that the release is still what the plan saw; free one that a dead run left pending.

    Returns whether it was freed: it counts as failed now.
    """
    if (live.revision if live else 0) != part.base_revision:
        raise cluster_moved(
            f"release {chart.release} is at revision {live.revision if live else 0},"
            f" the plan saw {part.base_revision}"
        )
    if live is None or not is_pending(live):
        return False
    entry = record.charts.get(part.name)
    ours = live.labels.get(releases.TRANSACTION_LABEL)
    if (
        entry is None
        or live.status == "uninstalling"  # makes no revision that would tell whose it is
        or entry.state != "settling"
        or entry.target.transaction != ours  # helm by hand inherits the label, so:
        or entry.target.base_revision + 1 != live.revision
    ):
        ways = {"pending-install": "uninstall", "uninstalling": "uninstall --no-hooks"}
        way = ways.get(live.status, "rollback")
        raise BusyError(
            "release_pending",
            f"another helm has {chart.release} in status {live.status}",
            component=part.name,
            hint="Run again when it is done. If it is certainly dead:"
            f" helm -n {chart.namespace} {way} {chart.release}",
        )
    # The locks are free: that run is gone, and its helm with it.
    releases.mark_failed(session.kube, live)
    return True
