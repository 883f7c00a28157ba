"""The programs of the project's own commands, looked for before anything changes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence

from ..config.model import Project
from ..errors import UsageError
from .model import Plan


def require_programs(project: Project, plan: Plan, *, everything: bool) -> None:
    """Raise ``UsageError`` (``program_missing``) where a command's program is not on PATH.

    Of the commands that the plan runs: those of its builds, and of hooks around what it deploys;
    ``everything`` means all. A program by its path is left alone, since a command that runs
    earlier may make it.
    """
    for where, command in _commands(project, plan, everything=everything):
        program = command[0]
        if "/" not in program and shutil.which(program, path=os.environ.get("PATH", "")) is None:
            raise UsageError(
                "program_missing",
                f"{where}: {program} is not on PATH",
                hint="Install it, or correct the command in localloop.yml.",
            )


def _commands(
    project: Project, plan: Plan, *, everything: bool
) -> Iterator[tuple[str, Sequence[str]]]:
    built = {part.name for part in plan.with_step("build")}
    for section, images in (("images", project.images), ("node_files", project.node_files)):
        for name, image in images.items():
            if not everything and name not in built:
                continue
            if image.build:
                yield f"{section}.{name}.build.command", image.build.command
            for argument, source in image.unhashed_args.items():
                if source.command:
                    yield f"{section}.{name}.unhashed_args.{argument}.command", source.command
    if everything or plan.with_step("release") or plan.with_step("put"):
        for when in ("before_deploy", "after_deploy"):
            for number, hook in enumerate(getattr(project, when)):
                yield f"hooks.{when}[{number}].command", hook.command
