"""What this machine lacks of the tools that localloop stands on."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from .context import Context

ARGUMENT_SPEC: dict[str, Any] = {}


def run(_params: dict[str, Any], _context: Context) -> dict[str, Any]:
    from ..system.host import examine, observe

    host = observe()
    return {"changed": False, "host": asdict(host), **asdict(examine(host))}
