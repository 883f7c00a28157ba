"""The fingerprints of one project, each computed once."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from ..config.model import Chart, Image, Project
from ..config.value_commands import Command, with_outputs
from ..inputs.context import build_context
from ..inputs.context_copy import copy_name
from ..inputs.dockerfile import Analysis
from .bases import Bases
from .builder_kind import builder_kind
from .components import (
    Fingerprint,
    analyse_image,
    base_images,
    fingerprint_chart,
    fingerprint_cluster,
    fingerprint_image,
)
from .explain import last_bases
from .folder_cache import InputCache


class ProjectFingerprints:
    """A project's fingerprints, computed on first use and kept for the rest of the run."""

    def __init__(
        self,
        project: Project,
        *,
        platform: str,
        environ: Mapping[str, str],
        bases: Bases,
        writes: bool = True,
        pulls: bool = True,
    ) -> None:
        """``platform`` (``linux/amd64``) is that of images that name none.

        ``environ`` chooses the buildx builder where the project names none. ``bases`` knows the
        digests of base images, which are not pulled with ``pulls=False``. With ``writes=False``
        nothing is written to the project's cache.
        """
        self._project = project
        self._platform = platform
        self._environ = environ
        self._bases = bases
        self._pulls = pulls
        self._started = time.time_ns()
        self._inputs = InputCache(project.root, writes=writes)
        self._known: dict[str, Fingerprint] = {}
        self._outputs: dict[Command, str] = {}

    def of(self, component: str) -> Fingerprint:
        """The fingerprint of a component of any kind, by its name.

        Raises ``UsageError`` where an input is missing or cannot be hashed, as all methods do that
        return a fingerprint.
        """
        if component in self._project.charts:
            return self.of_chart(self._project.charts[component])
        return self.of_image(self._project.builds[component])

    def of_image(self, image: Image, *, fresh: bool = False) -> Fingerprint:
        """The fingerprint of an image or a node file.

        ``fresh`` reads the inputs again. A file that was changed since this object was made then
        counts as moved, even if its content is what it was before.
        """
        self._inputs.files.since = self._started if fresh else None
        if fresh:
            self._bases.forget()
        if fresh or image.name not in self._known:
            self._known[image.name] = fingerprint_image(
                self._project,
                image,
                base_digests=self._base_digests(image),
                platform=self._platform,
                builder=builder_kind(self._project.builder, self._environ),
                cache=self._inputs,
            )
        return self._known[image.name]

    def of_chart(self, chart: Chart) -> Fingerprint:
        """The fingerprint of a chart."""
        if chart.name not in self._known:
            chart = replace(chart, values=self.values_of(chart))
            self._known[chart.name] = fingerprint_chart(self._project, chart, cache=self._inputs)
        return self._known[chart.name]

    def values_of(self, chart: Chart) -> dict[str, Any]:
        """The chart's values; those that come from a command are asked for once a run.

        Raises ``UsageError`` (``value_command_failed``).
        """
        values: dict[str, Any] = with_outputs(
            chart.values, lambda command, path: self._output(chart.name, command, path)
        )
        return values

    def _output(self, chart: str, command: Command, path: str) -> str:
        if command not in self._outputs:
            from .value_output import run_value_command

            self._outputs[command] = run_value_command(self._project.root, chart, path, command)
        return self._outputs[command]

    @cached_property
    def of_cluster(self) -> Fingerprint | None:
        """The fingerprint of ``cluster.inputs``; None where the project declares none."""
        return fingerprint_cluster(self._project, cache=self._inputs)

    @property
    def cluster_warnings(self) -> tuple[str, ...]:
        """What is to be said about ``cluster.inputs``."""
        return self.of_cluster.warnings if self.of_cluster else ()

    def analysis(self, image: Image) -> Analysis:
        """What the image's Dockerfile reads and declares."""
        return analyse_image(self._project, image, platform=self._platform)

    def copy_name(self, image: Image) -> str:
        """The name by which BuildKit keeps its copy of the build context (context_copy.py)."""
        root = build_context(self._project, image).context
        return copy_name(os.fsencode(root), self.of_image(image).tree)

    def missing_bases(self, image: Image) -> list[str]:
        """The base images of this image that are not in Docker's store."""
        return self._bases.missing(self._base_images(image))

    def pull_bases(self, image: Image) -> bool:
        """Pull the base images that are missing, before a build; returns whether there were any.

        Raises ``LocalloopError`` (``base_image_missing``) where one cannot be pulled.
        """
        missing = self.missing_bases(image) if self._pulls else []
        if missing:
            self._bases.pull(missing, image.name)
            self._known.clear()
        return bool(missing)

    def _base_images(self, image: Image) -> tuple[str, ...]:
        return base_images(self._project, image, platform=self._platform)

    def _base_digests(self, image: Image) -> dict[str, str]:
        """Digests by reference: those of Docker's store, else those of the last build."""
        references = self._base_images(image)
        missing = self._bases.missing(references)
        built = last_bases(self._project.root, missing)
        found = {reference: self._bases.local(reference) for reference in references}
        return {**found, **{reference: built.get(reference, "") for reference in missing}}
