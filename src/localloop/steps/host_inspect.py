"""Find out which tools that localloop needs are missing on this machine."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from .context import Context

ARGUMENT_SPEC: dict[str, Any] = {}


def run(_params: dict[str, Any], _context: Context) -> dict[str, Any]:
    """Find out which tools this machine lacks; changes nothing.

    Takes no parameters. Returns ``changed`` (always False), ``host`` (what was found), and what
    to do about it: ``missing``, ``notes``, ``packages``, ``tools``, ``go``, ``sysctls``,
    ``docker_needs_suite``, ``start_docker``, ``can_install`` and ``cannot_because``.

    Raises:
        Nothing: what does not answer counts as missing.
    """
    from ..system.host import examine
    from ..system.host_observed import observe

    host = observe()
    return {"changed": False, "host": asdict(host), **asdict(examine(host))}
