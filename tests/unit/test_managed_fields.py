"""managedFields are JSON of anybody: what reads and moves them never raises, and keeps the rest."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localloop.helm.additions import additions, restarted_at
from localloop.kube.managed_fields import (
    MISSING,
    at,
    child,
    handed_over,
    helm_manager,
    metadata_digest,
    owned_fields,
    touched_by_hand,
    written,
)
from localloop.kube.objects import object_version
from localloop.observe.drift import Drift, drift_of, unnoted

Object = dict[str, Any]

FIELDS = """\
    spec metadata labels annotations template containers env name value a b"""
MANAGERS = """\
    kubectl kubectl-edit kubectl-set kubectl1.37 kubectl.exe helm argocd-server k9s
    kube-controller-manager before-first-apply"""
leaves = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4) | st.sampled_from([*FIELDS.split(), "1", "main"])
)  # fmt: skip
json_values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(FIELDS.split()) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=15,
)
keys = (
    st.sampled_from([f"f:{name}" for name in FIELDS.split()])
    | st.sampled_from([".", "f:", "k:", "v:", "i:0", "i:-1", 'k:{"name":"a"}', 'v:"a"', "k:[1]"])
    | st.builds("k:{}".format, json_values.map(json.dumps))
    | st.builds("v:{}".format, json_values.map(json.dumps))
    | st.text(max_size=4)
)
trees: st.SearchStrategy[Any] = st.recursive(
    st.just({}) | leaves,
    lambda inner: st.dictionaries(keys, inner, max_size=4) | st.lists(inner, max_size=2),
    max_leaves=15,
)
entries = (
    st.fixed_dictionaries(
        {},
        optional={
            "manager": st.sampled_from(MANAGERS.split()) | json_values,
            "operation": st.sampled_from(["Apply", "Update"]) | json_values,
            "apiVersion": st.sampled_from(["v1", "v2"]) | json_values,
            "subresource": st.sampled_from(["scale", "status"]) | json_values,
            "fieldsV1": trees,
        },
    )
    | json_values
)


def tree_of(draw: Any, value: Any) -> Object:
    """A part of the fields that an object really has, as a manager would own them."""
    found: Object = {}
    if isinstance(value, dict):
        for key in draw(st.sets(st.sampled_from(sorted(value)))) if value else ():
            found[f"f:{key}"] = tree_of(draw, value[key])
    for entry in value if isinstance(value, list) else ():
        if isinstance(entry, dict) and "name" in entry:
            key = f"k:{json.dumps({'name': entry['name']})}"
        else:
            key = f"v:{json.dumps(entry)}"
        if draw(st.booleans()):
            found[key] = tree_of(draw, entry)
    if found and draw(st.booleans()):
        found["."] = {}
    return found


@st.composite
def objects(draw: st.DrawFn) -> Object:
    """A live object; half of its managedFields speak of what it has, half may be anything."""
    metadata = draw(
        st.fixed_dictionaries({}, optional={"labels": json_values, "annotations": json_values})
    )
    containers = st.lists(st.fixed_dictionaries({"name": leaves, "env": json_values}) | json_values)
    shaped = st.fixed_dictionaries({"template": st.fixed_dictionaries({"containers": containers})})
    body = {"metadata": metadata, "spec": draw(shaped | json_values)}
    real = [
        {
            "manager": draw(st.sampled_from(MANAGERS.split())),
            "operation": draw(st.sampled_from(["Apply", "Update"])),
            "apiVersion": "v1",
            "fieldsV1": tree_of(draw, body),
        }
        for _ in range(draw(st.integers(0, 3)))
    ]
    fields = draw(st.just(real) | st.lists(entries, max_size=3).map(real.__add__) | json_values)
    metadata |= {"name": "a", "uid": "u", "generation": draw(st.sampled_from([0, 1]))}
    body["metadata"] = {**metadata, "managedFields": fields}
    return {"apiVersion": "v1", "kind": "Any", **body}


many = settings(max_examples=100, deadline=None)


@many
@given(objects(), objects())
def test_law_reading_gives_an_answer(wanted: Object, live: Object) -> None:
    before = copy.deepcopy(live)
    touched_by_hand(live)
    assert len(metadata_digest(live)) == 12
    assert object_version(live)["uid"] == "u"
    assert isinstance(helm_manager(live, "helm"), str)
    assert isinstance(restarted_at(live), str)
    for owned in owned_fields(live):
        assert not (owned.by_hand and owned.by_helm)
        assert all(isinstance(field, str) for field in written(owned.tree, live))
    for each in additions(wanted, live):
        assert each.path and each.field
        assert any(at(owned.tree, each.path) is not None for owned in owned_fields(live))
    assert live == before


@many
@given(objects(), json_values, json_values)
def test_law_drift_is_told_whatever_was_noted(live: Object, hooks: Any, left: Any) -> None:
    """Of an object that equals its manifest nothing is asked of the server."""
    noted = {"by_hand": hooks, "left": left}
    drift = drift_of(None, None, live, live, noted)  # type: ignore[arg-type]
    assert isinstance(drift, Drift) and isinstance(unnoted(drift, noted), list)


@many
@given(json_values, keys)
def test_law_a_child_is_there_or_missing(value: Any, key: str) -> None:
    found, *names = child(value, key)
    assert all(isinstance(name, str) for name in names)
    if found is not MISSING:
        held = value.values() if isinstance(value, dict) else value
        assert any(found is each for each in held)


def paths_of(tree: Any, above: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    found = {above} if above else set()
    if isinstance(tree, dict):
        for key, below in tree.items():
            found |= paths_of(below, (*above, key))
    return found


def owned_paths(fields: Any) -> set[tuple[str, ...]]:
    """Every path that anybody owns."""
    found: set[tuple[str, ...]] = set()
    for entry in fields if isinstance(fields, list) else ():
        tree = entry.get("fieldsV1") if isinstance(entry, dict) else None
        found |= paths_of(tree) if isinstance(tree, dict) else set()
    return found


@many
@given(objects(), objects())
def test_law_what_is_handed_over_is_helms_and_nothing_is_lost(wanted: Object, live: Object) -> None:
    paths = [each.path for each in additions(wanted, live)]
    fields = handed_over(live, paths, "helm")
    assert owned_paths(fields) == owned_paths(live["metadata"]["managedFields"])
    after = {**live, "metadata": {**live["metadata"], "managedFields": fields}}
    for path in paths:
        owners = [each for each in owned_fields(after) if at(each.tree, path) is not None]
        assert [each for each in owners if each.by_hand] == []
        assert "helm" in {each.manager for each in owners}
    assert additions(wanted, after) == []


def nested(depth: int, key: str = "f:a") -> Object:
    found: Object = {}
    for _ in range(depth):
        found = {key: found}
    return found


@pytest.mark.parametrize("depth", [99, 101, 5000])
def test_a_deep_tree_says_nothing_and_stays(depth: int) -> None:
    entry = {"manager": "kubectl-edit", "apiVersion": "v1", "fieldsV1": nested(depth)}
    live: Object = {
        "apiVersion": "v1",
        "metadata": {"name": "a", "managedFields": [entry]},
        **nested(99, "a"),
    }
    wanted = {"apiVersion": "v1", "metadata": {"name": "a"}}
    found = additions(wanted, live)
    assert bool(found) is (depth < 100)
    assert touched_by_hand(live) and metadata_digest(live)
    (kept, *_) = handed_over(live, [("f:a",)], "helm")
    assert (kept["manager"] == "kubectl-edit") is (depth >= 100)


@pytest.mark.parametrize("text", ["[" * 5000 + "]" * 5000, "1" * 5000, "", "{", '"\\ud800"', "NaN"])
def test_an_odd_key_matches_nothing(text: str) -> None:
    for kind in "kvi":
        assert child([{"name": "a"}, [], 1, "x"], f"{kind}:{text}")[0] is MISSING
