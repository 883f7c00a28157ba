"""The steps of a baseline: the project's commands, its builds, its deploy; and their cache scopes.

A step's ``act(scope, say)`` does it and tells whether that changed the cluster; a
``LocalloopError`` is its failure.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..build.bake import Target, run_bake
from ..build.command import of_bake, run_command
from ..build.targets import build_target, redactor
from ..config.model import BaselineStep, Image, Project
from ..errors import LocalloopError
from ..inputs.context import write_build_context
from ..session import Session
from ..system import tools
from ..system.cache_files import cache_dir

DEPLOY_TIMEOUT_SECONDS = 7200.0
# Longer than a deploy gives its own playbook to end after Ctrl-C.
DEPLOY_GRACE_SECONDS = 15.0
LAST_LINES = 15

Say = Callable[[str], None]


@dataclass(frozen=True)
class Scope:
    """The caches of one run, apart from those of the loop and of other runs.

    ``folder`` is for the commands (``LOCALLOOP_BASELINE_DIR``) and emptied where the run is
    ``cold``; ``name`` keeps BuildKit's caches apart.
    """

    run: str
    folder: Path
    name: str
    cold: bool

    @property
    def build_arguments(self) -> dict[str, str]:
        """What makes every layer of a RUN (by its host name) and every cache mount another one."""
        # --no-cache would replace the loop's layers and empty its cache mounts.
        return {"BUILDKIT_SANDBOX_HOSTNAME": self.name, "BUILDKIT_CACHE_MOUNT_NS": self.name}

    @property
    def of_commands(self) -> dict[str, str]:
        """What commands keep their caches by."""
        return {"LOCALLOOP_BASELINE_DIR": str(self.folder)}


@dataclass(frozen=True)
class Step:
    """Something to measure."""

    category: str
    name: str
    act: Callable[[Scope, Say], bool]


def scopes(root: Path, mode: str, run_id: str) -> list[Scope]:
    """The runs of a mode; a cold run and the warm one after it share their scope.

    The folder of cold runs is one that is emptied: a new one each time would fill the disk.
    """
    base = root / ".cache" / "localloop" / "baseline"
    prefix = f"localloop-baseline-{hashlib.sha256(str(root).encode()).hexdigest()[:8]}"
    cold = Scope("cold", base / "cold", f"{prefix}-{run_id}", cold=True)
    if mode == "warm":
        return [Scope("warm", base / "warm", f"{prefix}-warm", cold=False)]
    if mode == "cold":
        return [cold]
    return [cold, Scope("warm", cold.folder, cold.name, cold=False)]


def prepare(root: Path, scope: Scope) -> None:
    """Make the scope's folder, for a cold run an empty one."""
    folder = cache_dir(root, "baseline", scope.folder.name)
    if not scope.cold:
        return
    try:
        for directory, _, _ in os.walk(folder):
            Path(directory).chmod(0o700)  # Go makes its module cache read-only
        shutil.rmtree(folder)
        folder.mkdir()
    except OSError as error:
        raise LocalloopError(
            "scope_not_emptied",
            f"cannot empty {folder}: {error.strerror} (errno {error.errno})",
            hint="Remove it by hand.",
        ) from error


def steps_of(session: Session, *, with_deploy: bool) -> list[Step]:
    """Everything to measure, in order: an image comes after those that it needs."""
    project = session.project
    found = [_command_step(session, step) for step in project.baseline]
    found += [_build_step(session, image) for image in in_order(project)]
    if with_deploy:
        found.append(Step("deploy", "deploy", lambda _, say: _deploy(session, say)))
    return found


def in_order(project: Project) -> list[Image]:
    """Images, each after those it needs, then node files."""
    found: dict[str, Image] = {}
    for image in project.builds.values():
        for name in (*needed(project, image), image.name):
            found.setdefault(name, project.builds[name])
    return sorted(found.values(), key=lambda image: image.kind == "node_file")


def needed(project: Project, image: Image) -> list[str]:
    """The images that a build needs, also by way of others, each after its own needs."""
    found: list[str] = []
    for name in image.needs:
        found += [*needed(project, project.images[name]), name]
    return list(dict.fromkeys(found))


# -- commands


def _command_step(session: Session, step: BaselineStep) -> Step:
    def act(scope: Scope, say: Say) -> bool:
        given = {
            **scope.of_commands,
            "LOCALLOOP_PROFILE": session.project.profile or "",
        }
        own = {name: refer(value, given) for name, value in step.env.items()}
        try:
            done = tools.run(
                [refer(word, given) for word in step.command],
                timeout=step.timeout,
                cwd=session.project.root,
                env={**session.environ, **given, **own},
                on_stderr_line=say,
            )
        except (OSError, ValueError) as error:
            raise LocalloopError(
                "command_not_run", f"{step.command[0]!r} cannot be run: {error}"
            ) from error
        if done.returncode:
            said = _last(done.stdout + done.stderr)
            raise LocalloopError("command_failed", f"ended with {done.returncode}\n{said}")
        return False

    return Step(step.category, step.name, act)


def refer(text: str, given: dict[str, str]) -> str:
    """The text with ``$NAME`` replaced for the names that are given; other dollars stay."""
    return re.sub(rf"\$({'|'.join(given)})\b", lambda match: given[match[1]], text)


# -- builds


def _build_step(session: Session, image: Image) -> Step:
    def act(scope: Scope, say: Say) -> bool:
        # What it needs was a step of its own: here it comes out of the cache.
        names = [*needed(session.project, image), image.name]
        targets = [_target(session, name, scope) for name in names]
        hide = redactor(session, [session.project.builds[name] for name in names])
        if image.build:
            run_command(session, targets[-1], lambda _, text: say(text), hide)
            return False
        run_bake(
            of_bake(targets),
            work=cache_dir(session.project.root, "baseline", "build", f"{scope.run}-{image.name}"),
            builder=session.project.builder,
            on_step=lambda _, text: say(text),
            hide=hide,
        )
        return False

    return Step(image.kind, image.name, act)


def _target(session: Session, name: str, scope: Scope) -> Target:
    image = session.project.builds[name]
    return build_target(
        session,
        image,
        write_build_context(session.project, image),
        reference=kept_image(session, name) if image.build else None,
        contexts={name: f"target:{name}" for name in image.needs},
        arguments=scope.of_commands if image.build else scope.build_arguments,
    )


def kept_image(session: Session, name: str) -> str:
    """What a command leaves, for the builds that need it; pushed, it would reach nobody."""
    return f"localhost:1/localloop-baseline/{session.repository_name(name)}:latest"


def remove_kept_images(session: Session) -> None:
    """Remove what the commands of a baseline have left in Docker's store."""
    with suppress(LocalloopError):  # whatever is wrong with Docker has been said
        for name, image in session.project.images.items():
            if image.build:
                session.docker.engine.remove_image(kept_image(session, name))


# -- the deploy

# Each deploy is a transaction of its own, also inside a run that has one.
_NOT_INHERITED = {
    "DEPLOY_TX_ID",
    "LOCALLOOP_JOURNAL",
    "LOCALLOOP_LOCK",
    "LOCALLOOP_TRANSACTION",
}


def _deploy(session: Session, say: Say) -> bool:
    argv = [sys.executable, "-m", "localloop", "deploy", "-o", "json"]
    argv += ["--project", str(session.project.root)]
    if session.project.profile:
        argv += ["--profile", session.project.profile]
    done = tools.run(
        argv,
        timeout=DEPLOY_TIMEOUT_SECONDS,
        cwd=session.project.root,
        env={key: value for key, value in session.environ.items() if key not in _NOT_INHERITED},
        on_stderr_line=say,
        end_by=signal.SIGINT,
        grace=DEPLOY_GRACE_SECONDS,
    )
    try:
        told = json.loads(done.stdout)
    except ValueError:
        told = {}
    if done.returncode:
        error = told.get("error")
        said = f"{error['message']} ({error['reason']})" if error else _last(done.stderr)
        raise LocalloopError("deploy_failed", said or f"ended with {done.returncode}")
    return bool(told.get("outcome") == "deployed")


def _last(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-LAST_LINES:])
