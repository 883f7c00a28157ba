"""The steps of the loop: one file each, with its argument spec and ``run(params, context)``.

A step is called by its module in ``library/`` (a payload, anywhere), by its action plugin (inside
the Ansible worker) and, where Ansible is not needed, by the command itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Emit = Callable[[dict[str, Any]], None]


def _discard(_event: dict[str, Any]) -> None:
    pass


@dataclass(frozen=True)
class Context:
    """What surrounds a step: check and diff mode, and where its events go.

    ``emit`` takes events as plain dicts with a key ``event`` (see ``transaction.py`` for the list);
    ``transaction`` is the id of the open transaction, if there is one.
    """

    check: bool = False
    diff: bool = False
    emit: Emit = _discard
    transaction: str | None = None
