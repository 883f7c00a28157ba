"""Plans for replacing a cluster."""

from __future__ import annotations

from dataclasses import replace

from localloop.plan.model import ComponentPlan, Plan, Reason
from localloop.plan.new_cluster import on_a_new_cluster, with_built
from localloop.registry.published import PublishedImage

IMAGE = PublishedImage("127.0.0.1:5001/demo/web", "sha256:1", {"linux/amd64": "sha256:2"})
WEB = ComponentPlan(
    "web",
    "image",
    steps=("build", "publish"),
    reasons=(Reason("inputs_changed", "a"),),
    fingerprint="f1",
    previous="f0",
    changes={"changed": {"count": 1, "first": ["a"]}},
)
API = ComponentPlan("api", "image", skip="unchanged", image=IMAGE)
FILE = ComponentPlan(
    "agent",
    "node_file",
    steps=("build", "publish", "put", "reconcile"),
    reasons=(Reason("inputs_changed", "b"),),
)
CHART = ComponentPlan(
    "demo",
    "chart",
    skip="unchanged",
    consumes=("web", "api"),
    deployed={"web": IMAGE},
    base_revision=7,
)


def plan(*parts: ComponentPlan) -> Plan:
    cluster = {"verdict": "bootstrap", "reason": "cluster_inputs_changed"}
    return Plan("demo", "/p", "", "auto", (), cluster, {part.name: part for part in parts})


def test_nothing_is_there_yet() -> None:
    found = on_a_new_cluster({part.name: part for part in (WEB, API, FILE, CHART)})
    assert (found["web"], found["api"]) == (WEB, API)
    assert found["demo"].steps == ("release",)
    assert [reason.name for reason in found["demo"].reasons] == ["cluster_recreated"]
    assert (found["demo"].skip, found["demo"].deployed, found["demo"].base_revision) == ("", {}, 0)
    assert found["agent"].steps == ("build", "publish", "put")
    names = [reason.name for reason in found["agent"].reasons]
    assert names == ["inputs_changed", "cluster_recreated"]
    settled = on_a_new_cluster({"agent": replace(FILE, steps=(), reasons=(), skip="unchanged")})
    assert settled["agent"].steps == ("put",)
    assert [reason.name for reason in settled["agent"].reasons] == ["cluster_recreated"]


def test_what_was_built_is_not_built_again() -> None:
    built = plan(
        replace(WEB, image=IMAGE, changed=True),
        API,
        replace(FILE, steps=("build", "publish", "put"), image=IMAGE, changed=True),
        CHART,
    )
    new = Reason("never_deployed")
    planned = plan(
        replace(WEB, steps=(), reasons=(), skip="in_registry", image=IMAGE, previous=""),
        API,
        replace(FILE, steps=("put",), reasons=(new,), image=IMAGE),
        replace(CHART, skip="", steps=("release",), reasons=(new,), deployed={}),
    )
    found = with_built(planned, built).components
    assert found["web"] == replace(WEB, image=IMAGE, changed=True)
    assert found["api"] == API
    assert found["agent"].steps == ("build", "publish", "put")
    assert found["agent"].reasons == (Reason("inputs_changed", "b"), new)
    assert found["agent"].image == IMAGE
    assert found["demo"].reasons == (new, Reason("consumes", "web"))
    assert found["demo"].images == {"web": IMAGE}


def test_an_image_whose_inputs_moved_is_used_and_not_built_again() -> None:
    """The registry does not have it under its fingerprint: the new plan would build it."""
    built = plan(replace(WEB, image=IMAGE, changed=True, moved=True))
    chart = replace(CHART, skip="", steps=("release",), reasons=(Reason("never_deployed"),))
    planned = plan(replace(WEB, previous="", reasons=(Reason("never_built"),)), chart)
    found = with_built(planned, built).components
    web = found["web"]
    assert (web.image, web.moved, web.changed) == (IMAGE, True, True)
    assert web.steps == ("build", "publish")
    assert found["demo"].images == {"web": IMAGE}
