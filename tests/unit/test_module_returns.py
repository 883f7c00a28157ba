"""The RETURN sections of library/ have the keys that the steps return, no more and no fewer."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from harness.documented import LIBRARY, PLANNER, mismatches, returned, section, undocumented
from localloop.baseline.table import Baseline, Measurement
from localloop.cluster.containers import NodeContainer
from localloop.cluster.registry_state import RegistryState
from localloop.cluster.state import ClusterState
from localloop.errors import LocalloopError
from localloop.fingerprint.explain import explain
from localloop.plan.model import BackTo, ComponentPlan, FilePlan, Plan, Reason
from localloop.readiness.result import GateResult
from localloop.registry.published import PublishedImage
from localloop.system.host import (
    BUILDX_MINIMUM,
    DOCKER_MINIMUM,
    HELM_MINIMUM,
    KIND_MINIMUM,
    KUBECTL_MINIMUM,
    Host,
    examine,
)

MODULES = sorted(path.stem for path in LIBRARY.glob("*.py"))
WITH_PLAN = [name for name in MODULES if "plan" in section(name, "RETURN") and name != PLANNER]
IMAGE = PublishedImage("127.0.0.1:5000/relay/web", "sha256:1", {"linux/amd64": "sha256:2"})


def plan() -> dict[str, Any]:
    """A plan in which nothing is empty."""
    part = ComponentPlan(
        "web",
        "image",
        steps=("build",),
        reasons=(Reason("never_built"),),
        changes=explain(None, None),  # type: ignore[arg-type]
        image=IMAGE,
        consumes=("web",),
        images={"web": IMAGE},
        deployed={"web": IMAGE},
        file=FilePlan(timeout=90.0, lost=("node",)),
        back_to=BackTo("tx", 1),
        removes=("sha256:1",),
        warnings=("odd",),
        untracked=("a download",),
    )
    cluster = {"verdict": "refused", "reason": "cluster_inputs_changed"}
    details = ("detail", "others", "loses", "lacks")
    noted = ("inputs", "inputs_previous", "inputs_current", "inputs_state", "inputs_transaction")
    return Plan(
        project="relay",
        root="/relay",
        profile="",
        mode="auto",
        targets=("web",),
        cluster={**cluster, **dict.fromkeys((*details, *noted), "x")},
        components={"web": part},
        unchecked=("base",),
        provider={"name": "kind", "context": "kind-relay", "why": "x"},
    ).as_dict()


HOST = Host(
    distribution="debian", release="12", root=True, machine="x86_64", runtime="", docker_server="",
    docker_client="", dockerd="", buildx="", podman="", nerdctl="", kind="", helm="",
    kubectl="1.32.4", hidden={"kubectl": {"path": "/b", "version": "1.36.0", "behind": "/a"}},
    go="", go_path="", mmdebstrap=False, sysctl=True, inotify={"max_user_instances": 128},
    inotify_writable=True, systemd=True,
)  # fmt: skip
NODE = NodeContainer(
    name="relay-control-plane", role="control-plane", state="running", container_id="1", image="i"
)
BASELINE = Baseline("1", "cold", False, "", Path("/a.csv"), (Measurement("cold", "image", "web"),))
RESULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "plan": (PLANNER, {"plan": plan()}),
    "gate": ("readiness_gate", {"gate": GateResult("ready").as_dict(), "plan": plan()}),
    "gate in check mode": ("readiness_gate", {"gate": {"status": "not_run"}, "plan": plan()}),
    "going back": ("chart_rollback", {"gate": GateResult("ready").as_dict(), "plan": plan()}),
    "cluster": (
        "cluster_inspect",
        {
            "cluster": asdict(
                ClusterState(name="relay", verdict="ok", nodes=(NODE,), registry_port=5000)
            ),
            "kubeconfig": "/kubeconfig",
        },
    ),
    "registry": (
        "registry_inspect",
        {
            "registry": asdict(RegistryState(verdict="create")),
            "wired": False,
            "network": "kind",
            "nodes": ["relay-control-plane"],
            "port": 5000,
            "address": "127.0.0.1:5000",
            "unwired": ["relay-control-plane"],
            "mirrors": ["/etc/containerd/certs.d/localhost:5000"],
            "hosts_toml": "",
            "hosting": "",
        },
    ),
    "host": ("host_inspect", {"host": asdict(HOST), **asdict(examine(HOST))}),
    "baseline": ("baseline_measure", {"baseline": BASELINE.as_dict()}),
}


@pytest.mark.parametrize("name", RESULTS)
def test_what_is_returned_is_documented(name: str) -> None:
    module, result = RESULTS[name]
    assert undocumented(module, json.loads(json.dumps(result))) == []


@pytest.mark.parametrize("module", MODULES)
def test_a_failure_is_documented(module: str) -> None:
    error = LocalloopError("one", "text", component="web", where="here", hint="Try.", details={})
    failed = {"failed": True, "msg": str(error), "reason": "one", "error": error.as_dict()}
    assert undocumented(module, failed) == []


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_the_same_of_a_failure(module: str) -> None:
    for key in ("reason", "error"):
        assert section(module, "RETURN")[key] == section(PLANNER, "RETURN")[key]


@pytest.mark.parametrize("module", WITH_PLAN)
def test_what_a_step_sets_in_the_plan_is_in_the_plan(module: str) -> None:
    whole = section(PLANNER, "RETURN")["plan"]["contains"]
    own = section(module, "RETURN")["plan"]

    def compare(part: Mapping[str, Any], of: Mapping[str, Any], where: str) -> None:
        for name, doc in part.items():
            assert doc["type"] == of[name]["type"], f"{where}.{name}"
            compare(doc.get("contains", {}), of[name].get("contains", {}), f"{where}.{name}")

    compare(own.get("contains", {}), whole, module)
    assert f"M({PLANNER})" in own["description"]


def entries(documented: Mapping[str, Any], where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, doc in documented.items():
        yield f"{where}.{name}", doc
        yield from entries(doc.get("contains", {}), f"{where}.{name}")


@pytest.mark.parametrize("module", MODULES)
def test_entries_are_whole(module: str) -> None:
    """A comma in a description without quotes would become a key of its own."""
    known = {"description", "type", "elements", "returned", "contains", "sample"}
    for where, doc in entries(returned(module), module):
        assert set(doc) <= known, where
        assert doc["description"], where
        assert ("elements" in doc) is (doc["type"] == "list"), where


def versions() -> dict[str, str]:
    """The oldest supported versions, from the package and from the checks of the host."""
    project = tomllib.loads((LIBRARY.parent / "pyproject.toml").read_text())["project"]
    found = {"python": project["requires-python"].removeprefix(">=")}
    for text in project["dependencies"]:
        name, _, bounds = text.partition(">=")
        found[name] = bounds.partition(",")[0]
    oldest = {
        "Docker": DOCKER_MINIMUM,
        "Docker's buildx": BUILDX_MINIMUM,
        "Helm": HELM_MINIMUM,
        "kind": KIND_MINIMUM,
        "kubectl": KUBECTL_MINIMUM,
    }
    numbers = {name: ".".join(map(str, version)) for name, version in oldest.items()}
    return found | {name: number.removesuffix(".0") for name, number in numbers.items()}


@pytest.mark.parametrize("module", MODULES)
def test_requirements_are_named(module: str) -> None:
    wanted = section(module, "DOCUMENTATION")["requirements"]
    assert wanted[0] == f"python >= {versions()['python']}"
    for text in wanted:
        name, bounded, rest = text.partition(" >= ")
        if bounded:
            assert rest.split()[0] == versions()[name], text


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"a": 1, "of": {"x": "y"}}, []),
        ({"a": 1, "of": {}, "when": []}, []),
        ({"a": None, "of": {}}, [".a is null, which its description does not say"]),
        ({"a": "1", "of": {}}, [".a is no int: '1'"]),
        ({"a": True, "of": {}}, [".a is no int: True"]),
        ({"a": 1, "of": {"x": 2}}, [".of.x is no str: 2"]),
        ({"a": 1, "of": {}, "when": [1]}, [".when has an element that is no str: 1"]),
        ({"of": {}}, [".a is documented and not returned"]),
        ({"a": 1, "of": {}, "b": 2}, [".b is returned and not documented"]),
    ],
)
def test_the_comparison_itself(value: dict[str, Any], found: list[str]) -> None:
    documented = {
        "a": {"type": "int", "description": "One."},
        "of": {
            "type": "dict",
            "description": "More.",
            "contains": {"NAME": {"type": "str", "description": "Any."}},
        },
        "when": {"type": "list", "elements": "str", "description": "…", "returned": "sometimes"},
    }
    assert list(mismatches(value, documented, "")) == found
