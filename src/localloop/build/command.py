"""Images that a command of the project builds instead of a Dockerfile.

``LOCALLOOP_IMAGE`` tells the command which name to give the image, in Docker's store or pushed;
``LOCALLOOP_PLATFORM`` is the platform. Its build arguments are environment variables too.
"""

from __future__ import annotations

import json
import os
import shlex
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import LocalloopError
from ..registry.client import Manifest
from ..registry.published import PublishedImage
from ..session import Session
from ..system import tools
from ..system.cache_files import cache_dir
from ..system.docker_host import DOCKER_HINT
from ..system.environ import for_commands
from ..system.redact import Redactor
from .bake import LOST, TAKEN, Target, push_failure, taken
from .progress import Ticker, quiet_seconds
from .retry import OnStep, Pushed, bake, combined_error, needs, with_retries, without

_PUSH_SECONDS = 1800.0
_LAST_LINES = 15


def build(
    session: Session, targets: Sequence[Target], on_step: OnStep, redact: Redactor
) -> tuple[Pushed, list[LocalloopError]]:
    """Run the commands, then one bake of all other targets: what was pushed, and what failed.

    Targets that build on an image whose command failed are left out. Raises ``LocalloopError`` if
    bake itself cannot run.
    """
    pushed: Pushed = {}
    failures: list[LocalloopError] = []
    left = list(targets)
    for target in [target for target in targets if target.command]:
        try:
            pushed[target.component] = _make(session, target, on_step, redact)
        except LocalloopError as error:
            error.component = error.component or target.component
            failures.append(error)
            left = without(left, target.component)
    try:
        baked, more = bake(session, built_by_bake(left), on_step, redact)
    except LocalloopError as error:
        raise combined_error([*failures, error]) from None
    return {**pushed, **baked}, [*failures, *more]


def built_by_bake(targets: Sequence[Target]) -> list[Target]:
    """The targets that bake builds; images that commands built are published images to them."""
    made = {target.component: target.reference for target in targets if target.command}
    return [
        replace(
            target,
            contexts={
                **target.contexts,
                **{name: f"docker-image://{made[name]}" for name in needs(target) & made.keys()},
            },
        )
        for target in targets
        if not target.command
    ]


def _make(session: Session, target: Target, on_step: OnStep, redact: Redactor) -> PublishedImage:
    started = time.monotonic()

    def act() -> Manifest:
        since = time.time()
        on_step(target.component, f"runs {shlex.join(target.command)}")
        run_command(session, target, on_step, redact)
        return _published(session, target, on_step, since)

    manifest = with_retries(session, act, on_step, reasons={TAKEN})
    on_step(target.component, f"command and push, {time.monotonic() - started:.1f} s")
    return manifest.published(target.repository, target.platform)


def run_command(session: Session, target: Target, on_step: OnStep, redact: Redactor) -> None:
    """Run the command; its output is kept in a file.

    Raises ``build_failed`` with the last lines.
    """
    log = cache_dir(session.project.root, "build", target.component) / "command.log"
    started = time.monotonic()
    last: deque[str] = deque(maxlen=_LAST_LINES)
    pace, said = quiet_seconds(), 0

    def on_line(line: str) -> None:
        line = redact(line)
        file.write(f"{line}\n")
        last.append(line)

    def tick() -> None:
        nonlocal said
        seconds = time.monotonic() - started
        if seconds // pace > said:
            said = int(seconds // pace)
            on_step(target.component, f"{seconds:.0f} s{f': {last[-1]}' if last else ''}")

    try:
        with log.open("w", buffering=1) as file, Ticker(tick):
            done = tools.run(
                target.command,
                timeout=target.timeout,
                cwd=session.project.root,
                env=_environment(session, target),
                on_stdout_line=on_line,
                on_stderr_line=on_line,
            )
    except OSError as error:
        raise _failed(target, error.strerror or str(error), last, log) from error
    except LocalloopError as error:
        raise _failed(target, error.message, last, log) from error
    if done.returncode:
        raise _failed(target, f"exit {done.returncode}", last, log)


def _environment(session: Session, target: Target) -> dict[str, str]:
    return {
        **for_commands(os.environ, session.direct_hosts),
        **target.arguments,
        "LOCALLOOP_IMAGE": target.reference or "",
        "LOCALLOOP_PLATFORM": target.platform,
    }


def _published(session: Session, target: Target, on_step: OnStep, since: float) -> Manifest:
    """What the command left, pushed under the target's reference, as one platform's manifest.

    ``since``: when the command began, as Unix time.
    """
    reference = target.reference or ""
    repository = session.repository_name(target.component)
    tag = reference.rpartition(":")[2]
    if session.docker.inspect_image(reference):
        with_retries(session, lambda: _push(session, target), on_step, reasons={LOST})
    found = session.registry.manifest(repository, tag)
    if found is None:
        if session.docker.engine.was_tagged(reference, since):
            raise taken(f"no image {reference}", target.component)
        raise LocalloopError(
            "image_not_left",
            f"{shlex.join(target.command)} succeeded but left no image {reference}",
            component=target.component,
            hint="It has to build, tag or push that name, which is in $LOCALLOOP_IMAGE.",
        )
    if found.config:
        return found
    one = _of_platform(session, repository, found, target)
    session.registry.put_manifest(repository, tag, one)
    return one


def _push(session: Session, target: Target) -> None:
    argv = [tools.find("docker", hint=DOCKER_HINT), "push", "--quiet", target.reference or ""]
    done = tools.run(argv, timeout=_PUSH_SECONDS)
    if done.returncode:
        raise push_failure(target.component, done.stderr)


def _of_platform(session: Session, repository: str, index: Manifest, target: Target) -> Manifest:
    """The index's manifest for the target's platform, whatever the architecture's variant."""
    system, _, rest = target.platform.partition("/")
    wanted = (system, rest.partition("/")[0])
    for entry in json.loads(index.body).get("manifests", []):
        platform = entry.get("platform", {})
        if (platform.get("os"), platform.get("architecture")) != wanted:
            continue
        found = session.registry.manifest(repository, entry["digest"])
        if found is not None:
            return found
    raise LocalloopError(
        "image_platform",
        f"its image is an index without {target.platform}",
        component=target.component,
        hint="Build it for $LOCALLOOP_PLATFORM.",
    )


def _failed(target: Target, why: str, last: Iterable[str], log: Path) -> LocalloopError:
    return LocalloopError(
        f"build_failed:{target.component}",
        "\n    ".join([f"{shlex.join(target.command)}: {why}", *last]),
        component=target.component,
        hint=f"Fix it and run the deploy again. Its whole output: {log}",
    )
