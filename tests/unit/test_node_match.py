"""Which containers are a cluster's nodes."""

from __future__ import annotations

from typing import Any

import pytest

from localloop.cluster.node_match import match_nodes, platform_of, role_of


def node(name: str, *, machine: str = "", address: str = "", provider: str = "") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {}},
        "spec": {"providerID": provider},
        "status": {
            "nodeInfo": {
                "machineID": machine, "operatingSystem": "linux", "architecture": "arm64",
            },
            "addresses": [
                {"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name},
            ],
        },
    }  # fmt: skip


def container(name: str, *, identity: str = "1", address: str = "") -> dict[str, Any]:
    networks = {"kind": {"IPAddress": address, "GlobalIPv6Address": ""}}
    return {"Id": identity, "Names": [f"/{name}"], "NetworkSettings": {"Networks": networks}}


@pytest.mark.parametrize(
    ("given", "there", "machine", "is_it"),
    [
        pytest.param(node("a", machine="m"), container("a"), "m", True, id="same machine"),
        pytest.param(
            node("a", machine="m", address="10.0.0.1"),
            container("a", address="10.0.0.1"),
            "other",
            False,
            id="a cluster elsewhere with our names and addresses",
        ),
        pytest.param(
            node("a", machine="m", address="10.0.0.9"),
            container("a", address="10.0.0.1"),
            "m",
            True,
            id="another address since it was restarted",
        ),
        pytest.param(
            node("a", machine="m", address="10.0.0.1"),
            container("a", address="10.0.0.1"),
            "",
            True,
            id="a container without machine id",
        ),
        pytest.param(
            node("a", address="10.0.0.1"), container("a"), "m", False, id="a name proves nothing"
        ),
        pytest.param(node("a"), container("a"), "", False, id="nothing to compare"),
        pytest.param(node("a", machine="m"), container("b"), "m", False, id="another name"),
        pytest.param(
            node("a", machine="m", provider="kind://docker/x/b"),
            container("b"),
            "m",
            True,
            id="named by its provider id",
        ),
    ],
)
def test_a_container_is_a_node_by_what_both_say(
    given: dict[str, Any], there: dict[str, Any], machine: str, is_it: bool
) -> None:
    (found,) = match_nodes([given], [there], lambda _container: machine)
    assert (found.container is there) == is_it
    assert found.name == "a"


def test_no_container_is_asked_that_has_no_node_s_name() -> None:
    asked: list[str] = []
    match_nodes([node("a", machine="m")], [container("other")], lambda c: asked.append(c) or "m")
    assert asked == []


def test_what_a_node_says_of_itself() -> None:
    found = node("a")
    assert (role_of(found), platform_of(found)) == ("worker", "linux/arm64")
    found["metadata"]["labels"] = {"node-role.kubernetes.io/control-plane": ""}
    del found["status"]["nodeInfo"]
    assert (role_of(found), platform_of(found)) == ("control-plane", "")
