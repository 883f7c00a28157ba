"""The locations of Ansible content, state, caches and reports."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ..errors import LocalloopError, UsageError


def content_dir() -> Path:
    """The directory of ansible.cfg, playbooks and roles, in the installed wheel or the checkout."""
    package = Path(__file__).resolve().parent.parent
    packaged = package / "content"
    return packaged if (packaged / "ansible.cfg").is_file() else package.parent.parent


def state_dir(environ: Mapping[str, str] | None = None) -> Path:
    """``$XDG_STATE_HOME/localloop`` for locks, pins and kubeconfigs; created with mode 0700."""
    environ = os.environ if environ is None else environ
    home = environ.get("XDG_STATE_HOME", "")
    # The XDG specification says to ignore a relative path.
    base = Path(home) if Path(home).is_absolute() else Path.home() / ".local" / "state"
    state = base / "localloop"
    with suppress(OSError):  # the first write there reports the problem, with the path
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
    return state


def cluster_dir(name: str) -> Path:
    """The directory for what is kept of a cluster: its kubeconfig, ports and id."""
    return state_dir() / "clusters" / name


def cache_dir(root: Path) -> Path:
    """localloop's cache inside a project; never an input."""
    return root / ".cache" / "localloop"


def report_dir(root: Path, environ: Mapping[str, str]) -> Path:
    """``DEPLOY_REPORT_DIR`` (relative to the project), else ``.cache/deploy-reports``.

    Raises ``UsageError`` (``bad_report_dir``).
    """
    given = environ.get("DEPLOY_REPORT_DIR", "")
    return _output_dir(root, given or ".cache/deploy-reports", "DEPLOY_REPORT_DIR" if given else "")


def perf_dir(root: Path, environ: Mapping[str, str], option: str | None = None) -> Path:
    """``--output-dir``, else ``LOCALLOOP_PERF_DIR`` (both relative to the project), else
    ``.cache/perf``.

    Raises ``UsageError`` (``bad_report_dir``).
    """
    if option is not None:
        return _output_dir(root, option, "--output-dir")
    given = environ.get("LOCALLOOP_PERF_DIR", "")
    return _output_dir(root, given or ".cache/perf", "LOCALLOOP_PERF_DIR" if given else "")


def _output_dir(root: Path, given: str, where: str) -> Path:
    chosen = root / given
    problem = ""
    if any(ord(character) < 32 or ord(character) == 127 for character in given):
        problem = "contains control characters"
    elif not given:
        problem = "is empty"
    elif given.startswith("~"):
        problem = "starts with '~', which only a shell expands"
    elif ".." in Path(given).parts:
        problem = "contains '..'"
    elif chosen.exists() and not chosen.is_dir():
        problem = "is not a directory"
    elif not Path(given).is_absolute() and not chosen.resolve().is_relative_to(root.resolve()):
        problem = "leaves the project through a symbolic link"
    if problem:
        raise UsageError(
            "bad_report_dir",
            f"the report directory {str(chosen)!r} {problem}",
            where=where or None,
            hint="Give an absolute directory, or one inside the project.",
        )
    return chosen


def write_private(path: Path, content: bytes) -> None:
    """Replace a file by rename, readable by the user only, in two directories of mode 0700.

    Raises ``LocalloopError`` (``state_unwritable``).
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600
        )
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> LocalloopError:
    """The failure of writing or removing a file of the local state."""
    hint = "Make the directory writable or set XDG_STATE_HOME to one that is."
    if isinstance(error, IsADirectoryError):
        hint = "Remove that directory: localloop writes a file there."
    return LocalloopError(
        "state_unwritable",
        f"cannot write {path}: {error.strerror} (errno {error.errno})",
        hint=hint,
    )
