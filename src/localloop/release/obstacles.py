"""What of the objects of a failed revision has to go before Helm can try again."""

from __future__ import annotations

from collections.abc import Callable

from ..config.model import Chart
from ..helm.live import LiveRelease
from ..kube.client import Kube
from .immutable import find_immutable, immutable_error, remove
from .refused import find_refused
from .server_defaults import find_in_the_way, hand_to_helm


def clear_refused(
    kube: Kube, chart: Chart, failed: LiveRelease, manager: str, say: Callable[[str], None]
) -> bool:
    """Whether something was cleared away for which the API server refused an object.

    Defaults of the server are handed to Helm (its field manager is ``manager``), and only if there
    are none, Jobs and bare Pods are deleted. Raises ``ReleaseFailedError`` (``field_immutable``)
    for other objects that only a deletion can change.
    """
    refused = find_refused(kube, failed)
    defaults = find_in_the_way(kube, refused)
    for default in defaults:
        say(f"{default}: a default that cannot stay, taken away")
        hand_to_helm(kube, default, manager)
    if defaults:
        return True
    found = find_immutable(kube, refused)
    if fixed := [each for each in found if not each.expendable]:
        raise immutable_error(chart, fixed)
    for each in found:
        say(f"{each} cannot be changed: replaced")
        remove(kube, each)
    return bool(found)
