"""The table of node images: what it promises, the build agrees with, and the docs show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from localloop.cluster.node_images import BUILDABLE, KINDEST, NEWEST, minor_of, require_known
from localloop.config.model import ClusterConfig
from localloop.errors import UsageError

REPOSITORY = Path(__file__).parents[2]
IMAGE = REPOSITORY / "roles/cluster/files/node-image"
ROW = re.compile(r"^\| (1\.\d+) \| (.*) \|$", re.MULTILINE)


def newest_first(versions: list[str]) -> list[str]:
    return sorted(versions, key=lambda each: [int(part) for part in each.split(".")], reverse=True)


def test_every_published_image_is_of_its_version_and_pinned_by_digest() -> None:
    for minor, reference in KINDEST.items():
        form = rf"kindest/node:v{re.escape(minor)}\.\d+@sha256:[0-9a-f]{{64}}"
        assert re.fullmatch(form, reference), reference
    assert len(set(KINDEST.values())) == len(KINDEST)


def test_the_newest_version_can_be_had_both_ways() -> None:
    assert list(KINDEST) == newest_first(list(KINDEST))
    assert list(BUILDABLE) == newest_first(list(BUILDABLE))
    assert NEWEST == next(iter(KINDEST)) == next(iter(BUILDABLE))


def test_what_can_be_built_is_what_go_mod_pins() -> None:
    pinned = {}
    for file in (IMAGE / "kubernetes").glob("*/go.mod"):
        found = re.search(r"^\tk8s\.io/kubernetes v(\S+)$", file.read_text(), re.MULTILINE)
        assert found, file
        pinned[file.parent.name] = found[1]
    assert pinned == dict(BUILDABLE)


def test_the_image_s_readme_names_the_versions_that_it_builds() -> None:
    text = (IMAGE / "README.md").read_text()
    rows = re.findall(r"^\| `(1\.\d+)` \| (1\.\d+\.\d+) \|", text, re.MULTILINE)
    assert dict(rows) == dict(BUILDABLE)


def test_docs_clusters_shows_every_version() -> None:
    rows = dict(ROW.findall((REPOSITORY / "docs/clusters.md").read_text()))
    assert list(rows) == list(KINDEST)
    for minor, row in rows.items():
        built, published, digest, *_ = (cell.strip() for cell in row.split("|"))
        assert built == BUILDABLE.get(minor, "—")
        assert f"kindest/node:{published}@{digest.strip('`')}" == KINDEST[minor]


@pytest.mark.parametrize(
    ("text", "minor"),
    [
        ("1.37", "1.37"),
        ("v1.37.2", "1.37"),
        ("v1.36.0-rc.1+abc", "1.36"),
        ("kindest/node:v1.35.8@sha256:07b2536e", "1.35"),
        ("registry.example:5000/kindest/node:v1.34.11", "1.34"),
        ("localloop/kind-node:1.37-0a1b2c", "1.37"),
        ("registry.example:5.5/node:latest", ""),
        ("node:latest", ""),
        ("", ""),
    ],
)
def test_minor_of(text: str, minor: str) -> None:
    assert minor_of(text) == minor


@pytest.mark.parametrize(
    ("minor", "image", "message"),
    [
        ("1.20", None, "no node image for Kubernetes 1.20"),
        ("1.99", None, "no node image for Kubernetes 1.99"),
        ("1.36", "kindest/node:v1.37.0@sha256:0", "is kindest/node:v1.37.0.* asks for 1.36"),
        ("1.36", "localloop/kind-node:1.37-976", "asks for 1.36"),
    ],
)
def test_a_version_that_no_cluster_can_have_is_refused(
    minor: str, image: str | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        require_known(ClusterConfig(name="demo", kubernetes=minor, node_image=image))
    assert caught.value.reason == "kubernetes_unavailable"


@pytest.mark.parametrize(
    ("minor", "image"),
    [
        (None, None),
        (None, "x:1.20"),
        ("1.36", "x:v1.36.9"),
        ("1.20", "mine:latest"),
        ("1.31", None),
    ],
)
def test_a_version_that_may_be_had_is_not(minor: str | None, image: str | None) -> None:
    require_known(ClusterConfig(name="demo", kubernetes=minor, node_image=image))
