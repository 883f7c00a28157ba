"""Charts with their dependencies: packed anew or fetched into a copy, which Helm then reads.

The user's ``charts/`` is never written to.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from ..config.model import Chart, Project
from ..errors import UsageError
from ..inputs.chart_folders import ChartFolder, ChartIgnore, Dependency, chart_folders, declared_in
from ..inputs.chart_walk import chart_files
from ..kube.documents import DocumentError, read_documents, write_document
from ..system.cache_files import cache_dir
from .command import build_dependencies

_LOCKS = ("Chart.lock", "requirements.lock")
_DECLARED = ("Chart.yaml", "requirements.yaml", *_LOCKS)


@contextmanager
def built_chart(project: Project, chart: Chart, *, fetches: bool = True) -> Iterator[Path]:
    """The folder of a chart with ``path`` as Helm is to read it, for as long as the block lasts.

    It is the chart's own folder if there is nothing to build. Dependencies that are fetched are
    kept in the project's cache, by what declares and locks them.

    Raises ``UsageError`` (``dependencies_failed`` with Helm's message, or the errors of
    ``chart_folders``) and ``tool_missing``. Without ``fetches``, ``dependencies_failed`` stands for
    a dependency that would have to be fetched.
    """
    folders = chart_folders(project, chart)
    if not any(each.packed or _missing(project.root, each) for each in folders):
        yield project.root / chart.path
        return
    with tempfile.TemporaryDirectory(prefix="localloop-chart-") as directory:
        copy = Path(directory) / "copy"
        for folder in folders:
            if not folder.inside:
                _copy(project, chart, folder, copy)
        for folder in folders:
            _Build(project, chart, folder, copy, Path(directory) / "parent").run(fetches=fetches)
        yield copy / folders[-1].path


def chart_source(
    project: Project, chart: Chart, *, fetches: bool = True
) -> AbstractContextManager[Path | str]:
    """What Helm is to be given for a chart with ``path`` or ``chart``; see ``built_chart``."""
    return nullcontext(chart.chart) if chart.chart else built_chart(project, chart, fetches=fetches)


def _copy(project: Project, chart: Chart, folder: ChartFolder, copy: Path) -> None:
    ignore = ChartIgnore(project, folder, f"charts.{chart.name}.path")
    root = str(project.root / folder.path).encode("utf-8", "surrogateescape")
    boundary = str(project.root).encode("utf-8", "surrogateescape")
    for path, source in chart_files(root, ignore, boundary):
        target = copy / folder.path / path.decode("utf-8", "surrogateescape")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(source.decode("utf-8", "surrogateescape"), target)
        except OSError as error:
            raise UsageError(
                "input_unreadable",
                f"it cannot be read: {error.strerror}",
                where=f"{folder.path}/{path.decode('utf-8', 'replace')}",
            ) from error


class _Build:
    """Brings the dependencies of one folder of the copy into its ``charts/``."""

    def __init__(
        self, project: Project, chart: Chart, folder: ChartFolder, copy: Path, parent: Path
    ) -> None:
        """``parent`` is where a chart can be made that has only the local dependencies."""
        self._project = project
        self._chart = chart
        self._folder = folder
        self._copy = copy
        self._place = copy / folder.path
        self._charts = self._place / "charts"
        self._parent = parent

    def run(self, *, fetches: bool) -> None:
        packed = self._folder.packed
        if not packed and not _missing(self._copy, self._folder):
            return
        self._charts.mkdir(exist_ok=True)
        self._take_kept()
        missing = _missing(self._copy, self._folder)
        if missing and not fetches:
            raise self._failed(f"not fetched yet: {', '.join(each.name for each in missing)}")
        if missing:
            self._helm(self._place, refresh=True)
            self._drop_copies_of(self._folder.in_place)
            self._keep()
        elif all(each in packed and each.direct for each in self._folder.dependencies):
            self._helm(self._place, refresh=False)
        else:
            self._pack(packed)

    def _helm(self, chart: Path, *, refresh: bool) -> None:
        done = build_dependencies(chart, refresh=refresh)
        if done.returncode:
            said = done.stderr.strip()
            raise self._failed(said[said.rfind("Error: ") :][-500:] if said else "no message")

    def _failed(self, said: str) -> UsageError:
        path = self._folder.path
        return UsageError(
            f"dependencies_failed:{self._chart.name}",
            f"the dependencies of {path}: {said.replace(str(self._copy) + '/', '')}",
            component=self._chart.name,
            hint=f"`helm dependency update {path}` resolves them anew and writes the lock file.",
        )

    def _pack(self, packed: tuple[Dependency, ...]) -> None:
        """Pack the local dependencies alone: the others are there, and are not fetched again."""
        locked = self._locked()
        shutil.rmtree(self._parent, ignore_errors=True)
        self._parent.mkdir()
        about = {
            "apiVersion": "v2",
            "name": "parent",
            "version": "0.0.0",
            "dependencies": [
                {
                    "name": each.name,
                    "version": locked.get(each.name) or each.version or ">=0.0.0-0",
                    "repository": f"file://{self._copy / each.folder}",
                }
                for each in packed
            ],
        }
        (self._parent / "Chart.yaml").write_text(write_document(about), encoding="utf-8")
        self._helm(self._parent, refresh=False)
        for archive in (self._parent / "charts").iterdir():
            shutil.move(archive, self._charts / archive.name)

    def _locked(self) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for name in _LOCKS:
            relative = f"{self._folder.path}/{name}"
            if (self._project.root / relative).is_file():
                entries = declared_in(self._project, relative, f"charts.{self._chart.name}.path")
                found |= {str(each.get("name")): str(each.get("version") or "") for each in entries}
        return found

    # -- what was fetched ----------------------------------------------------------------------

    @property
    def _key(self) -> str:
        """Another one for other declared or locked dependencies."""
        total = hashlib.sha256()
        for name in _DECLARED:
            with suppress(FileNotFoundError):
                data = (self._project.root / self._folder.path / name).read_bytes()
                total.update(b"%s\0%d\0" % (name.encode(), len(data)) + data)
        return total.hexdigest()[:32]

    def _take_kept(self) -> None:
        kept = self._project.root / ".cache" / "localloop" / "dependencies" / self._key
        missing = _missing(self._copy, self._folder)
        for archive in sorted(kept.glob("*.tgz")) if missing else ():
            if any(each.archive.fullmatch(archive.name) for each in missing):
                shutil.copyfile(archive, self._charts / archive.name)

    def _keep(self) -> None:
        kept = cache_dir(self._project.root, "dependencies", self._key)
        for archive in self._charts.glob("*.tgz"):
            if not any(each.archive.fullmatch(archive.name) for each in self._folder.packed):
                shutil.copyfile(archive, kept / archive.name)

    def _drop_copies_of(self, dependencies: tuple[Dependency, ...]) -> None:
        for archive in list(self._charts.glob("*.tgz")):
            if any(each.archive.fullmatch(archive.name) for each in dependencies):
                archive.unlink()


def _missing(root: Path, folder: ChartFolder) -> list[Dependency]:
    """The dependencies that Helm would not find in the folder's ``charts/``."""
    wanted = [each for each in folder.dependencies if not each.folder]
    if not wanted:
        return []
    charts = root / folder.path / "charts"
    there = list(charts.iterdir()) if charts.is_dir() else []
    names = {path.name for path in there}
    left = [
        each
        for each in wanted
        if each.name not in names and not any(map(each.archive.fullmatch, names))
    ]
    if left:  # Helm goes by the names that the charts give themselves
        given = set(map(_name_of, there))
        left = [each for each in left if each.name not in given]
    return left


def _name_of(path: Path) -> str:
    """The name of a chart in a folder or an archive; empty if it cannot be read."""
    try:
        if path.is_dir():
            return _name_in((path / "Chart.yaml").read_bytes())
        if path.suffix != ".tgz":
            return ""
        with tarfile.open(path) as archive:
            for member in archive:
                parts = member.name.split("/")
                if len(parts) == 2 and parts[1] == "Chart.yaml":
                    file = archive.extractfile(member)
                    return _name_in(file.read()) if file else ""
    except (OSError, tarfile.TarError, EOFError):
        return ""
    return ""


def _name_in(text: bytes) -> str:
    try:
        _, document = next(read_documents(text), (1, None))
    except DocumentError:
        return ""
    found: Any = document.get("name") if isinstance(document, dict) else ""
    return str(found or "")
