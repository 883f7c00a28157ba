"""Input paths as text for people, and the errors for inputs that cannot be used."""

from __future__ import annotations

import stat
from collections.abc import Iterable

from ..errors import UsageError

_SPECIAL = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


def path_text(path: bytes) -> str:
    """A path as text; bytes that are not UTF-8 become lone surrogates."""
    return path.decode("utf-8", "surrogateescape")


def printable_path(path: bytes) -> str:
    """A path for people, on one line and without control bytes."""
    return one_line(path_text(path))


def one_line(text: str) -> str:
    """Text for people, on one line; unprintable characters are escaped.

    Bytes that are not UTF-8 are expected as lone surrogates (``surrogateescape``).
    """
    return text if text.isprintable() else "".join(map(_printable, text))


def nearest(name: str, names: Iterable[str]) -> str:
    """`` (did you mean …?)`` with the nearest of the names; empty if none is near."""
    from difflib import get_close_matches

    near = get_close_matches(name, list(names), 1)
    return f" (did you mean {near[0]}?)" if near else ""


def _printable(char: str) -> str:
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char if char.isprintable() else ascii(char)[1:-1]


def unreadable(path: bytes, exc: OSError) -> UsageError:
    """The error for an input that cannot be read."""
    return input_error(
        "input_unreadable", path, f"the input {{path}} cannot be read: {exc.strerror}"
    )


def input_error(reason: str, path: bytes, message: str, hint: str | None = None) -> UsageError:
    """An error about one input: ``{path}`` in the message, and its details, name the path."""
    shown = printable_path(path)
    return UsageError(reason, message.replace("{path}", shown), hint=hint, details={"path": shown})


def refuse_special(path: bytes, mode: int) -> None:
    """Raise UsageError unless ``mode`` (``st_mode``) is a file's, a directory's or a link's."""
    kind = _SPECIAL.get(stat.S_IFMT(mode))
    if kind:
        hint = "remove it, or add it to the ignore file"
        raise input_error("input_special", path, f"the input {{path}} is {kind}", hint)


def require_utf8(path: bytes) -> None:
    """Raise UsageError for a name that is not UTF-8: BuildKit's protocol cannot carry it."""
    try:
        path.decode("utf-8")
    except UnicodeDecodeError:
        message = "the name {path} is not UTF-8, so BuildKit cannot take it"
        hint = "rename it, or add its directory to the ignore file"
        raise input_error("input_name", path, message, hint) from None
