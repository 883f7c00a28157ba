"""Golden object states: each breaks one condition of a ready object."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from golden.__main__ import new_seed
from golden.compare import mistake
from golden.generated import generate
from golden.states import State, bases, states

from localloop.kube.objects import ObjectRef, Snapshot
from localloop.readiness.image_proof import image_digest, image_proof, split_image
from localloop.readiness.judge import is_gated, missing_verdict
from localloop.readiness.pod_rule import Suspect
from localloop.readiness.revisions import current_pods

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


@pytest.mark.parametrize("state", list(states()), ids=str)
def test_state(state: State) -> None:
    assert state.mistake() == "", state.verdict()
    if state.detail is not None:
        assert state.verdict().detail == state.detail


def test_there_are_enough_states() -> None:
    """States of every kind, captured and written by hand; each base is ready unchanged."""
    every = list(states())
    assert len(every) >= 200
    assert len({str(state) for state in every}) == len(every)
    assert {state.base.kind for state in every if state.base.captured} == {
        *("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod"),
        *("PersistentVolumeClaim", "CustomResourceDefinition", "Service"),
    }
    ready = {state.base.name for state in every if state.name == "as it is"}
    assert ready == {state.base.name for state in every} == {path.stem for path in bases()}


def test_generated_states() -> None:
    """Ten thousand of them, from a new seed each run; ``GATE_SEED`` repeats one."""
    seed = new_seed()
    wrong = [made for made in generate(seed, 10_000) if made.mistake()]
    assert not wrong, f"GATE_SEED={seed}: {wrong[0]}: {wrong[0].verdict()}"


def test_an_extra_suspect_is_a_mistake() -> None:
    """A cause held against a pod that is merely slow would eventually fail it."""
    made = next(made for made in generate(1, 10_000) if made.clause == "a pod not ready")
    verdict = made.verdict()
    suspect = Suspect(("crash_loop", "", ""), "crash_loop", "bogus", 20.0, verdict.ref)
    assert mistake(verdict, made.state, made.reason, made.suspects) == ""
    bogus = replace(verdict, suspects=(suspect,))
    assert mistake(bogus, made.state, made.reason, made.suspects)


def test_missing() -> None:
    verdict = missing_verdict(ObjectRef("apps/v1", "Deployment", "app", "web"))
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


INDEX, MANIFEST, CONFIG, OTHER = (f"sha256:{letter * 64}" for letter in "1234")


@pytest.mark.parametrize(
    ("image_id", "kinds"),
    [
        *((f"127.0.0.1:5000/app/web@{digest}", []) for digest in (INDEX, MANIFEST, CONFIG)),
        *((f"docker-pullable://127.0.0.1:5000/app/web@{digest}", []) for digest in (INDEX, CONFIG)),
        (f"docker://{CONFIG}", []),
        *((digest, []) for digest in (INDEX, MANIFEST, CONFIG)),
        # The node has the same image under a name that it pulled earlier.
        (f"127.0.0.1:5000/somebody/copy@{MANIFEST}", []),
        (f"docker.io/library/web@{CONFIG}", []),
        *((f"{prefix}{OTHER}", ["different"]) for prefix in ("", "docker://", "r/web@")),
        *(
            (text, ["unknown"])
            for text in ("", "127.0.0.1:5000/app/web:v1", "sha256:12", CONFIG[:70])
        ),
    ],
)
def test_every_form_of_an_image_id(image_id: str, kinds: list[str]) -> None:
    """As dockershim, cri-dockerd, containerd and CRI-O report it."""
    pod = _pod("127.0.0.1:5000/app/web:v1", image_id)
    expected = {"127.0.0.1:5000/app/web": frozenset({INDEX, MANIFEST, CONFIG})}
    assert [finding.kind for finding in image_proof([pod], expected)] == kinds


def test_a_pod_is_its_own_current_revision() -> None:
    pod = _pod("x", None)
    assert current_pods(pod, Snapshot((pod,))) == [pod]
