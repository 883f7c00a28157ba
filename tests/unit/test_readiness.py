"""Golden object states: each breaks one clause of a ready object."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from localloop.gate.imageproof import image_digest, image_proof, split_image
from localloop.gate.podrule import Rules
from localloop.gate.readiness import is_gated, judge, missing
from localloop.gate.revisions import current_pods
from localloop.kube.objects import ObjectRef, Snapshot, timestamp, uid_of

FIXTURES = Path(__file__).parent / "fixtures" / "readiness"
A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def _put(root: Any, path: str, value: Any) -> None:
    *parents, last = path.split("/")
    for part in parents:
        root = root[int(part)] if isinstance(root, list) else root.setdefault(part, {})
    if isinstance(root, list):
        root[int(last) : int(last) + 1] = [value]
    else:
        root[last] = value


def _drop(root: Any, path: str) -> None:
    *parents, last = path.split("/")
    for part in parents:
        root = root[int(part)] if isinstance(root, list) else root[part]
    del root[int(last) if isinstance(root, list) else last]


def _states() -> list[Any]:
    found = []
    for path in sorted(FIXTURES.glob("*.yaml")):
        document = yaml.safe_load(path.read_text())
        found += [
            pytest.param(document, state, id=f"{path.stem}: {state['name']}")
            for state in document["states"]
        ]
    return found


def test_there_are_enough_states() -> None:
    assert len(_states()) >= 60


@pytest.mark.parametrize(("document", "state"), _states())
def test_state(document: dict[str, Any], state: dict[str, Any]) -> None:
    objects = copy.deepcopy(document["objects"])
    # YAML anchors share what they merge: each object must own its parts.
    objects = {name: copy.deepcopy(obj) for name, obj in objects.items()}
    for name, extra in (state.get("add") or {}).items():
        objects[name] = copy.deepcopy(objects[extra["from"]])
        for path, value in extra["set"].items():
            _put(objects[name], path, value)
    for path, value in (state.get("set") or {}).items():
        _put(objects, path, value)
    for path in sorted(state.get("remove") or (), reverse=True):
        _drop(objects, path)
    judged = objects[document["judge"]]
    baseline = {(uid_of(judged), name): count for name, count in state.get("baseline", {}).items()}
    view = Snapshot(tuple(objects.values()), since=timestamp(state.get("since")), baseline=baseline)
    expected = {k: frozenset(v) for k, v in (document.get("expected") or {}).items()}
    rules = Rules(load_balancer=bool(state.get("load_balancer")))

    verdict = judge(judged, view, expected=expected, rules=rules)

    assert (verdict.state, verdict.reason) == (state["state"], state.get("reason", ""))
    if "detail" in state:
        assert verdict.detail == state["detail"]
    if "suspects" in state:
        assert [suspect.reason for suspect in verdict.suspects] == state["suspects"]
    if "warns" in state:
        assert any(state["warns"] in warning for warning in verdict.warnings)
    else:
        assert verdict.warnings == ()


def test_missing() -> None:
    verdict = missing(ObjectRef("apps/v1", "Deployment", "app", "web"))
    assert (verdict.state, verdict.reason) == ("progressing", "missing")


def test_builtin_kinds_without_readiness_are_not_gated() -> None:
    assert not is_gated(ObjectRef("v1", "ConfigMap", "app", "x"))
    assert not is_gated(ObjectRef("rbac.authorization.k8s.io/v1", "Role", "app", "x"))
    assert is_gated(ObjectRef("example.org/v1", "Widget", "app", "x"))


@pytest.mark.parametrize(
    ("image_id", "digest"),
    [
        (f"docker-pullable://127.0.0.1:5000/app/web@{A}", A),
        (f"127.0.0.1:5000/app/web@{A}", A),
        (A, A),
        (f"docker://{A}", A),
        ("", ""),
        ("sha256:short", ""),
    ],
)
def test_image_digest(image_id: str, digest: str) -> None:
    assert image_digest(image_id) == digest


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("web", ("web", "", "")),
        ("127.0.0.1:5000/app/web", ("127.0.0.1:5000/app/web", "", "")),
        ("127.0.0.1:5000/app/web:v1", ("127.0.0.1:5000/app/web", "v1", "")),
        (f"r/web:v1@{A}", ("r/web", "v1", A)),
    ],
)
def test_split_image(reference: str, parts: tuple[str, str, str]) -> None:
    assert split_image(reference) == parts


def _pod(image: str, image_id: str | None, section: str = "containers") -> dict[str, Any]:
    status = [] if image_id is None else [{"name": "c", "imageID": image_id}]
    which = "containerStatuses" if section == "containers" else "initContainerStatuses"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "app"},
        "spec": {section: [{"name": "c", "image": image}]},
        "status": {which: status},
    }


@pytest.mark.parametrize(
    ("image", "image_id", "section", "kinds"),
    [
        ("r/web:v1", f"r/web@{A}", "containers", []),
        ("r/web:v1", f"r/web@{B}", "containers", ["different"]),
        ("r/web:v1", "", "containers", ["unknown"]),
        ("r/web:v1", None, "containers", ["unknown"]),
        ("r/web:v1", f"r/web@{B}", "initContainers", ["different"]),
        ("other/web:v1", f"r/web@{B}", "containers", []),
    ],
)
def test_image_proof(image: str, image_id: str | None, section: str, kinds: list[str]) -> None:
    findings = image_proof([_pod(image, image_id, section)], {"r/web": frozenset({A})})
    assert [finding.kind for finding in findings] == kinds


def test_a_pod_is_its_own_current_revision() -> None:
    pod = _pod("x", None)
    assert current_pods(pod, Snapshot((pod,))) == [pod]
