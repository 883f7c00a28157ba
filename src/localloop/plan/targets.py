"""Which components a playbook was asked to deploy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import UsageError


def targets_or_limit(
    targets: Any, hosts: Sequence[str] | None = None, limited: bool = False
) -> Any:
    """``targets`` as they are, or else the play's ``hosts`` where ``--limit`` chose them.

    ``targets`` is a list of names, or a text with commas between them; ``limited`` says whether
    there was a limit. Without targets and limit the list is empty, which means everything that has
    changed. Raises ``UsageError`` for targets of another kind.
    """
    if not isinstance(targets, str | list):
        raise UsageError("unexpected_data", f"{targets!r} is not a list of components")
    if targets:
        return targets
    return list(hosts or ()) if limited else []
