"""Manifests and kustomize directories as charts: written for Helm, which then keeps the release."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..config import Chart, ImageRef, Project
from ..errors import LocalloopError, UsageError
from ..inputs.context import inside, read_input
from ..system import tools
from ..system.cache_files import cache_dir, write_atomically
from .manifest import documents

SUFFIXES = (".yaml", ".yml", ".json")
KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
# What names files or directories; some entries may also be YAML in the text itself.
_PATHS = (
    *("resources", "bases", "components", "crds", "configurations"),
    *("transformers", "generators", "validators", "patchesStrategicMerge"),
)
_WITH_PATH = ("patches", "patchesJson6902", "replacements")
_GENERATORS = ("configMapGenerator", "secretGenerator")


def write_chart(project: Project, chart: Chart, images: Mapping[str, ImageRef]) -> Path:
    """A chart that renders the objects as they are, their images replaced; its directory."""
    objects = [_with_images(found, images) for found in _objects(project, chart)]
    text = "".join(f"---\n{json.dumps(found)}\n" for found in objects)
    directory = cache_dir(project.root, "charts", chart.name)
    templates = cache_dir(project.root, "charts", chart.name, "templates")
    about = {"apiVersion": "v2", "name": chart.name, "version": "0.0.0"}
    write_atomically(directory / "Chart.yaml", json.dumps(about).encode())
    write_atomically(directory / "objects.yaml", text.encode())
    # What stands in a manifest is no template.
    write_atomically(templates / "all.yaml", b'{{ .Files.Get "objects.yaml" }}\n')
    return directory


def _objects(project: Project, chart: Chart) -> Iterator[Any]:
    if chart.kustomize:
        yield from documents(_kustomized(project, chart))
        return
    for path in manifest_files(project, chart):
        yield from documents(path.read_text())


def manifest_files(project: Project, chart: Chart) -> list[Path]:
    """The files of ``manifests``, those of directories sorted by path."""
    found: list[Path] = []
    for relative in chart.manifests:
        path = inside(project, relative, f"charts.{chart.name}.manifests")
        if path.is_dir():
            found += sorted(each for each in path.rglob("*") if each.suffix in SUFFIXES)
        elif path.is_file():
            found.append(path)
        else:
            raise UsageError(
                "input_missing",
                f"charts.{chart.name}.manifests: there is no {relative}",
                where=project.config_path.name,
            )
    return found


def _kustomized(project: Project, chart: Chart) -> str:
    kubectl = tools.find("kubectl", hint="Install kubectl: it brings kustomize.")
    directory = project.root / chart.kustomize
    done = tools.run([kubectl, "kustomize", "--", str(directory)], timeout=60)
    if done.returncode:
        raise LocalloopError(
            f"kustomize_failed:{chart.name}",
            f"kubectl kustomize failed: {done.stderr.strip()[-500:]}",
            component=chart.name,
            hint="Mend what it names, then run the deploy again.",
        )
    return done.stdout


def sources_of(project: Project, chart: Chart) -> tuple[list[str], list[str]]:
    """The directories whose files are what is released, and files beside them, as in the project.

    Files that ``manifests`` itself names are not among them.
    """
    if chart.kustomize:
        return kustomize_roots(project, chart)
    key = f"charts.{chart.name}.manifests"
    return sorted(text for text in chart.manifests if inside(project, text, key).is_dir()), []


def kustomize_roots(project: Project, chart: Chart) -> tuple[list[str], list[str]]:
    """The directories that a kustomization is made of, and the files beside them.

    All are relative to the project. What is not in it is refused: nobody could tell when it
    changes.
    """
    key = f"charts.{chart.name}.kustomize"
    found: list[str] = []
    files: set[str] = set()
    todo = [project.root / chart.kustomize]
    while todo:
        directory = inside(project, str(todo.pop().relative_to(project.root)), key)
        relative = str(directory.relative_to(project.root))
        if relative in found:
            continue
        found.append(relative)
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
    beside = (name for name in files if not any(map(Path(name).is_relative_to, found)))
    return sorted(found), sorted(beside)


def _read(project: Project, file: Path, key: str) -> dict[str, Any]:
    import yaml

    relative = str(file.relative_to(project.root))
    try:
        content = yaml.safe_load(read_input(project, relative, key))
    except (yaml.YAMLError, UnicodeError):
        raise _missing(project, f"{key}: {relative} is not YAML") from None
    return content if isinstance(content, dict) else {}


def _named(content: dict[str, Any]) -> Iterator[str]:
    """What a kustomization names beside itself; what is no text is for kustomize to refuse."""
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
    """Whether it is an object rather than a path."""
    import yaml

    try:
        return isinstance(yaml.safe_load(text), (dict, list))
    except yaml.YAMLError:
        return "\n" in text


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _maps(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _missing(project: Project, message: str) -> UsageError:
    return UsageError("input_missing", message, where=project.config_path.name)


def _with_images(value: Any, images: Mapping[str, ImageRef]) -> Any:
    """The object with each ``image`` that is the name of one of ours replaced by its reference."""
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


def _reference(text: str, images: Mapping[str, ImageRef]) -> str:
    name = text.partition("@")[0].partition(":")[0]
    return images[name].ref if name in images else text
