"""Renders a report's data as markdown that is safe to read, whatever its texts contain."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..errors import UsageError

_PLAIN = re.compile(r"[A-Za-z0-9 .,:;/@()=+\-]+(?:_[A-Za-z0-9 .,:;/@()=+\-]+)*")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """The text without control characters (tabs and newlines stay)."""
    return _CONTROL.sub("", text)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    text = clean(str(value)).replace("\n", " ")
    if not text:
        return "none"
    return text if _PLAIN.fullmatch(text) else _code(text)


def _code(text: str) -> str:
    return "`" + text.replace("`", "'").replace("|", "\\|") + "`"


def _block(text: str) -> list[str]:
    body = clean(text).replace("```", "'''").rstrip("\n")
    return ["```text", *body.split("\n"), "```", ""]


def _keys(title: str, values: Mapping[str, Any], unit: str = "") -> list[str]:
    return [f"## {title}", "", *(f"- {key}: {_value(v)}{unit}" for key, v in values.items()), ""]


def report_markdown(report: Any) -> str:
    """A report (the data of its JSON file) as markdown. Raises ``UsageError`` for other data."""
    try:
        return render(report)
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError("unexpected_data", f"not a localloop report: {error!r}") from None


def render(report: Mapping[str, Any]) -> str:
    """The report as markdown."""
    header = report["header"]
    lines = [f"# Deploy report {_value(header['transaction_id'])}", ""]
    lines += [f"- outcome: {_value(report['outcome'])}"]
    lines += [f"- {key}: {_value(value)}" for key, value in header.items()]
    lines.append("")
    error = report["error"]
    if error:
        lines += ["## Failure", "", f"- reason: {_value(error['reason'])}"]
        if error.get("component"):
            lines.append(f"- component: {_value(error['component'])}")
        lines += ["", *_block("\n".join(filter(None, (error["message"], error.get("hint")))))]
    lines += _keys("Plan", report["plan"])
    if report["bootstrap"]:
        lines += _keys("Bootstrap", report["bootstrap"])
    lines += _reasons(report["components"])
    for name, part in report["components"].items():
        lines += [f"- removes: {_value(name)}: {_value(text)}" for text in part["removes"]]
        lines += [f"- warning: {_value(name)}: {_value(text)}" for text in part["warnings"]]
        lines += [f"- not tracked: {_value(name)}: {_value(text)}" for text in part["untracked"]]
    lines += [f"- warning: {_value(text)}" for text in report["warnings"]]
    lines += [f"- {_value(text)}" for text in report["unchecked"]]
    lines.append("")
    lines += ["## Fingerprints", ""]
    for name, found in report["fingerprints"].items():
        lines += [f"- {name}_{key}: {_value(value)}" for key, value in found.items()]
    lines.append("")
    for name, found in report["digests"].items():
        lines += _keys(f"{name} Digests", found)
    readiness = report["readiness"]
    lines += _keys(
        "Readiness",
        {key: value for key, value in readiness.items() if key.startswith("readiness_")},
    )
    lines += [f"- {_value(_object_line(found))}" for found in readiness["objects"]]
    lines += [f"- warning: {_value(text)}" for text in readiness["warnings"]]
    lines += [f"- not gated: {_value(text)}" for text in readiness["not_gated"]]
    lines.append("")
    if report["hooks"]:
        lines += ["## Hooks", ""]
        for hook in report["hooks"]:
            code = "timed out" if hook["code"] is None else f"exit {hook['code']}"
            lines.append(f"- {_value(hook['when'])} {_code(clean(hook['command']))}: {code}")
            lines += ["", *_block("\n".join(hook["lines"]))] if hook["lines"] else []
        lines.append("")
    if report["rollback"]:
        lines += _keys("Rollback", report["rollback"])
    if report["evidence"]:
        lines += ["## Evidence", "", *_block(report["evidence"])]
    lines += _keys("Durations", report["durations_ms"], " ms")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip("\n") + "\n"


def _object_line(found: Mapping[str, Any]) -> str:
    parts = [str(found.get("ref")), str(found.get("state")), str(found.get("detail") or "")]
    line = " ".join(part for part in parts if part)
    moments = {"first ready": found.get("first_ready_s"), "verdict": found.get("verdict_s")}
    times = [f"{name} {value:g} s" for name, value in moments.items() if value is not None]
    return f"{line} ({', '.join(times)})" if times else line


def _reasons(components: Mapping[str, Any]) -> list[str]:
    lines = ["## Reasons", "", "| component | steps | reason |", "|---|---|---|"]
    for name, part in components.items():
        steps = ", ".join(part["steps"]) or "skip"
        why = "; ".join(part["reasons"] + ([part["skip"]] if part["skip"] else []))
        if part["moved_during_build"]:
            why += "; inputs moved during the build: used, not recorded"
        lines.append(f"| {_value(name)} | {_value(steps)} | {_value(why)} |")
    return [*lines, ""]
