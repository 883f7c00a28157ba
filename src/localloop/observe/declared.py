"""What a project declares for its gate, in the gate's own words; and one look at it."""

from __future__ import annotations

from ..config.model import Readiness
from ..readiness.look import observe_once
from ..readiness.pod_rule import Thresholds
from ..readiness.result import GateResult
from ..session import Session


def thresholds(readiness: Readiness) -> Thresholds:
    """The gate's thresholds, with the declared ones."""
    return Thresholds(max_restarts=readiness.max_restarts, load_balancers=readiness.load_balancers)


def observe(session: Session) -> GateResult | None:
    """One look at the declared pods and checks; ``None`` where nothing is declared."""
    readiness = session.project.readiness
    if not readiness.also and not readiness.http:
        return None
    return observe_once(
        session.kube,
        [],
        stable_for=readiness.stable_for,
        also=readiness.also,
        checks=readiness.http,
        thresholds=thresholds(readiness),
    )
