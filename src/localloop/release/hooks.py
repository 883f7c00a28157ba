"""The project's own commands around a deploy: bounded, without a shell, each in the report."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from typing import Any

from ..config.model import Hook
from ..errors import LocalloopError
from ..events import Emit
from ..session import Session
from ..system import tools
from ..system.environ import for_commands

_LINES = 10


def run_hooks(session: Session, when: str, emit: Emit) -> list[dict[str, Any]]:
    """Run the hooks of ``before_deploy`` or ``after_deploy``; the result of each as data.

    Raises ``deploy_hook_failed`` for the first one that fails or does not end in time.
    """
    project = session.project
    hooks = {"before_deploy": project.before_deploy, "after_deploy": project.after_deploy}[when]
    environ = for_commands(os.environ, session.direct_hosts)
    environ["KUBECONFIG"] = str(session.kubeconfig)
    return [_run(session, hook, when, environ, emit) for hook in hooks]


def _run(
    session: Session, hook: Hook, when: str, environ: Mapping[str, str], emit: Emit
) -> dict[str, Any]:
    words = shlex.join(hook.command)
    emit({"event": "progress", "component": None, "step": when, "text": f"{when}: {words}"})
    try:
        done = tools.run(hook.command, timeout=hook.timeout, cwd=session.project.root, env=environ)
    except OSError as error:
        raise _failed(when, words, error.strerror or str(error)) from error
    except LocalloopError as error:
        emit({"event": "hook", "when": when, "command": words, "code": None, "lines": []})
        raise _failed(when, words, error.message) from error
    lines = (done.stdout + done.stderr).strip().splitlines()[-_LINES:]
    result = {"when": when, "command": words, "code": done.returncode, "lines": lines}
    emit({"event": "hook", "duration_s": done.duration_s, **result})
    emit({"event": "span", "name": when, "duration_s": done.duration_s})
    if done.returncode:
        raise _failed(when, words, "\n  ".join([f"exit {done.returncode}", *lines]))
    return result


def _failed(when: str, words: str, why: str) -> LocalloopError:
    left = "nothing was released" if when == "before_deploy" else "what was deployed is ready"
    return LocalloopError(
        f"deploy_hook_failed:{when}",
        f"{words}: {why}",
        hint=f"Fix it, then run the deploy again ({left}).",
    )
