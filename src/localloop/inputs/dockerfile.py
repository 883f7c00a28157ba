"""What a Dockerfile reads: the sources, base images and arguments that its target can reach.

Where that cannot be decided from the text (ONBUILD, a source with a variable of the base image, a
frontend that is not Docker's), the answer is the whole context: a fingerprint may be too wide, but
never too narrow.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from .docker_syntax import (
    AUTOMATIC,
    BLANK,
    HEREDOC,
    Dockerfile,
    DockerfileError,
    Instruction,
    automatic_arguments,
    shell_words,
    split_on_blanks,
    substitute,
)
from .go_match import clean_path
from .stage_variables import BuildArguments, StageVariables

_FRONTEND = re.compile(r"(docker\.io/)?docker/dockerfile(-upstream)?([:@].*)?\Z")
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}\Z")
# What BuildKit takes for a URL in ADD; github.com/… counts only as a whole context.
_REMOTE = re.compile(r"https?://|(?i:git|ssh)://|[A-Za-z0-9_-]+@[A-Za-z0-9.-]+:")
_FROM = re.compile(rf"([^{BLANK[1:]}+)(?:{BLANK}+[aA][sS]{BLANK}+([^{BLANK[1:]}+))?\Z")
_ALWAYS = re.compile(r"(?i)((https?|ftp|no|all)_proxy|buildkit_.*|source_date_epoch)\Z")


@dataclass
class Stage:
    """A build stage: ``origin`` is its FROM as written, ``base`` with variables replaced.

    ``base`` is None if a variable cannot be resolved.
    """

    index: int
    name: str | None
    origin: str
    base: str | None
    instructions: list[Instruction] = field(default_factory=list)


@dataclass(frozen=True)
class Copied:
    """A source in the context, and the instruction that takes it: ``words`` of line ``line``.

    ``optional``: it is a pattern beside other sources, so that it may match nothing.
    """

    line: int
    words: str
    source: str
    optional: bool = False


@dataclass(frozen=True)
class Analysis:
    """What a target reads.

    ``sources`` are paths in the context (Go patterns without leading slash, ``""`` for all of it);
    None means that only the whole context is safe, for these ``reasons``. ``args`` are the
    declared build arguments; None means that any may count. ``images`` are the references of
    external images, ``needs`` the named contexts that are used, and ``untracked`` what can change
    the result but is not part of the fingerprint. ``copied`` has the sources with their lines,
    as far as they are known.
    """

    sources: tuple[str, ...] | None
    images: tuple[str, ...]
    needs: tuple[str, ...]
    args: frozenset[str] | None
    untracked: tuple[str, ...]
    reasons: tuple[str, ...]
    copied: tuple[Copied, ...] = ()

    def effective_args(self, given: Mapping[str, str]) -> dict[str, str]:
        """The build arguments that can change the result."""
        return {
            key: value
            for key, value in given.items()
            if self.args is None or key in self.args or _ALWAYS.match(key)
        }


def declared_arguments(text: str) -> frozenset[str] | None:
    """The build arguments that a Dockerfile can take: those of all its stages, used or not.

    None where another frontend than Docker's reads it, or it cannot be read.
    """
    try:
        parsed = Dockerfile(text)
    except DockerfileError:
        return None
    if parsed.syntax and not _FRONTEND.match(parsed.syntax):
        return None
    return frozenset(
        word.strip("'\"").partition("=")[0]
        for item in parsed.instructions
        if item.keyword == "ARG"
        for word in shell_words(item.rest)
    )


def is_predefined(argument: str) -> bool:
    """Whether BuildKit takes a build argument of this name without any ARG."""
    return bool(_ALWAYS.match(argument) or AUTOMATIC.fullmatch(argument))


def analyse(
    text: str,
    *,
    target: str | None = None,
    build_args: Mapping[str, str] | None = None,
    hidden_args: Collection[str] = (),
    needs: Iterable[str] = (),
    platform: str | None = None,
) -> Analysis:
    """Analyse a Dockerfile for one target (default: the last stage).

    ``needs`` are the names of the named contexts, ``platform`` the target platform
    (``linux/amd64``), and ``hidden_args`` build arguments whose values only the builder knows.
    Raises DockerfileError only for an unknown target.
    """
    args = build_args or {}
    try:
        parsed = Dockerfile(text)
        stages, declared, arguments = _stages(parsed.instructions, args, hidden_args, platform)
    except DockerfileError as exc:
        return Analysis(None, (), (), None, ("what it is built from",), (str(exc),))
    untracked = []
    syntax = args.get("BUILDKIT_SYNTAX") or parsed.syntax
    if syntax and not _DIGEST.search(syntax):
        untracked.append(f"the frontend {syntax} (# syntax=)")
    if syntax and not _FRONTEND.match(syntax):
        why = f"the frontend {syntax} is not Docker's"
        return Analysis(None, (), (), None, tuple(untracked), (why,))
    start = _find(stages, target, len(stages)) if target else stages[-1]
    if start is None:
        names = ", ".join(stage.name for stage in stages if stage.name) or "none has a name"
        raise DockerfileError(f"no stage {target!r} (stages: {names})")
    return _Reach(stages, set(needs), declared, untracked, arguments).run(start)


def _stages(
    instructions: list[Instruction],
    build_args: Mapping[str, str],
    hidden: Collection[str],
    platform: str | None,
) -> tuple[list[Stage], set[str], BuildArguments]:
    variables = automatic_arguments(platform)
    declared: set[str] = set()
    unknown: set[str] = set()
    stages: list[Stage] = []
    for item in instructions:
        if item.keyword == "FROM":
            match = _FROM.match(item.rest)
            if not match:
                raise DockerfileError(f"line {item.line}: cannot read this FROM")
            name = match[2].lower() if match[2] else None
            base = substitute(match[1], variables, hidden)
            stages.append(Stage(len(stages), name, match[1], base))
        elif stages:
            stages[-1].instructions.append(item)
        elif item.keyword != "ARG":
            raise DockerfileError(f"line {item.line}: {item.keyword} before the first FROM")
        else:
            for word in shell_words(item.rest):
                key, equals, value = word.partition("=")
                declared.add(key)
                if key in build_args:
                    variables[key] = build_args[key]
                elif equals:
                    text = substitute(value.strip("'\""), variables, hidden)
                    if text is None:
                        variables.pop(key, None)
                        unknown.add(key)
                    else:
                        variables[key] = text
    return stages, declared, BuildArguments(build_args, variables, {*hidden, *unknown})


def _find(stages: list[Stage], name: str, before: int) -> Stage | None:
    for stage in reversed(stages[:before]):
        if stage.name == name.lower():
            return stage
    if name.isascii() and name.isdigit() and int(name) < before:
        return stages[int(name)]
    return None


class _Reach:
    """Collects the stages that a target reaches, and what they read."""

    def __init__(
        self,
        stages: list[Stage],
        needs: set[str],
        declared: set[str],
        untracked: list[str],
        arguments: BuildArguments,
    ) -> None:
        self.stages = stages
        self.known = needs
        self.args = set(declared)
        self.arguments = arguments
        self.sources: dict[str, None] = {}
        self.images: dict[str, None] = {}
        self.needs: dict[str, None] = {}
        self.untracked: dict[str, None] = dict.fromkeys(untracked)
        self.reasons: dict[str, None] = {}
        self.copied: list[Copied] = []

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
            copied=tuple(sorted(self.copied, key=lambda each: each.line)),
        )

    def give_up(self, item: Instruction, why: str) -> None:
        self.reasons[f"line {item.line}: {why}"] = None

    def refer(self, name: str, before: int) -> list[Stage]:
        # A named context takes precedence over a stage, and over an image with or without :latest.
        need = name.lower().removesuffix(":latest")
        if need in self.known:
            self.needs[need] = None
            return []
        stage = _find(self.stages, name, before)
        if stage:
            return [stage]
        if name != "scratch":
            self.images[name] = None
        return []

    def variables(self, stage: Stage) -> StageVariables:
        """The variables at the start of a stage: those of the stage that it is built FROM."""
        base = stage.base or ""
        known = base.lower().removesuffix(":latest") in self.known or base.isdigit()
        origin = None if known else _find(self.stages, base, stage.index)
        if origin is None:
            return StageVariables(self.arguments)
        found = self.variables(origin)
        for item in origin.instructions:
            if item.keyword in ("ARG", "ENV"):
                found.declare(item)
        return found

    def stage(self, stage: Stage) -> list[Stage]:
        found: list[Stage] = []
        variables = self.variables(stage)
        if stage.base is None:
            self.untracked[f"FROM {stage.origin}"] = None
            self.reasons[f"stage {stage.name or stage.index}: its FROM cannot be resolved"] = None
        elif stage.base.isdigit():
            self.images[stage.base] = None
        else:
            found += self.refer(stage.base, stage.index)
        for item in stage.instructions:
            if item.keyword == "ARG":
                self.args.update(word.partition("=")[0] for word in shell_words(item.rest))
                variables.declare(item)
            elif item.keyword == "ENV":
                variables.declare(item)
            elif item.keyword == "ONBUILD":
                self.give_up(item, "ONBUILD")
            elif item.keyword in ("COPY", "ADD"):
                found += self.copy(item, stage, variables)
            elif item.keyword == "RUN":
                for flag in item.flags:
                    if flag.startswith("--mount="):
                        found += self.mount(item, flag.removeprefix("--mount="), stage, variables)
        return found

    def copy(self, item: Instruction, stage: Stage, variables: StageVariables) -> list[Stage]:
        for flag in item.flags:
            key, _, value = flag.partition("=")
            if key == "--from":
                if "$" in value or not value or any(char in value for char in "\\\"'"):
                    self.untracked[f"COPY {flag}"] = None
                    self.give_up(item, f"cannot resolve {flag}")
                    return []
                return self.refer(value, stage.index)
        found = self.copy_words(item)
        if found is None or len(found) < 2:
            self.give_up(item, "cannot read the sources")
            return []
        pinned = any(flag.startswith("--checksum=") for flag in item.flags)
        whole = any(flag.partition("=")[0] == "--parents" for flag in item.flags)
        for written in found[:-1]:
            if HEREDOC.match(written):
                continue
            word = variables.expand(written)
            if word is None:
                self.give_up(item, f"{written} cannot be resolved")
            elif item.keyword == "ADD" and _REMOTE.match(word):
                if not pinned:
                    self.untracked[f"ADD {word}"] = None
            elif whole:  # the parent folders are copied too
                self.source(clean_path("/" + word)[1:].partition("/")[0])
                self.note(item, written, word)
            else:
                self.source(word)
                self.note(item, written, word, others=len(found) > 2)
        return []

    @staticmethod
    def copy_words(item: Instruction) -> list[str] | None:
        if not item.rest.startswith("["):
            return split_on_blanks(item.rest)
        import json

        try:
            found = json.loads(item.rest)
        except ValueError:
            return split_on_blanks(
                item.rest
            )  # as in BuildKit: if it is not JSON, it is the shell form
        if isinstance(found, list) and all(isinstance(word, str) for word in found):
            return found
        return None

    def source(self, path: str) -> None:
        self.sources[clean_path("/" + path).removeprefix("/")] = None

    def note(self, item: Instruction, written: str, path: str, *, others: bool = False) -> None:
        optional = others and any(char in path for char in "*?[")
        source = clean_path("/" + path).removeprefix("/")
        self.copied.append(Copied(item.line, f"{item.keyword} {written}", source, optional))

    def mount(
        self, item: Instruction, text: str, stage: Stage, variables: StageVariables
    ) -> list[Stage]:
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
            self.untracked[f"RUN --mount={text}"] = None
            self.give_up(item, "cannot resolve a --mount")
        elif origin:
            return self.refer(origin, stage.index)
        elif kind == "bind":
            resolved = variables.expand(source) if source else ""
            if resolved is None:
                self.give_up(item, f"the source {source} cannot be resolved")
            else:
                self.source(resolved)
                self.note(item, f"--mount={text}", resolved)
        return []
