"""The user's own kubeconfig: where it is, and one context put into it.

It is changed as kubectl changes it, under the same lock (a file ``FILE.lock`` that is created
exclusively), except that the new content replaces the old by rename.
"""

from __future__ import annotations

import copy
import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..config.yaml_tree import load_tree
from ..errors import BusyError, LocalloopError, UsageError
from ..system.paths import state_dir

LOCK_WAIT_SECONDS = 2.0
_SECTIONS = {"clusters": "cluster", "users": "user", "contexts": "context"}


def user_kubeconfigs(environ: Mapping[str, str]) -> list[Path]:
    """The files of KUBECONFIG without localloop's own, else ``~/.kube/config``."""
    home = Path(environ.get("HOME") or Path.home())
    ours = state_dir(environ)
    given = [Path(each) for each in environ.get("KUBECONFIG", "").split(os.pathsep) if each]
    theirs = [path for path in given if not Path(os.path.abspath(path)).is_relative_to(ours)]  # noqa: PTH100 (keeps links)
    return theirs or [home / ".kube" / "config"]


def entry_in_user_config(environ: Mapping[str, str], context: str) -> Path | None:
    """The user's kubeconfig that has a context of this name, if one of them has; raises nothing."""
    for path in user_kubeconfigs(environ):
        with suppress(LocalloopError):
            if _named(_read(path), "contexts", context) is not None:
                return path
    return None


def merge_context(path: Path, ours: Path, context: str) -> bool:
    """Put a context, its cluster and its user from ``ours`` into the kubeconfig at ``path``.

    All three have the same name. Everything else in the file stays, also the current context and
    what the user added to this context (its namespace); comments are lost. Returns whether the file
    had to be changed. Raises UsageError (``kubeconfig_invalid``, ``context_not_ours``), BusyError
    (``kubeconfig_locked``) and LocalloopError (``kubeconfig_unwritable``).
    """
    source = _read(ours)
    with _locked(path):
        document = _read(path)
        before = copy.deepcopy(document)
        _merge(document, source, context, path)
        if document == before:
            return False
        _replace(path, _text(document).encode())
    return True


def _merge(document: dict[str, Any], source: dict[str, Any], name: str, path: Path) -> None:
    known = _named(document, "contexts", name)
    owner = str((known or {}).get("cluster") or name)
    if owner != name:
        raise UsageError(
            "context_not_ours",
            f"context {name} there is of cluster {owner}, which localloop did not make",
            where=str(path),
            hint=f"Rename it first: kubectl config rename-context {name} NEW --kubeconfig {path}",
        )
    document.setdefault("apiVersion", "v1")
    document.setdefault("kind", "Config")
    for section, key in _SECTIONS.items():
        body = _named(source, section, name)
        if body is None:
            raise UsageError(
                "kubeconfig_invalid", f"localloop's own kubeconfig has no {key} {name}"
            )
        if section == "contexts":
            body = {**(known or {}), **body}
        items = document.get(section) or []
        document[section] = items
        index = next((n for n, item in enumerate(items) if item["name"] == name), len(items))
        items[index : index + 1] = [{"name": name, key: body}]


def _named(document: Mapping[str, Any], section: str, name: str) -> dict[str, Any] | None:
    for item in document.get(section) or ():
        if item["name"] == name:
            body = item.get(_SECTIONS[section])
            return body if isinstance(body, dict) else {}
    return None


def _read(path: Path) -> dict[str, Any]:
    """The kubeconfig at ``path``; empty if there is no file, or nothing in it."""
    try:
        document = load_tree(path.read_bytes(), str(path)).plain()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _invalid(path, f"cannot be read: {error.strerror}") from error
    except UsageError as error:
        raise UsageError("kubeconfig_invalid", error.message, where=error.where) from error
    if document is None:
        return {}
    if not isinstance(document, dict) or document.get("kind", "Config") != "Config":
        raise _invalid(path, "this is no kubeconfig")
    for section in _SECTIONS:
        items = document.get(section)
        if items is None:
            continue
        if not isinstance(items, list) or not all(
            isinstance(item, dict) and isinstance(item.get("name"), str) for item in items
        ):
            raise _invalid(path, f"{section!r} is no list of named entries")
    return document


def _invalid(path: Path, message: str) -> UsageError:
    hint = "Correct the file, or name another one with KUBECONFIG."
    return UsageError("kubeconfig_invalid", message, where=str(path), hint=hint)


def _text(document: Mapping[str, Any]) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes all text that a parser of any version of YAML could take for a number."""

    def text(dumper: Any, value: str) -> Any:
        style = '"' if value[:1] in tuple("0123456789+-.") else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    Dumper.ignore_aliases = lambda *_: True  # type: ignore[method-assign]
    return yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=1 << 20)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = path.with_name(f"{path.name}.lock")
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    try:
        lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            try:
                os.close(os.open(lock, os.O_CREAT | os.O_EXCL, 0))
                break
            except FileExistsError:
                if time.monotonic() > deadline:
                    raise BusyError(
                        "kubeconfig_locked",
                        f"{path} is locked: {lock} exists",
                        hint=f"If no kubectl or kind is running, remove it: rm {lock}",
                    ) from None
                time.sleep(0.05)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _replace(path: Path, content: bytes) -> None:
    """Write the file that ``path`` is or links to. Mode and owner stay; a new one is 0600."""
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        known = target.stat() if target.exists() else None
        if known is not None and not os.access(target, os.W_OK):
            raise PermissionError(13, "Permission denied")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(content)
            if known is not None:
                with suppress(PermissionError):
                    os.fchown(file.fileno(), known.st_uid, known.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(known.st_mode))
        temporary.replace(target)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> LocalloopError:
    return LocalloopError(
        "kubeconfig_unwritable",
        f"cannot be written: {error.strerror}",
        where=str(path),
        hint="Make it writable, or name another file with KUBECONFIG.",
    )
