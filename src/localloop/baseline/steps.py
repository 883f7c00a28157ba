"""The steps of a baseline (the project's commands, its builds, its deploy) and their caches.

A step's ``act(caches, say)`` performs it and returns whether that changed the cluster; it raises
``LocalloopError`` if it fails.
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
from ..build.command import built_by_bake, run_command
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
class RunCaches:
    """The caches of one run (``cold`` or ``warm``), separate from the loop's and other runs'.

    ``folder`` is for the commands (``LOCALLOOP_BASELINE_DIR``) and is emptied for a cold run;
    ``name`` separates BuildKit's caches.
    """

    run: str
    folder: Path
    name: str
    cold: bool

    @property
    def build_arguments(self) -> dict[str, str]:
        """BuildKit's arguments that separate RUN layers (by host name) and cache mounts."""
        # --no-cache would replace the loop's layers and empty its cache mounts.
        return {"BUILDKIT_SANDBOX_HOSTNAME": self.name, "BUILDKIT_CACHE_MOUNT_NS": self.name}

    @property
    def command_environ(self) -> dict[str, str]:
        """The environment variables that tell commands where to keep their caches."""
        return {"LOCALLOOP_BASELINE_DIR": str(self.folder)}


@dataclass(frozen=True)
class TimedStep:
    """Something to measure; ``act`` is described above."""

    category: str
    name: str
    act: Callable[[RunCaches, Say], bool]


def caches_for_mode(root: Path, mode: str, run_id: str) -> list[RunCaches]:
    """The caches of each run of a mode; a warm run after a cold one uses the same caches.

    Cold runs share one folder that is emptied, since a new one each time would fill the disk.
    """
    base = root / ".cache" / "localloop" / "baseline"
    prefix = f"localloop-baseline-{hashlib.sha256(str(root).encode()).hexdigest()[:8]}"
    cold = RunCaches("cold", base / "cold", f"{prefix}-{run_id}", cold=True)
    if mode == "warm":
        return [RunCaches("warm", base / "warm", f"{prefix}-warm", cold=False)]
    if mode == "cold":
        return [cold]
    return [cold, RunCaches("warm", cold.folder, cold.name, cold=False)]


def prepare_folder(root: Path, caches: RunCaches) -> None:
    """Create the run's folder, and empty it for a cold run; LocalloopError if that fails."""
    folder = cache_dir(root, "baseline", caches.folder.name)
    if not caches.cold:
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


def timed_steps(session: Session, *, with_deploy: bool) -> list[TimedStep]:
    """Everything to measure, in order; images come after those that they need."""
    project = session.project
    steps = [_command_step(session, step) for step in project.baseline]
    steps += [_build_step(session, image) for image in build_order(project)]
    if with_deploy:
        steps.append(TimedStep("deploy", "deploy", lambda _, say: _deploy(session, say)))
    return steps


def build_order(project: Project) -> list[Image]:
    """The images, each after those that it needs, then the node files."""
    found: dict[str, Image] = {}
    for image in project.builds.values():
        for name in (*images_needed(project, image), image.name):
            found.setdefault(name, project.builds[name])
    return sorted(found.values(), key=lambda image: image.kind == "node_file")


def images_needed(project: Project, image: Image) -> list[str]:
    """The images that a build needs, directly or indirectly, each after its own needs."""
    found: list[str] = []
    for name in image.needs:
        found += [*images_needed(project, project.images[name]), name]
    return list(dict.fromkeys(found))


# -- commands


def _command_step(session: Session, step: BaselineStep) -> TimedStep:
    def act(caches: RunCaches, say: Say) -> bool:
        values = {
            **caches.command_environ,
            "LOCALLOOP_PROFILE": session.project.profile or "",
        }
        own = {name: replace_names(value, values) for name, value in step.env.items()}
        try:
            done = tools.run(
                [replace_names(word, values) for word in step.command],
                timeout=step.timeout,
                cwd=session.project.root,
                env={**session.environ, **values, **own},
                on_stderr_line=say,
            )
        except (OSError, ValueError) as error:
            raise LocalloopError(
                "command_not_run", f"{step.command[0]!r} cannot be run: {error}"
            ) from error
        if done.returncode:
            output = _last_lines(done.stdout + done.stderr)
            raise LocalloopError("command_failed", f"exited with {done.returncode}\n{output}")
        return False

    return TimedStep(step.category, step.name, act)


def replace_names(text: str, values: dict[str, str]) -> str:
    """Replace ``$NAME`` for every name in ``values``; other dollar signs stay."""
    return re.sub(rf"\$({'|'.join(values)})\b", lambda match: values[match[1]], text)


# -- builds


def _build_step(session: Session, image: Image) -> TimedStep:
    def act(caches: RunCaches, say: Say) -> bool:
        # The images it needs were steps of their own, so they come from the cache here.
        names = [*images_needed(session.project, image), image.name]
        targets = [_target(session, name, caches) for name in names]
        redact = redactor(session, [session.project.builds[name] for name in names])
        if image.build:
            run_command(session, targets[-1], lambda _, text: say(text), redact)
            return False
        run_bake(
            built_by_bake(targets),
            work=cache_dir(session.project.root, "baseline", "build", f"{caches.run}-{image.name}"),
            builder=session.project.builder,
            on_step=lambda _, text: say(text),
            redact=redact,
        )
        return False

    return TimedStep(image.kind, image.name, act)


def _target(session: Session, name: str, caches: RunCaches) -> Target:
    image = session.project.builds[name]
    return build_target(
        session,
        image,
        write_build_context(session.project, image),
        reference=leftover_image(session, name) if image.build else None,
        contexts={name: f"target:{name}" for name in image.needs},
        arguments=caches.command_environ if image.build else caches.build_arguments,
    )


def leftover_image(session: Session, name: str) -> str:
    """The name of the image that a command builds, for the builds that need it.

    No registry listens there, so it cannot be pushed.
    """
    return f"localhost:1/localloop-baseline/{session.repository_name(name)}:latest"


def remove_leftover_images(session: Session) -> None:
    """Remove the images that a baseline's commands have left in Docker's store."""
    with suppress(LocalloopError):  # problems with Docker have already been reported
        for name, image in session.project.images.items():
            if image.build:
                session.docker.engine.remove_image(leftover_image(session, name))


# -- the deploy

# Each deploy is a transaction of its own, even inside a run that has one.
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
        document = json.loads(done.stdout)
    except ValueError:
        document = {}
    if done.returncode:
        error = document.get("error")
        message = f"{error['message']} ({error['reason']})" if error else _last_lines(done.stderr)
        raise LocalloopError("deploy_failed", message or f"exited with {done.returncode}")
    return bool(document.get("outcome") == "deployed")


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-LAST_LINES:])
