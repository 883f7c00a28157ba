"""HTTP requests that have to succeed once everything is ready."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from ..kube.client import ApiError, ApiUnreachable, Kube
from .evidence import clean

_MOST = 1 << 20


@dataclass(frozen=True)
class Check:
    """One GET. ``service`` is NAMESPACE/NAME:PORT, asked through the API server; else ``url``."""

    name: str
    service: str = ""
    path: str = "/"
    url: str = ""
    status: int = 200
    contains: str = ""

    def why_not(self, kube: Kube, timeout: float) -> str:
        """Ask once; what is wrong with the answer, or an empty string. ``timeout`` in seconds."""
        try:
            status, body = (
                _through_api(kube, self.service, self.path, timeout)
                if self.service
                else _direct(self.url, timeout)
            )
        except ApiError as error:  # the API server's own answer, not the service's
            return clean(f"{self.service}: {error.message}")
        except (ApiUnreachable, OSError, http.client.HTTPException) as error:
            return clean(f"{self.service or self.url}: {str(error) or type(error).__name__}")
        if status != self.status:
            return f"HTTP {status} instead of {self.status}"
        if self.contains.encode() not in body:
            return clean(f"its answer does not contain {self.contains!r}")
        return ""


def _through_api(kube: Kube, service: str, path: str, timeout: float) -> tuple[int, bytes]:
    namespace, _, port = service.partition("/")
    root = f"/api/v1/namespaces/{namespace}/services/{port}/proxy"
    path, _, query = path.partition("?")
    target = root + quote(path, safe="/%:@!$&'()*+,;=~-._") + (f"?{query}" if query else "")
    try:
        answer = kube.request("GET", target, accept="*/*", timeout=timeout)
    except ApiError as error:
        if error.kube_reason:
            raise
        return error.status, error.body[:_MOST]
    return answer.status, answer.body[:_MOST]


def _direct(url: str, timeout: float) -> tuple[int, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    try:
        query = f"?{parts.query}" if parts.query else ""
        connection.request("GET", f"{parts.path or '/'}{query}")
        answer = connection.getresponse()
        return answer.status, answer.read(_MOST)
    finally:
        connection.close()
