"""Our validation against the schema, compared with the jsonschema library."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st

from localloop.config import kind_file
from localloop.config.loader import load
from localloop.config.schema import SCHEMA
from localloop.config.validate import form, validate
from localloop.errors import UsageError

# Every key of the language at least once; a test below says so.
BUILD: dict[str, Any] = {
    "dockerfile": "D", "context": ".", "target": "t", "build_args": {"A": "b"},
    "unhashed_args": {"V": {"command": ["git"], "timeout": 5}, "W": "x", "E": {"env": "E"}},
    "inputs": ["a/**"], "cache_scope": ["l"], "cache_scope_arg": "S",
    "needs": ["j"], "platform": "linux/amd64",
    "secrets": {"T": {"env": "T"}, "n.rc": {"file": "~/.netrc"}, "ca": {"ca_bundle": "host"}},
    "ssh": ["default"],
    "cache_from": ["type=registry,ref=r/c"], "cache_to": ["type=inline"],
}  # fmt: skip
FULL: dict[str, Any] = {
    "version": 1,
    "project": "p",
    "profiles": {
        "a": {"build_args": {"X": "1", "Y": 2, "Z": True}, "values": {"c": {"a": {"b": []}}}},
    },
    "default_profile": "a",
    "ci_profile": "a",
    "builder": "b",
    "cluster": {
        "provider": "auto", "name": "n", "context": "c", "kubeconfig": "k", "inputs": ["x"],
        "allow_server": ["https://10.1.2.3:6443"], "allow_exec": ["aws"],
        "nodes": 3, "ports": ["127.0.0.1:8080:30080/tcp", 30081], "mounts": ["./d:/d:ro"],
        "kubernetes": "1.37", "node_image": "kindest/node:v1.37.0", "kind_config": "k.yaml",
    },
    "registry": {"port": 5000, "host": "localhost:5001", "route": "load"},
    "images": {
        "i": BUILD,
        "j": {"build": {"command": ["make"], "timeout": 5}, "inputs": ["a"]},
    },
    "node_files": {
        "f": {
            **BUILD, "file": "f", "dest": "/f", "owner": "0:0", "mode": "0755",
            "reconcile": {
                "namespace": "n", "selector": "a=b", "mode": "none", "timeout": 5,
            },
        }
    },
    "charts": {
        "c": {
            "path": "c", "release": "r", "namespace": "n", "values": {"a": {"b": [1]}},
            "values_files": ["v"], "keep_values": ["a.b"], "generate": ["c.d"], "adopt": True,
        },
        "r": {"chart": "r", "repo": "https://r/c", "version": "1.2.3", "namespace": "n"},
        "m": {"manifests": ["m"], "images": ["i"], "needs": ["c"], "namespace": "n"},
        "k": {"kustomize": "k", "namespace": "n"},
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
    "hooks": {
        "before_deploy": [{"command": ["x"], "timeout": 5}],
        "after_deploy": [{"command": ["y"], "timeout": 5}],
    },
    "on_failure": "rollback",
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


def below(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The schemas directly inside one, each with the key that it is for, if it is for one."""
    yield from schema.get("properties", {}).items()
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), dict):
            yield "", schema[word]
    for branch in schema.get("anyOf", ()):
        yield "", branch


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = SCHEMA["$defs"].get(schema.get("$ref", "").rpartition("/")[2], schema)
    return found


def test_every_key_is_described() -> None:
    def undescribed(schema: dict[str, Any], path: str) -> Iterator[str]:
        for key, inner in below(schema):
            place = f"{path}.{key}".rstrip(".")
            if key and not (inner.get("description") or resolved(inner).get("description")):
                yield place
            if "$ref" not in inner:
                yield from undescribed(inner, place)

    tops = {"": SCHEMA, **SCHEMA["$defs"]}
    assert [key for name, top in tops.items() for key in undescribed(top, name)] == []


def test_the_full_document_has_every_key() -> None:
    def unused(schema: dict[str, Any], values: list[Any], path: str) -> Iterator[str]:
        """Keys of the schema that none of the values has."""
        schema = resolved(schema)
        maps = [value for value in values if isinstance(value, dict)]
        for key, inner in schema.get("properties", {}).items():
            having = [value[key] for value in maps if key in value]
            if having:
                yield from unused(inner, having, f"{path}.{key}")
            else:
                yield f"{path}.{key}"
        known = schema.get("properties", {})
        others = [item for value in maps for key, item in value.items() if key not in known]
        others += [item for value in values if isinstance(value, list) for item in value]
        for key, inner in below(schema):
            if not key:
                yield from unused(inner, values if "anyOf" in schema else others, path)

    assert list(unused(SCHEMA, [FULL], "")) == []


def test_full_document_is_valid() -> None:
    assert ours(FULL) is None
    assert VALIDATOR.is_valid(FULL)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            found += _paths(inner, (*path, key))
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
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(list(SCHEMA["properties"])), inner, max_size=4)
        ),
        max_leaves=10,
    )
)
@settings(max_examples=300, deadline=None)
def test_agrees_with_jsonschema_on_any_document(document: Any) -> None:
    assert (ours(document) is None) == VALIDATOR.is_valid(document)


def test_a_name_has_no_newline_at_its_end() -> None:
    assert ours({"version": 1, "project": "p\n"})


def test_no_message_shows_a_regular_expression() -> None:
    def patterns(node: Any) -> Iterator[dict[str, Any]]:
        if isinstance(node, dict):
            if isinstance(node.get("pattern"), str):
                yield node
            for each in node.values():
                yield from patterns(each)
        elif isinstance(node, list):
            for each in node:
                yield from patterns(each)

    for schema in (*patterns(SCHEMA), *patterns(kind_file._SCHEMA)):
        hint = form(schema)
        assert schema["pattern"] not in hint
        assert not set(hint) & set("^$\\{}")
