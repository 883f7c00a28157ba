"""``.helmignore`` as Helm reads it (its ``internal/ignore`` package).

Unlike in ``.dockerignore`` there is no ``**``; a negated rule does not re-include what an earlier
one ignored, but ignores everything that it does not match.
"""

from __future__ import annotations

import re

from ..errors import UsageError
from .go_match import GO_WHITESPACE, BadPatternError, compile_match


class HelmIgnore:
    """A chart's rules, with Helm's default rule ``templates/.?*`` added.

    Raises UsageError for a pattern that Helm refuses; ``where`` names the file in it.
    """

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
        """Whether Helm ignores a path of the chart; a directory with everything below it."""
        name = path.rpartition("/")[2]
        for negated, directory, whole, expression in self.rules:
            applies = is_dir or not directory
            match = applies and expression.fullmatch(path if whole else name) is not None
            if match != negated:
                return True
        return False
