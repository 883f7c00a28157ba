"""What a Dockerfile reads: which sources, base images and arguments its target can reach.

Where the text means something that cannot be decided by reading (ONBUILD, variables in a source, a
foreign frontend), the answer is the whole context: a fingerprint may be too wide, never too narrow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .gomatch import clean

_KNOWN = re.compile(
    r"ADD|ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|FROM|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|RUN|SHELL"
    r"|STOPSIGNAL|USER|VOLUME|WORKDIR"
)
_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*\Z")
_HEREDOC = re.compile(r"[0-9]*<<(-?)([^<]+)\Z")
_VARIABLE = re.compile(
    r"\$(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<op>:?[-+])(?P<word>[^{}]*))?\})"
)
_FRONTEND = re.compile(r"(docker\.io/)?docker/dockerfile(-upstream)?([:@].*)?\Z")
_REMOTE = re.compile(r"(https?|git|ssh)://|git@|github\.com/.+\.git|.+\.git(#.*)?\Z")
_ALWAYS = re.compile(r"(?i)((https?|ftp|no|all)_proxy|buildkit_.*|source_date_epoch)\Z")


class DockerfileError(ValueError):
    """The file cannot be read as a Dockerfile; the position is in the text."""


@dataclass(frozen=True)
class Instruction:
    """One logical line: continuation lines joined, heredoc bodies skipped."""

    keyword: str
    flags: tuple[str, ...]
    rest: str
    line: int


@dataclass
class Stage:
    """A build stage; ``base`` with variables resolved, None where they cannot be."""

    index: int
    name: str | None
    base: str | None
    instructions: list[Instruction] = field(default_factory=list)


@dataclass(frozen=True)
class Analysis:
    """What the target reaches.

    ``sources`` are context paths (Go patterns, no leading slash, ``""`` for the whole context), or
    None where only the whole context is safe, with the ``reasons``. ``args`` are the declared build
    arguments, or None where every argument may count. ``images`` are the outside images by their
    reference, ``needs`` those of the given names that are used, ``untracked`` what no fingerprint
    can see.
    """

    sources: tuple[str, ...] | None
    images: tuple[str, ...]
    needs: tuple[str, ...]
    args: frozenset[str] | None
    untracked: tuple[str, ...]
    reasons: tuple[str, ...]

    def effective_args(self, given: Mapping[str, str]) -> dict[str, str]:
        """Those of the given build arguments that can change the output."""
        return {
            key: value
            for key, value in given.items()
            if self.args is None or key in self.args or _ALWAYS.match(key)
        }


def analyse(
    text: str,
    *,
    target: str | None = None,
    build_args: Mapping[str, str] | None = None,
    needs: Iterable[str] = (),
    platform: str | None = None,
) -> Analysis:
    """Read a Dockerfile for one target. Raises DockerfileError for an unknown target only."""
    try:
        parsed = _Parser(text)
        stages, globals_ = _stages(parsed.instructions, build_args or {}, platform)
    except DockerfileError as exc:
        return Analysis(None, (), (), None, (), (str(exc),))
    if parsed.syntax and not _FRONTEND.match(parsed.syntax):
        reason = f"the frontend {parsed.syntax} is not Docker's"
        return Analysis(None, (), (), None, (), (reason,))
    start = _find(stages, target, len(stages)) if target else stages[-1]
    if start is None:
        names = ", ".join(stage.name for stage in stages if stage.name) or "none has a name"
        raise DockerfileError(f"no stage {target!r} (stages: {names})")
    return _Reach(stages, set(needs), globals_).run(start)


class _Parser:
    def __init__(self, text: str) -> None:
        self.lines = text.removeprefix("\ufeff").splitlines()
        self.escape = "\\"
        self.syntax: str | None = None
        self._directives()
        self._continued = re.compile(
            rf"(?:^|[^{re.escape(self.escape)}]){re.escape(self.escape)}[ \t]*\Z"
        )
        self.instructions = list(self._instructions())
        if not any(item.keyword == "FROM" for item in self.instructions):
            raise DockerfileError("there is no FROM")

    def _directives(self) -> None:
        for number, line in enumerate(self.lines):
            if number == 0 and line.startswith("#!"):
                continue
            match = _DIRECTIVE.match(line.strip())
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
        """One logical line, with whitespace runs around its first word made a single space."""
        parts: list[str] = []
        while index < len(self.lines):
            line = self.lines[index]
            index += 1
            stripped = line.strip()
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
        logical = "".join(parts).strip()
        return re.sub(r"\A(\S+)\s+", r"\1 ", logical), index

    def _heredocs(self, rest: str, index: int, first: int) -> int:
        for word in _words(rest):
            match = _HEREDOC.match(word)
            if not match:
                continue
            end = match[2].strip("'\"")
            while True:
                if index >= len(self.lines):
                    raise DockerfileError(f"line {first}: the heredoc {end!r} does not end")
                line = self.lines[index]
                index += 1
                if (line.lstrip("\t") if match[1] else line) == end:
                    break
        return index


def _words(text: str) -> list[str]:
    """Words as a shell would split them, quotes kept."""
    return re.findall(r"""(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\]|["'\\])+""", text)


def _flags(rest: str) -> tuple[tuple[str, ...], str]:
    flags: list[str] = []
    while True:
        rest = rest.lstrip()
        match = re.match(r"--[a-zA-Z]\S*", rest)
        if not match:
            return tuple(flags), rest
        flags.append(match[0])
        rest = rest[match.end() :]


def _stages(
    instructions: list[Instruction], build_args: Mapping[str, str], platform: str | None
) -> tuple[list[Stage], set[str]]:
    variables = _platform_args(platform)
    declared: set[str] = set()
    stages: list[Stage] = []
    for item in instructions:
        if item.keyword == "FROM":
            match = re.match(r"(\S+)(?:\s+[aA][sS]\s+(\S+))?\s*\Z", item.rest)
            if not match:
                raise DockerfileError(f"line {item.line}: cannot read this FROM")
            name = match[2].lower() if match[2] else None
            stages.append(Stage(len(stages), name, _expand(match[1], variables)))
        elif stages:
            stages[-1].instructions.append(item)
        elif item.keyword != "ARG":
            raise DockerfileError(f"line {item.line}: {item.keyword} before the first FROM")
        else:
            for word in _words(item.rest):
                key, equals, value = word.partition("=")
                declared.add(key)
                if key in build_args:
                    variables[key] = build_args[key]
                elif equals:
                    text = _expand(value.strip("'\""), variables)
                    if text is None:
                        variables.pop(key, None)
                    else:
                        variables[key] = text
    return stages, declared


def _platform_args(platform: str | None) -> dict[str, str]:
    if not platform:
        return {}
    system, _, rest = platform.partition("/")
    arch, _, variant = rest.partition("/")
    values = {"PLATFORM": platform, "OS": system, "ARCH": arch, "VARIANT": variant}
    return {f"TARGET{key}": value for key, value in values.items()}


def _expand(text: str, variables: Mapping[str, str]) -> str | None:
    """The text with its variables, or None where one is unknown or the form is."""
    unknown = False

    def replace(match: re.Match[str]) -> str:
        nonlocal unknown
        value = variables.get(match["name"] or match["braced"])
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
    if unknown or "$" in result or not result or any(char in result for char in "\\\"'"):
        return None
    return result


def _find(stages: list[Stage], name: str, before: int) -> Stage | None:
    for stage in reversed(stages[:before]):
        if stage.name == name.lower():
            return stage
    if name.isascii() and name.isdigit() and int(name) < before:
        return stages[int(name)]
    return None


class _Reach:
    """The stages that a target reaches, and what they read."""

    def __init__(self, stages: list[Stage], needs: set[str], globals_: set[str]) -> None:
        self.stages = stages
        self.known = needs
        self.args = set(globals_)
        self.sources: dict[str, None] = {}
        self.images: dict[str, None] = {}
        self.needs: dict[str, None] = {}
        self.untracked: dict[str, None] = {}
        self.reasons: dict[str, None] = {}

    def run(self, start: Stage) -> Analysis:
        queue, seen = [start], {start.index}
        while queue:
            for found in self.stage(queue.pop()):
                if found.index not in seen:
                    seen.add(found.index)
                    queue.append(found)
        return Analysis(
            sources=None if self.reasons else tuple(sorted(self.sources)),
            images=tuple(sorted(self.images)),
            needs=tuple(sorted(self.needs)),
            args=frozenset(self.args),
            untracked=tuple(sorted(self.untracked)),
            reasons=tuple(self.reasons),
        )

    def give_up(self, item: Instruction, why: str) -> None:
        self.reasons[f"line {item.line}: {why}"] = None

    def refer(self, name: str, before: int) -> list[Stage]:
        stage = _find(self.stages, name, before)
        if stage:
            return [stage]
        if name in self.known:
            self.needs[name] = None
        elif name != "scratch":
            self.images[name] = None
        return []

    def stage(self, stage: Stage) -> list[Stage]:
        found: list[Stage] = []
        if stage.base is None:
            self.reasons[f"stage {stage.name or stage.index}: its FROM cannot be resolved"] = None
        elif stage.base.isdigit():
            self.images[stage.base] = None
        else:
            found += self.refer(stage.base, stage.index)
        for item in stage.instructions:
            if item.keyword == "ARG":
                self.args.update(word.partition("=")[0] for word in _words(item.rest))
            elif item.keyword == "ONBUILD":
                self.give_up(item, "ONBUILD")
            elif item.keyword in ("COPY", "ADD"):
                found += self.copy(item, stage)
            elif item.keyword == "RUN":
                for flag in item.flags:
                    if flag.startswith("--mount="):
                        found += self.mount(item, flag.removeprefix("--mount="), stage)
        return found

    def copy(self, item: Instruction, stage: Stage) -> list[Stage]:
        for flag in item.flags:
            key, _, value = flag.partition("=")
            if key == "--from":
                if "$" in value or not value or any(char in value for char in "\\\"'"):
                    self.give_up(item, f"cannot resolve {flag}")
                    return []
                return self.refer(value, stage.index)
        words = self.copy_words(item)
        if words is None or len(words) < 2:
            self.give_up(item, "cannot read the sources")
            return []
        for word in words[:-1]:
            if _HEREDOC.match(word):
                continue
            if item.keyword == "ADD" and _REMOTE.match(word):
                self.untracked[f"ADD {word}"] = None
            elif any(char in word for char in "$\\\"'"):
                self.give_up(item, f"the source {word} is not literal")
            else:
                self.source(word)
        return []

    @staticmethod
    def copy_words(item: Instruction) -> list[str] | None:
        if not item.rest.startswith("["):
            return item.rest.split()
        import json

        try:
            words = json.loads(item.rest)
        except ValueError:
            return item.rest.split()  # as BuildKit: not JSON means the shell form
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            return words
        return None

    def source(self, path: str) -> None:
        self.sources[clean("/" + path).removeprefix("/")] = None

    def mount(self, item: Instruction, text: str, stage: Stage) -> list[Stage]:
        if '"' in text or "'" in text or "\\" in text:
            self.give_up(item, "cannot read a --mount")
            return []
        options: dict[str, str] = {}
        for part in text.split(","):
            key, _, value = part.partition("=")
            options[key.strip().lower()] = value
        kind = options.get("type", "bind")
        origin = options.get("from", "")
        source = options.get("source", options.get("src", ""))
        if "$" in origin or "$" in kind:
            self.give_up(item, "cannot resolve a --mount")
        elif origin:
            return self.refer(origin, stage.index)
        elif kind == "bind":
            if "$" in source:
                self.give_up(item, f"the source {source} is not literal")
            else:
                self.source(source)
        return []
