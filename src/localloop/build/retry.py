"""Run bake so that a failure costs only its own component, and retry what failed by bad luck.

BuildKit gives up on all targets when the first one fails. The others are then built without it, so
that their results are kept; what they had already done is cached.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from ..errors import LocalloopError
from ..registry.published import PublishedImage
from ..session import Session
from ..system.paths import cache_dir
from ..system.redact import Redactor
from .bake import FULL, LOST, TAKEN, Target, run_bake

RETRIES = 2
BAD_LUCK = {LOST: "the connection was lost", TAKEN: "the image was removed"}
DOCKER_BACK_SECONDS = 30.0

Result = TypeVar("Result")
OnStep = Callable[[str, str], None]
Pushed = dict[str, PublishedImage]


def bake(
    session: Session, targets: Sequence[Target], on_step: OnStep, redact: Redactor
) -> tuple[Pushed, list[LocalloopError]]:
    """What was built and pushed, and the failures of the rest.

    ``redact`` removes the secrets from BuildKit's output. Raises ``LocalloopError`` for failures
    that are not those of one build.
    """
    if not targets:
        return {}, []
    try:
        return _run(session, targets, on_step, redact), []
    except LocalloopError as error:
        if not _is_of_a_build(error):
            raise
        if len(targets) == 1:
            error.component = error.component or targets[0].component
            return {}, [error]
        if error.component is None:
            return _each_alone(session, targets, on_step, redact)
        on_step(error.component, "failed; the others are built without it")
        pushed, more = bake(session, without(targets, error.component), on_step, redact)
        return pushed, [error, *more]


def _run(session: Session, targets: Sequence[Target], on_step: OnStep, redact: Redactor) -> Pushed:
    def act() -> Pushed:
        return run_bake(
            targets,
            work=cache_dir(session.project.root) / "build",
            builder=session.project.builder,
            on_step=on_step,
            redact=redact,
        )

    return with_retries(session, act, on_step)


def with_retries(
    session: Session,
    act: Callable[[], Result],
    on_step: OnStep,
    reasons: Collection[str] = tuple(BAD_LUCK),
) -> Result:
    """Call ``act``; up to ``RETRIES`` more times if it fails for one of ``reasons``.

    ``reasons`` are keys of ``BAD_LUCK``. Raises what the last attempt raised.
    """
    for attempt in range(RETRIES + 1):
        try:
            return act()
        except LocalloopError as error:
            if error.reason == FULL:
                error.message += f": {session.docker.engine.free_space()}"
            if error.reason not in reasons or attempt == RETRIES:
                raise
            session.docker.wait(DOCKER_BACK_SECONDS)
            on_step("", f"{BAD_LUCK[error.reason]}: try {attempt + 2} of {RETRIES + 1}")
    raise AssertionError("unreachable")


def _is_of_a_build(error: LocalloopError) -> bool:
    return error.reason.partition(":")[0] == "build_failed"


def _each_alone(
    session: Session, targets: Sequence[Target], on_step: OnStep, redact: Redactor
) -> tuple[Pushed, list[LocalloopError]]:
    """For a failure that BuildKit assigns to no target, as for a Dockerfile it cannot read."""
    pushed: Pushed = {}
    failures: list[LocalloopError] = []
    for target in targets:
        try:
            pushed |= _run(session, with_needs(targets, target.component), on_step, redact)
        except LocalloopError as error:
            if not _is_of_a_build(error):
                raise
            error.component = error.component or target.component
            failures.append(error)
    return pushed, failures


def needs(target: Target) -> set[str]:
    """The targets of the same bake that this one builds on."""
    prefix = "target:"
    return {
        context.removeprefix(prefix)
        for context in target.contexts.values()
        if context.startswith(prefix)
    }


def with_needs(targets: Sequence[Target], wanted: str) -> list[Target]:
    """The target of that name and everything that it builds on."""
    found = {wanted}
    for _ in targets:  # as many times as a chain of needs can be long
        found |= {name for target in targets if target.component in found for name in needs(target)}
    return [target for target in targets if target.component in found]


def without(targets: Sequence[Target], failed: str) -> list[Target]:
    """The targets other than the failed one that do not build on it."""
    gone = {failed}
    for _ in targets:
        gone |= {target.component for target in targets if needs(target) & gone}
    return [target for target in targets if target.component not in gone]


def combined_error(failures: Sequence[LocalloopError]) -> LocalloopError:
    """The failure itself if there is only one, else one error that lists them all."""
    if len(failures) == 1:
        return failures[0]
    return LocalloopError(
        "build_failed",
        "\n".join(f"{failure.component}: {failure.message}" for failure in failures),
        hint="Fix them and run the deploy again: what could be built is kept.",
    )
