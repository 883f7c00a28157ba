"""What a project declares for its gate, in the gate's own words; and one look at it."""

from __future__ import annotations

from dataclasses import asdict

from ..config.model import Readiness
from ..readiness.http_check import Check
from ..readiness.look import Also, observe_once
from ..readiness.pod_rule import Rules
from ..readiness.result import GateResult
from ..session import Session


def rules(readiness: Readiness) -> Rules:
    """The gate's thresholds, with the declared ones."""
    return Rules(max_restarts=readiness.max_restarts, load_balancers=readiness.load_balancers)


def also(readiness: Readiness) -> list[Also]:
    """The pods that no release contains."""
    return [Also(entry.namespace, entry.selector, entry.optional) for entry in readiness.also]


def checks(readiness: Readiness) -> list[Check]:
    """The HTTP requests that have to succeed."""
    return [Check(**asdict(entry)) for entry in readiness.http]


def observe(session: Session) -> GateResult | None:
    """One look at the declared pods and checks; ``None`` where nothing is declared."""
    readiness = session.project.readiness
    if not readiness.also and not readiness.http:
        return None
    return observe_once(
        session.kube,
        [],
        stable_for=readiness.stable_for,
        also=also(readiness),
        checks=checks(readiness),
        rules=rules(readiness),
    )
