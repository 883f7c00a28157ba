"""The ConfigMap by which a cluster names localloop's registry to other tools (KEP-1755)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..kube.client import ApiError, Kube
from ..kube.objects import ref_of
from .registry_state import registry_container
from .route import ADVERTISED, ADVERTISED_KEY

_KEP = "keps/sig-cluster-lifecycle/generic/1755-communicating-a-local-registry"
_HOST = re.compile(r'host: "127\.0\.0\.1:(\d+)"\n')


def hosting(name: str, port: int) -> str:
    """What the ConfigMap says of the registry of a cluster."""
    address = f"127.0.0.1:{port}"
    return (
        f'host: "{address}"\n'
        f'hostFromContainerRuntime: "{address}"\n'
        f'hostFromClusterNetwork: "{registry_container(name)}:5000"\n'
        f'help: "https://github.com/kubernetes/enhancements/tree/master/{_KEP}"\n'
    )


def may_publish(kube: Kube, name: str) -> bool:
    """Whether there is no such ConfigMap, or one that says what localloop wrote, of any port."""
    found = kube.get(ADVERTISED)
    return found is None or _is_ours(name, found)


def withdraw(kube: Kube, name: str) -> bool:
    """Delete the ConfigMap if it still says what localloop wrote; whether it did."""
    found = kube.get(ADVERTISED)
    if found is None or not _is_ours(name, found):
        return False
    version = found["metadata"].get("resourceVersion")
    try:
        return kube.delete(ref_of(found), resource_version=version)
    except ApiError as error:
        if error.status != 409:
            raise
        return False  # it has just become somebody else's


def _is_ours(name: str, found: Mapping[str, Any]) -> bool:
    text = str((found.get("data") or {}).get(ADVERTISED_KEY))
    port = _HOST.match(text)
    return port is not None and found["data"] == {ADVERTISED_KEY: hosting(name, int(port[1]))}
