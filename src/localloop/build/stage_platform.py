"""A build that fails because a stage is of a platform that builder or image do not have."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ..inputs.docker_syntax import (
    Dockerfile,
    DockerfileError,
    automatic_arguments,
    shell_words,
    substitute,
)

# A program was started: the kernel, BuildKit and a shell each have their words for it.
_CANNOT_RUN = re.compile(
    r"exec format error|runtime execution on platform \S+ not supported|Invalid ELF image",
    re.IGNORECASE,
)
_NO_IMAGE = re.compile(r"no match(?:ing manifest)? for (?:platform|\w+/\w+)", re.IGNORECASE)
_GETS_IMAGE = re.compile(r"\bload metadata for |\bFROM ")


def platform_hint(step: str, said: Sequence[str], asked: str, platform: str) -> str:
    """What to do where the platform is why ``step`` failed; empty where it is not.

    ``asked`` is the platform of the step's stage if it is another than the target's (see
    ``stage_platform``), ``said`` the step's last lines, ``platform`` the target's.
    """
    text = "\n".join(said)
    flag = f"`FROM --platform={asked}`" if asked else ""
    if _CANNOT_RUN.search(text):
        if flag:
            return (
                f"{flag} is a platform that the builder cannot run. Leave the flag out, use"
                " `--platform=$BUILDPLATFORM` for a stage that only cross-compiles, or install an"
                " emulator (QEMU, as binfmt_misc)."
            )
        return (
            f"The program is not for the builder's platform ({platform} is wanted), or is a script"
            " without a #! line. An emulator (QEMU, as binfmt_misc) runs other platforms."
        )
    if flag and (_NO_IMAGE.search(text) or _GETS_IMAGE.search(step)):
        return f"{flag} needs the image for {asked}: the target is for {platform}."
    if _NO_IMAGE.search(text):
        return f"The image does not exist for {platform}: choose another, or set `platform:`."
    return ""


def stage_platform(dockerfile: str, line: int, arguments: Mapping[str, str], platform: str) -> str:
    """The ``--platform`` of the stage that has that line, if it is not ``platform``; else empty.

    Without a line (0) the first such stage counts. A stage that builds on another one has that
    one's platform. ``arguments`` are the build arguments.
    """
    try:
        instructions = Dockerfile(dockerfile).instructions
    except DockerfileError:
        return ""
    variables = automatic_arguments(platform)
    stages: dict[str, str] = {}
    found = ""
    for item in instructions:
        if item.keyword == "FROM":
            if line and item.line > line:
                break
            if found and not line:
                break
            base, _, name = item.rest.partition(" ")
            found = stages.get(base.lower(), "")
            for flag in item.flags:
                if flag.startswith("--platform="):
                    wanted = substitute(flag.partition("=")[2], variables) or ""
                    found = "" if _same(wanted, platform) else wanted
            stages[name.split()[-1].lower() if name else ""] = found
        elif item.keyword == "ARG" and not stages:
            for word in shell_words(item.rest):
                key, _, default = word.partition("=")
                variables[key] = arguments.get(key, default.strip("'\""))
    return found


def _same(one: str, other: str) -> bool:
    """Whether two platforms have one system and architecture, whatever the variant."""
    return not one or one.split("/")[:2] == other.split("/")[:2]
