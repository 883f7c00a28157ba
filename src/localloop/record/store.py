"""The record: what the cluster is known to run and what its registry is known to hold.

One Secret per project in namespace ``localloop``, changed by compare-and-swap on the Secret's
resourceVersion. An entry is ``settling`` from right before the run's first change of it until the
gate has passed. Such an entry proves nothing: its readers look at the cluster instead.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

from ..errors import BusyError, LocalloopError
from ..helm.releases import PROJECT_LABEL
from ..kube.client import ApiError, Kube
from ..kube.objects import ObjectRef
from .model import NAMESPACE, Record, decode_secret, encode


def cluster_moved(what: str) -> BusyError:
    """The error of a run whose plan is out of date."""
    return BusyError(
        "cluster_moved",
        f"the cluster changed since this run made its plan: {what}",
        hint="Run again, so that the plan is made from what runs now.",
    )


def refuse_moved(serial: int, seen: int) -> None:
    """Raise ``BusyError`` (``cluster_moved``) if the record changed since the plan was made."""
    if serial != seen:
        raise cluster_moved(f"the record has serial {serial}, the plan saw {seen}")


class RecordStore:
    """Reads and writes a project's record."""

    def __init__(self, kube: Kube, project: str) -> None:
        self._kube = kube
        self._project = project
        self._ref = ObjectRef("v1", "Secret", NAMESPACE, project)

    def load(self) -> Record:
        """The record; an empty one if the cluster has none. Raises what ``decode`` raises."""
        found = self._kube.read(self._ref)
        if found is None:
            return Record(self._project)
        return decode_secret(found)

    def save(self, record: Record) -> Record:
        """Write by compare-and-swap; the record as it is now.

        Raises ``BusyError`` (``record_moved``) if another run wrote it in between, and what
        ``encode`` raises.
        """
        record = replace(record, serial=record.serial + 1)
        body: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "localloop/record",
            "metadata": {
                "name": self._project,
                "namespace": NAMESPACE,
                "labels": {PROJECT_LABEL: self._project},
            },
            "data": {"record": base64.b64encode(encode(record)).decode()},
        }
        try:
            if record.missing:
                saved = self._create(body)
            else:
                body["metadata"]["resourceVersion"] = record.resource_version
                saved = self._kube.replace(body)
        except ApiError as error:
            if error.status in (404, 409):
                raise BusyError(
                    "record_moved",
                    "another run changed the cluster's record during this one",
                    hint="Run again, so that the plan is made from what runs now.",
                ) from error
            raise
        return replace(record, resource_version=saved["metadata"]["resourceVersion"])

    def delete(self) -> None:
        """Delete the record."""
        self._kube.delete(self._ref)

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._kube.create(body)
        except ApiError as error:
            if error.status != 404:
                raise
        ensure_namespace(self._kube)
        return self._kube.create(body)


def ensure_namespace(kube: Kube) -> None:
    """Create namespace ``localloop`` if it is missing; raises ``record_unwritable``."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    try:
        kube.create(namespace)
    except ApiError as error:
        if error.status != 409:
            raise LocalloopError(
                "record_unwritable", f"cannot create namespace {NAMESPACE}: {error}"
            ) from error
