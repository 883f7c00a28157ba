"""Compares what a module returns with its RETURN section: keys at every depth, and types."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

LIBRARY = Path(__file__).resolve().parents[2] / "library"
TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "list": (list,),
    "dict": (dict,),
}
# This one describes the whole plan; the others what they set in it.
PLANNER = "deploy_plan"
ALWAYS = ("always", "success")


@cache
def section(module: str, name: str) -> Any:
    """A section of a module's documentation, such as RETURN."""
    for node in ast.parse((LIBRARY / f"{module}.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return yaml.safe_load(ast.literal_eval(node.value))
    raise AssertionError(f"{module} has no {name}")


def returned(module: str) -> dict[str, Any]:
    """What a module returns, by its documentation."""
    found: dict[str, Any] = dict(section(module, "RETURN"))
    if "plan" in found:
        found["plan"] = found["plan"] | {"contains": section(PLANNER, "RETURN")["plan"]["contains"]}
    return found


def undocumented(module: str, result: Mapping[str, Any]) -> list[str]:
    """How a result (without what Ansible adds to it) differs from the documentation."""
    if result.get("skipped"):
        return []
    documented = returned(module)
    if result.get("failed"):
        wanted = {key: doc for key, doc in documented.items() if doc["returned"] == "failure"}
        ours = {key: result[key] for key in wanted if key in result}
        return list(mismatches(ours, wanted, module)) if ours else []
    wanted = {key: doc for key, doc in documented.items() if doc["returned"] != "failure"}
    ours = {key: value for key, value in result.items() if key != "changed"}
    return list(mismatches(ours, wanted, module))


def mismatches(
    value: Mapping[str, Any], documented: Mapping[str, Any], where: str
) -> Iterator[str]:
    """Every key that is in one of the two alone, and every value of another type.

    A documented key in capital letters stands for any. One with a condition may be absent.
    """
    names = list(documented)
    if len(names) == 1 and names[0].isupper():
        documented = dict.fromkeys(value, documented[names[0]])
    for key in sorted(value.keys() - documented.keys()):
        yield f"{where}.{key} is returned and not documented"
    for key in sorted(documented.keys() - value.keys()):
        if documented[key].get("returned", "always") in (*ALWAYS, "failure"):
            yield f"{where}.{key} is documented and not returned"
    for key in value.keys() & documented.keys():
        yield from _of(value[key], documented[key], f"{where}.{key}")


def _of(value: Any, doc: Mapping[str, Any], where: str) -> Iterator[str]:
    if value is None:
        if "null" not in str(doc["description"]):
            yield f"{where} is null, which its description does not say"
        return
    if not _is_a(value, doc["type"]):
        yield f"{where} is no {doc['type']}: {value!r}"
        return
    each = value if isinstance(value, list) else [value]
    if isinstance(value, list):
        for item in each:
            if not _is_a(item, doc["elements"]):
                yield f"{where} has an element that is no {doc['elements']}: {item!r}"
    if "contains" in doc:
        for item in each:
            yield from mismatches(item, doc["contains"], where)


def _is_a(value: Any, kind: str) -> bool:
    if isinstance(value, bool) and kind != "bool":
        return False
    return isinstance(value, TYPES[kind])
