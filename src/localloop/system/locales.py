"""The locale of the processes that need one in UTF-8."""

from __future__ import annotations

import locale
from collections.abc import Mapping

_ANYWHERE = ("C.UTF-8", "en_US.UTF-8")  # the second is macOS's


def utf8_locale(environ: Mapping[str, str]) -> dict[str, str]:
    """The variable that gives a process a locale in UTF-8; empty if ``environ`` does already.

    It also replaces locales that do not exist on this machine: Ansible starts only if all do.
    """
    chosen = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or "C"
    named = {value for name, value in environ.items() if value and _names_locale(name)}
    if environ.get("LC_ALL"):
        named = {chosen}
    if _is_utf8(chosen) and all(_encoding(name) is not None for name in named):
        return {}
    usable = (name for name in _ANYWHERE if _is_utf8(name))
    return {"LC_ALL": next(usable, _ANYWHERE[0])}


def _names_locale(variable: str) -> bool:
    return variable == "LANG" or variable.startswith("LC_")


def _is_utf8(name: str) -> bool:
    return (_encoding(name) or "").lower() in ("utf-8", "utf8")


def _encoding(name: str) -> str | None:
    """The encoding of a locale; None if it does not exist here."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, name)
        return locale.nl_langinfo(locale.CODESET)
    except locale.Error:
        return None
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
