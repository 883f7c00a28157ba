"""The files that Helm will read, checked before anything is changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..config.model import Chart, Project
from ..errors import UsageError
from ..inputs.chart_folders import chart_folders
from ..kube.documents import DocumentError, read_documents
from ..kube.objects import Object
from .manifest import read_objects


def require_readable(project: Project, chart: Chart) -> None:
    """Raise ``UsageError`` where a values file or a file of the chart cannot be what it must be.

    ``input_unreadable``, ``input_invalid`` with file and line. Templates are left to Helm.
    """
    for relative in chart.values_files:
        map_of(project, project.root / relative)
    if not chart.path:
        return
    for folder in chart_folders(project, chart):
        directory = project.root / folder.path
        map_of(project, directory / "Chart.yaml")
        if (directory / "values.yaml").exists():
            map_of(project, directory / "values.yaml")
        if (directory / "values.schema.json").exists():
            _require_json(project, directory / "values.schema.json")
        for path in sorted((directory / "crds").rglob("*.y*ml")):
            list(objects_of(project, path))


def objects_of(project: Project, path: Path) -> Iterator[Object]:
    """The objects in a file; ``UsageError`` as for ``require_readable``."""
    try:
        yield from read_objects(_bytes(project, path))
    except DocumentError as error:
        raise _invalid(project, path, error.line, error.problem) from None


def map_of(project: Project, path: Path) -> dict[str, Any]:
    """The first document of a file, as Helm reads it; it must be a map, or empty."""
    try:
        line, found = next(read_documents(_bytes(project, path)), (1, {}))
    except DocumentError as error:
        raise _invalid(project, path, error.line, error.problem) from None
    if not isinstance(found, dict):
        raise _invalid(project, path, line, "it must be a map of keys and values")
    return found


def _require_json(project: Project, path: Path) -> None:
    try:
        json.loads(_bytes(project, path))
    except json.JSONDecodeError as error:
        raise _invalid(project, path, error.lineno, f"not JSON: {error.msg}") from None
    except (UnicodeDecodeError, RecursionError) as error:
        raise _invalid(project, path, 1, f"not JSON: {error}") from None


def _bytes(project: Project, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            "input_unreadable",
            f"it cannot be read: {error.strerror}",
            where=_shown(project, path),
        ) from error


def _invalid(project: Project, path: Path, line: int, problem: str) -> UsageError:
    return UsageError("input_invalid", problem, where=f"{_shown(project, path)}:{line}")


def _shown(project: Project, path: Path) -> str:
    return str(path.relative_to(project.root))
