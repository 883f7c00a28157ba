"""What is done about the cluster's own registry, by what was seen of it: the whole table."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localloop.cluster.mirrors import hosts_toml, mirrors
from localloop.cluster.registry_state import Seen, Tried, registry_state

STATUSES = ["created", "running", "paused", "restarting", "removing", "exited", "dead"]
LOOPBACK = {"HostIp": "127.0.0.1", "HostPort": "5001"}
ANYWHERE = {"HostIp": "", "HostPort": "5001"}
PROXY = "REGISTRY_PROXY_REMOTEURL="


def container(
    status: str = "running",
    *,
    bindings: Any = (LOOPBACK,),
    more: Any = None,
    env: Any = (),
    networks: Any = ("kind",),
    labels: Any = None,
) -> dict[str, Any]:
    """What ``docker inspect`` shows."""
    return {
        "Id": "reg",
        "State": {"Status": status, "Running": status in ("running", "paused", "restarting")},
        "Config": {
            "Env": list(env),
            "Labels": {"localloop.cluster": "demo"} if labels is None else labels,
        },
        "HostConfig": {"PortBindings": {"5000/tcp": list(bindings), **(more or {})}},
        "NetworkSettings": {"Networks": {key: {} for key in networks}},
    }


def seen(found: Any, **facts: Any) -> Seen:
    return Seen(container=found, **facts)


WRONG_PORT = ("recreate", "registry_wrong_port")
NOT_OURS = ("refuse", "registry_not_ours")
TABLE = {
    "absent": (seen(None), "create", "registry_missing"),
    "serving": (seen(container()), "ok", ""),
    "stopped": (seen(container("exited")), "start", "registry_stopped"),
    "never started": (seen(container("created")), "start", "registry_stopped"),
    "its port taken meanwhile": (
        seen(container("exited"), port_free=False),
        "recreate",
        "registry_port_taken",
    ),
    "paused": (seen(container("paused")), "recreate", "registry_paused"),
    "restarting": (seen(container("restarting")), "recreate", "registry_restarting"),
    "dead": (seen(container("dead")), "recreate", "registry_dead"),
    "being removed": (seen(container("removing")), "recreate", "registry_dead"),
    "a proxy": (seen(container(env=[f"{PROXY}https://x"])), "recreate", "registry_proxy_mode"),
    "a proxy of nothing": (seen(container(env=[PROXY])), "ok", ""),
    "on 0.0.0.0": (seen(container(bindings=[ANYWHERE])), *WRONG_PORT),
    "on loopback and on 0.0.0.0": (seen(container(bindings=[LOOPBACK, ANYWHERE])), *WRONG_PORT),
    "another port of it on 0.0.0.0": (seen(container(more={"5001/tcp": [ANYWHERE]})), *WRONG_PORT),
    "another port of it exposed only": (seen(container(more={"5001/tcp": None})), "ok", ""),
    "not published": (seen(container(bindings=())), *WRONG_PORT),
    "another port published": (
        seen(container(bindings=(), more={"5999/tcp": [LOOPBACK]})),
        *WRONG_PORT,
    ),
    "on another network": (
        seen(container(networks=["bridge"])),
        "recreate",
        "registry_wrong_network",
    ),
    "mute": (seen(container(), answers=False), "recreate", "registry_not_answering"),
    "taking no pushes": (
        seen(container(), takes_pushes=False),
        "recreate",
        "registry_refuses_pushes",
    ),
    "not reached from a node": (
        seen(container(), away_from=("demo-worker",)),
        "recreate",
        "registry_not_reached",
    ),
    "foreign": (seen(container(labels={})), *NOT_OURS),
    "foreign and stopped": (seen(container("exited", labels={})), *NOT_OURS),
    "another cluster's": (seen(container(labels={"localloop.cluster": "other"})), *NOT_OURS),
}


@pytest.mark.parametrize("case", TABLE)
def test_the_state_decides(case: str) -> None:
    found, verdict, reason = TABLE[case]
    state = registry_state("demo", found)
    assert (state.verdict, state.reason) == (verdict, reason)


@pytest.mark.parametrize("case", TABLE)
def test_nothing_is_tried_again(case: str) -> None:
    """What was started in vain is recreated, what was created in vain is the end."""
    found, verdict, reason = TABLE[case]
    state = registry_state("demo", found, tried="start")
    if verdict == "start":
        assert (state.verdict, state.reason) == ("recreate", "registry_not_starting")
    else:
        assert (state.verdict, state.reason) == (verdict, reason)
    created = registry_state("demo", found, tried="create").verdict
    assert created == (verdict if verdict in ("ok", "refuse") else "fail")


def test_the_configured_port_decides_too() -> None:
    assert registry_state("demo", seen(container()), wanted_port=5001).verdict == "ok"
    state = registry_state("demo", seen(container()), wanted_port=5005)
    assert (state.verdict, state.reason) == WRONG_PORT


def test_one_that_no_node_pulls_from_may_be_on_any_network() -> None:
    assert registry_state("demo", seen(container(networks=["bridge"])), network="").verdict == "ok"


def test_a_port_that_is_mapped_wrongly_is_held_too() -> None:
    """So that the registry which replaces it gets the same one, and no image another name."""
    wrong = container(bindings=(), more={"5999/tcp": [LOOPBACK]})
    state = registry_state("demo", seen(wrong))
    assert (state.port, state.held) == (None, 5001)
    assert registry_state("demo", seen({**wrong, "State": {"Status": "exited"}})).held is None


CONTAINERS = st.builds(
    container,
    st.sampled_from(STATUSES),
    bindings=st.lists(st.sampled_from([LOOPBACK, ANYWHERE]), max_size=2),
    env=st.sampled_from([[], [f"{PROXY}https://x"]]),
    networks=st.sampled_from([["kind"], ["bridge"], []]),
    labels=st.sampled_from([None, {}, {"localloop.cluster": "other"}]),
)
ANY = st.builds(
    Seen,
    container=st.none() | CONTAINERS,
    answers=st.booleans(),
    takes_pushes=st.booleans(),
    away_from=st.sampled_from([(), ("demo-worker",)]),
    port_free=st.booleans(),
)
PORTS = st.sampled_from([None, 5001, 5005])
TRIED: Any = st.sampled_from(["", "start", "create"])


@given(ANY, PORTS, TRIED)
def test_what_is_not_ours_is_never_touched(found: Seen, port: int | None, tried: Tried) -> None:
    state = registry_state("demo", found, wanted_port=port, tried=tried)
    foreign = found.container is not None and not state.ours
    assert (state.verdict == "refuse") is foreign


@given(ANY, PORTS, TRIED)
def test_ok_is_said_only_of_one_that_serves_from_loopback(
    found: Seen, port: int | None, tried: Tried
) -> None:
    state = registry_state("demo", found, wanted_port=port, tried=tried)
    assert (state.verdict == "ok") is (state.reason == "")
    if state.verdict == "ok":
        assert found.container is not None
        assert found.container["HostConfig"]["PortBindings"]["5000/tcp"] == [LOOPBACK]
        assert found.container["State"]["Status"] == "running"
        assert (found.answers, found.takes_pushes, found.away_from) == (True, True, ())


@given(st.lists(ANY, min_size=4, max_size=4), PORTS)
def test_a_run_ends_after_one_start_and_one_recreation(world: list[Seen], port: int | None) -> None:
    """Whatever is seen after each action; as the role does it."""
    tried: Tried = ""
    done = []
    for found in world:
        verdict = registry_state("demo", found, wanted_port=port, tried=tried).verdict
        if verdict in ("ok", "refuse", "fail"):
            break
        tried = "start" if verdict == "start" else "create"
        done.append(tried)
    else:
        pytest.fail(f"it goes on: {done}")
    assert done in ([], ["start"], ["create"], ["start", "create"])


def test_a_mirror_names_the_container_and_never_an_address() -> None:
    assert hosts_toml("demo").count("http://localloop-demo-registry:5000") == 2
    assert mirrors(5001) == [
        "/etc/containerd/certs.d/localhost:5001",
        "/etc/containerd/certs.d/127.0.0.1:5001",
    ]
