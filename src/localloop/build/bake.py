"""One ``docker buildx bake`` for everything that a plan builds: its file, its run, its output."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import LocalloopError
from ..registry.published import PublishedImage
from ..system import tools
from ..system.buildx import refuse_old_buildx
from ..system.docker_host import DOCKER_HINT
from ..system.redact import Redactor
from .progress import BuildProgress, Ticker, summary
from .proxies import build_proxies
from .stage_platform import platform_hint, stage_platform

BUILD_TIMEOUT_SECONDS = 3600.0
LOG = "bake.log"
LOST = "builder_lost"
# What Docker's client says if the daemon or BuildKit went away.
_CLIENT_LOST = r"code = Unavailable|error reading from server|Cannot connect to the Docker daemon"
# What it and a push say; a build step that downloads something says most of it too.
_LOST = re.compile(rf"{_CLIENT_LOST}|connection (?:refused|reset)|broken pipe|\bEOF\b|i/o timeout")
TAKEN = "image_taken"
# When the last name of an image is removed Docker deletes the image, even if another build of the
# same bytes is about to name it.
_TAKEN = re.compile(
    r"An image does not exist locally with the tag"
    r"|failed to get digest sha256:\w+: open \S+: no such file or directory"
)
FULL = "disk_full"
_FULL = re.compile(r"no space left on device", re.IGNORECASE)


@dataclass(frozen=True)
class Target:
    """What bake needs to know of one image.

    ``reference`` is where the result is pushed; without one it stays in BuildKit's cache.
    ``contexts`` names other images that its Dockerfile builds on: ``target:NAME`` for one that the
    same bake builds, else ``docker-image://REFERENCE``. ``secrets``, ``ssh`` and the caches are
    written as buildx takes them (``id=NAME,env=VARIABLE``), without any secret's value. ``source``
    is the project's path of the Dockerfile. A target with a ``command`` is not built by bake (see
    command.py). ``timeout`` is in seconds.
    """

    component: str
    context: Path
    dockerfile: Path
    reference: str | None
    platform: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    stage: str | None = None
    contexts: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    ssh: tuple[str, ...] = ()
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    source: str = ""
    command: tuple[str, ...] = ()
    timeout: float = BUILD_TIMEOUT_SECONDS

    @property
    def repository(self) -> str:
        """Where the result is pushed, without the tag; empty where it is not pushed."""
        return (self.reference or "").rpartition(":")[0]


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
        "output": ["type=registry"] if target.reference else ["type=cacheonly"],
    }
    if target.reference:
        found["tags"] = [target.reference]
    if target.contexts:
        found["contexts"] = dict(target.contexts)
    if target.stage:
        found["target"] = target.stage
    lists = {
        "secret": target.secrets,
        "ssh": target.ssh,
        "cache-from": target.cache_from,
        "cache-to": target.cache_to,
    }
    return {
        **found,
        **{key: [_literal(item) for item in items] for key, items in lists.items() if items},
    }


def _proxy_flags(target: Target, proxies: Iterable[str]) -> list[str]:
    """The flags that pass the proxy's variables by name, but for those that the target sets."""
    own = {name.upper() for name in target.arguments}
    names = [name for name in proxies if name.upper() not in own]
    return [f"--set={target.component}.args.{name}" for name in names]


def _literal(text: str) -> str:
    # Bake reads ${…} and %{…} in a JSON file as HCL templates; doubled they are literal.
    return text.replace("${", "$${").replace("%{", "%%{")


def run_bake(
    targets: Sequence[Target],
    *,
    work: Path,
    builder: str | None = None,
    on_step: Callable[[str, str], None],
    redact: Redactor,
) -> dict[str, PublishedImage]:
    """Build, and return what was pushed, by component.

    ``work`` is a directory for the bake file and its metadata. ``on_step(component, text)`` is
    called for each build step as it begins; everything that BuildKit says is kept in
    ``work/bake.log``. ``redact`` removes the secrets from both.

    Raises ``build_failed`` with the failing step's last lines, ``builder_lost``, ``image_taken``,
    ``disk_full``, ``build_without_digest`` and ``tool_too_old:buildx``.
    """
    docker = tools.find("docker", hint=DOCKER_HINT)
    work.mkdir(parents=True, exist_ok=True)
    file, metadata = work / "bake.json", work / "metadata.json"
    file.write_text(json.dumps(bake_file(targets), indent=2))
    metadata.unlink(missing_ok=True)
    argv = [docker, "buildx", "bake", "--file", str(file), "--metadata-file", str(metadata)]
    argv += ["--progress=rawjson", "--provenance=false", "--sbom=false"]
    proxies = build_proxies(os.environ)
    argv += [flag for target in targets for flag in _proxy_flags(target, proxies)]
    if builder:
        argv += ["--builder", builder]
    names = [target.component for target in targets]
    with (work / LOG).open("w", buffering=1) as log:
        progress = BuildProgress(
            lambda text: on_step(_component_of(text, names), text),
            whose=lambda text: _component_of(text, names),
            log=lambda line: print(line, file=log),
            redact=redact,
        )
        with Ticker(progress.tick):
            done = tools.run(
                argv,
                timeout=BUILD_TIMEOUT_SECONDS,
                cwd=work,
                env={**os.environ, **proxies},
                on_stderr_line=progress.feed,
            )
    if not progress.started:
        refuse_old_buildx(docker)
    if done.returncode:
        raise _failure(progress, targets, work / LOG)
    for name in names:
        steps = [step for step in progress.steps() if _component_of(step.name, names) == name]
        if steps:
            on_step(name, summary(steps))
    return _pushed(_read(metadata), targets)


def _read(metadata: Path) -> dict[str, Any]:
    try:
        found = json.loads(metadata.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _pushed(metadata: Mapping[str, Any], targets: Sequence[Target]) -> dict[str, PublishedImage]:
    found = {}
    for target in targets:
        if target.reference is None:
            continue
        entry = metadata.get(target.component, {})
        digest = entry.get("containerimage.digest")
        if not digest:
            raise LocalloopError(
                "build_without_digest",
                "BuildKit reported success but no digest",
                component=target.component,
            )
        config = entry.get("containerimage.config.digest")
        configs = {target.platform: config} if config else {}
        found[target.component] = PublishedImage(target.repository, digest, configs)
    return found


def _component_of(step: str, components: Sequence[str]) -> str:
    """The component of a step ``[web stage-1 1/2] COPY …``; bake puts the target's name first."""
    head = step.removeprefix("[").partition(" ")[0].rstrip("]")
    if head in components:
        return head
    return components[0] if len(components) == 1 else ""


def _last_error(text: Sequence[str]) -> str:
    """BuildKit's last error; empty if it is only that a command of the Dockerfile failed."""
    errors = [line for line in text if line.startswith("ERROR: ")]
    last = errors[-1] if errors else ""
    return "" if "did not complete successfully" in last else last


def push_failure(component: str, said: str) -> LocalloopError:
    """The error for a failed ``docker push``, by what it printed."""
    last = said.strip()[-300:]
    if _LOST.search(last):
        return LocalloopError(LOST, f"the push was cut off: {last}", component=component)
    if _FULL.search(last):
        return LocalloopError(FULL, f"no space left on the device: {last}", component=component)
    if _TAKEN.search(last):
        return taken(last, component)
    return LocalloopError("push_failed", last, component=component)


def taken(said: str, component: str | None = None) -> LocalloopError:
    """The error for an image that was built, and removed before it was pushed."""
    return LocalloopError(
        TAKEN,
        f"the image was removed from Docker's store before it was pushed: {said}",
        component=component,
        hint="Run the deploy again while nothing removes images.",
    )


def _failure(progress: BuildProgress, targets: Sequence[Target], log: Path) -> LocalloopError:
    """The error for a failed build: the step, its line in the Dockerfile, its last output."""
    step, said = progress.failure()
    text = progress.text()
    error = _last_error(text)
    # BuildKit repeats what a step said; only what the client or a push says can be bad luck.
    own = progress.failed_step()
    of_a_step = bool(own) and (own in error or not re.search(_CLIENT_LOST, error))
    if not of_a_step and _LOST.search(error):
        return LocalloopError(
            LOST,
            f"the connection to Docker or the registry was lost: {error[-300:]}",
            hint=f"Check that both run, then deploy again. BuildKit's whole output: {log}",
        )
    if not of_a_step and _TAKEN.search(error):
        return taken(error[-300:])
    component = _component_of(step, [target.component for target in targets]) or None
    if _FULL.search("\n".join([*said, error])):
        return LocalloopError(
            FULL,
            f"no space left on the device{f' at {step}' if step else ''}",
            component=component,
            hint="`docker system df` shows what is kept; `docker builder prune` empties the build"
            " cache, `localloop prune` removes this project's old images.",
        )
    target = _target_of(component, targets)
    platform = _platform_hint(target, step, [*said, error], progress.failing_line)
    if not step:
        last = [line for line in text if line.strip()][-3:]
        message = "docker buildx bake failed: " + " / ".join(last)
        return LocalloopError(
            "build_failed", message, hint=f"{platform} The whole output: {log}".strip()
        )
    source = target.source if target else ""
    return LocalloopError(
        f"build_failed:{component}" if component else "build_failed",
        "\n".join([f"the build failed at {step}", *(f"    {line}" for line in said)]),
        component=component,
        where=f"{source}:{progress.failing_line}" if source and progress.failing_line else None,
        hint=f"{platform or 'Fix it and run the deploy again.'} BuildKit's whole output: {log}",
        details={"step": step, "lines": said},
    )


def _target_of(component: str | None, targets: Sequence[Target]) -> Target | None:
    if len(targets) == 1:
        return targets[0]
    return next((each for each in targets if each.component == component), None)


def _platform_hint(target: Target | None, step: str, said: Sequence[str], line: int) -> str:
    if target is None:
        return ""
    try:
        dockerfile = target.dockerfile.read_text(errors="replace")
    except OSError:
        dockerfile = ""
    asked = stage_platform(dockerfile, line, target.arguments, target.platform)
    return platform_hint(step, said, asked, target.platform)
