"""Paths under ``generate`` and ``keep_values`` that the chart knows nothing of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..config.charts import merged
from ..config.model import Chart, Project
from ..config.project import position_of
from ..helm.files import map_of
from ..inputs.names import nearest


def unknown_paths(project: Project) -> Iterator[str]:
    """A line for each path that a local chart neither has a value for nor reads.

    Raises ``UsageError`` for a file of the chart that cannot be read.
    """
    for chart in project.charts.values():
        if not chart.path or not (chart.generate or chart.keep_values):
            continue
        root = project.root / chart.path
        own = _of_chart(project, root)
        values = _given(project, chart, own)
        text = _templates(root)
        for key, paths in (("generate", chart.generate), ("keep_values", chart.keep_values)):
            for number, path in enumerate(paths):
                words = path.split(".")
                if not (_has(own, words) or _has(values, words) or _reads(text, path)):
                    at = position_of(project, "charts", chart.name, key, number)
                    near = nearest(path, _paths(values))
                    yield f"{at}: {chart.path} has no value {path}{near}"


def _given(project: Project, chart: Chart, values: dict[str, Any]) -> dict[str, Any]:
    """The chart's own values under those of the project."""
    for relative in chart.values_files:
        values = merged(values, map_of(project, project.root / relative))
    return merged(values, chart.values)


def _of_chart(project: Project, root: Path) -> dict[str, Any]:
    """A chart's own values, with those of the charts in it; None stands for unknown ones."""
    file = root / "values.yaml"
    values = map_of(project, file) if file.exists() else {}
    below: dict[str, Any] = {"global": None}
    about = map_of(project, root / "Chart.yaml") if (root / "Chart.yaml").exists() else {}
    dependencies = about.get("dependencies")
    for entry in dependencies if isinstance(dependencies, list) else ():
        if isinstance(entry, Mapping):
            below[str(entry.get("alias") or entry.get("name"))] = None
    for inner in sorted(root.glob("charts/*/Chart.yaml")):
        name = inner.parent.name
        if below.get(name) is None:
            below[name] = _of_chart(project, inner.parent)
    known = {name: found for name, found in below.items() if found is not None}
    unknown = {name: None for name, found in below.items() if found is None}
    return {**merged(known, values), **unknown}


def _has(values: Any, path: list[str]) -> bool:
    """Whether a path has a value; anything may be in an empty map, and in what is not known."""
    if not path or values is None or values == {}:
        return True
    return isinstance(values, Mapping) and path[0] in values and _has(values[path[0]], path[1:])


def _reads(templates: str, path: str) -> bool:
    return bool(re.search(rf"\.Values\.{re.escape(path)}(?![\w.-])", templates))


def _paths(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        yield f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _paths(value, f"{prefix}{key}.")


def _templates(root: Path) -> str:
    """What the chart's templates say, those of the charts in it too."""
    found = []
    for path in sorted(root.rglob("*")):
        if path.suffix in (".yaml", ".yml", ".tpl", ".txt") and "templates" in path.parts:
            try:
                found.append(path.read_text(errors="replace"))
            except OSError:
                continue
    return "\n".join(found)
