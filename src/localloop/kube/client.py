"""A small Kubernetes API client, with only what the deploy loop needs."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from .calls import JSON, ApiCalls, Response
from .errors import ApiError, ApiUnreachable, unreachable
from .kinds import known_resource
from .kubeconfig import KubeConfig
from .objects import Object, ObjectRef, group_of, ref_of
from .watch import WatchStream

__all__ = ["ApiError", "ApiUnreachable", "Kube", "Response", "WatchStream", "unreachable"]

_METADATA = ";g=meta.k8s.io;v=v1"
_PATCHES = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
    "json": "application/json-patch+json",
}


class Kube(ApiCalls):
    """The objects of one API server, as one user sees them."""

    def __init__(self, config: KubeConfig, timeout: float = 10.0) -> None:
        super().__init__(config, timeout)
        self._discovered: dict[tuple[str, str], tuple[str, bool]] = {}

    def path_for(
        self, api_version: str, kind: str, namespace: str | None, name: str | None = None
    ) -> str:
        """The path of a collection or of one object; without a namespace, of all namespaces.

        Kinds that localloop does not know are discovered; ``ApiError`` 404 if the server lacks it.
        """
        plural, namespaced = self._resource(api_version, kind)
        root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        inside = f"/namespaces/{quote(namespace, safe='')}" if namespaced and namespace else ""
        path = f"{root}{inside}/{plural}"
        return f"{path}/{quote(name, safe='')}" if name else path

    def namespaced(self, api_version: str, kind: str) -> bool:
        """Whether a kind is namespaced."""
        return self._resource(api_version, kind)[1]

    def path_of(self, ref: ObjectRef) -> str:
        """The path of one object."""
        return self.path_for(ref.api_version, ref.kind, ref.namespace, ref.name)

    def read(self, ref: ObjectRef, *, timeout: float | None = None) -> Object | None:
        """Read one object; ``None`` if it does not exist."""
        return self.get(self.path_of(ref), timeout=timeout)

    def list(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
        metadata_only: bool = False,
        timeout: float | None = None,
    ) -> tuple[list[Object], str]:
        """List the objects of a kind, and the list's resourceVersion.

        Each object gets its apiVersion and kind, which the server leaves out.
        ``metadata_only`` asks for metadata alone (``PartialObjectMetadataList``).
        """
        query = _selectors(label_selector, field_selector)
        document = self.request(
            "GET",
            self.path_for(api_version, kind, namespace),
            query=query,
            accept=f"{JSON};as=PartialObjectMetadataList{_METADATA}" if metadata_only else JSON,
            timeout=timeout,
        ).json()
        items: list[Object] = document.get("items") or []
        for item in items:
            item["apiVersion"], item["kind"] = api_version, kind
        return items, str((document.get("metadata") or {}).get("resourceVersion") or "")

    def watch(
        self,
        api_version: str,
        kind: str,
        namespace: str | None,
        resource_version: str,
        *,
        timeout: float,
        label_selector: str | None = None,
        metadata_only: bool = False,
    ) -> WatchStream:
        """Stream changes after ``resource_version`` as (type, object).

        The server ends the stream after ``timeout`` seconds. Bookmarks are passed on as
        ``BOOKMARK``; an error event is raised as ``ApiError``. The stream has its own connection,
        and any thread may call its ``close()``.
        """
        query = _selectors(label_selector, None) | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(max(1, int(timeout))),
        }
        path = self.path_for(api_version, kind, namespace)
        accept = f"{JSON};as=PartialObjectMetadata{_METADATA}" if metadata_only else JSON
        kind_of = (api_version, kind)
        return self.stream(path, query=query, accept=accept, timeout=timeout, of=kind_of)

    def create(self, obj: Object) -> Object:
        """Create an object in the namespace that its metadata names; 409 if it exists."""
        ref = ref_of(obj)
        path = self.path_for(ref.api_version, ref.kind, ref.namespace)
        created: Object = self.request("POST", path, body=obj).json()
        return created

    def replace(self, obj: Object) -> Object:
        """Replace an object; 409 if it contains a resourceVersion that is not the current one."""
        replaced: Object = self.request("PUT", self.path_of(ref_of(obj)), body=obj).json()
        return replaced

    def patch(
        self,
        ref: ObjectRef,
        body: Any,
        *,
        strategy: str = "merge",
        field_manager: str = "localloop",
        force: bool = False,
        dry_run: bool = False,
    ) -> Object:
        """Patch an object; ``strategy`` is ``merge``, ``strategic``, ``json`` or ``apply``.

        ``apply`` is server-side apply; ``force`` takes over fields of other managers.
        ``dry_run`` only asks whether the server would accept the patch.
        """
        query = {"fieldManager": field_manager}
        if dry_run:
            query["dryRun"] = "All"
        if strategy == "apply" and force:
            query["force"] = "true"
        patched: Object = self.request(
            "PATCH", self.path_of(ref), body=body, query=query, content_type=_PATCHES[strategy]
        ).json()
        return patched

    def delete(
        self,
        ref: ObjectRef,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        propagation: str = "Background",
        grace_period: int | None = None,
    ) -> bool:
        """Delete an object; False if it does not exist.

        409 if ``uid`` or ``resource_version`` is given and is not the object's. ``propagation``
        is the deletion propagation policy; ``grace_period`` is in seconds.
        """
        options: Object = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
        }
        expected = {"uid": uid, "resourceVersion": resource_version}
        preconditions = {name: value for name, value in expected.items() if value}
        if preconditions:
            options["preconditions"] = preconditions
        if grace_period is not None:
            options["gracePeriodSeconds"] = grace_period
        try:
            self.request("DELETE", self.path_of(ref), body=options)
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    def _resource(self, api_version: str, kind: str) -> tuple[str, bool]:
        found = known_resource(group_of(api_version), kind) or self._discovered.get(
            (api_version, kind)
        )
        if found:
            return found
        root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        document = self.get(root) or {}
        for entry in document.get("resources") or ():
            if "/" not in entry["name"]:
                self._discovered[(api_version, entry["kind"])] = (
                    entry["name"],
                    bool(entry["namespaced"]),
                )
        if (api_version, kind) not in self._discovered:
            raise ApiError(404, "KindUnknown", f"the server has no kind {kind} in {api_version}")
        return self._discovered[(api_version, kind)]


def _selectors(label: str | None, fields: str | None) -> dict[str, str]:
    pairs = {"labelSelector": label, "fieldSelector": fields}
    return {name: value for name, value in pairs.items() if value}
