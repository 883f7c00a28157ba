"""What has to happen to the cluster before components can be planned, and what must not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import LocalloopError, UsageError
from ..session import Session

if TYPE_CHECKING:
    from ..record.cluster_inputs import Noted

ClusterVerdict = dict[str, str]
"""``verdict``: ``ok``, ``create``, ``start``, ``restart``, ``registry``, ``bootstrap`` or
``refused``; ``reason``; ``detail``: what changed; ``others``: what else is deployed there.

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
    if cluster.container_id and not cluster.ours:
        raise _not_ours("cluster_not_ours", session.container_name)
    if cluster.registry_verdict != "create" and not cluster.registry_ours:
        raise _not_ours("registry_not_ours", session.registry_container_name)
    if cluster.verdict != "ok":
        return {"verdict": cluster.verdict, "reason": cluster.reason}
    if cluster.starting and not session.answers():
        return {"verdict": "start", "reason": "cluster_starting"}
    if cluster.registry_verdict != "ok":
        return {"verdict": "registry", "reason": cluster.registry_reason}
    return {"verdict": "ok", "reason": ""}


def _not_ours(reason: str, container: str) -> UsageError:
    return UsageError(
        reason,
        f"container {container} was not made by localloop",
        hint="Remove or rename it, or choose another cluster name (CLUSTER_NAME).",
    )


def cluster_verdict(
    session: Session, choice: BootstrapChoice = BootstrapChoice()
) -> ClusterVerdict:
    """The verdict on the cluster; declared inputs cost one more request.

    Raises ``UsageError`` if a cluster is to be replaced on which others are deployed.
    """
    found = container_verdict(session)
    current = session.fingerprints.of_cluster
    if found["verdict"] != "ok" or (current is None and choice.answer != "recreate"):
        return found
    from ..record import cluster_inputs

    session.identify()
    noted = cluster_inputs.load(session.kube, session.project.name)
    found = judge(choice, noted, current.value if current else "")
    if found["verdict"] != "bootstrap":
        return found
    from ..observe.others import others_on

    if current is not None and noted is not None and found.get("inputs") == "changed":
        found["detail"] = cluster_inputs.what_changed(session, noted.fingerprint, current)
    others = others_on(session.kube, session.project.name)
    return guard(found, choice, session.cluster_name, ours=session.cluster.ours, others=others)


def judge(choice: BootstrapChoice, noted: Noted | None, current: str) -> ClusterVerdict:
    """The verdict on a running cluster, by the inputs it was made for and those declared now."""
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
    if found.get("inputs") == "changed":
        if choice.answer == "reuse":
            return found | {"inputs": "accept"}
        return found | {"verdict": "bootstrap", "reason": "cluster_inputs_changed"}
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
    message = f"what cluster {name} depends on changed: {cluster.get('detail')}"
    if verdict == "bootstrap":
        raise LocalloopError(
            cluster["reason"],
            message,
            hint="`localloop deploy` or playbooks/bootstrap.yml replaces the cluster;"
            " `localloop bootstrap --reuse-ok` keeps it.",
        )
    others = cluster.get("others")
    why = f"it also has {others}" if others else "its node is not localloop's"
    raise LocalloopError(
        cluster["reason"],
        f"{message}; it is not replaced without being asked, because {why}",
        hint="`localloop bootstrap --reuse-ok` keeps it as it is;"
        " `localloop bootstrap --recreate --force` replaces it, and everything in it is lost.",
    )


def require_answer(session: Session, choice: BootstrapChoice) -> None:
    """Raise ``UsageError`` for a bootstrap over an existing cluster without an answer.

    Also if it is to be replaced and does not run, unless forced: what is on it is not known.
    """
    name, found = session.cluster_name, container_verdict(session)
    if found["verdict"] == "create":
        return
    if choice.answer == "auto":
        raise UsageError(
            "cluster_exists",
            f"cluster {name} exists, and there is no terminal to ask what to do with it",
            hint="--reuse-ok keeps it and deploys to it; --recreate replaces it, and everything in"
            " it is lost (in a playbook run: -e localloop_bootstrap=reuse or =recreate).",
        )
    down = found["verdict"] in ("start", "restart")
    if choice.answer == "recreate" and down and not choice.force:
        raise UsageError(
            "cluster_unseen",
            f"cluster {name} does not run ({found['reason']}),"
            " so there is no telling what else is deployed there",
            hint="`localloop deploy` starts it; add --force to replace it anyway.",
        )
