"""The inputs of a component one by one, each with what brought it in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ..config.model import Chart, Image, Project
from ..inputs.context import build_context
from ..inputs.declared import normalised
from ..inputs.dockerfile import Analysis, is_predefined
from ..inputs.ignore import Pattern
from ..inputs.names import one_line
from ..inputs.sources import resolve_sources
from ..inputs.tree import flatten
from .components import Fingerprint
from .project import ProjectFingerprints

CLUSTER = "cluster"


class Input(NamedTuple):
    """Something that counts, and why: ``site/index.html``, ``Dockerfile:3 COPY site``."""

    what: str
    why: str


def inputs_of(project: Project, prints: ProjectFingerprints, name: str) -> list[Input]:
    """All that a component's fingerprint is made of, files first; ``cluster`` has its inputs too.

    Paths are relative to the build context, a chart's to the chart, others to the project. A folder
    ends in a slash. Raises ``UsageError`` where an input is missing or cannot be read.
    """
    if name == CLUSTER and name not in project.components:
        found = prints.of_cluster
        return _files(found, _by_pattern(project.cluster.inputs)) if found else []
    found = prints.of(name)
    if name in project.charts:
        chart = project.charts[name]
        return [*_files(found, _of_chart(chart)), *_chart_facts(chart)]
    image = project.builds[name]
    analysis = prints.analysis(image)
    if image.inputs is not None:
        why = _by_pattern(image.inputs)
    elif analysis.sources is None:
        reasons = "; ".join(analysis.reasons)
        why = _constant(f"the whole context ({image.dockerfile} {reasons})")
    else:
        why = _by_source(project, image, analysis)
    return [*_files(found, why), *_build_facts(image, found)]


Why = Callable[[str], str]


def _files(found: Fingerprint, why: Why) -> list[Input]:
    listed = []
    for path, word in sorted(flatten(found.tree).items()):
        shown = f"{path}/" if word[:1] == b"d" else path.removesuffix("@")
        if path:
            listed.append(Input(one_line(shown), one_line(why(path.removesuffix("@")))))
    return listed


def _constant(text: str) -> Why:
    return lambda _path: text


def _by_pattern(patterns: tuple[str, ...]) -> Why:
    """The last pattern that takes a path in, as in ignore files."""
    compiled = [(each, Pattern(normalised(each))) for each in patterns if not each.startswith("!")]

    def why(path: str) -> str:
        matching = [each for each, pattern in compiled if pattern.match(path)]
        return f"inputs: {matching[-1]}" if matching else "on the way to an input"

    return why


def _by_source(project: Project, image: Image, analysis: Analysis) -> Why:
    """The instructions that copy a path."""
    root = os.fsencode(build_context(project, image).context)
    copied = [
        (f"{image.dockerfile}:{each.line} {each.words}", resolve_sources(root, [each.source]))
        for each in analysis.copied
    ]

    def why(path: str) -> str:
        name = os.fsencode(path)
        taking = [
            words for words, sources in copied if any(_within(name, source) for source in sources)
        ]
        return "; ".join(dict.fromkeys(taking)) or "on the way to a source"

    return why


def _within(path: bytes, source: bytes) -> bool:
    return not source or path == source or path.startswith(source + b"/")


def _build_facts(image: Image, found: Fingerprint) -> Iterator[Input]:
    facts = found.facts
    if image.build:
        yield Input("the command", "build")
    else:
        yield Input(image.dockerfile, "dockerfile")
    for name in facts["args"]:
        yield Input(f"build argument {name}", _taken_by(image, name))
    for reference in facts["bases"]:
        yield Input(f"base image {reference}", "FROM or COPY --from")
    for name in facts["needs"]:
        yield Input(f"image {name}", "needs")
    for key in ("target", "platform", "builder", "secrets", "ssh", "file"):
        if facts.get(key):
            yield Input(key, "what is built, and how")
    if facts["ignore"]:
        yield Input("ignore file", "what it leaves out")


def _taken_by(image: Image, argument: str) -> str:
    if image.build:
        return "the command gets it"
    return "BuildKit knows it" if is_predefined(argument) else "a stage declares it"


def _of_chart(chart: Chart) -> Why:
    if chart.path:
        return lambda path: (
            ("a dependency of " if path.startswith("../") else "path: ") + chart.path
        )
    if chart.kustomize:
        return _constant(f"kustomize: {chart.kustomize}")

    def why(path: str) -> str:
        taking = [each for each in chart.manifests if _within(os.fsencode(path), os.fsencode(each))]
        return f"manifests: {taking[0]}" if taking else "manifests"

    return why


def _chart_facts(chart: Chart) -> Iterator[Input]:
    for key, names in (("values_files", chart.values_files), ("manifests", chart.manifests)):
        for name in names:
            yield Input(name, key)
    for key in ("chart", "version", "repo"):
        if getattr(chart, key):
            yield Input(getattr(chart, key), key)
    for key in chart.values:
        yield Input(f"value {key}", "values")
    yield Input(f"release {chart.place}", "release, namespace")
