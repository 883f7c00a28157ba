"""An interpreter of the part of JSON Schema that ``schema.py`` uses, with positions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..errors import UsageError
from .loader import Node, error
from .schema import SCHEMA
from .schema_words import WORDS

_Error = tuple[int, int, str, "str | None"]  # line, column, message, hint


def matches(pattern: str, text: str) -> bool:
    """Whether the text matches as in ECMAScript: ``$`` is the very end, never before a newline."""
    return re.search(pattern.removesuffix("$") + r"\Z", text) is not None


def validate(root: Node, name: str, schema: dict[str, Any] = SCHEMA) -> None:
    """Check a document against a schema; ``name`` is the file in messages.

    Raises UsageError (``config_invalid``): the first error by position, the first twenty of all in
    its details.
    """
    errors = list(_check(root, schema, "", (root.line, root.column)))
    if not errors:
        return
    errors.sort(key=lambda item: item[:2])
    shown = [f"{name}:{line}:{column}: {message}" for line, column, message, _ in errors[:20]]
    line, column, message, hint = errors[0]
    first: UsageError = error(name, line, column, message, hint)
    first.details = {"errors": shown, "count": len(errors)}
    raise first


def _check(node: Node, schema: dict[str, Any], path: str, at: tuple[int, int]) -> list[_Error]:
    if "$ref" in schema:
        return _check(node, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], path, at)
    if "anyOf" in schema:
        return _any_of(node, schema["anyOf"], path, at)
    where = (node.line, node.column)
    label = path or "the document"
    if "const" in schema:
        if node.value != schema["const"] or isinstance(node.value, bool):
            return [(*where, f"{label} must be {schema['const']}", None)]
        return []
    if "enum" in schema:
        if node.value not in schema["enum"]:
            message = f"{label} must be one of {', '.join(schema['enum'])}"
            return [(*where, message, near(node.raw, schema["enum"]))]
        return []
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(_is(node.value, kind) for kind in types):
        found = _kind(node.value)
        hint = f'write "{node.raw}"' if "string" in types and node.raw else None
        return [(*where, f"{label} must be {_either(types)}, not {found}", hint)]
    if isinstance(node.value, dict):
        return _object(node, schema, path, at)
    if isinstance(node.value, list):
        return _array(node, schema, path)
    return _scalar(node.value, node.raw, schema, label, where)


def _any_of(
    node: Node, branches: list[dict[str, Any]], path: str, at: tuple[int, int]
) -> list[_Error]:
    fitting = [
        branch
        for branch in branches
        if any(
            _is(node.value, kind)
            for kind in ([branch["type"]] if isinstance(branch["type"], str) else branch["type"])
        )
    ]
    if fitting:  # branches have disjoint types
        return _check(node, fitting[0], path, at)
    message = f"{path} must be text or a mapping, not {_kind(node.value)}"
    return [(node.line, node.column, message, None)]


def _object(node: Node, schema: dict[str, Any], path: str, at: tuple[int, int]) -> list[_Error]:
    errors: list[_Error] = []
    known: dict[str, Any] = schema.get("properties", {})
    extra = schema.get("additionalProperties", True)
    pattern = schema.get("propertyNames", {}).get("pattern")
    misspelt: list[str] = []
    for key, child in node.value.items():
        below = f"{path}.{key}" if path else key
        where = node.keys[key]
        if pattern and not matches(pattern, key):
            hint = f"use {WORDS[pattern]}"
            errors.append((*where, f"{key!r} is not a valid name in {path}", hint))
        elif key in known:
            errors += _check(child, known[key], below, where)
        elif extra is False:
            place = f" in {path}" if path else ""
            misspelt += _closest(key, list(known))
            errors.append((*where, f"unknown key {key!r}{place}", near(key, list(known))))
        elif isinstance(extra, dict):
            errors += _check(child, extra, below, where)
    label = path or "the document"
    for key in schema.get("required", ()):
        if key not in node.value and key not in misspelt:
            errors.append((*at, f"{label} needs the key {key!r}", None))
    choice = [branch["required"][0] for branch in schema.get("oneOf", ())]
    chosen = [key for key in choice if key in node.value]
    if choice and len(chosen) != 1 and not set(choice) & set(misspelt):
        hint = f"it has {' and '.join(chosen) or 'none'}"
        errors.append((*at, f"{label} needs one of {', '.join(choice)}", hint))
    if len(node.value) < schema.get("minProperties", 0):
        errors.append((*at, f"{label} needs one of {', '.join(known)}", None))
    if len(node.value) > schema.get("maxProperties", len(node.value)):
        errors.append((*at, f"{label} takes only one of {', '.join(known)}", None))
    return errors


def _array(node: Node, schema: dict[str, Any], path: str) -> list[_Error]:
    errors: list[_Error] = []
    where = (node.line, node.column)
    if len(node.value) < schema.get("minItems", 0):
        errors.append((*where, f"{path} must not be empty", None))
    for index, item in enumerate(node.value):
        here = (item.line, item.column)
        errors += _check(item, schema.get("items", {}), f"{path}[{index}]", here)
        if schema.get("uniqueItems") and item.value in [e.value for e in node.value[:index]]:
            errors.append((*here, f"{path}: {item.value!r} is listed twice", None))
    return errors


def _scalar(
    value: Any, raw: str | None, schema: dict[str, Any], label: str, where: tuple[int, int]
) -> list[_Error]:
    if isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            return [(*where, f"{label} must not be empty", None)]
        if "pattern" in schema and not matches(schema["pattern"], value):
            return [(*where, f"{label}: {value!r} is not valid", form(schema))]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
        if (low is not None and value < low) or (above is not None and value <= above):
            least = schema.get("minimum", schema.get("exclusiveMinimum"))
            word = "at least" if "minimum" in schema else "more than"
            return [(*where, f"{label} must be {word} {least}", None)]
        if value > schema.get("maximum", value):
            return [(*where, f"{label} must be at most {schema['maximum']}", None)]
    return []


def form(schema: Mapping[str, Any]) -> str:
    """A hint: what text looks like that matches the schema's pattern."""
    if "examples" in schema:
        return f"write it like {' or '.join(map(repr, schema['examples']))}"
    return f"use {WORDS[schema['pattern']]}"


def _is(value: Any, kind: str) -> bool:
    if kind == "object":
        return isinstance(value, dict)
    if kind == "array":
        return isinstance(value, list)
    if kind == "string":
        return isinstance(value, str)
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "null":
        return value is None
    if isinstance(value, bool):
        return False
    if kind == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return isinstance(value, int | float)


_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "boolean": "true or false",
    "null": "empty",
    "integer": "an integer",
    "number": "a number",
}


def _kind(value: Any) -> str:
    return next(
        _KINDS[kind]
        for kind in ("object", "array", "string", "boolean", "null", "integer", "number")
        if _is(value, kind)
    )


def _either(types: list[str]) -> str:
    return " or ".join(_KINDS[kind] for kind in types)


def near(word: str | None, words: list[str]) -> str | None:
    """A hint: ``did you mean …`` if one of the words is close, else all of them."""
    close = _closest(word or "", words)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"valid here: {', '.join(sorted(words))}" if words else None


def _closest(word: str, words: list[str]) -> list[str]:
    import difflib

    return difflib.get_close_matches(word, words, 1, 0.6)
