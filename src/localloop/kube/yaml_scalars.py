"""What a plain YAML scalar means to Helm and kubectl: the rules of go-yaml v2."""

from __future__ import annotations

import math
import re
import struct
from typing import Any

_TAG = "tag:yaml.org,2002:"
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE"), True),
    **dict.fromkeys(("on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE"), False),
    **dict.fromkeys(("off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_NUMBER_STARTS = frozenset("+-.0123456789")
_INTEGER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_SIGNED_BINARY = re.compile(r"(?:0b[-+]|-0b\+?)[01]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_BETWEEN_DIGITS = re.compile(r"(?<=[0-9])_(?=[0-9])")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?")
_BASES = {"x": 16, "b": 2, "o": 8}


def resolve(tag: str, text: str) -> Any:
    """The value of a scalar; ``tag`` is empty for a plain one without a tag.

    Raises ``ValueError`` where the text is not of the tag's type.
    """
    if tag.startswith(_TAG):
        return _tagged(tag.removeprefix(_TAG), text)
    return text if tag else _plain(text)


def _tagged(kind: str, text: str) -> Any:
    if kind == "timestamp" and not _DATE.fullmatch(text):
        raise ValueError(f"{text!r} is not a date")
    value = text if kind in ("str", "timestamp") else _plain(text)
    if kind == "float" and type(value) is int and value < 1 << 63:
        value = float(value)
    types = {"bool": bool, "int": int, "float": float, "null": type(None)}
    if kind in types and type(value) is not types[kind]:
        raise ValueError(f"{text!r} is not of the type !!{kind}")
    return value if kind in types else text


def _plain(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    number = _BETWEEN_DIGITS.sub("", text) if text[0] == "." else text.replace("_", "")
    if _INTEGER.fullmatch(number):
        value = _integer(number)
        # An unsigned number may be one bit longer.
        if -(1 << 63) <= value < (1 << 63 if number[0] in "+-" else 1 << 64):
            return value
    if _FLOAT.fullmatch(number):
        found = float(number)
        return found if math.isfinite(found) else text
    return int(number.replace("0b", ""), 2) if _SIGNED_BINARY.fullmatch(number) else text


def _integer(number: str) -> int:
    digits = number.lstrip("+-").lower()
    base = 10 if digits[0] != "0" else _BASES.get(digits[1:2], 8)
    prefix = 2 if digits[1:2] in _BASES else 0
    value = int(digits[prefix:], base)
    return -value if number[0] == "-" else value


def key_text(key: Any) -> str:
    """A map's key as JSON has it; ``ValueError`` for one that it cannot have (null)."""
    if isinstance(key, str):
        return key
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, int) and key < 1 << 63:
        return str(key)
    if isinstance(key, float):
        return _float_text(key)
    raise ValueError(f"a key cannot be {'null' if key is None else key}")


def _float_text(number: float) -> str:
    """The shortest decimal that is the same 32-bit number: Go's ``FormatFloat(x, 'g', -1, 32)``."""
    if math.isnan(number):
        return ".nan"
    try:
        wanted = struct.pack("f", number)
    except OverflowError:
        wanted = struct.pack("f", math.copysign(math.inf, number))
    (narrow,) = struct.unpack("f", wanted)
    if math.isinf(narrow):
        return ".inf" if narrow > 0 else "-.inf"
    digits = next(
        text for n in range(9) if struct.pack("f", float(text := f"{narrow:.{n}e}")) == wanted
    )
    mantissa, _, exponent = digits.partition("e")
    if not -4 <= int(exponent) < 6:
        return f"{mantissa}e{int(exponent):+03d}"
    places = max(0, len(mantissa.lstrip("-").replace(".", "")) - 1 - int(exponent))
    return f"{float(digits):.{places}f}"
