"""``localloop baseline``: how long every part of the loop takes, from nothing and again.

It changes nothing of the loop: builds are not published and have caches of their own, commands get
a folder of their own. The cluster is touched by ``with_deploy`` alone,
which runs the ordinary ``localloop deploy``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from ..errors import LocalloopError, UsageError
from ..events import Emit
from ..session import Session
from ..system.cache_files import write_atomically
from ..system.locks import Lock, lock_path
from .steps import Scope, Step, prepare, remove_kept_images, scopes, steps_of
from .table import Baseline, Measured, csv_text, markdown_text


@dataclass(frozen=True)
class Planned:
    """What a baseline is going to do; ``baseline`` has every step as ``not_run``."""

    baseline: Baseline
    root: Path
    steps: list[Step]
    scopes: list[Scope]
    clean: Callable[[], None]


def plan_baseline(session: Session, *, mode: str, with_deploy: bool, directory: Path) -> Planned:
    """Every step of every run of ``mode`` (``cold``, ``warm`` or ``both``); writes nothing."""
    steps = steps_of(session, with_deploy=with_deploy)
    if not steps:
        raise UsageError(
            "nothing_to_measure",
            "the project has no image, no node file and no baseline step",
            where=session.project.config_path.name,
            hint="Add `baseline: {steps: […]}`, or measure the deploy with --with-deploy.",
        )
    root = session.project.root
    run_id = _free_id(directory)
    runs = scopes(root, mode, run_id)
    baseline = Baseline(
        run_id=run_id,
        mode=mode,
        include_deploy=with_deploy,
        profile=session.project.profile or "",
        csv=_csv(directory, run_id),
        steps=tuple(
            Measured(scope.run, step.category, step.name) for scope in runs for step in steps
        ),
    )
    return Planned(baseline, root, steps, runs, partial(remove_kept_images, session))


def run_baseline(planned: Planned, emit: Emit) -> Baseline:
    """Measure what was planned, and keep the two files up to date.

    A step that fails is recorded and the rest goes on; Ctrl-C ends the baseline, and is recorded.
    Raises ``BusyError`` while another baseline of this project runs.
    """
    baseline, root = planned.baseline, planned.root
    lock = Lock(lock_path("baseline", str(root)))
    holder = {"command": "baseline", "since": baseline.run_id, "root": str(root)}
    lock.acquire({"pid": os.getpid(), **holder}, exclusive=True)
    try:
        _write(baseline)  # a directory that cannot be written is no news for the end
        done: list[Measured] = []
        for scope in planned.scopes:
            prepare(root, scope)
            for step in planned.steps:
                done.append(_measure(step, scope, emit))
                baseline = replace(baseline, steps=(*done, *planned.baseline.steps[len(done) :]))
                _write(baseline)
                if done[-1].status == "interrupted":
                    return baseline
        return baseline
    finally:
        planned.clean()
        lock.release()


def _measure(step: Step, scope: Scope, emit: Emit) -> Measured:
    label = f"{scope.run} {step.category}/{step.name}"

    def say(text: str) -> None:
        emit({"event": "progress", "component": label, "step": "baseline", "text": text})

    say("begins")
    started = time.monotonic()
    status, error, changed = "ok", "", False
    try:
        changed = step.act(scope, say)
    except LocalloopError as found:
        status, error = "failed", str(found)
    except KeyboardInterrupt:
        status, error = "interrupted", "ended by Ctrl-C"
    seconds = time.monotonic() - started
    say(f"{status}, {seconds:.2f} s" + (f": {error.splitlines()[0]}" if error else ""))
    return Measured(scope.run, step.category, step.name, status, round(seconds, 3), error, changed)


def _csv(directory: Path, run_id: str) -> Path:
    return directory / f"cluster-baseline-{run_id}.csv"


def _free_id(directory: Path) -> str:
    """The UTC time, in the first second that no other baseline in that directory has."""
    while _csv(directory, run_id := f"{datetime.now(UTC):%Y%m%d-%H%M%S}").exists():
        time.sleep(0.1)
    return run_id


def _write(baseline: Baseline) -> None:
    try:
        baseline.csv.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(baseline.csv, csv_text(baseline).encode())
        write_atomically(baseline.markdown, markdown_text(baseline).encode(errors="replace"))
    except OSError as error:
        raise LocalloopError(
            "baseline_unwritable",
            f"cannot write {baseline.csv}: {error.strerror} (errno {error.errno})",
            hint="Make it writable, or choose another directory with --output-dir.",
        ) from error
