"""How inputs are named to people, and what is refused by name."""

from __future__ import annotations

import stat

from ..errors import UsageError

_SPECIAL = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


def printable_path(path: bytes) -> str:
    """A path for people: one line, no control bytes."""
    return one_line(path.decode("utf-8", "surrogateescape"))


def one_line(text: str) -> str:
    """The same of text, in which bytes that are not UTF-8 are lone surrogates."""
    return text if text.isprintable() else "".join(map(_printable, text))


def _printable(char: str) -> str:
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char if char.isprintable() else ascii(char)[1:-1]


def unreadable(path: bytes, exc: OSError) -> UsageError:
    """An input that cannot be read."""
    message = f"the input {printable_path(path)} cannot be read: {exc.strerror}"
    return UsageError("input_unreadable", message, details={"path": printable_path(path)})


def refuse_special(path: bytes, mode: int) -> None:
    """Refuse what is no file, directory or link, by its ``st_mode``."""
    kind = _SPECIAL.get(stat.S_IFMT(mode))
    if kind:
        message = f"the input {printable_path(path)} is {kind}"
        hint = "remove it, or add it to the ignore file"
        raise UsageError(
            "input_special", message, hint=hint, details={"path": printable_path(path)}
        )


def require_utf8(path: bytes) -> None:
    """Refuse a name that BuildKit's protocol cannot carry."""
    try:
        path.decode("utf-8")
    except UnicodeDecodeError:
        message = f"the name {printable_path(path)} is not UTF-8: BuildKit cannot take it"
        hint = "rename it, or add its directory to the ignore file"
        raise UsageError(
            "input_name", message, hint=hint, details={"path": printable_path(path)}
        ) from None
