"""Manifests and kustomize directories as charts, so that Helm manages them as a release."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..config.model import Chart, Project
from ..errors import LocalloopError
from ..inputs.manifests import manifest_files
from ..registry.published import PublishedImage
from ..system import tools
from ..system.cache_files import cache_dir, write_atomically
from .manifest import documents


def write_chart(project: Project, chart: Chart, images: Mapping[str, PublishedImage]) -> Path:
    """Write a chart that renders the objects with their images replaced; its directory.

    Raises ``kustomize_failed`` and ``tool_missing``.
    """
    objects = [_with_images(found, images) for found in _objects(project, chart)]
    text = "".join(f"---\n{json.dumps(found)}\n" for found in objects)
    directory = cache_dir(project.root, "charts", chart.name)
    templates = cache_dir(project.root, "charts", chart.name, "templates")
    about = {"apiVersion": "v2", "name": chart.name, "version": "0.0.0"}
    write_atomically(directory / "Chart.yaml", json.dumps(about).encode())
    write_atomically(directory / "objects.yaml", text.encode())
    # The manifests are data, not templates.
    write_atomically(templates / "all.yaml", b'{{ .Files.Get "objects.yaml" }}\n')
    return directory


def _objects(project: Project, chart: Chart) -> Iterator[Any]:
    if chart.kustomize:
        yield from documents(_kustomized(project, chart))
        return
    for path in manifest_files(project, chart):
        yield from documents(path.read_text())


def _kustomized(project: Project, chart: Chart) -> str:
    kubectl = tools.find("kubectl", hint="Install kubectl: it brings kustomize.")
    directory = project.root / chart.kustomize
    done = tools.run([kubectl, "kustomize", "--", str(directory)], timeout=60)
    if done.returncode:
        raise LocalloopError(
            f"kustomize_failed:{chart.name}",
            f"kubectl kustomize failed: {done.stderr.strip()[-500:]}",
            component=chart.name,
            hint="Fix what it names, then run the deploy again.",
        )
    return done.stdout


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
