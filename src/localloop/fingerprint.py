"""Fingerprints: sha256 of everything that can change a component's output, and of nothing else.

An entry counts by type, relative path bytes, executable bit, whether others may read it, and
content or link text. Beside the entries count *facts*: arguments, target, platform, base digests
and the like. Neither time, owner, checkout path, locale nor git takes part.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .config import Chart, Image, NodeFile, Project
from .context import build_context, inside, invert, read_input
from .errors import UsageError
from .inputs.dockerfile import Analysis, DockerfileError, analyse
from .inputs.helmignore import HelmIgnore
from .inputs.ignore import Matcher
from .inputs.walk import Entry, resolve_sources, walk_chart, walk_context
from .statcache import StatCache

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """A component's fingerprint with all that explains it.

    ``manifest`` maps an input's path to a word for its entry; ``facts`` is plain data;
    ``untracked`` names what can change the output unseen; ``moved`` files that changed while they
    were read.
    """

    value: str
    manifest: dict[str, str] = field(repr=False)
    facts: dict[str, Any]
    warnings: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    context_root: Path

    @property
    def tag(self) -> str:
        """The tag that an image of this fingerprint gets in the registry."""
        return f"fp-{self.value[:16]}"


def analyse_image(project: Project, image: Image, *, platform: str | None = None) -> Analysis:
    """What the image's Dockerfile reads; its ``images`` are references to find digests for."""
    text = read_input(project, image.dockerfile, f"{image.name}.dockerfile")
    try:
        return analyse(
            text.decode("utf-8", "surrogateescape"),
            target=image.target,
            build_args={**project.profile_args, **image.build_args},
            needs=image.needs,
            platform=image.platform or platform,
        )
    except DockerfileError as exc:
        raise UsageError("target_unknown", f"{image.name}: {exc}", where=image.dockerfile) from None


def base_images(project: Project, image: Image, *, platform: str | None = None) -> tuple[str, ...]:
    """The references of the outside images that the target is built from."""
    return analyse_image(project, image, platform=platform).images


def _args(project: Project, image: Image, analysis: Analysis) -> dict[str, str]:
    given = {**project.profile_args, **image.build_args}
    hashed = {key: value for key, value in given.items() if key not in image.unhashed_args}
    return analysis.effective_args(hashed)


def fingerprint_image(
    project: Project,
    image: Image,
    *,
    base_digests: Mapping[str, str],
    platform: str,
    builder: str,
    cache: StatCache | None = None,
) -> Fingerprint:
    """The fingerprint of an image or a node file.

    ``base_digests`` maps references (see ``base_images``) to digests; a missing one is hashed as
    unknown and named in ``untracked``. Images that it ``needs`` enter by their own fingerprints.
    """
    own = cache or StatCache(project.root)
    context = build_context(project, image)
    analysis = analyse_image(project, image, platform=platform)
    needs = {
        name: fingerprint_image(
            project,
            project.images[name],
            base_digests=base_digests,
            platform=platform,
            builder=builder,
            cache=own,
        )
        for name in (analysis.needs if analysis.sources is not None else image.needs)
    }
    facts: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "kind": image.kind,
        "dockerfile": hashlib.sha256(context.dockerfile_bytes).hexdigest(),
        "ignore": list(context.patterns),
        "inputs": "declared" if image.inputs is not None else _extent(analysis),
        "args": _args(project, image, analysis),
        "target": image.target,
        "platform": image.platform or platform,
        "builder": builder,
        "bases": {ref: base_digests.get(ref) for ref in analysis.images},
        "needs": {name: fingerprint.value for name, fingerprint in needs.items()},
    }
    if isinstance(image, NodeFile):
        facts["file"] = [image.file, image.dest, image.owner, image.mode]
    root = os.fsencode(context.context)
    sources = None
    if image.inputs is None and analysis.sources is not None:
        sources = resolve_sources(root, analysis.sources)
    entries = walk_context(root, Matcher(context.patterns, f"{image.name}'s ignore file"), sources)
    unknown = [f"base {ref}: unchecked" for ref, digest in facts["bases"].items() if not digest]
    made = _finish(
        facts,
        entries,
        own,
        warnings=(*context.warnings, *_warnings(image, analysis)),
        untracked=(*analysis.untracked, *unknown),
        context_root=context.context,
    )
    if cache is None:
        own.save()
    return made


def _extent(analysis: Analysis) -> str:
    return "context" if analysis.sources is None else "dockerfile"


def _warnings(image: Image, analysis: Analysis) -> tuple[str, ...]:
    if image.inputs is not None or not analysis.reasons:
        return ()
    return tuple(
        f"{image.name}: the whole context counts as input ({image.dockerfile} {reason})"
        for reason in analysis.reasons
    )


def fingerprint_chart(
    project: Project, chart: Chart, *, cache: StatCache | None = None
) -> Fingerprint:
    """The fingerprint of a chart: its files, values files and configured values."""
    own = cache or StatCache(project.root)
    key = f"charts.{chart.name}"
    directory = inside(project, chart.path, f"{key}.path")
    if not (directory / "Chart.yaml").is_file():
        message = f"{key}.path: {chart.path} holds no Chart.yaml"
        raise UsageError("input_missing", message, where=project.config_path.name)
    ignore = HelmIgnore()
    if (directory / ".helmignore").exists():
        relative = f"{chart.path}/.helmignore"
        text = read_input(project, relative, key).decode("utf-8", "surrogateescape")
        ignore = HelmIgnore(text, relative)
    root, boundary = os.fsencode(directory), os.fsencode(project.root)
    entries = walk_chart(root, ignore, boundary)
    files = {
        name: hashlib.sha256(read_input(project, name, f"{key}.values_files")).hexdigest()
        for name in chart.values_files
    }
    facts: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "kind": chart.kind,
        "release": chart.release,
        "namespace": chart.namespace,
        "values": chart.values,
        # Their order counts, their names do not.
        "values_files": list(files.values()),
    }
    made = _finish(facts, entries, own, context_root=directory)
    if cache is None:
        own.save()
    return made


def fingerprint_cluster(project: Project, *, cache: StatCache | None = None) -> Fingerprint | None:
    """The fingerprint of ``cluster.inputs``, or None where none are declared."""
    if not project.cluster.inputs:
        return None
    own = cache or StatCache(project.root)
    patterns = ["*", *(invert(item) for item in project.cluster.inputs)]
    matcher = Matcher(patterns, f"{project.config_path.name}: cluster.inputs")
    entries = walk_context(os.fsencode(project.root), matcher)
    facts = {"schema": SCHEMA_VERSION, "kind": "cluster", "inputs": patterns}
    made = _finish(facts, entries, own, context_root=project.root)
    if cache is None:
        own.save()
    return made


def _finish(
    facts: dict[str, Any],
    entries: list[Entry],
    cache: StatCache,
    *,
    warnings: tuple[str, ...] = (),
    untracked: tuple[str, ...] = (),
    context_root: Path,
) -> Fingerprint:
    before = set(cache.moved)
    text = json.dumps(facts, sort_keys=True, separators=(",", ":")).encode("ascii")
    total = hashlib.sha256(b"localloop\0%d\0" % len(text) + text)
    manifest: dict[str, str] = {}
    for entry in entries:
        kind, content = entry.kind, b""
        mode = entry.stat.st_mode
        bits = b"--"
        if kind == "l":
            content = entry.target or b""
        elif kind == "d":
            bits = b"r-" if mode & 0o005 == 0o005 else b"--"
        else:
            content = cache.digest(entry.real, entry.path, entry.stat)
            bits = (b"r" if mode & stat.S_IROTH else b"-") + (b"x" if mode & stat.S_IXUSR else b"-")
        total.update(
            b"%s%s%d\0%s%d\0%s"
            % (kind.encode(), bits, len(entry.path), entry.path, len(content), content)
        )
        name = entry.path.decode("utf-8", "surrogateescape")
        word = content.hex()[:32] if kind == "f" else hashlib.sha256(content).hexdigest()[:32]
        shown = name + "@" if kind == "l" and name in manifest else name
        manifest[shown] = f"{kind}{bits.decode()}{'' if kind == 'd' else word}"
    moved = tuple(sorted(os.fsdecode(path) for path in cache.moved - before))
    return Fingerprint(
        value=total.hexdigest(),
        manifest=manifest,
        facts=facts,
        warnings=warnings,
        untracked=untracked,
        moved=moved,
        context_root=context_root,
    )
