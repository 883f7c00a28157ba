"""The variables of a build stage, as BuildKit expands them in sources: of ARG and ENV the last."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from .docker_syntax import AUTOMATIC, Instruction, expand, shell_words
from .go_match import GO_WHITESPACE

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True)
class BuildArguments:
    """What ``ARG NAME`` in a stage stands for.

    ``given`` are the build arguments, ``declared`` the arguments before the first FROM and the
    platform's, and ``hidden`` the names of those that only the builder knows.
    """

    given: Mapping[str, str]
    declared: Mapping[str, str]
    hidden: Collection[str]


@dataclass
class StageVariables:
    """The variables that are ``known`` at one place of a stage; any other may be the base's."""

    arguments: BuildArguments
    known: dict[str, str] = field(default_factory=dict)

    def expand(self, word: str) -> str | None:
        """A word of COPY or the like with its variables replaced; None where one is not known."""
        return _expanded(word, self.known) or None

    def declare(self, item: Instruction) -> None:
        """Take in an ARG or ENV."""
        words = shell_words(item.rest)
        if item.keyword == "ENV" and words and "=" not in words[0]:  # ENV NAME any words
            value = item.rest.removeprefix(words[0]).strip(GO_WHITESPACE)
            words = [f"{words[0]}={value}"]
        before = dict(self.known)
        for word in words:
            name, equals, value = word.partition("=")
            if not _NAME.match(name):
                self.known.clear()  # a name with quotes or variables could be any
                return
            found = _expanded(value, before) if equals else before.get(name)
            if item.keyword == "ARG":
                found = self._argument(name, found, default=bool(equals))
                before.pop(name, None)  # whether the next word sees it depends on the frontend
            self.known.pop(name, None)
            if found is not None:
                self.known[name] = found

    def _argument(self, name: str, found: str | None, *, default: bool) -> str | None:
        arguments = self.arguments
        if name in arguments.hidden:
            return None
        if name in arguments.given:
            return arguments.given[name]
        if default:
            return found
        return arguments.declared.get(name, None if AUTOMATIC.fullmatch(name) else found)


def _expanded(word: str, known: Mapping[str, str]) -> str | None:
    if len(word) > 1 and word[0] == word[-1] == '"':
        word = word[1:-1]
    elif len(word) > 1 and word[0] == word[-1] == "'":
        return None if any(char in word[1:-1] for char in "$\\\"'") else word[1:-1]
    return expand(word, known, complete=False)
