"""The plans of runs that deploy nothing new: ``rollback``, ``prune`` and ``down``."""

from __future__ import annotations

from collections.abc import Iterable

from ..session import Session
from .model import ComponentPlan, Plan


def other_plan(
    session: Session,
    mode: str,
    components: Iterable[ComponentPlan],
    *,
    serial: int = 0,
    cluster: dict[str, str] | None = None,
) -> Plan:
    """The plan of a run that was decided elsewhere.

    ``mode`` names the run, ``serial`` is the record's. ``cluster`` is {verdict, reason} where the
    cluster does not run.
    """
    project = session.project
    return Plan(
        project=project.name,
        root=str(project.root),
        profile=project.profile or "",
        mode=mode,
        targets=(),
        cluster=cluster or {"verdict": "ok", "reason": ""},
        components={component.name: component for component in components},
        serial=serial,
        config_sha256=project.config_sha256,
        platform=session.platform,
        registry="" if cluster else session.registry_address,
        provider=session.provider_facts(),
        route=session.route,
    )
