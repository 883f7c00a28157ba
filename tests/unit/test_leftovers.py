"""What an uninstall leaves behind, and that it is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fake_api import FakeApi

from localloop.config.model import Chart
from localloop.helm.command import Helm
from localloop.helm.live import LiveRelease
from localloop.helm.releases import HelmHook, Release, Stored
from localloop.kube.objects import Object, ref_of
from localloop.release.leftovers import may_stay, that_stayed

CHART = Chart(name="web", release="web", namespace="one")
RELEASE = Release("web", "one", 3, "deployed")


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as fake:
        yield fake


def an_object(kind: str, name: str, **fields: Any) -> Object:
    versions = {"StatefulSet": "apps/v1", "Job": "batch/v1"}
    metadata = {"name": name, "namespace": "one", **fields.pop("metadata", {})}
    return {"apiVersion": versions.get(kind, "v1"), "kind": kind, "metadata": metadata, **fields}


def kept(name: str, value: str) -> Object:
    return an_object(
        "ConfigMap", name, metadata={"annotations": {"helm.sh/resource-policy": value}}
    )


def stateful(name: str, **policy: str) -> Object:
    templates = [{"metadata": {"name": "data"}}, {"metadata": {"name": "log.x"}}, {}]
    spec = {
        "volumeClaimTemplates": templates,
        "persistentVolumeClaimRetentionPolicy": policy or None,
    }
    return an_object("StatefulSet", name, spec=spec)


def told(api: FakeApi, *objects: Object, hooks: tuple[str, ...] = ()) -> list[str]:
    """What is said where ``objects`` are a release's, and the server has what it has."""
    stored = Stored("", "", hooks=tuple(HelmHook(each, ("pre-install",), "") for each in hooks))
    live = LiveRelease(RELEASE, stored, {ref_of(obj): obj for obj in objects})
    project = cast(Any, SimpleNamespace(root=Path("/nowhere")))
    helm = cast(Helm, None)
    return list(that_stayed(api.kube(), may_stay(api.kube(), helm, project, CHART, live)))


def test_what_asks_for_it_stays_as_helm_reads_it(api: FakeApi) -> None:
    objects = [kept("a", "keep"), kept("b", " Keep "), kept("c", "delete"), kept("gone", "keep")]
    api.put(*objects[:3])
    assert told(api, *objects) == [
        "ConfigMap a stays (helm.sh/resource-policy: keep)",
        "ConfigMap b stays (helm.sh/resource-policy: keep)",
    ]


def test_claims_of_stateful_sets_stay(api: FakeApi) -> None:
    names = ["data-db-0", "data-db-12", "log.x-db-0", "logxx-db-0", "data-db-x", "data-db2-0"]
    api.put(*(an_object("PersistentVolumeClaim", name) for name in [*names, "data-goes-0"]))
    sets = [stateful("db", whenDeleted="Retain"), stateful("goes", whenDeleted="Delete")]
    assert told(api, *sets) == [
        f"PersistentVolumeClaim {name} stays (of StatefulSet db)" for name in names[:3]
    ]


def test_what_hooks_have_made_stays(api: FakeApi) -> None:
    api.put(an_object("Secret", "by-hook"), an_object("Job", "brief"))
    hook = "apiVersion: v1\nkind: Secret\nmetadata: {name: by-hook}"
    gone = "apiVersion: v1\nkind: Secret\nmetadata: {name: gone}"
    brief = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: brief}"
    brief += "\nspec: {ttlSecondsAfterFinished: 0}"
    unknown = "apiVersion: x.example.org/v1\nkind: Odd\nmetadata: {name: odd}"
    assert told(api, hooks=(unknown, hook, gone, brief)) == [
        "Secret by-hook stays (made by a hook)"
    ]


def test_what_is_on_its_way_out_is_not_told(api: FakeApi) -> None:
    obj = kept("a", "keep")
    api.put({**obj, "metadata": {**obj["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}})
    assert told(api, obj) == []
