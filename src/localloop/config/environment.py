"""Environment variables that override keys of ``localloop.yml``, validated as their keys are.

An empty variable counts as unset. All functions raise UsageError for an invalid value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import UsageError
from .schema import SCHEMA
from .validate import form, matches, near

MODES = ("auto", "full")


def overrides(definition: str, environ: Mapping[str, str], **variables: str) -> dict[str, Any]:
    """The keys of a definition of the schema that are overridden, with their values.

    ``variables`` names the variable of each key: ``timeout="LOCALLOOP_…"``.
    """
    found = {}
    for key, variable in variables.items():
        text = environ.get(variable, "")
        if text:
            found[key] = _value(SCHEMA["$defs"][definition]["properties"][key], text, variable)
    return found


def builder(environ: Mapping[str, str]) -> str | None:
    """The buildx builder that LOCALLOOP_BUILDER names, if it is set."""
    text = environ.get("LOCALLOOP_BUILDER", "")
    return _value(SCHEMA["properties"]["builder"], text, "LOCALLOOP_BUILDER") if text else None


def deploy_mode(environ: Mapping[str, str]) -> str:
    """``auto`` or ``full``, from LOCALLOOP_MODE (default: ``auto``)."""
    text = environ.get("LOCALLOOP_MODE", "")
    return str(_value({"enum": MODES}, text, "LOCALLOOP_MODE")) if text else MODES[0]


def deploy_targets(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The names in LOCALLOOP_TARGETS, separated by commas or spaces; they are not checked."""
    return tuple(environ.get("LOCALLOOP_TARGETS", "").replace(",", " ").split())


def _value(schema: Mapping[str, Any], text: str, variable: str) -> Any:
    if "enum" in schema:
        if text not in schema["enum"]:
            raise _refuse(variable, f"{text!r} is unknown", near(text, list(schema["enum"])))
        return text
    if schema["type"] == "number":
        return _number(schema, text, variable)
    if not matches(schema["pattern"], text):
        raise _refuse(variable, f"{text!r} is not valid", form(schema))
    return text


def _number(schema: Mapping[str, Any], text: str, variable: str) -> float:
    low, high = schema["exclusiveMinimum"], schema["maximum"]
    try:
        number = float(text)
    except ValueError:
        number = low
    if not low < number <= high:
        hint = f"Give a number above {low} and at most {high}."
        raise _refuse(variable, f"{text!r} is not a number of seconds", hint)
    return number


def _refuse(variable: str, message: str, hint: str | None) -> UsageError:
    return UsageError("config_invalid", message, where=variable, hint=hint)
