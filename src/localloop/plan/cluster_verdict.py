"""What has to happen to the cluster before components can be planned, and what must not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..cluster.registry_state import registry_not_ours
from ..cluster.state import not_ours
from ..errors import LocalloopError, UsageError
from ..kube.client import ApiUnreachable
from ..session import Session

if TYPE_CHECKING:
    from ..record.cluster_inputs import Noted

ClusterVerdict = dict[str, str]
"""``verdict``: ``ok``, ``create``, ``start``, ``restart``, ``registry``, ``bootstrap`` or
``refused``; ``reason``; ``detail``: what changed, lacks or is stopped; ``others``: what else is
deployed there; ``loses``: what goes with a cluster that is replaced; ``lacks``: what it is kept
without.

With declared inputs: ``inputs`` (``same``, ``changed``, or ``accept`` if they are to be noted),
``inputs_previous`` and ``inputs_current`` (fingerprints), ``inputs_state``, ``inputs_transaction``.
"""

ANSWERS = ("auto", "reuse", "recreate")


@dataclass(frozen=True)
class BootstrapChoice:
    """What to do with a cluster that exists.

    ``answer``: ``auto`` (replace it if its inputs changed), ``reuse`` (keep it and accept its
    inputs) or ``recreate``. ``force``: even if others are deployed there. ``transaction``: a
    cluster that this transaction made is not replaced again.
    """

    answer: str = "auto"
    force: bool = False
    transaction: str = ""


def container_verdict(session: Session) -> ClusterVerdict:
    """The verdict by the state of the containers.

    Raises ``UsageError`` for containers that localloop did not make.
    """
    cluster = session.cluster
    if cluster.nodes and not cluster.ours and not cluster.adopted:
        raise not_ours(cluster.name)
    if cluster.registry_verdict == "refuse":
        raise registry_not_ours(session.cluster_name)
    if cluster.verdict != "ok":
        found = {"verdict": cluster.verdict, "reason": cluster.reason}
        away = ", ".join(node.name for node in cluster.nodes if node.state != "running")
        return found | ({"detail": away} if cluster.reason == "node_stopped" else {})
    if cluster.registry_verdict != "ok":
        return {"verdict": "registry", "reason": cluster.registry_reason}
    return {"verdict": "ok", "reason": ""}


def cluster_verdict(
    session: Session, choice: BootstrapChoice = BootstrapChoice()
) -> ClusterVerdict:
    """The verdict on the cluster; declared inputs cost one more request.

    A cluster whose API server does not answer is to be restarted. Raises ``UsageError`` if a
    cluster is to be replaced on which others are deployed, or by one of a version that there is no
    image of (``kubernetes_unavailable``).
    """
    if choice.answer == "recreate":
        require_own(session, "recreated")
    found = container_verdict(session)
    if found["verdict"] == "create":
        _require_known_version(session)
    if found["verdict"] != "ok":
        return found
    if not _answers(session):
        return {"verdict": "restart", "reason": "cluster_not_answering"}
    if _is_starting(session):
        return {"verdict": "start", "reason": "cluster_starting"}
    current = session.fingerprints.of_cluster
    lacks = "; ".join(session.cluster.lacks)
    if current is None and not lacks and choice.answer != "recreate":
        return found
    from ..record import cluster_inputs

    noted = cluster_inputs.load(session.kube, session.project.name)
    found = judge(choice, noted, current.value if current else "", lacks)
    if found["verdict"] != "bootstrap":
        return found
    if session.provider.owns:
        _require_known_version(session)
    from ..observe.others import goes_with, others_on

    if current is not None and noted is not None and found.get("inputs") == "changed":
        changed = cluster_inputs.what_changed(session, noted.fingerprint, current)
        found["detail"] = "; ".join(filter(None, (changed, found.get("detail"))))
    others = others_on(session.kube, session.project.name)
    found = guard(found, choice, session.cluster_name, ours=session.cluster.ours, others=others)
    if session.cluster.adopted:
        found["adopted"] = session.context
    if found["verdict"] == "bootstrap":
        found["loses"] = ", ".join(goes_with(session.kube))
    return found


def _require_known_version(session: Session) -> None:
    from ..cluster.node_images import require_known

    require_known(session.project.cluster)


def _answers(session: Session) -> bool:
    try:
        session.identify()
    except ApiUnreachable:
        return False
    return True


def _is_starting(session: Session) -> bool:
    """Whether nodes have just been restarted, and what the API server says is still of before."""
    if all(node.age is None for node in session.cluster.nodes):
        return False
    from ..cluster.ready import is_starting, restarts

    return is_starting(session.kube, restarts(session.cluster.nodes))


def judge(
    choice: BootstrapChoice, noted: Noted | None, current: str, lacks: str = ""
) -> ClusterVerdict:
    """The verdict on a running cluster: by the inputs it was made for and those declared now, and
    by what it lacks."""
    found: ClusterVerdict = {"verdict": "ok", "reason": ""}
    if current:
        known = noted is not None and bool(noted.fingerprint)
        same = noted is not None and noted.fingerprint == current
        found |= {
            "inputs": "same" if same else "changed" if known else "accept",
            "inputs_previous": noted.fingerprint if noted else "",
            "inputs_current": current,
            "inputs_state": noted.state if noted else "",
            "inputs_transaction": noted.transaction if noted else "",
        }
    if _made_by(choice.transaction, noted):
        return found
    if choice.answer == "recreate":
        return found | {"verdict": "bootstrap", "reason": "recreate_requested"}
    changed = found.get("inputs") == "changed"
    if choice.answer == "reuse":
        return (
            found | ({"inputs": "accept"} if changed else {}) | ({"lacks": lacks} if lacks else {})
        )
    if changed:
        return found | {
            "verdict": "bootstrap",
            "reason": "cluster_inputs_changed",
            **({"detail": lacks} if lacks else {}),
        }
    if lacks:
        return found | {"verdict": "bootstrap", "reason": "cluster_lacks", "detail": lacks}
    return found


def _made_by(transaction: str, noted: Noted | None) -> bool:
    from ..record.cluster_inputs import BOOTSTRAPPED

    return (
        bool(transaction)
        and noted is not None
        and (noted.state, noted.transaction) == (BOOTSTRAPPED, transaction)
    )


def guard(
    found: ClusterVerdict, choice: BootstrapChoice, name: str, *, ours: bool, others: list[str]
) -> ClusterVerdict:
    """The verdict ``bootstrap``, unless that would remove what others deployed.

    If the user asked for it, that is an error that ``force`` lifts; otherwise the verdict becomes
    ``refused``.
    """
    if found["reason"] == "recreate_requested":
        if others and not choice.force:
            raise UsageError(
                "cluster_shared",
                f"cluster {name} also has {', '.join(others)}",
                hint="`localloop bootstrap --reuse-ok` keeps the cluster;"
                " add --force to replace it and lose them.",
            )
        return found
    if ours and not others:
        return found
    return found | {"verdict": "refused", "others": ", ".join(others)}


def require_possible(cluster: Mapping[str, str], name: str, *, bootstraps: bool = True) -> None:
    """Raise if the run must not go on: the guard refuses, or this play replaces no cluster."""
    verdict = cluster["verdict"]
    if verdict not in ("refused", "bootstrap") or (verdict == "bootstrap" and bootstraps):
        return
    lacks = cluster["reason"] == "cluster_lacks"
    what = f"cluster {name} lacks" if lacks else f"what cluster {name} depends on changed:"
    message = f"{what} {cluster.get('detail')}"
    if verdict == "bootstrap":
        raise LocalloopError(
            cluster["reason"],
            message,
            hint="`localloop deploy` or playbooks/bootstrap.yml replaces the cluster;"
            " `localloop bootstrap --reuse-ok` keeps it.",
        )
    if cluster.get("adopted"):
        raise LocalloopError(
            cluster["reason"],
            f"{message}; it is not replaced, because localloop did not create it",
            hint="`localloop bootstrap --reuse-ok` keeps it as it is.",
        )
    others = cluster.get("others")
    why = f"it also has {others}" if others else "its nodes are not localloop's"
    raise LocalloopError(
        cluster["reason"],
        f"{message}; it is not replaced without being asked, because {why}",
        hint="`localloop bootstrap --reuse-ok` keeps it as it is;"
        " `localloop bootstrap --recreate --force` replaces it, and everything in it is lost.",
    )


def require_own(session: Session, what: str) -> None:
    """Raise ``UsageError`` (``cluster_not_ours``) for what is done to clusters of localloop only.

    ``what`` is that, as in ``it is not stopped``.
    """
    if session.provider.owns:
        return
    raise UsageError(
        "cluster_not_ours",
        f"localloop did not create the cluster of context {session.context}, so it is not {what}",
        hint="`localloop down` removes what this project deployed there, and nothing else.",
    )


def require_answer(session: Session, choice: BootstrapChoice) -> None:
    """Raise ``UsageError`` for a bootstrap over an existing cluster without an answer.

    Also if it is to be replaced and does not run, unless forced: what is on it is not known.
    """
    if choice.answer == "recreate":
        require_own(session, "recreated")
    name, found = session.cluster.name, container_verdict(session)
    if found["verdict"] == "create":
        return
    if choice.answer == "auto" and session.cluster.adopted:
        raise UsageError(
            "cluster_exists",
            f"the cluster of context {name} was not created by localloop: it can only be kept",
            hint="`localloop deploy` deploys to it; `localloop bootstrap --reuse-ok` also accepts"
            " its inputs as they are now.",
        )
    if choice.answer == "auto":
        raise UsageError(
            "cluster_exists",
            f"cluster {name} exists, and there is no terminal to ask what to do with it",
            hint="--reuse-ok keeps it and deploys to it; --recreate replaces it, and everything in"
            " it is lost (in a playbook run: -e localloop_bootstrap=reuse or =recreate).",
        )
    if choice.answer != "recreate" or choice.force:
        return
    if found["verdict"] == "ok" and not _answers(session):
        found = {"verdict": "restart", "reason": "cluster_not_answering"}
    if found["verdict"] in ("start", "restart"):
        raise UsageError(
            "cluster_unseen",
            f"cluster {name} does not run ({found['reason']}),"
            " so there is no telling what else is deployed there",
            hint="`localloop deploy` starts it; add --force to replace it anyway.",
        )
