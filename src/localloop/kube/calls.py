"""Calls to a Kubernetes API server on ``http.client``: retries, credentials and errors."""

from __future__ import annotations

import copy
import http.client
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Self
from urllib.parse import urlencode

from .credentials import Credentials
from .errors import ApiError, ApiUnreachable, api_error, unreachable
from .kubeconfig import Credential, KubeConfig
from .objects import Object
from .transport import CONNECTION_LOST, Transport
from .watch import WatchStream

JSON = "application/json"
# A server that starts, or has no leader for a moment, fails with these.
_PASSING = (500, 502, 503, 504)
# Changes that make nothing new when they are sent twice; others only if the server took none.
_REPEATABLE = ("GET", "PATCH", "DELETE")
# How often a call is sent to such a server, and the pauses in between, in seconds.
_TRIES, _FIRST_PAUSE = 4, 0.5


@dataclass(frozen=True)
class Response:
    """A complete response; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, decoded from JSON."""
        return json.loads(self.body)


class ApiCalls:
    """One API server, as one user. Threads may share it: each gets its own connection.

    ``timeout`` is the default for each call, in seconds. ``server_date`` is the
    server's clock (epoch seconds) at its last response.

    Every method that calls the server raises ``ApiError`` for an error response and
    ``ApiUnreachable`` if there is none.
    """

    def __init__(self, config: KubeConfig, timeout: float = 10.0) -> None:
        self.config = config
        self.timeout = timeout
        self.server_date: float | None = None
        self.credentials = Credentials(config)
        self.transport = Transport(config)
        self.sleep = time.sleep
        self.retries = True

    def without_retries(self) -> Self:
        """The same server and connections, for callers that try again in their own way.

        Errors of the server (5xx) are raised at once.
        """
        other = copy.copy(self)
        other.retries = False
        return other

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        content_type: str = JSON,
        accept: str = JSON,
        timeout: float | None = None,
        retries: bool = True,
    ) -> Response:
        """Make one call, taking at most ``timeout`` seconds.

        429 is retried after the server's ``Retry-After`` as long as there is time. So are errors of
        the server (500, 502, 503, 504), three times, unless ``retries`` is false; POST and PUT only
        after 503, since another error may come after the change was made. 401 is retried once with
        new credentials if there are any, and a GET once if a reused connection turns out to be
        closed.
        """
        deadline = time.monotonic() + (timeout or self.timeout)
        payload = _encode(body)
        target = self.transport.prefix + path + (f"?{urlencode(query)}" if query else "")
        renewed = False
        failures = 0
        while True:
            credential = self.credentials.current()
            headers = self._headers(
                credential, accept, content_type if payload is not None else None
            )
            response = self._send(
                method, target, payload, headers=headers, deadline=deadline, credential=credential
            )
            if response.status < 400:
                return response
            error = _response_error(response, f"{method} {path}")
            if error.status == 401:
                if not renewed and self.credentials.renew(credential):
                    renewed = True
                    continue
                raise self._unauthorized(error, credential)
            pause = 1.0
            if error.status != 429:
                failures += 1
                pause = _FIRST_PAUSE * 2 ** (failures - 1)
                passes = retries and self.retries and _passes(method, error.status)
                if not passes or failures >= _TRIES:
                    raise error
            pause = error.retry_after if error.retry_after is not None else pause
            if time.monotonic() + pause >= deadline:
                raise error
            self.sleep(pause + (time.time_ns() % 100) / 1000)  # a little jitter

    def get(
        self,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Object | None:
        """The object at a path, or ``None`` if there is none."""
        try:
            found: Object = self.request("GET", path, query=query, timeout=timeout).json()
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        return found

    def ready(self, timeout: float | None = None) -> bool:
        """Whether the API server reports that it is ready (``/readyz``)."""
        try:
            self.request("GET", "/readyz", accept="*/*", timeout=timeout, retries=False)
        except ApiError as error:
            if error.status >= 500:
                return False
            raise
        return True

    def stream(
        self,
        path: str,
        *,
        query: Mapping[str, str],
        accept: str,
        timeout: float,
        of: tuple[str, str],
    ) -> WatchStream:
        """Open a watch, on a connection of its own, for at most ``timeout`` seconds.

        ``of`` is the apiVersion and the kind of what it streams.
        """
        credential = self.credentials.current()
        connection = self.transport.connect(self.timeout, credential)
        try:
            connection.request(
                "GET",
                f"{self.transport.prefix}{path}?{urlencode(query)}",
                headers=self._headers(credential, accept, None),
            )
            plain = connection.sock
            plain.settimeout(timeout + 5)
            answer = connection.getresponse()
            self._note_date(answer.headers)
            if answer.status >= 400:
                response = Response(answer.status, _lower(answer.headers), answer.read())
                raise _response_error(response, f"WATCH {path}")
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._unreachable(error) from error
        except BaseException:
            connection.close()
            raise
        return WatchStream(connection, plain, answer, self.config.server, of)

    def close(self) -> None:
        """Close this thread's connection."""
        self.transport.close()

    def _send(
        self,
        method: str,
        target: str,
        payload: bytes | None,
        *,
        headers: dict[str, str],
        deadline: float,
        credential: Credential,
    ) -> Response:
        retry = method == "GET"
        while True:
            left = max(0.1, deadline - time.monotonic())
            connection, reused = self.transport.connection(left, credential)
            try:
                connection.request(method, target, body=payload, headers=headers)
                answer = connection.getresponse()
                body = answer.read()
            except CONNECTION_LOST as error:
                self.transport.close()
                if reused and retry:
                    retry = False
                    continue
                raise self._unreachable(error) from error
            except (OSError, http.client.HTTPException) as error:
                self.transport.close()
                raise self._unreachable(error) from error
            except BaseException:
                self.transport.close()
                raise
            self._note_date(answer.headers)
            if answer.will_close:
                self.transport.close()
            return Response(answer.status, _lower(answer.headers), body)

    def _headers(
        self, credential: Credential, accept: str, content_type: str | None
    ) -> dict[str, str]:
        headers = {"Accept": accept, "User-Agent": "localloop", **dict(self.config.headers)}
        if content_type:
            headers["Content-Type"] = content_type
        if credential.token:
            headers["Authorization"] = f"Bearer {credential.token}"
        return headers

    def _note_date(self, headers: http.client.HTTPMessage) -> None:
        try:
            self.server_date = parsedate_to_datetime(headers["Date"]).timestamp()
        except (TypeError, ValueError):
            return

    def _unauthorized(self, error: ApiError, credential: Credential) -> ApiError:
        ran_out = _ran_out(credential.cert) if credential.cert else ""
        why = f": its client certificate ran out on {ran_out}" if ran_out else ""
        error.message = (
            f"the API server does not accept the credentials of context {self.config.context}{why}"
        )
        error.hint = "Log in to the cluster again, or fetch its kubeconfig anew; then run again."
        return error

    def _unreachable(self, error: Exception) -> ApiUnreachable:
        if isinstance(error, TimeoutError):
            return unreachable(self.config.server, "timed out")
        if isinstance(error, ssl.SSLCertVerificationError):
            return ApiUnreachable(
                "apiserver_untrusted",
                "the certificate of what answers there does not fit the kubeconfig:"
                f" {error.verify_message}",
                where=self.config.server,
                hint="If the cluster was made anew, or its certificate renewed, fetch its"
                " kubeconfig again.",
            )
        return unreachable(self.config.server, str(error) or type(error).__name__)


def _passes(method: str, status: int) -> bool:
    """Whether a call may succeed if it is sent again, and does no harm."""
    return status == 503 or (status in _PASSING and method in _REPEATABLE)


def _encode(body: Any) -> bytes | None:
    if body is None or isinstance(body, bytes):
        return body
    from .documents import write_document

    return write_document(body).encode()  # server-side apply reads YAML


def _ran_out(certificate: bytes) -> str:
    """When a certificate ran out, if it has; empty if not, or if it cannot be read."""
    from datetime import UTC, datetime

    try:
        from cryptography import x509

        until = x509.load_pem_x509_certificate(certificate).not_valid_after_utc
    except (ImportError, ValueError):
        return ""
    return f"{until:%Y-%m-%d %H:%M} UTC" if until < datetime.now(UTC) else ""


def _lower(headers: http.client.HTTPMessage) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _response_error(response: Response, where: str) -> ApiError:
    try:
        retry_after: float | None = max(0.0, float(response.headers["retry-after"]))
    except (KeyError, ValueError):
        retry_after = None
    return api_error(response.status, response.body, where=where, retry_after=retry_after)
