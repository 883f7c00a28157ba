"""``.dockerignore`` as BuildKit reads it, quirks included.

The rules are those of moby/patternmatcher in BuildKit's context walk: the last matching pattern
wins, a path inherits from its directory which patterns have matched, and ``!`` re-includes. A
pattern that depends on Go's regular expressions is refused with an error, not guessed.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable

from ..errors import UsageError
from .go_match import GO_WHITESPACE, BadPatternError, clean_path, translate

_ESCAPED = ".+()$"  # what patternmatcher escapes; it leaves { | } alone
_WILD = "*[]?^\\"

PatternState = tuple[bool, ...]
"""For each pattern, whether a directory or one above it matched; empty if none did."""
NOTHING_MATCHED: PatternState = ()


def parse(text: str) -> list[str]:
    """The patterns of an ignore file, cleaned as BuildKit's ``dockerignore.ReadAll`` does."""
    patterns = []
    for number, raw in enumerate(text.split("\n")):
        line = raw.removesuffix("\r")
        if number == 0:
            line = line.removeprefix("\ufeff")
        if line.startswith("#"):
            continue
        line = line.strip(GO_WHITESPACE)
        if not line:
            continue
        negated = line.startswith("!")
        if negated:
            line = line[1:].strip(GO_WHITESPACE)
        if line:
            line = clean_path(line)
            if len(line) > 1 and line.startswith("/"):
                line = line[1:]
        patterns.append("!" + line if negated else line)
    return patterns


class Pattern:
    """One compiled pattern; raises BadPatternError if it cannot be used."""

    __slots__ = ("exclusion", "glob", "kind", "regex", "text")

    def __init__(self, text: str) -> None:
        self.exclusion = text.startswith("!")
        self.text = text[1:] if self.exclusion else text
        if not self.text:
            raise BadPatternError("'!' alone")
        translate(self.text)  # raises for what filepath.Match refuses
        self.kind, expression = _compile(self.text)
        self.regex: re.Pattern[str] | None = None
        if self.kind == "regexp":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # possible nested sets
                try:
                    self.regex = re.compile(expression)
                except re.error as exc:
                    raise BadPatternError(str(exc)) from None
        self.glob = self.text.removesuffix("/**").removesuffix("/*")

    @property
    def expression(self) -> str:
        """A regular expression that matches what ``match`` does."""
        if self.regex is not None:
            return self.regex.pattern
        if self.kind == "exact":
            return re.escape(self.text) + r"\Z"
        if self.kind == "prefix":
            return re.escape(self.text[:-2])
        suffix = self.text[2:]
        whole = "(?s:.*)" + re.escape(suffix)
        return f"(?:{whole}|{re.escape(suffix[1:])})\\Z" if suffix[:1] == "/" else whole + r"\Z"

    def match(self, path: str) -> bool:
        """Whether this path itself matches; its directories are not considered."""
        if self.regex is not None:
            return self.regex.match(path) is not None  # an alternative finds its start itself
        if self.kind == "exact":
            return path == self.text
        if self.kind == "prefix":
            return path.startswith(self.text[:-2])
        suffix = self.text[2:]
        return path.endswith(suffix) or (suffix.startswith("/") and path == suffix[1:])

    def may_match_below(self, directory: str) -> bool:
        """Whether a path below a directory could match; True when in doubt."""
        slashed = directory + "/"
        if self.kind == "exact":
            return self.text.startswith(slashed)
        if self.kind == "prefix":
            head = self.text[:-2]
            return head.startswith(slashed) or slashed.startswith(head)
        if self.kind == "suffix" or any(char in self.text for char in "[]^\\|"):
            return True
        patterns, names = self.text.split("/"), directory.split("/")
        for pattern, name in zip(patterns, names, strict=False):
            if "**" in pattern:
                return True
            if not re.fullmatch(translate(pattern), name):
                return False
        return len(patterns) > len(names)


def _compile(pattern: str) -> tuple[str, str]:  # noqa: PLR0912 (as patternmatcher does, branch by branch)
    kind, out, index, count = "exact", ["^"], 0, 0
    in_class, refused = False, ""  # refused: what only a regular expression would understand
    while index < len(pattern):
        char = pattern[index]
        index += 1
        if char == "*" and pattern.startswith("*", index):
            index += 1
            if pattern.startswith("/", index):
                index += 1
            if index == len(pattern):
                if kind == "exact":
                    kind = "prefix"
                else:
                    out.append(".*")
                    kind = "regexp"
            else:
                out.append("(.*/)?")
                kind = "regexp"
            if count == 0:
                kind = "suffix"
        elif char in "*?":
            out.append("[^/]*" if char == "*" else "[^/]")
            kind, in_class = "regexp", False  # the inserted bracket ends a class
        elif char in _ESCAPED:
            out.append("\\" + char)
        elif char == "\\":
            following = pattern[index]
            index += 1
            if following.isalnum() or not following.isascii():
                raise BadPatternError(f"the escape \\{following}")
            out.append(re.escape(following))
            kind = "regexp"
        elif char in "[]":
            if char == "[" and in_class and pattern.startswith(":", index):
                raise BadPatternError("a [:class:]")
            in_class = char == "["
            out.append(char)
            kind = "regexp"
        elif char == "{" and re.match(r"[0-9]+(,[0-9]*)?\}", pattern[index:]):
            refused = "a repetition {n}"
        elif char == "|" and not in_class:
            out.append("|(?s:.*?)")  # Go searches: only the first alternative is anchored
        elif char in "|^" or (in_class and char == "-"):
            out.append(char)
        else:
            out.append(re.escape(char))
        count += 1
    if refused and kind == "regexp":
        raise BadPatternError(refused)
    return kind, "".join(out) + r"\Z"


class Matcher:
    """The patterns of an ignore file, applied from the root down.

    ``where`` names the file in errors; UsageError for a pattern that cannot be used.
    """

    def __init__(self, patterns: Iterable[str], where: str = ".dockerignore") -> None:
        self.patterns: list[Pattern] = []
        for text in patterns:
            stripped = text.strip(GO_WHITESPACE)
            if not stripped:
                continue
            try:
                self.patterns.append(Pattern(clean_path(stripped)))
            except BadPatternError as exc:
                message = f"the pattern {text!r} cannot be used: {exc}"
                raise UsageError("ignore_pattern_invalid", message, where=where) from None
        exclusions = [pattern for pattern in self.patterns if pattern.exclusion]
        self.exclusions = bool(exclusions)
        # BuildKit's shortcut: where no exclusion has wildcards, it compares only their text.
        self.plain_exclusions = not any(char in p.glob for p in exclusions for char in _WILD)
        any_pattern = "|".join(f"(?:{pattern.expression})" for pattern in self.patterns)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.any_matches = re.compile(any_pattern or "(?!)").match

    def matches(self, path: str, state: PatternState) -> tuple[bool, PatternState]:
        """Whether ``path`` is ignored, and the state for what is below it.

        ``state`` is that of its directory.
        """
        if not state and self.any_matches(path) is None:
            return False, NOTHING_MATCHED
        matched = False
        found = [False] * len(self.patterns)
        for index, pattern in enumerate(self.patterns):
            match = bool(state) and state[index]
            if not match:
                if pattern.exclusion != matched:
                    continue
                match = pattern.match(path)
            found[index] = match
            if match:
                matched = not pattern.exclusion
        return matched, tuple(found) if any(found) else NOTHING_MATCHED

    def state_of(self, directory: str) -> PatternState:
        """The state for what is in a directory; ``""`` is the root."""
        state = NOTHING_MATCHED
        parts = directory.split("/") if directory else []
        for count in range(1, len(parts) + 1):
            state = self.matches("/".join(parts[:count]), state)[1]
        return state

    def can_skip(self, directory: str, state: PatternState) -> bool:
        """Whether an ignored directory need not be read, as nothing below can be re-included."""
        if not self.exclusions:
            return True
        slashed = directory + "/"
        if self.plain_exclusions and not any(
            (p.glob + "/").startswith(slashed) for p in self.patterns if p.exclusion
        ):
            return True
        last = max(index for index, match in enumerate(state) if match)
        return not any(
            pattern.exclusion and pattern.may_match_below(directory)
            for pattern in self.patterns[last + 1 :]
        )

    def ignored(self, path: str) -> bool:
        """Whether a path is ignored, evaluated from the root down as BuildKit's walk does."""
        parts = path.split("/")
        state = NOTHING_MATCHED
        result = False
        for count in range(1, len(parts) + 1):
            here = "/".join(parts[:count])
            result, state = self.matches(here, state)
            if result and count < len(parts) and self.can_skip(here, state):
                return True
        return result
