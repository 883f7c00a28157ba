"""HTTP checks: GET requests that must be answered as declared once everything is ready."""

from __future__ import annotations

import http.client
from urllib.parse import quote, urlsplit

from ..config.model import HttpCheck
from ..kube.client import ApiError, ApiUnreachable, Kube
from .evidence import sanitize

_MAX_BODY = 1 << 20


def http_failure(kube: Kube, check: HttpCheck, timeout: float) -> str:
    """Send the check's GET request once, waiting at most ``timeout`` seconds.

    A ``service`` is reached through the API server's proxy, so no port has to be forwarded.
    Returns what is wrong with the answer, on one line; an empty string means the check passed.
    """
    try:
        status, body = (
            _through_api(kube, check.service, check.path, timeout)
            if check.service
            else _direct(check.url, timeout)
        )
    except ApiError as error:  # the API server's own answer, not the service's
        return sanitize(f"{check.service}: {error.message}")
    except (ApiUnreachable, OSError, http.client.HTTPException) as error:
        return sanitize(f"{check.service or check.url}: {str(error) or type(error).__name__}")
    if status != check.status:
        return f"HTTP {status} instead of {check.status}"
    if check.contains.encode() not in body:
        return sanitize(f"its answer does not contain {check.contains!r}")
    return ""


def _through_api(kube: Kube, service: str, path: str, timeout: float) -> tuple[int, bytes]:
    namespace, _, port = service.partition("/")
    root = f"/api/v1/namespaces/{namespace}/services/{port}/proxy"
    path, _, query = path.partition("?")
    target = root + quote(path, safe="/%:@!$&'()*+,;=~-._") + (f"?{query}" if query else "")
    try:
        answer = kube.request("GET", target, accept="*/*", timeout=timeout, retries=False)
    except ApiError as error:
        if error.kube_reason:
            raise
        return error.status, error.body[:_MAX_BODY]
    return answer.status, answer.body[:_MAX_BODY]


def _direct(url: str, timeout: float) -> tuple[int, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    try:
        query = f"?{parts.query}" if parts.query else ""
        connection.request("GET", f"{parts.path or '/'}{query}")
        answer = connection.getresponse()
        return answer.status, answer.read(_MAX_BODY)
    finally:
        connection.close()
