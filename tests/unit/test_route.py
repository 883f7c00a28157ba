"""How images reach the nodes of a cluster that localloop did not create."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from localloop.cluster.route import OURS, NodePlace, Route, RouteName, choose_route
from localloop.config.project import load_project
from localloop.errors import UsageError
from localloop.registry.client import MANIFEST_TYPES, Manifest
from localloop.session import Session

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/clusters.md"


def advertised(**fields: Any) -> dict[str, Any]:
    return {"data": {"localRegistryHosting.v1": yaml.safe_dump(fields)}}


def place(name: str = "a", **more: Any) -> NodePlace:
    """A node that is a container here, with containerd."""
    known = {"container": True, "runtime": "containerd://2.1.3", "unlike": "it is a container"}
    return NodePlace(name=name, **{**known, **more})


HERE = place()
FAR = place("far", container=False, unlike="its runtime is containerd://2.1.3")
OFF = place("off", container=False, unlike="its runtime is containerd://2.1.3")
SHARING = place("box", container=False, runtime="docker://28.1.0", unlike="")
OTHER = place("other", container=False, runtime="docker://20.1.0", unlike="this Docker is 28.1.0")
NESTED = place("nested", runtime="docker://28.1.0")  # a Docker of its own in a container
HOSTED = advertised(host="localhost:5001")
NAMES = advertised(
    host="127.0.0.1:5001",
    hostFromContainerRuntime="registry:5000",
    hostFromClusterNetwork="registry:5000",
    help="https://x",
)


def choose(**given: Any) -> Route:
    known = {"host": "", "wanted": "auto", "advertised": None, "nodes": [HERE]}
    return choose_route(**{**known, **given})


TABLE: list[tuple[dict[str, Any], str, str, str]] = [
    # what is known, and the route with its registry here and on the nodes
    ({"host": "localhost:5009", "advertised": HOSTED}, "registry", "localhost:5009", ""),
    ({"host": "localhost:5009", "nodes": [SHARING]}, "registry", "localhost:5009", ""),
    ({"host": "localhost:5009", "nodes": [FAR]}, "registry", "localhost:5009", ""),
    ({"advertised": HOSTED}, "advertised", "localhost:5001", ""),
    ({"advertised": HOSTED, "wanted": "advertised"}, "advertised", "localhost:5001", ""),
    ({"advertised": HOSTED, "nodes": [SHARING]}, "advertised", "localhost:5001", ""),
    ({"advertised": HOSTED, "nodes": [FAR]}, "advertised", "localhost:5001", ""),
    ({"advertised": NAMES}, "advertised", "127.0.0.1:5001", "registry:5000"),
    ({"advertised": HOSTED, "wanted": "ours", "networks": ["kind"]}, "ours", "", ""),
    ({"nodes": [SHARING]}, "shared", "", ""),
    ({"nodes": [SHARING], "wanted": "shared"}, "shared", "", ""),
    ({"nodes": [SHARING], "wanted": "shared", "advertised": HOSTED}, "shared", "", ""),
    ({}, "load", "", ""),
    ({"nodes": [HERE, place("b")]}, "load", "", ""),
    ({"nodes": [place(runtime="")]}, "load", "", ""),
    ({"advertised": HOSTED, "wanted": "load"}, "load", "", ""),
]


@pytest.mark.parametrize(("given", "name", "push", "pull"), TABLE)
def test_the_first_route_that_there_is(
    given: dict[str, Any], name: str, push: str, pull: str
) -> None:
    found = choose(**given)
    assert (found.name, found.push, found.pull) == (name, push, pull or push)
    assert found.why
    assert found.loads == (name in ("shared", "load"))
    assert found.keeps_store == (name in ("ours", "shared", "load"))


def test_every_row_of_the_documented_table_is_among_them() -> None:
    text = DOCUMENT.read_text("utf-8")
    _, _, section = text.partition("### How images reach its nodes")
    rows = [line.split("|")[1].strip() for line in section.split("\n\n")[2].splitlines()[2:]]
    documented = [row.strip("`") for row in rows]
    assert documented == [*dict.fromkeys(name for _, name, *_ in TABLE), "none"]
    assert set(documented[:-1]) == set(get_args(RouteName))


DIGEST = "sha256:" + "0123456789abcdef" * 4
TAG = "d-" + ("0123456789abcdef" * 4)[:20]


@pytest.mark.parametrize(
    ("route", "repository", "by_tag"),
    [
        (OURS, "127.0.0.1:5000/demo/web", False),
        (choose(host="localhost:5009"), "localhost:5009/demo/web", False),
        (choose(advertised=HOSTED), "localhost:5001/demo/web", False),
        (choose(advertised=NAMES), "registry:5000/demo/web", False),
        (choose(nodes=[SHARING]), "127.0.0.1:5000/demo/web", False),
        (choose(), "127.0.0.1:5000/demo/web", True),
    ],
    ids=lambda each: each.name if isinstance(each, Route) else "",
)
def test_what_charts_get(tmp_path: Path, route: Route, repository: str, by_tag: bool) -> None:
    config = {
        "version": 1,
        "project": "demo",
        "cluster": {"context": "c"},
        "images": {"web": {"dockerfile": "Dockerfile"}},
    }
    (tmp_path / "localloop.yml").write_text(yaml.safe_dump(config))
    own = "127.0.0.1:5000" if route.keeps_store else ""
    session = Session(
        load_project(tmp_path, environ={}), {}, registry=own, platform="linux/amd64", route=route
    )
    manifest = Manifest(DIGEST, "sha256:" + "1" * 64, MANIFEST_TYPES[0], b"{}")
    image = session.published(manifest, "web")
    assert image.repository == repository
    assert (image.tag, image.semver, image.digest) == (TAG, f"0.0.0-{TAG}", DIGEST)
    assert image.ref == (f"{repository}:{TAG}" if by_tag else f"{repository}@{DIGEST}")
    assert session.push_repository("web") == f"{own or route.push}/demo/web"


@pytest.mark.parametrize(
    ("given", "reason", "says"),
    [
        ({"nodes": [HERE, FAR], "wanted": "ours"}, "no_image_route", "registry.route is ours, and"
         " far is no container of this Docker"),
        ({"nodes": [NESTED], "wanted": "ours"}, "no_image_route", "nested runs docker"),
        ({"nodes": [], "wanted": "ours"}, "no_image_route", "it has no nodes"),
        ({"wanted": "ours", "networks": ["bridge", "host"]}, "no_image_route", "a share no Docker"),
        ({"nodes": []}, "no_image_route", "it has no nodes"),
        ({"nodes": []}, "no_image_route", "names no registry (KEP-1755)"),
        ({"nodes": [HERE, FAR]}, "no_image_route", "and far is no container of this Docker"),
        ({"nodes": [FAR, OFF], "wanted": "load"}, "no_image_route", "load, and far is no container"
         " of this Docker; off is no container of this Docker"),
        ({"nodes": [SHARING], "wanted": "load"}, "no_image_route", "box is no container"),
        ({"nodes": [OTHER]}, "no_image_route", "not use its store either (this Docker is 28.1.0)"),
        ({"nodes": [SHARING, OTHER]}, "no_image_route", "other is no container"),
        ({"nodes": [NESTED]}, "no_image_route", "nested runs docker://28.1.0, and localloop"
          " brings images to containerd only"),
        ({"nodes": [HERE, NESTED], "wanted": "load"}, "no_image_route", "nested runs docker"),
        ({"wanted": "shared"}, "no_image_route", "registry.route is shared, and a does not use this"
         " Docker's store (it is a container)"),
        ({"nodes": [SHARING, HERE], "wanted": "shared"}, "no_image_route", "and a does not"),
        ({"nodes": [], "wanted": "shared"}, "no_image_route", "it has no nodes"),
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
