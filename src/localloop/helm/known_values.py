"""Which values a chart has or reads, with those of the charts in it, packed ones too."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ..kube.documents import DocumentError, read_documents

_LOCAL = "file://"
_TEMPLATES = (".yaml", ".yml", ".tpl", ".txt")
_READ = (*_TEMPLATES, ".tgz")
_LARGEST = 1 << 20  # bytes of one file; what is larger is no values file
_DEEPEST = 8  # charts in charts

Files = Mapping[PurePosixPath, bytes]


@dataclass(frozen=True)
class KnownValues:
    """The values of one chart, what its templates say, and the charts in it by their key.

    ``values`` is None where they cannot be known, and so is a chart that is not there.
    """

    values: Any
    templates: str = ""
    charts: Mapping[str, KnownValues | None] = field(default_factory=dict)

    def has(self, path: Sequence[str]) -> bool:
        """Whether the chart, or one in it, has or reads a value; true where it may."""
        if has_value(self.values, path) or self._reads(path):
            return True
        if path[0] not in self.charts:
            return path[0] == "global"
        below = self.charts[path[0]]
        return below is None or len(path) == 1 or below.has(path[1:])

    def _reads(self, path: Sequence[str]) -> bool:
        pattern = rf"\.Values\.{re.escape('.'.join(path))}(?![\w.-])"
        return re.search(pattern, self.templates) is not None

    def paths(self) -> Iterator[str]:
        """The paths of all values that are known."""
        yield from paths_of(self.values)
        for name, below in self.charts.items():
            for path in below.paths() if below else ():
                yield f"{name}.{path}"


def has_value(values: Any, path: Sequence[str]) -> bool:
    """Whether a path has a value; anything may be in an empty map, and in what is not known."""
    if not isinstance(values, Mapping) or path[0] not in values:
        return values is None
    found, below = values[path[0]], path[1:]
    return not below or found in (None, {}) or has_value(found, below)


def paths_of(values: Any, prefix: str = "") -> Iterator[str]:
    """The paths of values, of maps and of what is in them."""
    for key, value in values.items() if isinstance(values, Mapping) else ():
        yield f"{prefix}{key}"
        yield from paths_of(value, f"{prefix}{key}.")


def known_values(root: Path) -> KnownValues:
    """What is known of the values of the chart in a folder."""
    return _known(_in_folder(root), root, _DEEPEST)


def _known(files: Files, root: Path | None, left: int) -> KnownValues:
    charts: dict[str, KnownValues | None] = dict(_charts(files, left)) if left else {}
    about = _map_in(files, "Chart.yaml")
    entries = about.get("dependencies") if isinstance(about, Mapping) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping):
            name = str(entry.get("name"))
            found = charts.get(name) or _beside(root, entry, left)
            charts[str(entry.get("alias") or name)] = found
    templates = [
        text.decode(errors="replace")
        for path, text in files.items()
        if path.parts[0] == "templates" and path.suffix in _TEMPLATES
    ]
    return KnownValues(_map_in(files, "values.yaml"), "\n".join(templates), charts)


def _charts(files: Files, left: int) -> Iterator[tuple[str, KnownValues]]:
    """The charts in ``charts/``, by their names; a folder's is that of the folder."""
    inner: dict[str, dict[PurePosixPath, bytes]] = {}
    for path, data in files.items():
        if path.parts[0] != "charts":
            continue
        if len(path.parts) > 2:
            inner.setdefault(path.parts[1], {})[PurePosixPath(*path.parts[2:])] = data
        elif path.suffix == ".tgz":
            for member, text in _in_package(data):
                if len(member.parts) > 1:
                    below = PurePosixPath(*member.parts[1:])
                    inner.setdefault(member.parts[0], {})[below] = text
    for name, found in inner.items():
        yield name, _known(found, None, left - 1)


def _beside(root: Path | None, entry: Mapping[str, Any], left: int) -> KnownValues | None:
    """The chart of a ``file://`` dependency; None if it is not that, or not there."""
    repository = str(entry.get("repository"))
    if root is None or not left or not repository.startswith(_LOCAL):
        return None
    folder = root / repository.removeprefix(_LOCAL)
    if not (folder / "Chart.yaml").is_file():
        return None
    return _known(_in_folder(folder), folder, left - 1)


def _map_in(files: Files, name: str) -> Any:
    """The map in a file; an empty one if there is no such file, None if it cannot be read."""
    data = files.get(PurePosixPath(name))
    if data is None:
        return {}
    try:
        return next(read_documents(data), (1, {}))[1]
    except DocumentError:
        return None


def _in_folder(root: Path) -> Files:
    found = {}
    for path in sorted(root.rglob("*")):
        with suppress(OSError):
            if path.suffix in _READ and path.is_file() and path.stat().st_size <= _LARGEST:
                found[PurePosixPath(path.relative_to(root))] = path.read_bytes()
    return found


def _in_package(data: bytes) -> Iterator[tuple[PurePosixPath, bytes]]:
    with (
        suppress(tarfile.TarError, OSError, EOFError),
        tarfile.open(fileobj=io.BytesIO(data)) as package,
    ):
        for member in package:
            content = package.extractfile(member) if member.size <= _LARGEST else None
            if content is not None:
                yield PurePosixPath(member.name), content.read()
