"""The files that ``manifests:`` and ``kustomize:`` release."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..config.model import Chart, Project
from ..errors import UsageError
from ..kube.documents import DocumentError, read_documents
from .context import path_in_project, read_input

SUFFIXES = (".yaml", ".yml", ".json")
KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")

# Fields that list files or directories; some entries may also be inline YAML.
_PATHS = (
    *("resources", "bases", "components", "crds", "configurations"),
    *("transformers", "generators", "validators", "patchesStrategicMerge"),
)
# Fields whose entries have a path.
_WITH_PATH = ("patches", "patchesJson6902", "replacements")
_GENERATORS = ("configMapGenerator", "secretGenerator")


def manifest_files(project: Project, chart: Chart) -> list[Path]:
    """The files of ``manifests``, those of a directory sorted by path.

    UsageError if one is missing.
    """
    found: list[Path] = []
    for relative in chart.manifests:
        path = path_in_project(project, relative, f"charts.{chart.name}.manifests")
        if path.is_dir():
            found += sorted(
                each for each in path.rglob("*") if each.suffix in SUFFIXES and not each.is_dir()
            )
        elif path.is_file():
            found.append(path)
        else:
            raise UsageError(
                "input_missing",
                f"charts.{chart.name}.manifests: there is no {relative}",
                where=project.config_path.name,
            )
    return found


def folders_and_files(project: Project, chart: Chart) -> tuple[list[str], list[str]]:
    """The directories whose files are released, and single files outside them.

    Paths are relative to the project. Files that ``manifests`` names itself are not included.
    """
    if chart.kustomize:
        return kustomize_roots(project, chart)
    key = f"charts.{chart.name}.manifests"
    return sorted(
        text for text in chart.manifests if path_in_project(project, text, key).is_dir()
    ), []


def kustomize_roots(project: Project, chart: Chart) -> tuple[list[str], list[str]]:
    """The directories that a kustomization consists of, and single files outside them.

    Paths are relative to the project. UsageError for anything outside it (its changes would go
    unnoticed) or missing.
    """
    key = f"charts.{chart.name}.kustomize"
    roots: list[str] = []
    files: set[str] = set()
    todo = [project.root / chart.kustomize]
    while todo:
        directory = path_in_project(project, str(todo.pop().relative_to(project.root)), key)
        relative = str(directory.relative_to(project.root))
        if relative in roots:
            continue
        roots.append(relative)
        file = next((directory / n for n in KUSTOMIZATIONS if (directory / n).is_file()), None)
        if file is None:
            raise _missing(project, f"{key}: {relative} has no kustomization.yaml")
        for entry in _named(_read(project, file, key)):
            path = Path(os.path.normpath(directory / entry))
            if not path.is_relative_to(project.root):
                raise _missing(project, f"{key}: {entry} is not in the project")
            if path.is_dir():
                todo.append(path)
            elif path.is_file():
                files.add(str(path.relative_to(project.root)))
            else:
                raise _missing(project, f"{key}: {entry} is not in the project")
    outside = (name for name in files if not any(map(Path(name).is_relative_to, roots)))
    return sorted(roots), sorted(outside)


def _read(project: Project, file: Path, key: str) -> dict[str, Any]:
    relative = str(file.relative_to(project.root))
    try:
        _, content = next(read_documents(read_input(project, relative, key)), (1, {}))
    except DocumentError as error:
        where = f"{relative}:{error.line}"
        raise UsageError("input_invalid", f"{key}: {error.problem}", where=where) from None
    return content if isinstance(content, dict) else {}


def _named(content: dict[str, Any]) -> Iterator[str]:
    """The paths that a kustomization refers to; kustomize itself refuses what is malformed."""
    for name in _PATHS:
        yield from (text for text in _texts(content.get(name)) if not _is_yaml(text))
    for name in _WITH_PATH:
        yield from (
            text for entry in _maps(content.get(name)) for text in _texts([entry.get("path")])
        )
    yield from _texts([entry.get("path") for entry in _maps([content.get("openapi")])])
    for entry in (entry for name in _GENERATORS for entry in _maps(content.get(name))):
        for text in _texts(entry.get("files")):
            yield text.partition("=")[2] or text
        yield from _texts(entry.get("envs"))
        yield from _texts([entry.get("env")])


def _is_yaml(text: str) -> bool:
    """Whether an entry is inline YAML rather than a path."""
    try:
        return any(isinstance(value, (dict, list)) for _, value in read_documents(text))
    except DocumentError:
        return "\n" in text


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _maps(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _missing(project: Project, message: str) -> UsageError:
    return UsageError("input_missing", message, where=project.config_path.name)
