"""Images that localloop itself needs, built only when their files change."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from ..errors import LocalloopError
from ..system import tools
from ..system.buildx import refuse_old_buildx
from ..system.docker import Docker
from .progress import BuildProgress, Ticker
from .proxies import build_proxies

Say = Callable[[str], None]
DOCKER_HINT = "Install Docker: `make tools` does on Debian 12 and 13."
PULL_SECONDS = 120
BOOTSTRAP_SECONDS = 900


def content_tag(
    directory: Path,
    build_args: Mapping[str, str],
    prefix: str,
    files: Iterable[Path] | None = None,
) -> str:
    """``PREFIX-<hash>`` of everything that goes into the build: names, modes, bytes, arguments.

    ``files`` are those of the directory that count, by default all.
    """
    digest = hashlib.sha256()
    if files is None:
        files = (item for item in directory.rglob("*") if not item.is_dir())
    for path in sorted(files):
        executable = os.access(path, os.X_OK)
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(directory)}\0{executable}\0{content}\n".encode())
    for key, value in sorted(build_args.items()):
        digest.update(f"{key}={value}\n".encode())
    short = digest.hexdigest()[:12]
    return f"{prefix}-{short}" if prefix else short


def ensure_base_image(docker: Docker, reference: str, suite: str, say: Say) -> bool:
    """Pull the base image, or make it from Debian's packages; returns whether it was missing.

    Raises ``base_image_failed`` or ``tool_missing``.
    """
    if docker.inspect_image(reference) is not None:
        return False
    say(f"pulling {reference}")
    try:
        docker.engine.pull(reference, timeout=PULL_SECONDS)
    except LocalloopError as error:
        if error.reason != "docker_error":
            raise
        problem = error.message
    else:
        return True
    say(f"{reference} cannot be pulled: making it from Debian's packages (about 20 s)")
    mmdebstrap = tools.find(
        "mmdebstrap",
        hint=f"{reference} could not be pulled ({problem})."
        " Install mmdebstrap (`apt-get install mmdebstrap`): it makes the image here.",
    )
    with tempfile.TemporaryDirectory(prefix="localloop-base-") as directory:
        archive = Path(directory) / "base.tar"
        argv = [mmdebstrap, "--quiet", "--variant=minbase", suite, str(archive)]
        done = tools.run(argv, timeout=BOOTSTRAP_SECONDS)
        if done.returncode:
            last = "\n".join(done.stderr.strip().splitlines()[-5:])
            raise LocalloopError("base_image_failed", f"{reference} could not be made: {last}")
        docker.engine.import_image(archive, reference, ['CMD ["bash"]'], timeout=BOOTSTRAP_SECONDS)
    return True


def build_image(
    reference: str,
    directory: Path,
    build_args: Mapping[str, str],
    *,
    component: str,
    timeout: float,
    say: Say,
    secrets: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Run one ``docker buildx build`` into Docker's own store; ``say`` gets its progress.

    ``timeout`` is in seconds; ``secrets`` are files by the name that the Dockerfile mounts. Raises
    ``image_build_failed``.
    """
    client = tools.find("docker", hint=DOCKER_HINT)
    argv = [client, "buildx", "build", "--builder=default", "--progress=rawjson", "--load"]
    argv += ["--provenance=false", f"--tag={reference}"]
    for key, value in sorted(build_args.items()):
        argv += ["--build-arg", f"{key}={value}"]
    proxies = build_proxies(os.environ)
    for name in proxies:
        argv += ["--build-arg", name]
    for name, path in sorted(secrets.items()):
        argv.append(f"--secret=id={name},src={path}")
    progress = BuildProgress(say)
    with Ticker(progress.tick):
        done = tools.run(
            [*argv, str(directory)],
            timeout=timeout,
            env={**os.environ, **proxies},
            on_stderr_line=progress.feed,
        )
    if not progress.started:
        refuse_old_buildx(client)
    if done.returncode == 0:
        return
    step, lines = progress.failure()
    if not lines:
        lines = progress.text()[-5:]
    raise LocalloopError(
        "image_build_failed",
        f"{reference} could not be built{f', at {step}' if step else ''}:\n" + "\n".join(lines),
        component=component,
        hint=f"The whole output: docker buildx build --progress=plain {directory}",
        details={"step": step, "lines": lines},
    )
