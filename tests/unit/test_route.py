"""How images reach the nodes of a cluster that localloop did not create."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from localloop.cluster.route import choose_route
from localloop.errors import UsageError


def advertised(**fields: Any) -> dict[str, Any]:
    return {"data": {"localRegistryHosting.v1": yaml.safe_dump(fields)}}


def choose(**given: Any) -> Any:
    known = {"host": "", "wanted": "auto", "advertised": None, "nodes": ["a"], "remote": []}
    return choose_route(**{**known, **given})


HOSTED = advertised(host="localhost:5001")


@pytest.mark.parametrize(
    ("given", "name", "push", "pull"),
    [
        ({"host": "localhost:5009", "advertised": HOSTED}, "registry", "localhost:5009", None),
        ({"advertised": HOSTED}, "advertised", "localhost:5001", None),
        ({"advertised": HOSTED, "wanted": "advertised"}, "advertised", "localhost:5001", None),
        (
            {"advertised": HOSTED, "nodes": [], "remote": ["x"]},
            "advertised",
            "localhost:5001",
            None,
        ),
        (
            {
                "advertised": advertised(
                    host="127.0.0.1:5001",
                    hostFromContainerRuntime="registry:5000",
                    hostFromClusterNetwork="registry:5000",
                    help="https://x",
                )
            },
            "advertised",
            "127.0.0.1:5001",
            "registry:5000",
        ),
        ({}, "load", "", None),
        ({"advertised": HOSTED, "wanted": "load"}, "load", "", None),
        ({"advertised": HOSTED, "wanted": "ours", "networks": ["kind"]}, "ours", "", None),
    ],
)
def test_the_first_route_that_there_is(
    given: dict[str, Any], name: str, push: str, pull: str | None
) -> None:
    found = choose(**given)
    assert (found.name, found.push, found.pull) == (name, push, push if pull is None else pull)
    assert found.why
    assert found.loads == (name == "load")


@pytest.mark.parametrize(
    ("given", "reason", "says"),
    [
        ({"nodes": []}, "no_image_route", "no nodes that are containers"),
        ({"remote": ["far"]}, "no_image_route", "far is no container"),
        ({"remote": ["far", "off"], "wanted": "load"}, "no_image_route", "far, off are no"),
        ({"remote": ["far"], "wanted": "ours"}, "no_image_route", "registry.route is ours"),
        ({"nodes": [], "wanted": "ours"}, "no_image_route", "no nodes that are containers"),
        ({"wanted": "ours", "networks": ["bridge", "host"]}, "no_image_route", "a share no Docker"),
        ({"wanted": "advertised"}, "no_image_route", "no ConfigMap"),
        ({"advertised": {}}, "registry_advertised_unusable", "localRegistryHosting.v1"),
        ({"advertised": {"data": {"localRegistryHosting.v1": " "}}}, "registry_advertised_unusable",
         "it is empty"),
        ({"advertised": {"data": {"localRegistryHosting.v1": "a: ["}}},
         "registry_advertised_unusable", "not YAML"),
        ({"advertised": {"data": {"localRegistryHosting.v1": "- a"}}},
         "registry_advertised_unusable", "not a mapping"),
        ({"advertised": advertised(help="x")}, "registry_advertised_unusable",
         "host: it is missing"),
        ({"advertised": advertised(host=5000)}, "registry_advertised_unusable", "5000"),
        ({"advertised": advertised(host="localhost:1", hostFromContainerRuntime=["x"])},
         "registry_advertised_unusable", "hostFromContainerRuntime"),
        ({"advertised": advertised(host="registry.example.com")}, "registry_host_refused",
         "registry.example.com"),
        ({"advertised": advertised(host="localhost")}, "registry_host_refused", "localhost"),
        ({"advertised": advertised(host="localhost:99999")}, "registry_host_refused", "99999"),
        ({"advertised": advertised(host="0.0.0.0:5000")}, "registry_host_refused", "0.0.0.0"),
    ],
)  # fmt: skip
def test_what_is_of_no_use_is_refused_with_the_way_out(
    given: dict[str, Any], reason: str, says: str
) -> None:
    with pytest.raises(UsageError) as caught:
        choose(**given)
    assert caught.value.reason == reason
    assert says in str(caught.value)
    assert "registry: {" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("networks", "network"),
    [
        (["kind"], "kind"),
        (["bridge", "mine"], "mine"),
        (["a", "kind"], "kind"),
        (["b", "a"], "a"),
    ],
)
def test_nodes_pull_from_ours_in_a_network_that_knows_names(
    networks: list[str], network: str
) -> None:
    found = choose(wanted="ours", networks=networks)
    assert (found.network, found.keeps_store, found.why) == (network, True, "registry.route")
    assert choose(networks=networks).network == ""
