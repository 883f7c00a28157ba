"""What builds and releases would ignore in silence, mostly a name with a typo, named with its line.

None of it is refused: each could be meant as it stands.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator

from ..config.model import Image, Project
from ..config.project import position_of
from ..fingerprint.components import Fingerprint
from ..inputs.context import build_context, read_input
from ..inputs.dockerfile import Copied, declared_arguments, is_predefined
from ..inputs.names import nearest, one_line
from ..inputs.nearest_path import nearest_path
from ..inputs.sources import resolve_sources
from ..inputs.tree import Tree, tree_entries
from ..session import Session
from .model import Plan
from .value_paths import unknown_paths


def typos(session: Session, plan: Plan) -> tuple[str, ...]:
    """One line for each: ``FILE:LINE: what, and the nearest name``.

    Raises ``UsageError`` for an input that cannot be read.
    """
    found: list[str] = []
    project, prints = session.project, session.fingerprints
    planned = {name for name, part in plan.components.items() if part.fingerprint}
    declared = {name: _declared(project, image) for name, image in project.builds.items()}
    found += _profile_arguments(project, [each for each in declared.values() if each is not None])
    for name, image in project.builds.items():
        taken = declared[name]
        found += _cache_scope(project, image)
        if taken is not None:
            found += _arguments(project, image, taken)
        if name in planned and not image.build:
            found += _sources(session, image, prints.of_image(image))
    found += unknown_paths(project)
    return tuple(map(one_line, found))


def _section(image: Image) -> str:
    return "images" if image.kind == "image" else "node_files"


def _declared(project: Project, image: Image) -> frozenset[str] | None:
    """The arguments that its Dockerfile can take; None for one that may take any."""
    if image.build:
        return None
    text = read_input(project, image.dockerfile, f"{_section(image)}.{image.name}.dockerfile")
    return declared_arguments(text.decode("utf-8", "surrogateescape"))


def _arguments(project: Project, image: Image, declared: Collection[str]) -> Iterator[str]:
    where = (_section(image), image.name)
    for key, given in (("build_args", image.build_args), ("unhashed_args", image.unhashed_args)):
        for name in given:
            if name not in declared and not is_predefined(name):
                yield (
                    f"{position_of(project, *where, key, name)}: no stage of {image.dockerfile}"
                    f" declares the build argument {name}{nearest(name, declared)}"
                )
    if image.cache_scope and image.cache_scope_arg not in declared:
        yield (
            f"{position_of(project, *where, 'cache_scope')}: no stage of {image.dockerfile} takes"
            f" the scope: none declares ARG {image.cache_scope_arg}"
            f"{nearest(image.cache_scope_arg, declared)}; cache_scope_arg names another one"
        )


def _profile_arguments(project: Project, declared: Collection[frozenset[str]]) -> Iterator[str]:
    """Arguments of the profile that no Dockerfile of the project takes."""
    if len(declared) < len(project.builds) or not declared:
        return  # one of them may take any
    every = frozenset().union(*declared)
    for name in project.profile_args:
        if name not in every and not is_predefined(name):
            at = position_of(project, "profiles", project.profile or "", "build_args", name)
            yield f"{at}: no Dockerfile declares the build argument {name}{nearest(name, every)}"


def _cache_scope(project: Project, image: Image) -> Iterator[str]:
    for number, relative in enumerate(image.cache_scope):
        if not (project.root / relative).is_file():
            at = position_of(project, _section(image), image.name, "cache_scope", number)
            near = nearest_path(os.fsencode(project.root), os.fsencode(relative))
            yield f"{at}: there is no file {relative}{near}"


def _sources(session: Session, image: Image, found: Fingerprint) -> Iterator[str]:
    """Sources of COPY, ADD and bind mounts that are not in the build context."""
    root = os.fsencode(build_context(session.project, image).context)
    for copied in session.fingerprints.analysis(image).copied:
        if "**" in copied.source or copied.optional:
            continue
        paths = resolve_sources(root, [copied.source])
        if not any(_holds(found.tree, path) for path in paths):
            yield f"{image.dockerfile}:{copied.line}: {_absent(root, copied, paths)}"


def _absent(root: bytes, copied: Copied, paths: Collection[bytes]) -> str:
    if any(os.path.lexists(os.path.join(root, path)) for path in paths):  # noqa: PTH118
        return f"{copied.words}: the ignore file or `inputs` leaves it out of the build context"
    near = nearest_path(root, os.fsencode(copied.source))
    return f"{copied.words}: the build context has no {copied.source}{near}"


def _holds(tree: Tree, path: bytes) -> bool:
    folder, _, name = path.rpartition(b"/")
    if not path or path in tree:
        return True
    return folder in tree and any(name == each for each, _ in tree_entries(tree[folder].section))
