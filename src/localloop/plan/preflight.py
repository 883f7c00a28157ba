"""What a run needs to have at hand, looked at before it changes anything."""

from __future__ import annotations

import json

from ..cluster.state import context_name
from ..errors import LocalloopError, UsageError
from ..helm import command as helm
from ..session import Session
from ..system.paths import cache_dir
from .model import Plan


def require_tools(session: Session, plan: Plan) -> None:
    """Refuse a run that would find no Helm, or one that is too old, once it is to release.

    On a new cluster everything is released, whatever is planned once it is there.
    """
    anew = plan.cluster["verdict"] in ("create", "bootstrap") and session.project.charts
    if anew or plan.with_step("release") or plan.with_step("rollback"):
        require_helm(session)


def require_helm(session: Session) -> None:
    """Refuse to go on without a Helm that can do the releases."""
    try:
        runner = helm.Helm(session.kubeconfig, context_name(session.cluster_name))
    except LocalloopError as error:
        raise UsageError("tool_missing", error.message, hint=error.hint) from error
    found = helm_version(session, runner)
    if found < helm.OLDEST:
        raise UsageError(
            "tool_too_old:helm",
            f"{runner.path} is Helm {'.'.join(map(str, found))}",
            hint=helm.INSTALL_HINT,
        )


def helm_version(session: Session, runner: helm.Helm) -> tuple[int, int, int]:
    """Helm's version, asked once a binary (kept by its path, size and mtime)."""
    cache = cache_dir(session.project.root) / "helm-version.json"
    key = runner.identity()
    try:
        known = json.loads(cache.read_text())
        if known["key"] == key:
            major, minor, patch = map(int, known["version"])
            return major, minor, patch
    except (OSError, ValueError, TypeError, KeyError):
        pass  # It is asked, and kept.
    version = runner.version()
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        cache.write_text(json.dumps({"key": key, "version": version}))
    except OSError:
        pass  # It is asked again next time.
    return version
