"""The folders that a local chart is made of: its own, and those of its ``file://`` dependencies."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..config.model import Chart, Project
from ..errors import UsageError
from .context import path_in_project, read_input
from .helm_ignore import HelmIgnore
from .names import one_line

_FILE = "file://"
_VERSION = r"v?\d+(?:\.\d+)+(?:[-+][^/]*)?"


@dataclass(frozen=True)
class Dependency:
    """A dependency as declared.

    ``folder`` is where a ``file://`` one lies in the project, links resolved; ``direct``: the way
    there from the chart is just what is declared.
    """

    name: str
    version: str
    repository: str
    folder: str = ""
    direct: bool = True

    @property
    def archive(self) -> re.Pattern[str]:
        """Matches the file names of its packages."""
        return re.compile(rf"{re.escape(self.name)}-{_VERSION}\.tgz")


@dataclass(frozen=True)
class ChartFolder:
    """A chart at ``path`` in the project.

    ``inside``: it lies in the ``charts/`` of another one of them, and so comes along with it.
    """

    path: str
    dependencies: tuple[Dependency, ...]
    inside: bool
    copies: tuple[re.Pattern[str], ...] = ()

    @property
    def packed(self) -> tuple[Dependency, ...]:
        """The dependencies that are packed anew whenever the chart is released."""
        return tuple(each for each in self.dependencies if each.folder and not self._holds(each))

    @property
    def in_place(self) -> tuple[Dependency, ...]:
        """The ``file://`` dependencies that lie in ``charts/``, where Helm reads them."""
        return tuple(each for each in self.dependencies if each.folder and self._holds(each))

    def _holds(self, dependency: Dependency) -> bool:
        return posixpath.dirname(dependency.folder) == f"{self.path}/charts"

    def is_copy(self, path: str) -> bool:
        """Whether a path of the chart is an earlier copy of a dependency that is packed anew."""
        return any(pattern.fullmatch(path) for pattern in self.copies)


class ChartIgnore:
    """What of a chart's folder does not count: what Helm ignores, and copies of dependencies."""

    def __init__(self, project: Project, folder: ChartFolder, key: str) -> None:
        """Reads ``.helmignore``; raises ``UsageError`` for a pattern that Helm refuses."""
        self._folder = folder
        self._rules = HelmIgnore()
        relative = f"{folder.path}/.helmignore"
        if (project.root / relative).exists():
            text = read_input(project, relative, key).decode("utf-8", "surrogateescape")
            self._rules = HelmIgnore(text, relative)

    def ignored(self, path: str, is_dir: bool) -> bool:
        """Whether a path relative to the chart is left out."""
        return self._folder.is_copy(path) or self._rules.ignored(path, is_dir)


def chart_folders(project: Project, chart: Chart) -> list[ChartFolder]:
    """The folders of a chart with ``path``, each after those that it depends on; its own is last.

    Raises ``UsageError``: ``input_missing``, ``input_invalid`` and ``input_unreadable`` as for any
    input, ``path_outside`` for a dependency out of the project, and ``dependency_circle``.
    """
    found: dict[str, ChartFolder] = {}
    key = f"charts.{chart.name}.path"
    _visit(project, _real(project, chart.path, key), key, (), found)
    return [_with_copies(folder, found) for folder in found.values()]


def _visit(
    project: Project,
    path: str,
    key: str,
    above: tuple[str, ...],
    found: dict[str, ChartFolder],
    *,
    inside: bool = False,
) -> None:
    if path in above:
        circle = " → ".join(map(one_line, (*above[above.index(path) :], path)))
        raise UsageError(
            "dependency_circle",
            f"{key}: these charts depend on each other: {circle}",
            where=f"{path}/Chart.yaml",
            hint="Remove one of these file:// dependencies.",
        )
    if path in found:
        return
    directory = path_in_project(project, path, key)
    if not (directory / "Chart.yaml").is_file():
        message = f"{key}: {one_line(path)} holds no Chart.yaml"
        raise UsageError("input_missing", message, where=project.config_path.name)
    dependencies = tuple(_dependencies(project, path, key))
    for each in dependencies:
        if each.folder and not (project.root / each.folder / "Chart.yaml").is_file():
            raise UsageError(
                "input_missing",
                f"the dependency {one_line(each.name)} is at {one_line(each.folder)}, which holds"
                " no Chart.yaml",
                where=f"{path}/Chart.yaml",
            )
    own = ChartFolder(path, dependencies, inside)
    line = (*above, path)
    for each in own.packed:
        _visit(project, each.folder, key, line, found)
    for name in _unpacked(directory / "charts"):
        if not any(each.name == name for each in own.packed):
            _visit(project, f"{path}/charts/{name}", key, line, found, inside=True)
    found[path] = own


def _unpacked(charts: os.PathLike[str]) -> list[str]:
    try:
        with os.scandir(charts) as entries:
            names = sorted(
                each.name
                for each in entries
                if each.is_dir(follow_symlinks=False) and each.name[0] not in "._"
            )
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [name for name in names if os.path.isfile(os.path.join(charts, name, "Chart.yaml"))]  # noqa: PTH113, PTH118


def _with_copies(folder: ChartFolder, found: dict[str, ChartFolder]) -> ChartFolder:
    """With the patterns for copies in the folder itself and in the charts that lie in it."""
    patterns = []
    for each in found.values():
        if each is not folder and not (each.inside and each.path.startswith(f"{folder.path}/")):
            continue
        charts = re.escape(
            posixpath.normpath(f"{posixpath.relpath(each.path, folder.path)}/charts")
        )
        patterns += [
            re.compile(rf"{charts}/(?:{re.escape(one.name)}|{one.archive.pattern})")
            for one in each.packed
        ]
    return replace(folder, copies=tuple(patterns))


def _dependencies(project: Project, path: str, key: str) -> Iterator[Dependency]:
    """Those of ``requirements.yaml``, where there is one; else those of ``Chart.yaml``."""
    for entry in _entries(project, path, key):
        name, version, repository = (
            str(entry.get(word) or "") for word in ("name", "version", "repository")
        )
        folder = place = ""
        if repository.startswith(_FILE):
            place = posixpath.normpath(posixpath.join(path, repository.removeprefix(_FILE)))
            folder = _real(project, place, f"{path}/Chart.yaml: dependency {one_line(name)}")
        if name:
            yield Dependency(name, version, repository, folder, folder == place)


def _real(project: Project, relative: str, key: str) -> str:
    """A path in the project without links; UsageError (``path_outside``) if it leads out."""
    real = os.path.realpath(path_in_project(project, relative, key))
    return os.path.relpath(real, os.path.realpath(project.root))


def _entries(project: Project, path: str, key: str) -> list[Mapping[str, Any]]:
    relative = f"{path}/requirements.yaml"
    if (project.root / relative).exists():
        declared = declared_in(project, relative, key)
        if declared:
            return declared
    return declared_in(project, f"{path}/Chart.yaml", key)


def declared_in(project: Project, relative: str, key: str) -> list[Mapping[str, Any]]:
    """The dependencies that a file of a chart lists, as written.

    Raises ``UsageError`` (``input_invalid``) where it is not YAML.
    """
    text = read_input(project, relative, key)
    if b"dependencies" not in text:  # most charts have none: the parser is not loaded for them
        return []
    from ..kube.documents import DocumentError, read_documents
    from ..kube.fields import maps_at

    try:
        _, document = next(read_documents(text), (1, {}))
    except DocumentError as error:
        raise UsageError("input_invalid", error.problem, where=f"{relative}:{error.line}") from None
    return maps_at(document, "dependencies")
