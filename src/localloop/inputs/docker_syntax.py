"""A Dockerfile's text as instructions, parsed by the rules of BuildKit's frontend."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from .go_match import GO_WHITESPACE

# What separates words for BuildKit's parser; Python's \s would match more.
BLANK = "[\t\v\f\r ]"
_NO_SPACE = f"[^{GO_WHITESPACE}]"
_KNOWN = re.compile(
    r"ADD|ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|FROM|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|RUN|SHELL"
    r"|STOPSIGNAL|USER|VOLUME|WORKDIR"
)
_DIRECTIVE = re.compile(r"#[\t\f\r ]*([A-Za-z][A-Za-z0-9]*)[\t\f\r ]*=[\t\f\r ]*(.+?)[\t\f\r ]*\Z")
HEREDOC = re.compile(r"[0-9]*<<(-?)([^<]+)\Z")
_VARIABLE = re.compile(
    r"\$(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<op>:?[-+])(?P<word>[^{}]*))?\})"
)
_WORD = re.compile(
    rf"""(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^{GO_WHITESPACE}"'\\]|["'\\])+""", re.DOTALL
)
AUTOMATIC = re.compile("(BUILD|TARGET)(PLATFORM|OS|ARCH|VARIANT|STAGE)")


class DockerfileError(ValueError):
    """The file cannot be parsed as a Dockerfile; the message names the line."""


@dataclass(frozen=True)
class Instruction:
    """One logical line, with continuation lines joined and heredoc bodies skipped.

    ``flags`` are its ``--name=value`` words, ``line`` the number of its first line.
    """

    keyword: str
    flags: tuple[str, ...]
    rest: str
    line: int


class Dockerfile:
    """A parsed Dockerfile: its ``instructions`` and the frontend of its ``syntax`` directive.

    Raises DockerfileError.
    """

    def __init__(self, text: str) -> None:
        lines = text.removeprefix("\ufeff").split("\n")
        self.lines = [line.rstrip("\r") for line in lines[: -1 if not lines[-1] else None]]
        self.escape = "\\"
        self.syntax: str | None = None
        self._directives()
        self._continued = re.compile(
            rf"(?:^|[^{re.escape(self.escape)}]){re.escape(self.escape)}[ \t]*\Z"
        )
        self.instructions = list(self._instructions())
        if not any(item.keyword == "FROM" for item in self.instructions):
            raise DockerfileError("has no FROM")

    def _directives(self) -> None:
        for number, line in enumerate(self.lines):
            if number == 0 and line.startswith("#!"):
                continue
            match = _DIRECTIVE.match(line.strip(GO_WHITESPACE))
            if not match:
                return
            key, value = match[1].lower(), match[2]
            if key == "escape":
                if value not in ("\\", "`"):
                    raise DockerfileError(f"line {number + 1}: bad escape directive")
                self.escape = value
            elif key == "syntax":
                self.syntax = value.split()[0]
            elif key != "check":
                return

    def _instructions(self) -> Iterable[Instruction]:
        index = 0
        while index < len(self.lines):
            first = index + 1
            logical, index = self._logical(index)
            if not logical:
                continue
            word, _, rest = logical.partition(" ") if " " in logical else (logical, "", "")
            keyword = word.upper()
            if not _KNOWN.fullmatch(keyword):
                raise DockerfileError(f"line {first}: unknown instruction {word!r}")
            if keyword in ("RUN", "COPY", "ADD"):
                index = self._heredocs(rest, index, first)
            flags, rest = _flags(rest)
            yield Instruction(keyword, flags, rest, first)

    def _logical(self, index: int) -> tuple[str, int]:
        """The logical line at ``index``, its first word followed by one space; the next index."""
        parts: list[str] = []
        while index < len(self.lines):
            line = self.lines[index]
            index += 1
            stripped = line.strip(GO_WHITESPACE)
            if stripped.startswith("#"):
                if parts:
                    continue
                break
            if not stripped and parts:
                continue
            match = self._continued.search(line)
            if not match:
                parts.append(line)
                break
            parts.append(line[: line.rindex(self.escape)])
        logical = "".join(parts).strip(GO_WHITESPACE)
        return " ".join(re.split(f"{BLANK}+", logical, maxsplit=1)), index

    def _heredocs(self, rest: str, index: int, first: int) -> int:
        for word in shell_words(rest):
            match = HEREDOC.match(word)
            if not match:
                continue
            end = match[2].strip("'\"")
            while True:
                if index >= len(self.lines):
                    raise DockerfileError(f"line {first}: the heredoc {end!r} is not terminated")
                line = self.lines[index]
                index += 1
                if (line.lstrip("\t") if match[1] else line) == end:
                    break
        return index


def shell_words(text: str) -> list[str]:
    """Split into words as a shell does, keeping the quotes."""
    return _WORD.findall(text)


def split_on_blanks(text: str) -> list[str]:
    """Split on blanks only, whatever the words contain."""
    return [word for word in re.split(f"{BLANK}+", text) if word]


def _flags(rest: str) -> tuple[tuple[str, ...], str]:
    flags: list[str] = []
    while True:
        rest = rest.lstrip(GO_WHITESPACE)
        match = re.match(f"--[a-zA-Z]{_NO_SPACE}*", rest)
        if not match:
            return tuple(flags), rest
        flags.append(match[0])
        rest = rest[match.end() :]


def automatic_arguments(platform: str | None) -> dict[str, str]:
    """BuildKit's predefined arguments that follow from the target platform (``TARGETOS``, …)."""
    if not platform:
        return {}
    system, _, rest = platform.partition("/")
    arch, _, variant = rest.partition("/")
    values = {"PLATFORM": platform, "OS": system, "ARCH": arch, "VARIANT": variant}
    return {f"TARGET{key}": value for key, value in values.items()}


def substitute(text: str, variables: Mapping[str, str], hidden: Collection[str] = ()) -> str | None:
    """Replace the variables in ``text``; None if one is unknown, or its form is.

    ``hidden`` variables have values that only the builder knows, so their defaults do not apply.
    """
    return expand(text, variables, hidden) or None


def expand(
    text: str,
    variables: Mapping[str, str],
    hidden: Collection[str] = (),
    *,
    complete: bool = True,
) -> str | None:
    """Like ``substitute``, but the result may be empty.

    Without ``complete`` any variable that is not among ``variables`` may have a value.
    """
    unknown = False

    def replace(match: re.Match[str]) -> str:
        nonlocal unknown
        name = match["name"] or match["braced"]
        missing = name not in variables
        if name in hidden or (missing and (not complete or AUTOMATIC.fullmatch(name))):
            unknown = True
        value = variables.get(name)
        op, word = match["op"], match["word"] or ""
        present = bool(value) if op and op.startswith(":") else value is not None
        if op and op.endswith("-"):
            return value if present and value is not None else word
        if op and op.endswith("+"):
            return word if present else ""
        if value is None:
            unknown = True
        return value or ""

    result = _VARIABLE.sub(replace, text)
    if unknown or "$" in result or any(char in result for char in "\\\"'"):
        return None
    return result
