"""Errors of calls to the API server."""

from __future__ import annotations

import json
import re

from ..errors import LocalloopError


class ApiError(LocalloopError):
    """The API server answered with an error.

    ``status`` is the HTTP status (409), ``kube_reason`` the reason in the server's ``Status``
    object (``Conflict``, empty if it sent none), ``reason`` the same as a stable name
    (``api_conflict``), ``retry_after`` in seconds, and ``body`` the whole response.
    """

    body = b""

    def __init__(
        self,
        status: int,
        kube_reason: str,
        message: str,
        *,
        where: str | None = None,
        retry_after: float | None = None,
        details: dict[str, object] | None = None,
    ) -> None:
        snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kube_reason or f"http_{status}").lower()
        super().__init__(f"api_{snake}", message, where=where, details=details)
        self.status = status
        self.kube_reason = kube_reason
        self.retry_after = retry_after

    @property
    def expired(self) -> bool:
        """Whether a list or watch must start over (410 Gone)."""
        return self.status == 410


class ApiUnreachable(LocalloopError):
    """The API server did not answer, or could not be asked."""


def unreachable(server: str, cause: str) -> ApiUnreachable:
    """The error for a server that does not answer."""
    return ApiUnreachable(
        "apiserver_unreachable",
        f"the API server does not answer: {cause}",
        where=server,
        hint="is the cluster running? `localloop status` shows it",
    )


def api_error(
    status: int, body: bytes, *, where: str | None = None, retry_after: float | None = None
) -> ApiError:
    """The error for a response whose body is a ``Status`` object or any other text."""
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict) or document.get("kind") != "Status":
        text = body[:200].decode("utf-8", "replace").strip()
        document = {"message": text}
    error = ApiError(
        status,
        str(document.get("reason") or ""),
        str(document.get("message") or f"HTTP {status}"),
        where=where,
        retry_after=retry_after,
        details=document.get("details") or None,
    )
    error.body = body
    return error
