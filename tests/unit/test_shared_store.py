"""Which nodes use this Docker's own store, by what they and Docker say."""

from __future__ import annotations

import platform
import socket
from pathlib import Path
from typing import Any

import pytest

from localloop.cluster import shared_store
from localloop.cluster.shared_store import Daemon, this_daemon, why_unlike

DAEMON = Daemon(name="Box", version="28.1.0", kernel="6.1.0", ids=frozenset({"machine", "boot"}))
INFO = {"Name": "Box", "ServerVersion": "28.1.0", "KernelVersion": "6.1.0"}


def node(name: str = "box", **reported: Any) -> dict[str, Any]:
    info = {"containerRuntimeVersion": "docker://28.1.0", "kernelVersion": "6.1.0", **reported}
    return {"metadata": {"name": name}, "status": {"nodeInfo": info}}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param(node(), "", id="the name of Docker's host, in small letters"),
        pytest.param(node("minikube", machineID="machine"), "", id="machine id"),
        pytest.param(node("minikube", bootID="boot"), "", id="boot id"),
        pytest.param(node(kernelVersion=""), "", id="a kernel that is not reported"),
        pytest.param(node("minikube", machineID="m", bootID="b"), "not that of Docker's host (Box)",
                     id="another machine"),
        pytest.param(node("minikube"), "not that of Docker's host", id="no ids are no proof"),
        pytest.param(node(kernelVersion="6.2.0"), "kernel is 6.2.0", id="our name elsewhere"),
        pytest.param(node(containerRuntimeVersion="docker://27.0.0"), "this Docker is 28.1.0",
                     id="another Docker"),
        pytest.param(node(containerRuntimeVersion="containerd://2.1.3", bootID="boot"),
                     "its runtime is containerd://2.1.3", id="containerd"),
        pytest.param({"metadata": {"name": "box"}}, "not known", id="a node that reports nothing"),
    ],
)  # fmt: skip
def test_a_node_that_uses_this_docker(given: dict[str, Any], says: str) -> None:
    why = why_unlike(given, DAEMON)
    assert (says in why) if says else why == ""


def test_this_machines_ids_count_only_where_the_daemon_runs_on_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shared_store, "_MACHINE_ID", tmp_path / "missing")
    (tmp_path / "boot_id").write_text("boot\n")
    monkeypatch.setattr(shared_store, "_BOOT_ID", tmp_path / "boot_id")
    assert this_daemon(INFO) == Daemon(name="Box", version="28.1.0", kernel="6.1.0")
    here = {**INFO, "Name": socket.gethostname(), "KernelVersion": platform.release()}
    assert this_daemon(here).ids == {"boot"}
    assert this_daemon({**here, "KernelVersion": "of a virtual machine"}).ids == frozenset()
