"""Paths under ``generate`` and ``keep_values`` that the chart knows nothing of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..config.charts import merged
from ..config.model import Project
from ..config.project import position_of
from ..helm.files import map_of
from ..helm.known_values import has_value, known_values, paths_of
from ..inputs.names import nearest


def unknown_paths(project: Project) -> Iterator[str]:
    """A line for each path that a local chart neither has a value for nor reads.

    Raises ``UsageError`` for a values file that cannot be read.
    """
    for chart in project.charts.values():
        if not chart.path or not (chart.generate or chart.keep_values):
            continue
        known = known_values(project.root / chart.path)
        given: dict[str, Any] = {}
        for relative in chart.values_files:
            given = merged(given, map_of(project, project.root / relative))
        given = merged(given, chart.values)
        for key, paths in (("generate", chart.generate), ("keep_values", chart.keep_values)):
            for number, path in enumerate(paths):
                words = path.split(".")
                if not (known.has(words) or has_value(given, words)):
                    at = position_of(project, "charts", chart.name, key, number)
                    near = nearest(path, [*known.paths(), *paths_of(given)])
                    yield f"{at}: {chart.path} has no value {path}{near}"
