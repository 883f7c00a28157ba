"""Manifests and kustomize directories as charts, so that Helm manages them as a release."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config.model import Chart, Project
from ..errors import UsageError
from ..inputs.manifests import manifest_files
from ..kube.documents import DocumentError, write_document
from ..kube.objects import Object
from ..registry.published import PublishedImage
from ..system import tools
from ..system.cache_files import cache_dir, write_atomically
from .files import objects_of
from .manifest import read_objects


def write_chart(project: Project, chart: Chart, images: Mapping[str, PublishedImage]) -> Path:
    """Write a chart that renders the objects with their images replaced; its directory.

    Raises the errors of ``raw_objects``.
    """
    objects = replaced_objects(project, chart, images)
    text = "".join(f"---\n{write_document(found)}\n" for found in objects)
    directory = cache_dir(project.root, "charts", chart.name)
    templates = cache_dir(project.root, "charts", chart.name, "templates")
    about = {"apiVersion": "v2", "name": chart.name, "version": "0.0.0"}
    write_atomically(directory / "Chart.yaml", write_document(about).encode())
    write_atomically(directory / "objects.yaml", text.encode())
    # The manifests are data, not templates.
    write_atomically(templates / "all.yaml", b'{{ .Files.Get "objects.yaml" }}\n')
    return directory


def replaced_objects(
    project: Project, chart: Chart, images: Mapping[str, PublishedImage]
) -> list[Object]:
    """The objects of ``raw_objects`` with their images replaced, and its errors."""
    return [_with_images(found, images) for found in raw_objects(project, chart)]


def raw_objects(project: Project, chart: Chart) -> list[Object]:
    """The objects that ``manifests`` or ``kustomize`` stand for, as written.

    Raises ``UsageError`` (``input_missing``, ``input_unreadable``, ``input_invalid`` with file and
    line, ``kustomize_failed``) and ``tool_missing``.
    """
    if chart.kustomize:
        return _kustomized(project, chart)
    return [found for path in manifest_files(project, chart) for found in objects_of(project, path)]


def _kustomized(project: Project, chart: Chart) -> list[Object]:
    kubectl = tools.find("kubectl", hint="Install kubectl: it brings kustomize.")
    directory = project.root / chart.kustomize
    done = tools.run([kubectl, "kustomize", "--", str(directory)], timeout=60)
    if done.returncode:
        raise _kustomize_failed(chart, done.stderr.strip()[-500:])
    try:
        return list(read_objects(done.stdout))
    except DocumentError as error:
        raise _kustomize_failed(chart, f"what it wrote: {error}") from None


def _kustomize_failed(chart: Chart, said: str) -> UsageError:
    return UsageError(
        f"kustomize_failed:{chart.name}",
        f"kubectl kustomize failed: {said}",
        component=chart.name,
        hint="Fix what it names, then run the deploy again.",
    )


def _with_images(value: Any, images: Mapping[str, PublishedImage]) -> Any:
    """The object with each ``image`` that names one of the project replaced by its reference."""
    if isinstance(value, Mapping):
        return {
            key: _reference(item, images)
            if key == "image" and isinstance(item, str)
            else _with_images(item, images)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_with_images(item, images) for item in value]
    return value


def _reference(text: str, images: Mapping[str, PublishedImage]) -> str:
    name = text.partition("@")[0].partition(":")[0]
    return images[name].ref if name in images else text
