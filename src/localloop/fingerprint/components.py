"""Fingerprints: sha256 of everything that can change a component's output, and of nothing else.

What counts of an input is its type, the bytes of its relative path, its content or link text, and
for images its whole mode, which BuildKit copies. Besides the inputs there are *facts*: arguments,
target, platform, digests of base images and the like. Times, owners, the checkout path, the locale
and git do not count.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..config.model import Chart, Image, NodeFile, Project
from ..config.project import position_of
from ..errors import UsageError
from ..inputs.chart_folders import ChartIgnore, chart_folders
from ..inputs.chart_walk import walk_chart, walk_files
from ..inputs.context import (
    BuildContext,
    build_context,
    builtin_patterns,
    declared_patterns,
    path_in_project,
    read_input,
)
from ..inputs.declared import unmatched_inputs
from ..inputs.docker_syntax import DockerfileError
from ..inputs.dockerfile import Analysis, analyse
from ..inputs.helm_ignore import HelmIgnore
from ..inputs.ignore import Matcher
from ..inputs.names import one_line
from ..inputs.sources import resolve_sources
from ..inputs.tree import Tree, flatten, tree_digest
from ..inputs.walk import walk_context
from .folder_cache import InputCache

SCHEMA_VERSION = 3


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """A component's fingerprint, with everything that explains it.

    ``facts`` is plain data; ``tree`` holds the files, links and folders; ``component`` and
    ``profile`` are for messages and not hashed. ``untracked`` names what can change the output
    without changing the fingerprint. ``moved`` names the files that changed while they were read,
    including those of images that this one needs.
    """

    component: str
    value: str
    facts: dict[str, Any]
    tree: Tree = field(repr=False)
    profile: str = ""
    warnings: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()

    @property
    def manifest(self) -> dict[str, bytes]:
        """Every input by its path; a link that is followed also by its path and ``@``."""
        return flatten(self.tree)


_OF_A_COMMAND = Analysis(
    sources=None,
    images=(),
    needs=(),
    args=None,
    untracked=("what its command reads besides its inputs",),
    reasons=(),
)


def analyse_image(project: Project, image: Image, *, platform: str) -> Analysis:
    """What the image's Dockerfile reads; its ``images`` are the references of base images.

    Raises ``UsageError`` where the Dockerfile is missing (``input_missing``) or has no such target
    (``target_unknown``).
    """
    if image.build:
        return _OF_A_COMMAND
    text = read_input(project, image.dockerfile, f"{image.name}.dockerfile")
    try:
        return analyse(
            text.decode("utf-8", "surrogateescape"),
            target=image.target,
            build_args=_hashed_args(project, image),
            hidden_args=image.unhashed_args.keys(),
            needs=image.needs,
            platform=image.platform or platform,
        )
    except DockerfileError as exc:
        raise UsageError("target_unknown", f"{image.name}: {exc}", where=image.dockerfile) from None


def _hashed_args(project: Project, image: Image) -> dict[str, str]:
    given = {**project.profile_args, **image.build_args}
    return {key: value for key, value in given.items() if key not in image.unhashed_args}


def _needed(image: Image, analysis: Analysis) -> tuple[str, ...]:
    """The needed images that count: all declared ones if the Dockerfile cannot be analysed."""
    return analysis.needs if analysis.sources is not None else image.needs


def base_images(project: Project, image: Image, *, platform: str) -> tuple[str, ...]:
    """References of the base images of the target and of the images that it needs, sorted."""
    analysis = analyse_image(project, image, platform=platform)
    found = set(analysis.images)
    for name in _needed(image, analysis):
        found.update(base_images(project, project.images[name], platform=platform))
    return tuple(sorted(found))


def fingerprint_image(
    project: Project,
    image: Image,
    *,
    base_digests: Mapping[str, str],
    platform: str,
    builder: str,
    cache: InputCache | None = None,
) -> Fingerprint:
    """The fingerprint of an image or a node file.

    ``base_digests`` maps references (see ``base_images``) to digests; a missing one is hashed as
    unknown. Images that it ``needs`` count by their own fingerprints. ``platform`` is that of
    images that name none, ``builder`` the kind of builder. Raises ``UsageError`` where an input is
    missing, cannot be read or is not a regular file.
    """
    cache = cache or InputCache(project.root)
    context = build_context(project, image)
    analysis = analyse_image(project, image, platform=platform)
    needs = {
        name: fingerprint_image(
            project,
            project.images[name],
            base_digests=base_digests,
            platform=platform,
            builder=builder,
            cache=cache,
        )
        for name in _needed(image, analysis)
    }
    facts: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "kind": image.kind,
        **_how(image, context),
        "ignore": list(context.patterns),
        "inputs": "declared" if image.inputs is not None else _extent(analysis),
        "args": analysis.effective_args(_hashed_args(project, image)),
        "target": image.target,
        "platform": image.platform or platform,
        "builder": None if image.build else builder,
        "bases": {ref: base_digests.get(ref) or None for ref in analysis.images},
        "needs": {name: fingerprint.value for name, fingerprint in needs.items()},
    }
    # That there is a secret can change what is built; its value does not count, as in BuildKit.
    facts.update(
        {key: sorted(ids) for key, ids in (("secrets", image.secrets), ("ssh", image.ssh)) if ids}
    )
    if isinstance(image, NodeFile):
        facts["file"] = [image.file, image.dest, image.owner, image.mode]
    root = os.fsencode(context.context)
    sources = None
    if image.inputs is None and analysis.sources is not None:
        sources = resolve_sources(root, analysis.sources)
    where = f"{image.name}'s ignore file"
    for_buildkit = image.build is None
    found = _Inputs(root, context.patterns, where, sources, for_buildkit=for_buildkit)
    walked = _walked(facts, found, cache, image.name)
    if image.build and not walked.tree:
        raise nothing_declared(f"images.{image.name}.inputs", image.inputs or (), project)
    moved = {*walked.moved, *(path for need in needs.values() for path in need.moved)}
    return replace(
        walked,
        moved=tuple(sorted(moved)),
        profile=project.profile or "",
        warnings=tuple(
            map(one_line, (*context.warnings, *_warnings(image, analysis, walked.tree)))
        ),
        untracked=tuple(map(one_line, analysis.untracked)),
    )


def _how(image: Image, context: BuildContext) -> dict[str, Any]:
    if image.build:
        return {"command": list(image.build.command)}
    return {"dockerfile": hashlib.sha256(context.dockerfile_bytes).hexdigest()}


def _extent(analysis: Analysis) -> str:
    return "context" if analysis.sources is None else "dockerfile"


def _warnings(image: Image, analysis: Analysis, tree: Tree) -> tuple[str, ...]:
    if image.inputs is not None:
        return _unmatched("inputs", image.inputs, tree)
    return tuple(
        f"the whole context counts as input ({image.dockerfile} {reason})"
        for reason in analysis.reasons
    )


def _unmatched(key: str, inputs: Iterable[str], tree: Tree) -> tuple[str, ...]:
    return tuple(
        f"{key}: {one_line(pattern)} matches nothing" for pattern in unmatched_inputs(inputs, tree)
    )


# Keys of a chart that count if they are set.
_CHART_FACTS = (
    *("chart", "repo", "version", "manifests", "kustomize", "images"),
    *("keep_values", "generate"),
)


def fingerprint_chart(
    project: Project, chart: Chart, *, cache: InputCache | None = None
) -> Fingerprint:
    """The fingerprint of a chart: its files, values files and configured values.

    Raises ``UsageError`` where an input is missing or cannot be read.
    """
    cache = cache or InputCache(project.root)
    key = f"charts.{chart.name}"
    cache.files.moved.clear()
    tree = _chart_tree(project, chart, key, cache)
    facts: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "kind": chart.kind,
        "release": chart.release,
        "namespace": chart.namespace,
        "values": chart.values,
        # The order of the files counts, their names do not.
        "values_files": [
            hashlib.sha256(read_input(project, name, f"{key}.values_files")).hexdigest()
            for name in chart.values_files
        ],
    }
    facts |= {name: value for name in _CHART_FACTS if (value := getattr(chart, name))}
    if chart.manifests:
        facts["manifest_files"] = [
            hashlib.sha256(read_input(project, name, f"{key}.manifests")).hexdigest()
            for name in chart.manifests
            if not (project.root / name).is_dir()
        ]
    cache.save()
    return Fingerprint(
        component=chart.name,
        value=tree_digest(_head(facts), tree),
        facts=facts,
        tree=tree,
        profile=project.profile or "",
        moved=tuple(sorted(cache.files.moved)),
    )


def _chart_tree(project: Project, chart: Chart, key: str, cache: InputCache) -> Tree:
    """The files that a chart is made of; none for a chart that comes from a repository."""
    if chart.path:
        return _local_tree(project, chart, key, cache)
    tree: Tree = {}
    if chart.manifests or chart.kustomize:
        from ..inputs.manifests import folders_and_files

        root = os.fsencode(project.root)
        folders, files = folders_and_files(project, chart)
        for relative in folders:
            folder = os.fsencode(project.root / relative)
            found = walk_chart(folder, HelmIgnore(), root, cache.files)
            tree[os.fsencode(relative)] = found[b""]
        if files:
            for relative in files:
                path_in_project(project, relative, key)
            tree[b""] = walk_files(root, list(map(os.fsencode, files)), cache.files)
    return tree


def _local_tree(project: Project, chart: Chart, key: str, cache: InputCache) -> Tree:
    """The chart's own folder, and those of its local dependencies by their way from there."""
    *others, own = chart_folders(project, chart)
    tree: Tree = {}
    for folder in (own, *(each for each in others if not each.inside)):
        name = posixpath.relpath(folder.path, own.path) if folder is not own else ""
        ignore = ChartIgnore(project, folder, key)
        place = os.fsencode(project.root / folder.path)
        found = walk_chart(place, ignore, os.fsencode(project.root), cache.files)
        tree[os.fsencode(name)] = found[b""]
    return tree


def fingerprint_cluster(project: Project, *, cache: InputCache | None = None) -> Fingerprint | None:
    """The fingerprint of ``cluster.inputs``; None if the project declares none.

    A pattern that matches nothing is among its warnings. Raises ``UsageError`` (``input_missing``)
    where nothing matches at all.
    """
    if not project.cluster.inputs:
        return None
    inputs = project.cluster.inputs
    patterns = declared_patterns(inputs, at_root=True)
    facts = {"schema": SCHEMA_VERSION, "kind": "cluster", "inputs": patterns}
    where = f"{project.config_path.name}: cluster.inputs"
    every = (*patterns, *builtin_patterns(inputs))
    found = _Inputs(os.fsencode(project.root), every, where, for_buildkit=False, modes=False)
    walked = _walked(facts, found, cache or InputCache(project.root), "cluster.inputs")
    if not walked.tree:
        raise nothing_declared("cluster.inputs", inputs, project)
    return replace(walked, warnings=tuple(_unmatched_of_cluster(project, walked.tree)))


def _unmatched_of_cluster(project: Project, tree: Tree) -> Iterator[str]:
    inputs = project.cluster.inputs
    for pattern in unmatched_inputs(inputs, tree):
        from ..inputs.nearest_path import nearest_path

        at = position_of(project, "cluster", "inputs", inputs.index(pattern))
        near = nearest_path(os.fsencode(project.root), os.fsencode(pattern))
        yield one_line(f"{at}: cluster.inputs: {pattern} matches nothing{near}")


def nothing_declared(key: str, inputs: Iterable[str], project: Project) -> UsageError:
    """The error for patterns that match nothing: their fingerprint would never change."""
    patterns = ", ".join(map(one_line, inputs))
    message = f"{key}: nothing matches {patterns}" if patterns else f"{key}: there are none"
    return UsageError("input_missing", message, where=project.config_path.name)


@dataclass(frozen=True)
class _Inputs:
    """What to walk; ``where`` says where the patterns are written, for messages."""

    root: bytes
    patterns: tuple[str, ...]
    where: str
    sources: set[bytes] | None = None
    for_buildkit: bool = True
    modes: bool = True

    @property
    def view(self) -> bytes:
        """32 bytes that differ if another walk of the same tree could find something else."""
        sources = None if self.sources is None else sorted(path.hex() for path in self.sources)
        text = json.dumps([SCHEMA_VERSION, self.patterns, sources, self.for_buildkit, self.modes])
        return hashlib.sha256(text.encode()).digest()


def _walked(facts: dict[str, Any], inputs: _Inputs, cache: InputCache, name: str) -> Fingerprint:
    cache.files.moved.clear()
    tree = walk_context(
        inputs.root,
        Matcher(inputs.patterns, inputs.where),
        inputs.sources,
        cache.files,
        cache.folders(name, inputs.view),
        for_buildkit=inputs.for_buildkit,
        modes=inputs.modes,
    )
    cache.save()
    return Fingerprint(
        component=name,
        value=tree_digest(_head(facts), tree),
        facts=facts,
        tree=tree,
        moved=tuple(sorted(cache.files.moved)),
    )


def _head(facts: dict[str, Any]) -> bytes:
    return json.dumps(facts, sort_keys=True, separators=(",", ":")).encode("ascii")
