"""Our interpreter of the schema against the jsonschema library."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st

from localloop.config.loader import load
from localloop.config.schema import SCHEMA
from localloop.config.validate import validate
from localloop.errors import UsageError

FULL: dict[str, Any] = {
    "version": 1,
    "project": "p",
    "profiles": {"a": {"build_args": {"X": "1", "Y": 2, "Z": True}}},
    "default_profile": "a",
    "ci_profile": "a",
    "builder": "b",
    "cluster": {
        "provider": "auto", "name": "n", "context": "c", "kubeconfig": "k", "inputs": ["x"],
    },
    "registry": {"port": 5000},
    "images": {
        "i": {
            "dockerfile": "D", "context": ".", "target": "t", "build_args": {"A": "b"},
            "unhashed_args": {"V": {"command": ["git"]}, "W": "x", "E": {"env": "E"}},
            "inputs": ["a/**"], "cache_scope": ["l"], "needs": ["j"], "platform": "linux/amd64",
            "secrets": {"T": {"env": "T"}, "n.rc": {"file": "~/.netrc"}}, "ssh": ["default"],
            "cache_from": ["type=registry,ref=r/c"], "cache_to": ["type=inline"],
        }
    },
    "node_files": {
        "f": {
            "dockerfile": "D", "file": "f", "dest": "/f", "owner": "0:0", "mode": "0755",
            "reconcile": {
                "namespace": "n", "selector": "a=b", "mode": "none", "timeout": 5,
            },
        }
    },
    "charts": {
        "c": {
            "path": "c", "release": "r", "namespace": "n", "values": {"a": {"b": [1]}},
            "values_files": ["v"], "adopt": True,
        }
    },
    "readiness": {
        "timeout": 90, "stable_for": 2.5,
        "also": [{"namespace": "n", "selector": "a=b", "optional": True}],
        "http": {
            "p": {
                "service": "n/s:http", "path": "/", "url": "http://127.0.0.1/",
                "status": 200, "contains": "x",
            },
        },
        "max_restarts": 3, "load_balancers": False,
    },
    "baseline": {
        "steps": [
            {"name": "n", "category": "c", "command": ["x"], "env": {"E": "1"}, "timeout": 9.5},
        ],
    },
}  # fmt: skip
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def ours(document: Any) -> str | None:
    try:
        validate(load(json.dumps(document).encode(), "f"), "f")
    except UsageError as exc:
        return str(exc)
    return None


def test_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_key_is_described() -> None:
    def visit(schema: dict[str, Any], path: str) -> None:
        for key, below in schema.get("properties", {}).items():
            target = SCHEMA["$defs"].get(below.get("$ref", "").rpartition("/")[2], below)
            if path not in ("image", "node_file", "chart"):
                assert "description" in target or "$ref" in below, f"{path}.{key}"
            visit(below, f"{path}.{key}")

    visit(SCHEMA, "")
    for name, schema in SCHEMA["$defs"].items():
        visit(schema, name)


def test_full_document_is_valid() -> None:
    assert ours(FULL) is None
    assert VALIDATOR.is_valid(FULL)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, dict | list):
        for key, below in value.items() if isinstance(value, dict) else enumerate(value):
            found += _paths(below, (*path, key))
    return found


ODD = st.sampled_from(
    [None, True, 0, -1, 1, 1.5, 70000, 86401, "", "a", "A b", "-x", "0:0", "755", [], ["a"],
     ["a", "a"], [1], {}, {"a": 1}, {"env": "E"}, {"env": "E", "command": ["x"]}, {"command": []},
     {"build_args": {"a-b": "c"}}, "rolling-delete", "a\u0000b", "ü"]
)  # fmt: skip


@given(st.data())
@settings(max_examples=600, deadline=None)
def test_agrees_with_jsonschema_on_mutations(data: st.DataObject) -> None:
    document = copy.deepcopy(FULL)
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from([p for p in _paths(document) if p]))
        holder: Any = document
        for step in path[:-1]:
            holder = holder[step]
        action = data.draw(st.sampled_from(["replace", "delete", "add"]))
        if action == "replace":
            holder[path[-1]] = copy.deepcopy(data.draw(ODD))
        elif action == "delete":
            del holder[path[-1]]
        elif isinstance(holder, dict):
            name = data.draw(st.sampled_from(["unknown", "target", "Bad Name", "x"]))
            holder[name] = copy.deepcopy(data.draw(ODD))
    message = ours(document)
    assert (message is None) == VALIDATOR.is_valid(document), message


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["a", "b"]),
        lambda below: (
            st.lists(below, max_size=3)
            | st.dictionaries(st.sampled_from(list(SCHEMA["properties"])), below, max_size=4)
        ),
        max_leaves=10,
    )
)
@settings(max_examples=300, deadline=None)
def test_agrees_with_jsonschema_on_any_document(document: Any) -> None:
    assert (ours(document) is None) == VALIDATOR.is_valid(document)


def test_a_last_newline_is_no_part_of_a_name() -> None:
    assert ours({"version": 1, "project": "p\n"})
