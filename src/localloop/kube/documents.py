"""YAML and JSON documents as sigs.k8s.io/yaml reads and writes them, which Helm and kubectl use.

Scalars are those of YAML 1.1, but without base 60 and dates (``12:30`` and ``2026-01-01`` are
text); then everything becomes JSON, so that every key is a string.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from .yaml_scalars import key_text, resolve

_TOO_DEEP = "nested too deeply"


class DocumentError(ValueError):
    """Text that Kubernetes' tools cannot read; ``line`` counts from 1."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self.line = line
        self.problem = problem


def read_documents(data: bytes | str) -> Iterator[tuple[int, Any]]:
    """Each document that is not null, as plain JSON data, with the line where it begins.

    Raises ``DocumentError``.
    """
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    found = _json_documents(data) if data.lstrip()[:1] == b"{" else None
    yield from _yaml_documents(data) if found is None else found


def write_document(value: Any) -> str:
    """JSON on one line, which is YAML too: no surrogate pairs, nothing that YAML cannot hold.

    A surrogate without its other half becomes U+FFFD, as in Go.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _UNSAFE.sub(_escaped, text)


# What YAML does not allow unescaped, or takes for the end of a line.
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return "\ufffd" if 0xD800 <= code < 0xE000 else f"\\u{code:04x}"


# -- JSON -----------------------------------------------------------------------------------------

_SPACE = re.compile(r"[ \t\r\n]*")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def _json_documents(data: bytes) -> list[tuple[int, Any]] | None:
    """The documents of text that is JSON objects; None if it is not (it may be YAML)."""
    found = []
    try:
        text = data.decode()
        position = _after_space(text, 0)
        while position < len(text):
            line = text.count("\n", 0, position) + 1
            value, position = _decoder().raw_decode(text, position)
            found.append((line, value))
            position = _after_space(text, position)
    except (ValueError, RecursionError):
        return None
    return found


def _after_space(text: str, position: int) -> int:
    space = _SPACE.match(text, position)
    return space.end() if space else position


@cache
def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(
        parse_constant=_not_json, parse_float=_finite, object_pairs_hook=_clean_map
    )


def _not_json(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ValueError(f"{text} is too large")
    return number


def _clean_map(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {_clean(key): _clean(value) for key, value in pairs}


def _clean(value: Any) -> Any:
    """Text with its lone surrogates replaced, as Go does, also in a list."""
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return _LONE_SURROGATE.sub("\ufffd", value) if isinstance(value, str) else value


# -- YAML -----------------------------------------------------------------------------------------


def _yaml_documents(data: bytes) -> Iterator[tuple[int, Any]]:
    import yaml

    try:
        loader = _loader()(data)
        try:
            while loader.check_node():
                node = loader.get_node()
                value = _Values().of(node)
                if value is not None:
                    yield node.start_mark.line + 1, value
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise _unreadable(error, data) from None
    except RecursionError:
        raise DocumentError(1, _TOO_DEEP) from None


def _unreadable(error: Any, data: bytes) -> DocumentError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        line = min(mark.line + 1, max(1, len(data.splitlines())))  # the end is no line of its own
        return DocumentError(line, f"not valid YAML: {_said(error, line)}")
    try:
        data.decode()
    except UnicodeDecodeError as wrong:
        return DocumentError(data.count(b"\n", 0, wrong.start) + 1, "not UTF-8")
    line = data.count(b"\n", 0, getattr(error, "position", 0)) + 1
    return DocumentError(line, f"not valid YAML: {getattr(error, 'reason', None) or error}")


def _said(error: Any, line: int) -> str:
    """The parser's words, with where that began which it could not end."""
    begun = error.context_mark.line + 1 if error.context_mark else line
    if not error.problem or begun >= line:
        return str(error.problem or error.context)
    return f"{error.problem} ({error.context} from line {begun})"


@cache
def _loader() -> Any:
    """PyYAML's loader, which leaves it to us what plain scalars mean: they have no tag."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    def untagged(_self: Any, kind: Any, _value: Any, implicit: Any) -> str:
        plain = kind is yaml.ScalarNode and implicit[0]
        return "" if plain else "tag:yaml.org,2002:str"

    return type("_Loader", (base,), {"resolve": untagged})


class _Values:
    """The values of one document's nodes."""

    def __init__(self) -> None:
        self._done: set[int] = set()
        self._open: set[int] = set()
        self._count = self._aliased = self._depth = 0

    def of(self, node: Any) -> Any:
        """The value of a node; an alias gives an equal one."""
        if node.id == "scalar":
            self._step(node)
            return _json_value(_scalar(node), node)
        with_alias = id(node) in self._done
        if id(node) in self._open:
            raise _wrong(node, "an anchor contains itself")
        self._open.add(id(node))
        self._depth += with_alias
        self._step(node)
        if node.id == "sequence":
            value: Any = [self.of(item) for item in node.value]
        else:
            value = {}
            self._fill(value, node)
        self._depth -= with_alias
        self._open.discard(id(node))
        self._done.add(id(node))
        return value

    def _fill(self, into: dict[str, Any], node: Any) -> None:
        for key, value in node.value:
            if key.id == "scalar" and key.value == "<<" and key.tag in ("", _MERGE):
                self._merge(into, value)
            else:
                into[self._key(key)] = self.of(value)

    def _merge(self, into: dict[str, Any], node: Any) -> None:
        # In Go the place of << counts, not whether a key is the map's own.
        nodes = [node] if node.id == "mapping" else node.value
        for each in reversed(nodes):
            if node.id == "scalar" or each.id != "mapping":
                raise _wrong(node, "<< needs a map, or a list of maps")
            into.update(self.of(each))

    def _key(self, node: Any) -> str:
        if node.id != "scalar":
            raise _wrong(node, "a key cannot be a list or a map")
        self._step(node)
        try:
            return key_text(_scalar(node))
        except ValueError as error:
            raise _wrong(node, str(error)) from None

    def _step(self, node: Any) -> None:
        """Count nodes: aliases of aliases can stand for more of them than memory holds."""
        self._count += 1
        self._aliased += self._depth > 0
        if self._count > 400_000 and self._aliased > 0.9 * self._count:
            raise _wrong(node, "too many aliases")


_MERGE = "tag:yaml.org,2002:merge"


def _scalar(node: Any) -> Any:
    if node.tag == "tag:yaml.org,2002:binary":
        try:
            text = node.value.replace("\r", "").replace("\n", "")
            return _clean(base64.b64decode(text, validate=True).decode("utf-8", "surrogateescape"))
        except (binascii.Error, ValueError):
            raise _wrong(node, "!!binary needs base64") from None
    try:
        return resolve(node.tag, node.value)
    except ValueError as error:
        raise _wrong(node, str(error)) from None


def _json_value(value: Any, node: Any) -> Any:
    """A number as JSON has it: whole ones without a fraction; the others have no infinity."""
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        raise _wrong(node, f"{node.value} is no number in JSON")
    return int(value) if value.is_integer() and abs(value) < 1e21 else value


def _wrong(node: Any, problem: str) -> DocumentError:
    return DocumentError(node.start_mark.line + 1, problem)
