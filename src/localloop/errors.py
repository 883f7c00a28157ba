"""What can go wrong, as exceptions that carry data and render in ``__str__``."""

from __future__ import annotations

from typing import Any


class LocalloopError(Exception):
    """The deploy failed: build, release or gate.

    ``reason`` is a stable machine name (``image_pull_failed``), optionally with a subject after a
    colon; ``message`` a sentence for the user; ``where`` a file position or an object's name;
    ``hint`` what to do next; ``details`` plain data for the JSON report.
    """

    exit_code = 1

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        component: str | None = None,
        where: str | None = None,
        hint: str | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.component = component
        self.where = where
        self.hint = hint
        self.details = details or {}

    def __str__(self) -> str:
        head = ": ".join(part for part in (self.where, self.component, self.message) if part)
        return f"{head}\n  {self.hint}" if self.hint else head

    def as_dict(self) -> dict[str, Any]:
        """The error as plain data: for the journal, the JSON output and ``fail_json``."""
        return {
            "reason": self.reason,
            "message": self.message,
            "component": self.component,
            "where": self.where,
            "hint": self.hint,
            "details": self.details,
            "exit_code": self.exit_code,
        }


class UsageError(LocalloopError):
    """Bad usage, bad configuration or a refusal; raised before anything has changed."""

    exit_code = 2


class BusyError(LocalloopError):
    """Another run holds the lock, or the cluster's record changed during this run."""

    exit_code = 75


class InterruptedRun(LocalloopError):
    """Ctrl-C."""

    exit_code = 130
