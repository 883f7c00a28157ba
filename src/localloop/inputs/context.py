"""The build context that the builder gets: its directory, Dockerfile and ignore file.

Builds use the ignore file generated here, beside a copy of the Dockerfile, and the fingerprint
walks the context with the same patterns, so the two cannot disagree.
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
# .cache itself is not an input, or our first run would change the context; other files in it are.
_CACHE = (".cache", "!.cache/*")


@dataclass(frozen=True, kw_only=True)
class BuildContext:
    """What a build is called with; ``dockerfile`` is the path of the Dockerfile's copy."""

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
    """The text of an ignore file with these patterns (as ``parse`` returns them)."""
    stripped = (clean_path(text) for each in patterns if (text := each.strip(GO_WHITESPACE)))
    # "/ " before and "/ /" behind protect what would be read differently (#x as a comment, a blank
    # at the end); reading removes them again.
    closed = (each if each == each.rstrip(GO_WHITESPACE) else each + "/ /" for each in stripped)
    lines = (each if parse(each) == [each] else "/ " + each for each in closed)
    return "".join(f"{line}\n" for line in lines)


def path_in_project(project: Project, relative: str, key: str) -> Path:
    """A configured path on disk; UsageError if links lead it out of the project.

    ``key`` is the configuration key, for the error.
    """
    path = project.root / relative
    real, root = os.path.realpath(path), os.path.realpath(project.root)
    if real != root and not real.startswith(root.rstrip("/") + "/"):
        message = f"{key}: {relative} leads out of the project, to {real}"
        raise UsageError("path_outside", message, where=project.config_path.name)
    return path


def read_input(project: Project, relative: str, key: str) -> bytes:
    """The bytes of a configured file; UsageError if it is missing or cannot be read."""
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
    """The build context of an image or node file; writes nothing.

    For one that a command builds it only says where the inputs are. With ``copy`` (see
    ``context_copy.copy_name``) the build uses a link of that name to the context.
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
                "its ignore file re-includes paths with '!', so the declared inputs replace it",
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
    """Like ``build_context``, and write the Dockerfile's copy, its ignore file and the link."""
    build = build_context(project, image, copy=copy)
    if image.build:
        return build
    directory = cache_dir(project.root, "build", image.name)
    for old in directory.glob(f"{_LINK}*"):
        old.unlink()
    if copy:
        build.context.symlink_to(build_context(project, image).context.resolve())
    files = {
        build.dockerfile.name: build.dockerfile_bytes,
        f"{build.dockerfile.name}.dockerignore": build.ignore_text.encode(
            "utf-8", "surrogateescape"
        ),
    }
    for name, data in files.items():
        write_atomically(directory / name, data)
    return build


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
    """The ignore patterns that leave only ``inputs``; ``at_root`` if the project is the context."""
    patterns = ["*"]
    for item in inputs:
        patterns.append(to_ignore_pattern(item))
        if at_root and patterns[-1] == f"!{EVERYTHING}":
            patterns += _CACHE
    return patterns


def builtin_patterns(inputs: tuple[str, ...]) -> list[str]:
    """Patterns for what is never in a context (.git, our caches) unless ``inputs`` names it."""
    named = [part for item in inputs for part in item.split("/")]
    patterns = [] if ".git" in named else ["**/.git"]
    if ".cache" not in named:
        patterns += [f"**/.cache/{name}" for name in OWN_CACHES]
    return patterns
