"""``.helmignore`` with Helm's meaning: no ``**``, no inheritance but by directory, odd negation."""

from __future__ import annotations

import re

from ..errors import UsageError
from .go_match import GO_WHITESPACE, BadPatternError, compile_match


class HelmIgnore:
    """The rules of a chart; Helm's own default rule is always among them."""

    def __init__(self, text: str = "", where: str = ".helmignore") -> None:
        self.rules: list[tuple[bool, bool, bool, re.Pattern[str]]] = []
        for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
            self._add(raw, f"{where}:{number}")
        self._add("templates/.?*", where)

    def _add(self, raw: str, where: str) -> None:
        rule = raw.strip(GO_WHITESPACE)
        if not rule or rule.startswith("#"):
            return
        if "**" in rule:
            message = "Helm does not support ** in .helmignore"
            raise UsageError("ignore_pattern_invalid", message, where=where)
        negated = rule.startswith("!")
        rule = rule[1:] if negated else rule
        directory = rule.endswith("/")
        rule = rule.removesuffix("/")
        whole = "/" in rule
        try:
            expression = compile_match(rule.removeprefix("/"))
        except BadPatternError as exc:
            message = f"the pattern {raw!r} cannot be used: {exc}"
            raise UsageError("ignore_pattern_invalid", message, where=where) from None
        self.rules.append((negated, directory, whole, expression))

    def ignored(self, path: str, is_dir: bool) -> bool:
        """Whether Helm leaves a path of the chart out, with all below it if it is a directory."""
        name = path.rpartition("/")[2]
        for negated, directory, whole, expression in self.rules:
            applies = is_dir or not directory
            match = applies and expression.fullmatch(path if whole else name) is not None
            if match != negated:
                return True
        return False
