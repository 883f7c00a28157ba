"""What a chart and its subcharts bring in ``crds/``: Helm creates it once and never changes it."""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..config.model import Chart
from ..errors import LocalloopError, UsageError
from ..kube.client import Kube
from ..kube.documents import DocumentError
from ..kube.fields import annotations_of, map_at, maps_at
from ..kube.objects import Object, ObjectRef, ref_of
from .command import Helm, chart_flags
from .manifest import read_objects

FIELD_MANAGER = "helm"
"""Helm's own, so that what Helm once set and the chart no longer has goes away."""

_SOURCE = re.compile(r"^---\n# Source: (.*)$", re.MULTILINE)
_IN_CRDS = re.compile(r"[^/]+(?:/charts/[^/]+)*/crds/")
_KIND = ("apiextensions.k8s.io", "CustomResourceDefinition")
_OWNER = ("meta.helm.sh/release-namespace", "meta.helm.sh/release-name")


def read_crds(
    kube: Kube,
    runner: Helm,
    chart: Chart,
    source: Path | str,
    *,
    values: Mapping[str, Any],
    values_files: Sequence[Path],
) -> list[Object]:
    """The objects in ``crds/`` of the chart at ``source`` and of the subcharts that are enabled.

    Helm renders the chart for that, unless it has no such folder. Where it cannot without the
    cluster (``lookup``, a check of the server's APIs), those of every subchart are read. Raises
    ``LocalloopError`` (``crds_unreadable``).
    """
    flags = chart_flags(chart.chart, chart.repo, chart.version) if chart.chart else ()
    if isinstance(source, Path):
        if not has_crds(source):
            return []
    elif not runner.show_crds(source, flags).stdout.strip():
        return []
    done = runner.template(
        chart.release,
        source,
        namespace=chart.namespace,
        values=values,
        values_files=values_files,
        chart_flags=(*flags, "--include-crds", "--no-hooks", f"--kube-version={_version(kube)}"),
    )
    shown = runner.show_crds(source, flags) if done.returncode else None
    if shown is not None and shown.returncode:
        raise _unreadable(chart, shown.stderr.strip()[-500:])
    try:
        return list(read_objects(shown.stdout) if shown else crds_in(done.stdout))
    except DocumentError as error:
        raise _unreadable(chart, str(error)) from None


def _unreadable(chart: Chart, said: str) -> LocalloopError:
    return LocalloopError(
        f"crds_unreadable:{chart.name}",
        f"what the chart has in crds/ cannot be read: {said}",
        component=chart.name,
        hint="Fix what Helm names: `helm show crds` has to work for this chart.",
    )


def _version(kube: Kube) -> str:
    return str(kube.request("GET", "/version").json().get("gitVersion") or "")


def has_crds(chart: Path) -> bool:
    """Whether a chart's folder, or an archive in it, has a folder ``crds``."""
    for folder, folders, files in os.walk(chart, followlinks=True):
        if "crds" in folders:
            return True
        archives = (Path(folder) / name for name in files if name.endswith(".tgz"))
        if any("crds" in name.split("/") for each in archives for name in _names(each)):
            return True
    return False


def _names(archive: Path) -> list[str]:
    try:
        with tarfile.open(archive) as opened:
            return opened.getnames()
    except (OSError, tarfile.TarError, EOFError):
        return []  # Helm says so


def crds_in(rendered: str) -> Iterator[Object]:
    """The objects that come from ``crds/``, of what ``helm template --include-crds`` wrote.

    Raises ``DocumentError``.
    """
    _, *parts = _SOURCE.split(rendered)
    for path, text in zip(parts[::2], parts[1::2], strict=True):
        if _IN_CRDS.match(path):
            yield from read_objects(text)


def to_apply(kube: Kube, chart: Chart, written: Object) -> tuple[ObjectRef, Object]:
    """An object's place, in the release's namespace if it names none, and what to apply there.

    Raises ``ApiError`` (404) for a kind that the server lacks.
    """
    obj = {key: value for key, value in written.items() if key != "status"}
    metadata = {key: value for key, value in obj["metadata"].items() if key != "namespace"}
    if kube.namespaced(obj["apiVersion"], obj["kind"]):
        metadata["namespace"] = written["metadata"].get("namespace") or chart.namespace
    obj["metadata"] = metadata
    return ref_of(obj), obj


def refuse_dropped(chart: Chart, live: Object, wanted: Object) -> None:
    """Raise ``UsageError`` (``crd_version_stored``) if ``wanted`` lacks a stored version."""
    dropped = dropped_versions(live, wanted)
    if not dropped:
        return
    name = ref_of(wanted).name
    versions = ", ".join(dropped)
    raise UsageError(
        f"crd_version_stored:{chart.name}",
        f"CustomResourceDefinition {name} no longer has {versions}, in which objects may be stored"
        " (status.storedVersions)",
        component=chart.name,
        hint=f"Keep it with `served: false`; or, when every object has been written anew, take it"
        f" off the list: kubectl patch crd {name} --subresource=status --type=merge"
        """ -p '{"status":{"storedVersions":["NEW"]}}'.""",
    )


def dropped_versions(live: Object, wanted: Object) -> list[str]:
    """The versions in which objects may be stored, and that ``wanted`` no longer has.

    Empty for what is no CustomResourceDefinition.
    """
    stored = map_at(live, "status").get("storedVersions")
    if not is_definition(wanted) or not isinstance(stored, list):
        return []
    kept = {version.get("name") for version in maps_at(wanted, "spec", "versions")}
    kept.add(map_at(wanted, "spec").get("version"))  # apiextensions.k8s.io/v1beta1
    return [str(version) for version in stored if version not in kept]


def is_definition(obj: Object) -> bool:
    """Whether it is a CustomResourceDefinition."""
    return (str(obj.get("apiVersion")).partition("/")[0], obj.get("kind")) == _KIND


def other_release(live: Object, chart: Chart) -> str:
    """NAMESPACE/NAME of another release that has the object in its manifest; empty if none has."""
    annotations = annotations_of(live)
    owner = "/".join(annotations.get(name, "") for name in _OWNER)
    return "" if owner in ("/", chart.place) else owner
