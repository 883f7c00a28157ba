"""``.dockerignore`` with BuildKit's meaning, quirks included.

The meaning is that of moby's ``patternmatcher`` inside BuildKit's context walk: the last matching
pattern wins, a path inherits per pattern what its directory matched, and ``!`` brings back. Where a
pattern means something to Go's regular expressions only, it is refused by name rather than guessed.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable

from ..errors import UsageError
from .go_match import GO_WHITESPACE, BadPatternError, clean_path, translate

_ESCAPED = ".+()$"  # what the original escapes: its table does not reach { | }
_WILD = "*[]?^\\"

PatternState = tuple[bool, ...]
"""Per pattern whether a directory or one above it matched; ``NOTHING_MATCHED`` where none did."""
NOTHING_MATCHED: PatternState = ()


def parse(text: str) -> list[str]:
    """The patterns of an ignore file, as BuildKit reads it."""
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
    """One compiled pattern."""

    __slots__ = ("exclusion", "glob", "kind", "regex", "text")

    def __init__(self, text: str) -> None:
        self.exclusion = text.startswith("!")
        self.text = text[1:] if self.exclusion else text
        if not self.text:
            raise BadPatternError("'!' alone")
        translate(self.text)  # refuses what filepath.Match refuses
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
        """What ``match`` does, as the text of one regular expression."""
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
        """Whether this very path matches (its directories are the caller's business)."""
        if self.regex is not None:
            return self.regex.match(path) is not None  # an alternative looks for its place itself
        if self.kind == "exact":
            return path == self.text
        if self.kind == "prefix":
            return path.startswith(self.text[:-2])
        suffix = self.text[2:]
        return path.endswith(suffix) or (suffix.startswith("/") and path == suffix[1:])

    def may_match_below(self, directory: str) -> bool:
        """Whether some path strictly below a directory could match; True when in doubt."""
        slashed = directory + "/"
        if self.kind == "exact":
            return self.text.startswith(slashed)
        if self.kind == "prefix":
            head = self.text[:-2]
            return head.startswith(slashed) or slashed.startswith(head)
        if self.kind == "suffix" or any(char in self.text for char in "[]^\\|"):
            return True
        wanted, given = self.text.split("/"), directory.split("/")
        for want, have in zip(wanted, given, strict=False):
            if "**" in want:
                return True
            if not re.fullmatch(translate(want), have):
                return False
        return len(wanted) > len(given)


def _compile(pattern: str) -> tuple[str, str]:  # noqa: PLR0912 (the original, branch by branch)
    kind, out, index, count = "exact", ["^"], 0, 0
    depth, refused = False, ""  # inside a character class; what a regexp would understand
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
            kind, depth = "regexp", False  # the bracket ends a class
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
            if char == "[" and depth and pattern.startswith(":", index):
                raise BadPatternError("a [:class:]")
            depth = char == "["
            out.append(char)
            kind = "regexp"
        elif char == "{" and re.match(r"[0-9]+(,[0-9]*)?\}", pattern[index:]):
            refused = "a repetition {n}"
        elif char == "|" and not depth:
            out.append("|(?s:.*?)")  # Go searches: only what stands first begins at the start
        elif char in "|^" or (depth and char == "-"):
            out.append(char)
        else:
            out.append(re.escape(char))
        count += 1
    if refused and kind == "regexp":
        raise BadPatternError(refused)
    return kind, "".join(out) + r"\Z"


class Matcher:
    """A list of patterns, asked from the top: each path with the state that its directory got."""

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
        # BuildKit's shortcut: with such exceptions alone it looks at their text only.
        self._plain = not any(char in p.glob for p in exclusions for char in _WILD)
        anything = "|".join(f"(?:{pattern.expression})" for pattern in self.patterns)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._any = re.compile(anything or "(?!)").match

    def matches(self, path: str, state: PatternState) -> tuple[bool, PatternState]:
        """Whether ``path`` is ignored, and the state for what lies below it."""
        if not state and self._any(path) is None:
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
        """The state that a directory hands down; ``""`` is the root."""
        state = NOTHING_MATCHED
        parts = directory.split("/") if directory else []
        for count in range(1, len(parts) + 1):
            state = self.matches("/".join(parts[:count]), state)[1]
        return state

    def can_skip(self, directory: str, state: PatternState) -> bool:
        """Whether an ignored directory need not be read: nothing below can come back."""
        if not self.exclusions:
            return True
        slashed = directory + "/"
        if self._plain and not any(
            (p.glob + "/").startswith(slashed) for p in self.patterns if p.exclusion
        ):
            return True
        last = max(index for index, match in enumerate(state) if match)
        return not any(
            pattern.exclusion and pattern.may_match_below(directory)
            for pattern in self.patterns[last + 1 :]
        )

    def ignored(self, path: str) -> bool:
        """Whether a path is ignored, evaluated from the top as BuildKit's walk does."""
        parts = path.split("/")
        state = NOTHING_MATCHED
        result = False
        for count in range(1, len(parts) + 1):
            here = "/".join(parts[:count])
            result, state = self.matches(here, state)
            if result and count < len(parts) and self.can_skip(here, state):
                return True
        return result
