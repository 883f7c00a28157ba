"""The build context that the builder really gets: its directory, Dockerfile and ignore file.

Builds always use the ignore file made here, beside a copy of the Dockerfile, and the fingerprint
walks the context through the same patterns: the two cannot disagree.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..config.model import Image, Project
from ..errors import UsageError
from ..system.cache_files import OWN_CACHES, cache_dir, write_atomically
from .declared import EVERYTHING, to_ignore_pattern
from .go_match import GO_WHITESPACE, clean_path
from .ignore import parse

_LINK = "context-"
# The directory .cache counts only for what else lies in it: our first run must not be a change.
_CACHE = (".cache", "!.cache/*")


@dataclass(frozen=True, kw_only=True)
class BuildContext:
    """What a build is called with; ``dockerfile`` is where the copy lies or will lie."""

    context: Path
    dockerfile: Path
    dockerfile_bytes: bytes
    patterns: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    @property
    def ignore_text(self) -> str:
        """The text of the generated ignore file."""
        return ignore_text(self.patterns)


def ignore_text(patterns: Iterable[str]) -> str:
    """An ignore file with these patterns (as ``parse`` gives them)."""
    stripped = (clean_path(text) for each in patterns if (text := each.strip(GO_WHITESPACE)))
    # What would be read as something else (#x as a comment) hides behind what is taken off it.
    lines = (each if parse(each) == [each] else "/ " + each for each in stripped)
    return "".join(f"{line}\n" for line in lines)


def path_in_project(project: Project, relative: str, key: str) -> Path:
    """A configured path as it is on disk; refused where links lead it out of the project."""
    path = project.root / relative
    real, root = os.path.realpath(path), os.path.realpath(project.root)
    if real != root and not real.startswith(root.rstrip("/") + "/"):
        message = f"{key}: {relative} leads out of the project, to {real}"
        raise UsageError("path_outside", message, where=project.config_path.name)
    return path


def read_input(project: Project, relative: str, key: str) -> bytes:
    """The bytes of a configured file that must exist."""
    path = path_in_project(project, relative, key)
    try:
        if not path.is_file():
            message = f"{key}: {relative} is not a file" if path.exists() else None
            message = message or f"{key}: there is no {relative}"
            raise UsageError("input_missing", message, where=project.config_path.name)
        return path.read_bytes()
    except OSError as exc:
        message = f"{key}: {relative} cannot be read: {exc.strerror}"
        raise UsageError("input_unreadable", message, where=project.config_path.name) from exc


def build_context(project: Project, image: Image, *, copy: str = "") -> BuildContext:
    """The context of an image or node file; of one that a command builds, where its inputs lie.

    ``copy`` (see contextcopy.py) names a link to it, which a build is called with instead.
    """
    kind = "images" if image.kind == "image" else "node_files"
    key = f"{kind}.{image.name}"
    dockerfile = b""
    if not image.build:
        dockerfile = read_input(project, image.dockerfile, f"{key}.dockerfile")
    context = path_in_project(project, image.context, f"{key}.context")
    if not context.is_dir():
        message = f"{key}.context: {image.context} is not a directory"
        raise UsageError("input_missing", message, where=project.config_path.name)
    user = [] if image.build else _user_patterns(project, image)
    warnings: tuple[str, ...] = ()
    if image.inputs is None:
        patterns = [*(_CACHE if image.context == "." else ()), *user, *builtin_patterns(())]
    else:
        patterns = [
            *declared_patterns(image.inputs, at_root=image.context == "."),
            *builtin_patterns(image.inputs),
        ]
        if any(pattern.startswith("!") for pattern in user):
            warnings = (
                f"{image.name}: its ignore file brings paths back with '!', so the declared "
                "inputs replace it",
            )
        else:
            patterns += user
    directory = project.root / ".cache/localloop/build" / image.name
    return BuildContext(
        context=directory / f"{_LINK}{copy}" if copy else context,
        dockerfile=directory / "Dockerfile",
        dockerfile_bytes=dockerfile,
        patterns=tuple(patterns),
        warnings=warnings,
    )


def write_build_context(project: Project, image: Image, *, copy: str = "") -> BuildContext:
    """Put the Dockerfile's copy, its ignore file and the link in place for BuildKit."""
    made = build_context(project, image, copy=copy)
    if image.build:
        return made
    directory = cache_dir(project.root, "build", image.name)
    for old in directory.glob(f"{_LINK}*"):
        old.unlink()
    if copy:
        made.context.symlink_to(build_context(project, image).context.resolve())
    files = {
        made.dockerfile.name: made.dockerfile_bytes,
        f"{made.dockerfile.name}.dockerignore": made.ignore_text.encode("utf-8", "surrogateescape"),
    }
    for name, data in files.items():
        write_atomically(directory / name, data)
    return made


def _user_patterns(project: Project, image: Image) -> list[str]:
    for relative in (
        f"{image.dockerfile}.dockerignore",
        f"{image.context}/.dockerignore",
    ):
        if os.path.lexists(project.root / relative):
            data = read_input(project, relative, "ignore file")
            return parse(data.decode("utf-8", "surrogateescape"))
    return []


def declared_patterns(inputs: Iterable[str], *, at_root: bool) -> list[str]:
    """The ignore patterns of declared inputs; ``at_root``: those of the project's own directory."""
    patterns = ["*"]
    for item in inputs:
        patterns.append(to_ignore_pattern(item))
        if at_root and patterns[-1] == f"!{EVERYTHING}":
            patterns += _CACHE
    return patterns


def builtin_patterns(inputs: tuple[str, ...]) -> list[str]:
    """What is in no context unless ``inputs`` names it."""
    named = [part for item in inputs for part in item.split("/")]
    patterns = [] if ".git" in named else ["**/.git"]
    if ".cache" not in named:
        patterns += [f"**/.cache/{name}" for name in OWN_CACHES]
    return patterns
