"""``localloop baseline``: how long each part of the loop takes, from empty caches and again.

It leaves the loop alone: builds are not published and have caches of their own, and commands get a
directory of their own. Only ``with_deploy``, which runs the ordinary ``localloop deploy``, touches
the cluster.
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
from .steps import (
    RunCaches,
    TimedStep,
    caches_for_mode,
    prepare_folder,
    remove_leftover_images,
    timed_steps,
)
from .table import Baseline, Measurement, csv_text, markdown_text


@dataclass(frozen=True)
class BaselinePlan:
    """What a baseline will do; ``baseline`` has every step as ``not_run``.

    ``clean`` removes what the builds leave in Docker's store.
    """

    baseline: Baseline
    root: Path
    steps: list[TimedStep]
    caches: list[RunCaches]
    clean: Callable[[], None]


def plan_baseline(
    session: Session, *, mode: str, with_deploy: bool, directory: Path
) -> BaselinePlan:
    """Plan every step of every run of ``mode`` (``cold``, ``warm`` or ``both``); writes nothing.

    ``directory`` is where the report will be written. Raises UsageError if there is no step.
    """
    steps = timed_steps(session, with_deploy=with_deploy)
    if not steps:
        raise UsageError(
            "nothing_to_measure",
            "the project has no image, no node file and no baseline step",
            where=session.project.config_path.name,
            hint="Add `baseline: {steps: […]}`, or measure the deploy with --with-deploy.",
        )
    root = session.project.root
    run_id = _unused_id(directory)
    runs = caches_for_mode(root, mode, run_id)
    baseline = Baseline(
        run_id=run_id,
        mode=mode,
        include_deploy=with_deploy,
        profile=session.project.profile or "",
        csv=_csv_path(directory, run_id),
        steps=tuple(
            Measurement(caches.run, step.category, step.name) for caches in runs for step in steps
        ),
    )
    return BaselinePlan(baseline, root, steps, runs, partial(remove_leftover_images, session))


def run_baseline(planned: BaselinePlan, emit: Emit) -> Baseline:
    """Measure what was planned, updating both files after each step.

    A step that fails is recorded, and the rest still run; Ctrl-C is recorded and ends the baseline.
    Raises ``BusyError`` while another baseline of this project runs, and ``LocalloopError`` if the
    files cannot be written or the folder of a cold run cannot be emptied.
    """
    baseline, root = planned.baseline, planned.root
    lock = Lock(lock_path("baseline", str(root)))
    holder = {"command": "baseline", "since": baseline.run_id, "root": str(root)}
    lock.acquire({"pid": os.getpid(), **holder}, exclusive=True)
    try:
        _write(baseline)  # fail now, not at the end, if the directory is not writable
        done: list[Measurement] = []
        for caches in planned.caches:
            prepare_folder(root, caches)
            for step in planned.steps:
                done.append(_measure(step, caches, emit))
                baseline = replace(baseline, steps=(*done, *planned.baseline.steps[len(done) :]))
                _write(baseline)
                if done[-1].status == "interrupted":
                    return baseline
        return baseline
    finally:
        planned.clean()
        lock.release()


def _measure(step: TimedStep, caches: RunCaches, emit: Emit) -> Measurement:
    label = f"{caches.run} {step.category}/{step.name}"

    def say(text: str) -> None:
        emit({"event": "progress", "component": label, "step": "baseline", "text": text})

    say("started")
    started = time.monotonic()
    status, error, changed = "ok", "", False
    try:
        changed = step.act(caches, say)
    except LocalloopError as failure:
        status, error = "failed", str(failure)
    except KeyboardInterrupt:
        status, error = "interrupted", "interrupted by Ctrl-C"
    seconds = time.monotonic() - started
    say(f"{status}, {seconds:.2f} s" + (f": {error.splitlines()[0]}" if error else ""))
    return Measurement(
        caches.run, step.category, step.name, status, round(seconds, 3), error, changed
    )


def _csv_path(directory: Path, run_id: str) -> Path:
    return directory / f"cluster-baseline-{run_id}.csv"


def _unused_id(directory: Path) -> str:
    """The UTC time, in the first second that no other baseline in the directory uses."""
    while _csv_path(directory, run_id := f"{datetime.now(UTC):%Y%m%d-%H%M%S}").exists():
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
