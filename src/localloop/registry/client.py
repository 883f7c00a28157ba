"""A client for the part of the Docker Registry HTTP API V2 that the loop needs."""

from __future__ import annotations

import hashlib
import http.client
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from ..errors import LocalloopError
from .published import PublishedImage

MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)

_DIGEST = "docker-content-digest"
# How distribution reports a manifest whose stored file it cannot parse, because it is damaged.
_NOT_PARSED = "UNKNOWN unknown error"


@dataclass(frozen=True)
class Manifest:
    """A manifest: its digest, the digest of its configuration, its media type and its bytes."""

    digest: str
    config: str
    media_type: str
    body: bytes

    def published(self, repository: str, platform: str) -> PublishedImage:
        """The image that this manifest describes.

        ``repository`` is REGISTRY/PROJECT/COMPONENT; ``platform`` is what the image was built for.
        """
        configs = {platform: self.config} if self.config else {}  # an index has none
        return PublishedImage(repository, self.digest, configs)


class Registry:
    """One connection to the registry at ``address`` (``127.0.0.1:PORT``, plain HTTP).

    ``timeout`` is in seconds and applies to each request. Every method raises ``LocalloopError``:
    ``registry_unreachable`` if the registry does not answer, ``registry_error`` for an unexpected
    answer.
    """

    def __init__(self, address: str, *, timeout: float = 10.0) -> None:
        self.address = address
        self._timeout = timeout
        self._connection: http.client.HTTPConnection | None = None

    def new_connection(self) -> Registry:
        """A separate connection to the same registry, for use in another thread."""
        return Registry(self.address, timeout=self._timeout)

    def manifest(self, repository: str, reference: str) -> Manifest | None:
        """The manifest of a tag or digest; ``None`` if it is absent or damaged."""
        status, headers, body = self._request("GET", f"/v2/{repository}/manifests/{reference}")
        if status == 404 or (status == 500 and _first_error(body) == _NOT_PARSED):
            return None
        self._expect(status, 200, f"reading {repository}:{reference}", body)
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        named = reference if reference.startswith("sha256:") else headers.get(_DIGEST, digest)
        if named != digest:
            return None
        try:
            config = json.loads(body).get("config", {}).get("digest", "")
        except (ValueError, AttributeError) as error:
            raise LocalloopError(
                "registry_error",
                f"{self.address} answered {repository}:{reference} with something other than a"
                f" manifest: {_first_error(body)}",
                hint="Is another server listening on the registry's port?",
            ) from error
        return Manifest(digest, config, headers.get("content-type", MANIFEST_TYPES[0]), body)

    def size(self, repository: str, digest: str) -> int | None:
        """The size in bytes of a blob as the registry holds it; ``None`` if it is absent."""
        status, headers, body = self._request("HEAD", f"/v2/{repository}/blobs/{digest}")
        if status == 404:
            return None
        self._expect(status, 200, f"looking for {repository}@{digest}", body)
        return int(headers["content-length"])

    def blob(self, repository: str, digest: str) -> bytes:
        """A blob's bytes; raises ``registry_corrupt`` if they do not match its digest."""
        status, _, body = self._request("GET", f"/v2/{repository}/blobs/{digest}")
        self._expect(status, 200, f"reading {repository}@{digest}", body)
        if "sha256:" + hashlib.sha256(body).hexdigest() != digest:
            raise LocalloopError(
                "registry_corrupt",
                f"{self.address} serves a damaged blob: {repository}@{digest} has another digest",
                hint="Remove the registry with its volume (docs/clusters.md): a deploy refills it.",
            )
        return body

    def open_blob(self, repository: str, digest: str) -> tuple[int, Iterator[bytes]]:
        """A blob's size, and its bytes in pieces, which have to be read before anything else.

        They are not compared with the digest. A registry that sends fewer raises
        ``registry_unreachable``.
        """
        path = f"/v2/{repository}/blobs/{digest}"
        held: list[http.client.HTTPResponse] = []

        def keep(response: http.client.HTTPResponse) -> bytes:
            if response.status != 200:
                return response.read()
            held.append(response)
            return b""

        mine = self.new_connection()
        status, headers, body = mine._request("GET", path, read=keep)
        self._expect(status, 200, f"reading {repository}@{digest}", body)
        size = int(headers["content-length"])
        return size, mine._pieces(held[0], size, f"{repository}@{digest}")

    def _pieces(self, response: http.client.HTTPResponse, size: int, what: str) -> Iterator[bytes]:
        left = size
        while left:
            try:
                piece = response.read(min(left, 1 << 20))
            except (OSError, http.client.HTTPException) as error:
                raise self._unreachable(error) from error
            if not piece:
                raise self._unreachable(f"{what} ended {left} bytes early")
            left -= len(piece)
            yield piece

    def has_bytes_of(self, repository: str, digest: str) -> bool:
        """Whether a blob's bytes match its digest; they are not kept in memory."""
        path = f"/v2/{repository}/blobs/{digest}"
        status, _, found = self._request("GET", path, read=_sha256)
        self._expect(status, 200, f"reading {repository}@{digest}", found)
        return found.decode() == digest

    def answers(self) -> bool:
        """Whether a registry answers here that wants no account."""
        status, headers, _ = self._request("GET", "/v2/")
        return status == 200 and "docker-distribution-api-version" in headers

    def push_blob(self, repository: str, content: bytes) -> str:
        """Upload a blob, unless the registry has it; its digest."""
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        if self.size(repository, digest) == len(content):
            return digest
        status, headers, body = self._request("POST", f"/v2/{repository}/blobs/uploads/")
        self._expect(status, 202, f"uploading to {repository}", body)
        parts = urlsplit(headers["location"])
        query = f"{parts.query}&" if parts.query else ""
        path = f"{parts.path}?{query}digest={quote(digest)}"
        sent = {"Content-Type": "application/octet-stream"}
        status, _, body = self._request("PUT", path, body=content, headers=sent)
        self._expect(status, 201, f"uploading {repository}@{digest}", body)
        return digest

    def put_manifest(self, repository: str, tag: str, manifest: Manifest) -> None:
        """Give a manifest that the registry already holds another tag."""
        status, _, body = self._request(
            "PUT",
            f"/v2/{repository}/manifests/{tag}",
            body=manifest.body,
            headers={"Content-Type": manifest.media_type},
        )
        self._expect(status, 201, f"tagging {repository}:{tag}", body)

    def delete_manifest(self, repository: str, digest: str) -> None:
        """Remove a manifest with all its tags; no error if it is absent."""
        status, _, body = self._request("DELETE", f"/v2/{repository}/manifests/{digest}")
        if status != 404:
            self._expect(status, 202, f"removing {repository}@{digest}", body)

    def repositories(self) -> list[str]:
        """All repositories, sorted; includes those without images."""
        found: list[str] = []
        path = "/v2/_catalog?n=1000"
        while path:
            status, headers, body = self._request("GET", path)
            self._expect(status, 200, "listing the repositories", body)
            found += json.loads(body).get("repositories") or []
            path = headers.get("link", "").partition(">")[0].removeprefix("<")
        return sorted(found)

    def tags(self, repository: str) -> list[str]:
        """All tags of a repository, sorted; empty if there is no such repository."""
        status, _, body = self._request("GET", f"/v2/{repository}/tags/list")
        if status == 404:
            return []
        self._expect(status, 200, f"listing {repository}", body)
        return sorted(json.loads(body).get("tags") or [])

    def _request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        read: Callable[[http.client.HTTPResponse], bytes] = http.client.HTTPResponse.read,
    ) -> tuple[int, dict[str, str], bytes]:
        sent = {"Accept": ", ".join(MANIFEST_TYPES), **(headers or {})}
        for attempt in (1, 2):
            fresh = self._connection is None
            try:
                if self._connection is None:
                    self._connection = http.client.HTTPConnection(
                        self.address, timeout=self._timeout
                    )
                self._connection.request(method, path, body=body, headers=sent)
                response = self._connection.getresponse()
                content = read(response)
                return (
                    response.status,
                    {key.lower(): value for key, value in response.getheaders()},
                    content,
                )
            except (OSError, http.client.HTTPException) as error:
                if self._connection is not None:
                    self._connection.close()
                self._connection = None
                if fresh or attempt == 2:
                    raise self._unreachable(error) from error
        raise AssertionError("unreachable")

    def _unreachable(self, error: object) -> LocalloopError:
        return LocalloopError(
            "registry_unreachable",
            f"the registry at {self.address} does not answer: {error}",
            hint="`localloop deploy` starts or repairs the cluster's own registry.",
        )

    def _expect(self, status: int, wanted: int, doing: str, body: bytes) -> None:
        if status != wanted:
            raise LocalloopError(
                "registry_error",
                f"{self.address}: {doing}: status {status}: {_first_error(body)}",
            )


def _sha256(response: http.client.HTTPResponse) -> bytes:
    """The digest of a response's body, as ``sha256:…``; the body itself if the request failed."""
    if response.status != 200:
        return response.read()
    digest = hashlib.sha256()
    while chunk := response.read(1 << 20):
        digest.update(chunk)
    return f"sha256:{digest.hexdigest()}".encode()


def _first_error(body: bytes) -> str:
    try:
        first: dict[str, Any] = json.loads(body)["errors"][0]
    except (ValueError, KeyError, IndexError, TypeError):
        return body[:200].decode(errors="replace")
    return f"{first.get('code')} {first.get('message')}"
