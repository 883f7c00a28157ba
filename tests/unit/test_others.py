"""Whose the releases of a cluster are, by the label of their newest revisions."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fake_store import FakeStore

from localloop.config.model import Chart, Project
from localloop.helm.releases import PROJECT_LABEL, Release, all_releases
from localloop.observe.others import left_behind, others_on

PROJECT = cast(
    Project,
    SimpleNamespace(name="mine", charts={"web": Chart(name="web", release="web", namespace="app")}),
)


@pytest.fixture
def api() -> Iterator[FakeStore]:
    with FakeStore() as fake:
        for name in ("app", "old", "localloop"):
            fake.namespace(name)
        yield fake


def put(api: FakeStore, namespace: str, release: str, *owners: str) -> None:
    """A release whose revisions carry these projects' labels."""
    for revision, owner in enumerate(owners, start=1):
        labels = {"owner": "helm", "name": release, "version": str(revision)}
        secret: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": f"sh.helm.release.v1.{release}.v{revision}",
                "namespace": namespace,
                "labels": labels | ({PROJECT_LABEL: owner} if owner else {}),
            },
        }
        path = f"/api/v1/namespaces/{namespace}/secrets/{secret['metadata']['name']}"
        api.put(path, secret)


def test_what_the_project_names_no_more(api: FakeStore) -> None:
    put(api, "app", "web", "mine")
    put(api, "app", "renamed", "mine", "mine")
    put(api, "old", "web", "", "mine")
    put(api, "old", "given", "mine", "other")
    put(api, "old", "theirs", "")
    found = left_behind(all_releases(api.kube()), PROJECT)
    assert sorted(release.place for release in found) == ["app/renamed", "old/web"]


def test_others_are_told_by_their_newest_revision(api: FakeStore) -> None:
    put(api, "app", "adopted", "", "mine")
    put(api, "app", "given", "mine", "other")
    put(api, "app", "by-hand", "")
    assert others_on(api.kube(), "mine") == ["release app/by-hand", "release app/given"]


@pytest.mark.parametrize(
    ("owner", "adopt", "ours"),
    [
        ("mine", False, True),
        ("mine", True, True),
        ("other", False, False),
        ("other", True, False),
        ("", False, False),
        ("", True, True),
    ],
)
def test_whose_a_release_is(owner: str, adopt: bool, ours: bool) -> None:
    release = Release("web", "app", 1, "deployed", {PROJECT_LABEL: owner} if owner else {})
    assert release.belongs_to("mine", adopt=adopt) is ours
