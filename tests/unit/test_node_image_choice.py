"""Which image a cluster's nodes get, and what is refused before a cluster is touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from localloop.build import kind_node
from localloop.build.kind_node import NodeImage, have_node_image
from localloop.config.model import ClusterConfig
from localloop.errors import LocalloopError, UsageError

KINDEST: dict[str, Any] = {"Config": {"Entrypoint": ["/usr/local/bin/entrypoint", "/sbin/init"]}}
OTHER: dict[str, Any] = {"Config": {"Entrypoint": ["/usr/bin/docker-registry"], "Cmd": None}}


class Store:
    """Docker's store with the images ``there``; ``pulled`` can be pulled."""

    def __init__(self, there: dict[str, Any], pulled: dict[str, Any] | None = None) -> None:
        self.there = there
        self.pulled = pulled or {}
        self.engine = self

    def inspect_image(self, reference: str) -> Any:
        return self.there.get(reference)

    def pull(self, reference: str, **_: Any) -> None:
        if reference not in self.pulled:
            raise LocalloopError("docker_error", "no such host")
        self.there[reference] = self.pulled[reference]


def chosen(store: Store, **wanted: Any) -> NodeImage:
    return have_node_image(
        store,  # type: ignore[arg-type]
        ClusterConfig(name="demo", **wanted),
        directory=Path(kind_node.__file__).parents[3] / "roles/cluster/files/node-image",
        base_image="base",
        base_suite="bookworm",
        timeout=1,
        check=False,
        say=lambda _text: None,
    )


def test_the_configured_image_is_used_or_pulled() -> None:
    assert chosen(Store({"x:1": KINDEST}), node_image="x:1").changed is False
    assert chosen(Store({}, {"x:1": KINDEST}), node_image="x:1").changed is True
    with pytest.raises(LocalloopError, match=r"`cluster.node_image` is x:1") as caught:
        chosen(Store({}), node_image="x:1")
    assert caught.value.reason == "node_image_missing"
    with pytest.raises(LocalloopError, match=r"k.yaml: the image of the nodes in that file is x:1"):
        chosen(Store({}), node_image="x:1", kind_config=Path("k.yaml"))


@pytest.mark.parametrize("there", [True, False])
def test_what_is_no_node_image_is_refused(there: bool) -> None:
    store = Store({"x:1": OTHER}) if there else Store({}, {"x:1": OTHER})
    with pytest.raises(UsageError, match="no node image of kind") as caught:
        chosen(store, node_image="x:1")
    assert caught.value.reason == "node_image_unusable"


def test_our_own_image_is_refused_for_what_it_cannot_do_by_whatever_key_it_is_chosen() -> None:
    own = f"{kind_node.REPOSITORY}:1.37-0"
    document = {"nodes": [{"image": own}, {"image": own}]}
    with pytest.raises(UsageError, match="several control planes") as caught:
        chosen(
            Store({own: KINDEST}),
            node_image=own,
            kind_config=Path("k.yaml"),
            kind_document=document,
        )
    assert caught.value.reason == "kind_config_unsupported"


def test_an_unknown_version_is_refused_before_anything_is_pulled() -> None:
    with pytest.raises(UsageError, match=r"no node image for Kubernetes 1\.99"):
        chosen(Store({}), kubernetes="1.99")
