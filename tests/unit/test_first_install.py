"""A release whose first install failed: installed anew, or named, so that its hooks do run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_api import FakeApi, path_of
from fake_helm import FakeHelm, helm_secret
from fake_world import World, obj, prepare

from localloop.errors import LocalloopError
from localloop.plan.model import ComponentPlan
from localloop.release import hook_pods

Object = dict[str, Any]
PAGE = obj("v1", "ConfigMap", "page", data={"title": "new"})
CLAIM = obj("v1", "PersistentVolumeClaim", "data")
OF_SET = obj("v1", "PersistentVolumeClaim", "disk-db-0")
SET = obj(
    "apps/v1", "StatefulSet", "db", spec={"volumeClaimTemplates": [{"metadata": {"name": "disk"}}]}
)
INSTALL_HOOK = {"manifest": json.dumps(obj("batch/v1", "Job", "init")), "events": ["pre-install"]}
UPGRADE_HOOK = {**INSTALL_HOOK, "events": ["pre-upgrade"]}


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as fake:
        prepare(fake)
        yield fake


@pytest.fixture
def helm(tmp_path: Path, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> FakeHelm:
    found = FakeHelm(tmp_path / "bin", api)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setattr(hook_pods, "FIRST_LOOK", 60.0)  # this helm runs no hooks, but may be slow
    return found


def release(tmp_path: Path, api: FakeApi, base_revision: int = 1, **chart: Any) -> World:
    """Release a chart over what the cluster has."""
    world = World(tmp_path, api, charts={"web": {"path": "chart", "namespace": "app", **chart}})
    part = ComponentPlan(
        "web", "chart", steps=("release",), fingerprint="fp", base_revision=base_revision
    )
    world.release(world.plan(part))
    return world


def verbs(helm: FakeHelm) -> list[str]:
    return [
        next(word for word in argv if word in ("upgrade", "uninstall")) for argv, _ in helm.calls()
    ]


@pytest.mark.parametrize("hook", [INSTALL_HOOK, UPGRADE_HOOK])
def test_a_failed_first_install_is_uninstalled_and_installed_anew(
    tmp_path: Path, api: FakeApi, helm: FakeHelm, hook: Object
) -> None:
    api.put(PAGE, helm_secret("web", 1, PAGE, status="failed", hooks=[hook]))
    helm.turn()
    helm.turn(PAGE, helm_secret("web", 1, PAGE))
    world = release(tmp_path, api)
    assert verbs(helm) == ["uninstall", "upgrade"]
    assert {"--no-hooks", "--wait"} <= set(helm.calls()[0][0])
    assert world.record.charts["web"].target.base_revision == 0
    assert "its first install failed" in " ".join(e["text"] for e in world.emitted("progress"))


def test_what_its_hooks_left_is_removed_unless_it_is_of_another(
    tmp_path: Path, api: FakeApi, helm: FakeHelm
) -> None:
    """Without the policy before-hook-creation Helm would fail: it exists already."""
    ran, not_run = obj("batch/v1", "Job", "ran"), obj("batch/v1", "Job", "not-run")
    kept = obj("v1", "ConfigMap", "kept")
    hooks = [
        {**INSTALL_HOOK, "manifest": json.dumps(each), "last_run": {"phase": phase}}
        for each, phase in ((ran, "Failed"), (not_run, ""), (kept, "Succeeded"))
    ]
    api.put(ran, not_run, kept, helm_secret("web", 1, PAGE, status="failed", hooks=hooks))
    helm.turn()
    helm.turn(PAGE, helm_secret("web", 1, PAGE))
    release(tmp_path, api)
    assert api.methods(f"DELETE {path_of(ran)}")
    assert not api.methods(f"DELETE {path_of(not_run)}")
    assert not api.methods(f"DELETE {path_of(kept)}")


def test_a_release_that_was_deployed_once_is_upgraded(
    tmp_path: Path, api: FakeApi, helm: FakeHelm
) -> None:
    api.put(helm_secret("web", 1, PAGE, status="superseded", hooks=[INSTALL_HOOK]))
    api.put(PAGE, helm_secret("web", 2, PAGE, status="failed", hooks=[INSTALL_HOOK]))
    helm.turn(helm_secret("web", 3, PAGE))
    release(tmp_path, api, base_revision=2)
    assert verbs(helm) == ["upgrade"]


Loss = tuple[list[Object], list[Object], Object, str]
LOSSES: list[Loss] = [
    ([CLAIM], [CLAIM], {}, "it made PersistentVolumeClaim data"),
    ([SET], [OF_SET], {}, "it made PersistentVolumeClaim disk-db-0"),
    ([PAGE], [PAGE], {"generate": ["password"]}, "it keeps the values of password"),
    ([PAGE], [PAGE], {"keep_values": ["a.b"]}, "it keeps the values of a.b"),
]


@pytest.mark.parametrize("case", LOSSES)
def test_what_an_uninstall_could_lose_is_named_with_the_command(
    tmp_path: Path, api: FakeApi, helm: FakeHelm, case: Loss
) -> None:
    manifest, live, chart, said = case
    api.put(*live, helm_secret("web", 1, *manifest, status="failed", hooks=[INSTALL_HOOK]))
    with pytest.raises(LocalloopError) as caught:
        release(tmp_path, api, **chart)
    assert caught.value.reason == "first_install_failed:web"
    assert said in caught.value.message
    assert "helm -n app uninstall web" in str(caught.value.hint)
    assert verbs(helm) == []


@pytest.mark.parametrize("case", LOSSES)
def test_without_install_hooks_an_upgrade_does(
    tmp_path: Path, api: FakeApi, helm: FakeHelm, case: Loss
) -> None:
    manifest, live, chart, said = case
    api.put(*live, helm_secret("web", 1, *manifest, status="failed", hooks=[UPGRADE_HOOK]))
    helm.turn(helm_secret("web", 2, *manifest))
    release(tmp_path, api, **chart)
    assert verbs(helm) == ["upgrade"], said


def test_a_claim_that_was_not_made_is_no_loss(tmp_path: Path, api: FakeApi, helm: FakeHelm) -> None:
    """A pre-install hook fails before Helm makes any object."""
    other = obj("v1", "PersistentVolumeClaim", "elsewhere")
    api.put(other, helm_secret("web", 1, CLAIM, SET, status="failed", hooks=[INSTALL_HOOK]))
    helm.turn()
    helm.turn(helm_secret("web", 1, CLAIM, SET))
    release(tmp_path, api)
    assert verbs(helm) == ["uninstall", "upgrade"]
