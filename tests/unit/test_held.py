"""What a pod that is ending still holds of what another one asks for."""

from __future__ import annotations

from typing import Any

import pytest

from localloop.readiness.held import holder

PORTS = "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."
CLAIM = (
    "0/1 nodes are available: 1 node(s) unavailable due to PersistentVolumeClaim with"
    " ReadWriteOncePod access mode already in-use by another pod."
)


def pod(*, port: int = 0, claim: str = "", memory: str = "", node: str = "n") -> dict[str, Any]:
    container: dict[str, Any] = {"name": "main"}
    if port:
        container["ports"] = [{"hostPort": port}]
    if memory:
        container["resources"] = {"requests": {"memory": memory}}
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
    return {
        "metadata": {"name": "old"},
        "spec": {"nodeName": node, "containers": [container], "volumes": volumes},
    }


@pytest.mark.parametrize(
    ("old", "new", "message", "found"),
    [
        (pod(port=80), pod(port=80), PORTS, "old"),
        (pod(port=81), pod(port=80), PORTS, ""),
        (pod(port=80, node=""), pod(port=80), PORTS, ""),
        (pod(claim="data"), pod(claim="data"), CLAIM, "old"),
        (pod(claim="other"), pod(claim="data"), CLAIM, ""),
        (pod(memory="1Gi"), pod(memory="1Gi"), "0/1: 1 Insufficient memory. preemption", "old"),
        (pod(), pod(memory="1Gi"), "0/1: 1 Insufficient memory.", ""),
        (pod(memory="1Gi"), pod(), "1 node(s) didn't match Pod's node affinity/selector.", ""),
    ],
)
def test_holder(old: dict[str, Any], new: dict[str, Any], message: str, found: str) -> None:
    assert holder(new, message, [old]) == found
