"""What a project declares for its gate: thresholds, and one look at its pods and requests."""

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
    """One look at the declared pods and checks; None if nothing is declared."""
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
