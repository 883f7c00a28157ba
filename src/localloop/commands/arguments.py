"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..config.environment import deploy_mode, deploy_targets
from ..config.model import Project
from ..observe.facts import Request, request


@dataclass(frozen=True, kw_only=True)
class ProjectOptions:
    """``--project``: a directory of the project."""

    project: Path = Path()


@dataclass(frozen=True, kw_only=True)
class ProfileOptions(ProjectOptions):
    """``--project``, and ``--profile``: None leaves the choice to the environment and the file."""

    profile: str | None = None


@dataclass(frozen=True, kw_only=True)
class TargetOptions(ProfileOptions):
    """What to deploy: the given components, or with ``full`` everything, changed or not."""

    targets: Sequence[str] = ()
    full: bool = False


def add_project(parser: argparse.ArgumentParser) -> None:
    """Add ``--project``."""
    parser.add_argument(
        "--project", type=Path, default=Path(), metavar="DIR", help="the project (default: here)"
    )


def add_profile(parser: argparse.ArgumentParser) -> None:
    """Add ``--project`` and ``--profile``."""
    add_project(parser)
    parser.add_argument("--profile", help="a profile of localloop.yml")


def add_targets(parser: argparse.ArgumentParser) -> None:
    """Add what ``TargetOptions`` has."""
    add_profile(parser)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="component names, or all")
    parser.add_argument("--full", action="store_true", help="everything, changed or not")


def requested(options: TargetOptions, project: Project, environ: Mapping[str, str]) -> Request:
    """The request of a command line, else that of LOCALLOOP_TARGETS and LOCALLOOP_MODE.

    Raises UsageError for a component that the project does not have, and for an unknown mode.
    """
    targets, full = tuple(options.targets), options.full
    if not targets and not full:
        targets, full = deploy_targets(environ), deploy_mode(environ) == "full"
    return request(targets, full=full, known=list(project.components))
