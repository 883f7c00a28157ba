"""One ``docker buildx bake`` for everything that a plan builds: its file, its run, its output."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import tools
from .errors import LocalloopError

BUILD_TIMEOUT_SECONDS = 3600.0
DOCKER_HINT = "Install Docker with its buildx plugin, or run `make tools` on Debian."


@dataclass(frozen=True)
class Target:
    """What bake needs to know of one image; ``reference`` is where the result is pushed."""

    component: str
    context: Path
    dockerfile: Path
    reference: str
    platform: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    stage: str | None = None


def bake_file(targets: Sequence[Target]) -> dict[str, Any]:
    """The bake file, as the JSON that ``docker buildx bake --file`` reads."""
    return {
        "group": {"default": {"targets": [target.component for target in targets]}},
        "target": {target.component: _target(target) for target in targets},
    }


def _target(target: Target) -> dict[str, Any]:
    found: dict[str, Any] = {
        "context": _literal(str(target.context)),
        "dockerfile": _literal(str(target.dockerfile)),
        "args": {key: _literal(value) for key, value in target.arguments.items()},
        "platforms": [target.platform],
        "tags": [target.reference],
        "output": ["type=registry"],
    }
    if target.stage:
        found["target"] = target.stage
    return found


def _literal(text: str) -> str:
    # Bake reads ${…} and %{…} in a JSON file as HCL templates; doubled they stand for themselves.
    return text.replace("${", "$${").replace("%{", "%%{")


def run_bake(
    targets: Sequence[Target],
    *,
    work: Path,
    pull: bool = False,
    on_step: Callable[[str, str], None],
) -> dict[str, dict[str, str]]:
    """Build and push; per component the digests of its manifest and configuration.

    ``work`` is a directory for the bake file and its metadata. ``on_step(component, text)`` hears
    of each build step that ends. Raises ``LocalloopError('build_failed')`` with the failing step's
    last lines.
    """
    docker = tools.find("docker", hint=DOCKER_HINT)
    work.mkdir(parents=True, exist_ok=True)
    file, metadata = work / "bake.json", work / "metadata.json"
    file.write_text(json.dumps(bake_file(targets), indent=2))
    metadata.unlink(missing_ok=True)
    argv = [docker, "buildx", "bake", "--file", str(file), "--metadata-file", str(metadata)]
    argv += ["--progress=plain", "--provenance=false", "--sbom=false"]
    if pull:
        argv.append("--pull")
    log = BuildLog([target.component for target in targets], on_step)
    done = tools.run(argv, timeout=BUILD_TIMEOUT_SECONDS, cwd=work, on_stderr_line=log.line)
    if done.returncode:
        raise log.error(done.stderr)
    return _digests(json.loads(metadata.read_text()), targets)


def _digests(metadata: Mapping[str, Any], targets: Sequence[Target]) -> dict[str, dict[str, str]]:
    found = {}
    for target in targets:
        entry = metadata.get(target.component, {})
        digest = entry.get("containerimage.digest")
        if not digest:
            raise LocalloopError(
                "build_without_digest",
                "BuildKit reported success but no digest",
                component=target.component,
            )
        found[target.component] = {
            "digest": digest,
            "config": entry.get("containerimage.config.digest", ""),
        }
    return found


_STEP = re.compile(r"#(\d+) (.*)")
_STAGE = re.compile(r"\[(?:(\S+) )?(?:(\S+) )?(\d+/\d+)\] (.*)")
_LOG = re.compile(r"\d+\.\d+ ")


class BuildLog:
    """Follows BuildKit's plain progress: which step belongs to whom, how it ended, what it said."""

    def __init__(self, components: Sequence[str], on_step: Callable[[str, str], None]) -> None:
        self._components = components
        self._on_step = on_step
        self._names: dict[str, str] = {}
        self._said: dict[str, list[str]] = {}
        self._failed: str | None = None

    def line(self, line: str) -> None:
        match = _STEP.match(line)
        if match is None:
            return
        number, text = match.groups()
        if number not in self._names:
            self._names[number] = text
            return
        if text.startswith("DONE") or text == "CACHED":
            self._report(number, text.lower())
        elif text.startswith("ERROR"):
            self._failed = self._failed or number
            self._said.setdefault(number, []).append(text)
        elif _LOG.match(text):
            said = self._said.setdefault(number, [])
            said.append(text)
            del said[:-50]

    def _report(self, number: str, how: str) -> None:
        name = self._names[number]
        if _STAGE.match(name):
            self._on_step(self._component_of(name), f"{name} {how}")

    def _component_of(self, name: str) -> str:
        match = _STAGE.match(name)
        head = match.group(1) if match else ""
        if head in self._components:
            return head
        return self._components[0] if len(self._components) == 1 else ""

    def error(self, stderr: str) -> LocalloopError:
        """The failed build as an error: its step and the step's last lines."""
        if self._failed is None:
            last = [line for line in stderr.strip().splitlines() if line.strip()][-3:]
            return LocalloopError("build_failed", "docker buildx bake failed: " + " / ".join(last))
        name = self._names[self._failed]
        said = self._said.get(self._failed, [])[-20:]
        component = self._component_of(name) or None
        reason = f"build_failed:{component}" if component else "build_failed"
        return LocalloopError(
            reason,
            f"the build failed at {name}\n" + "\n".join(f"    {line}" for line in said),
            component=component,
            details={"step": name, "lines": said},
        )
