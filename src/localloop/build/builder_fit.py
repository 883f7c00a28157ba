"""Whether a builder is fit for a deploy: it has to push to a registry on this machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..errors import UsageError
from ..events import Emit
from ..fingerprint.builder_kind import DOCKER, builder_kind
from ..session import Session
from ..system import tools
from ..system.docker_host import DOCKER_HINT

INSPECT_SECONDS = 30.0
_HOST = re.compile(r'(?:^|\s)network="?host\b')
_NOTE = "It cannot see images that only Docker's store has: its base images come from a registry."
_HERE = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Builder:
    """What ``docker buildx inspect`` says about a builder and each of its nodes."""

    name: str
    driver: str
    endpoints: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"builder {self.name} (driver {self.driver}, {', '.join(self.endpoints)})"


def parse(text: str) -> Builder:
    """The builder from the lines of ``docker buildx inspect``."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon and not line.startswith(" "):
            found.setdefault(key, []).append(value.strip())
    return Builder(
        name=found.get("Name", [""])[0],
        driver=found.get("Driver", [""])[0],
        endpoints=tuple(found.get("Endpoint", ())),
        options=tuple(found.get("Driver Options", ())),
    )


def refuse_unfit(builder: Builder, registry: str) -> None:
    """Raise ``UsageError`` (``builder_unfit``) for a builder that cannot reach the registry."""
    why, hint = "", "Use Docker's own builder: remove `builder:`, or `docker buildx use default`."
    if builder.driver == "docker-container":
        on_host = [options for options in builder.options if _HOST.search(options)]
        if len(on_host) < max(1, len(builder.endpoints)):
            why = "its container is not on the host's network"
            hint = "Make it with `docker buildx create --driver docker-container --driver-opt"
            hint += f" network=host`, or choose another.\n  {_NOTE}"
    elif builder.driver == "remote":
        far = [each for each in builder.endpoints if not _is_here(each)]
        why = f"it is on another machine ({', '.join(far)})" if far else ""
    elif builder.driver == "kubernetes":
        why = "it runs in pods"
    elif builder.driver != "docker":
        why = f"localloop does not know the driver {builder.driver or '(none)'}"
    if why:
        raise UsageError(
            "builder_unfit",
            f"the builder {builder.name} cannot push to the registry {registry}: {why}",
            hint=hint,
        )


def _is_here(endpoint: str) -> bool:
    found = urlsplit(endpoint)
    return found.scheme == "unix" or (found.hostname or "") in _HERE


def inspect(name: str | None) -> Builder:
    """The builder of that name, or the one in use; raises ``builder_unknown``."""
    docker = tools.find("docker", hint=DOCKER_HINT)
    done = tools.run(
        [docker, "buildx", "inspect", *([name] if name else [])], timeout=INSPECT_SECONDS
    )
    if done.returncode:
        raise UsageError(
            "builder_unknown",
            f"buildx says: {done.stderr.strip()[-300:]}",
            hint="`docker buildx ls` lists the builders; `builder:` in localloop.yml names one.",
        )
    return parse(done.stdout)


def refuse_unfit_builder(session: Session, emit: Emit) -> None:
    """Check any builder but Docker's own; raises ``builder_unknown`` or ``builder_unfit``."""
    named = session.project.builder
    if not named and builder_kind(named, session.environ) == DOCKER:
        return
    found = inspect(named)
    refuse_unfit(found, session.registry_address)
    emit({"event": "progress", "component": "", "step": "build", "text": str(found)})
