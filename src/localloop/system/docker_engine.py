"""Operations in Docker: commands in containers, archives, images. They use the Docker SDK.

``Docker.engine`` imports this module only when needed, since the SDK is slow to import. It is given
the socket's path, because the SDK reads DOCKER_HOST but does not know Docker contexts.
"""

from __future__ import annotations

import json
import os
import posixpath
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from docker import APIClient
from docker.errors import DockerException, NotFound
from docker.utils import parse_repository_tag
from requests.exceptions import HTTPError, RequestException

from ..errors import LocalloopError
from .archives import ArchiveError, read_member
from .docker_host import free_space_text, unreachable

ANSWER_SECONDS = 30.0
PUT_SECONDS = 300.0
STATE_SECONDS = 60.0
LARGEST_READ_BYTES = 16 << 20
_EXIT_STATUS_SECONDS = 5.0


class _BoundedClient(APIClient):
    """The SDK's client with a timeout for every request, also for events, pulls and imports.

    ``seconds`` is how long a request may wait for the daemon's next bytes.
    """

    def __init__(self, url: str, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(url)  # requests the daemon's version

    def request(self, *args: Any, **kwargs: Any) -> Any:
        return super().request(*args, **{**kwargs, "timeout": self.seconds})


class Engine:
    """The daemon behind one Unix socket; connected to on the first call.

    Every method raises ``docker_unreachable`` if the daemon does not answer in time, and
    ``docker_error`` with the daemon's message if it refuses. Timeouts are in seconds; by default
    the engine's.
    """

    def __init__(self, socket: str, *, timeout: float = ANSWER_SECONDS) -> None:
        self.socket = socket
        self.timeout = timeout
        self._client: _BoundedClient | None = None

    def execute(
        self, container: str, argv: Sequence[str], *, timeout: float | None = None
    ) -> tuple[int, str]:
        """Run a command in a container: its exit status, and its stdout and stderr as one text."""
        with self._asking(f"to run {argv[0]} in {container}", timeout) as api:
            number = api.exec_create(container, list(argv))["Id"]
            # Not exec_start: it bypasses HTTP's buffer, so that the output of a quick command may
            # be lost (docker/docker-py#3332), and it has no timeout.
            url = f"{api.base_url}/v{api.api_version}/exec/{number}/start"
            answer = api.post(url, json={"Detach": False, "Tty": False})
            answer.raise_for_status()
            return _exit_status(api, number), _demultiplexed(answer.content).decode(
                errors="replace"
            )

    def feed(
        self, container: str, argv: Sequence[str], chunks: Iterable[bytes], *, timeout: float
    ) -> tuple[int, str]:
        """As ``execute``, with ``chunks`` as the command's standard input, which then ends.

        ``timeout`` bounds the whole. A command that ends before it has read all is no error here.
        """
        from .docker_stream import feed

        with self._asking(f"to run {argv[0]} in {container}", timeout) as api:
            number = api.exec_create(container, list(argv), stdin=True)["Id"]
            path = f"/v{api.api_version}/exec/{number}/start"
            output = feed(self.socket, path, chunks, seconds=timeout)
            return _exit_status(api, number), _demultiplexed(output).decode(errors="replace")

    def logs(self, container: str, lines: int) -> str:
        """The last lines of a container's stdout and stderr as one text."""
        with self._asking(f"for the logs of {container}") as api:
            return bytes(api.logs(container, tail=lines)).decode(errors="replace")

    def start(self, container: str) -> None:
        """Start a stopped container; no error if it runs."""
        with self._asking(f"to start {container}", STATE_SECONDS) as api:
            api.start(container)

    def unpause(self, container: str) -> None:
        """Let a paused container go on."""
        with self._asking(f"to unpause {container}", STATE_SECONDS) as api:
            api.unpause(container)

    def restart(self, container: str) -> None:
        """Stop a container, by force after 10 s, and start it."""
        with self._asking(f"to restart {container}", STATE_SECONDS) as api:
            api.restart(container, timeout=10)

    def stop(self, container: str) -> None:
        """Stop a container, by force after 10 s; no error if it does not run."""
        with self._asking(f"to stop {container}", STATE_SECONDS) as api:
            api.stop(container, timeout=10)

    def put_archive(self, container: str, directory: str, archive: bytes) -> None:
        """Unpack a tar archive into an existing directory of a container."""
        with self._asking(f"to write to {directory} in {container}", PUT_SECONDS) as api:
            api.put_archive(container, directory, archive)

    def read_file(self, container: str, path: str) -> bytes | None:
        """A regular file's content, at most 16 MiB; None if container or file is missing."""
        archive = b""
        with self._asking(f"to read {path} in {container}") as api:
            try:
                chunks, _ = api.get_archive(container, path)
            except NotFound:
                return None
            for chunk in chunks:
                archive += chunk
                if len(archive) > LARGEST_READ_BYTES:
                    raise LocalloopError("docker_error", f"{path} in {container} is too large")
        try:
            return read_member(archive, posixpath.basename(path))
        except ArchiveError as error:
            raise LocalloopError("docker_error", f"{path} in {container}: {error}") from error

    def was_tagged(self, reference: str, since: float) -> bool:
        """Whether an image was given that name after ``since`` (Unix time), by Docker's events."""
        with self._asking("to list its events") as api:
            events = api.events(
                since=f"{since:.9f}",
                until=f"{time.time():.9f}",
                filters={"type": "image", "event": "tag"},
                decode=True,
            )
            return any(event["Actor"]["Attributes"].get("name") == reference for event in events)

    def pull(
        self,
        reference: str,
        *,
        timeout: float,
        say: Callable[[str], None] | None = None,
        anonymous: bool = False,
    ) -> None:
        """Pull an image; fails if it takes more than ``timeout`` seconds. ``say`` gets progress.

        ``anonymous``: no account is looked up, nor a credential helper asked for one.
        """
        deadline = time.monotonic() + timeout
        account: dict[str, str] | None = {} if anonymous else None
        with self._asking(f"to pull {reference}", timeout) as api:
            for line in api.pull(reference, stream=True, decode=True, auth_config=account):
                _refuse_error(line, f"to pull {reference}")
                if say and line.get("status") in ("Pull complete", "Extracting"):
                    say(f"pulling {reference}: {line.get('id', '')} {line['status'].lower()}")
                if time.monotonic() > deadline:
                    raise LocalloopError(
                        "docker_error", f"pulling {reference} took more than {timeout:g} s"
                    )

    def import_image(
        self, archive: Path, reference: str, changes: Sequence[str], *, timeout: float
    ) -> None:
        """Create an image from a root file system; ``changes`` are Dockerfile instructions."""
        repository, tag = parse_repository_tag(reference)
        with self._asking(f"to import {reference}", timeout) as api:
            output = api.import_image_from_file(str(archive), repository, tag, changes)
            for line in output.splitlines():
                _refuse_error(json.loads(line), f"to import {reference}")

    def tag(self, reference: str, repository: str, tag: str) -> None:
        """Give an image one more name, REPOSITORY:TAG; it is taken from another that has it."""
        with self._asking(f"to tag {reference}") as api:
            api.tag(reference, repository, tag)

    def remove_image(self, reference: str) -> None:
        """Remove a tag, and the image with its last tag; no error if the tag is absent."""
        with self._asking(f"to remove {reference}", 60) as api:
            try:
                api.remove_image(reference)
            except NotFound:
                return

    def remove_container(self, name: str) -> None:
        """Remove a container, running or not; no error if it is absent."""
        with self._asking(f"to remove {name}", STATE_SECONDS) as api:
            try:
                api.remove_container(name, force=True)
            except NotFound:
                return

    def remove_volume(self, name: str) -> None:
        """Remove a volume with its content; no error if it is absent."""
        with self._asking(f"to remove the volume {name}", STATE_SECONDS) as api:
            try:
                api.remove_volume(name)
            except NotFound:
                return

    def free_space(self) -> str:
        """The free space where the daemon keeps its data, as text."""
        with self._asking("to describe itself") as api:
            directory = str(api.info()["DockerRootDir"])
        try:
            found = os.statvfs(directory)
        except OSError:
            return f"the free space in {directory} cannot be read from here"
        return free_space_text(
            directory, found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
        )

    def close(self) -> None:
        """Close the connection; the next call connects again."""
        if self._client is not None:
            self._client.close()
            self._client = None

    @contextmanager
    def _asking(self, what: str, timeout: float | None = None) -> Iterator[Any]:
        """The SDK's client for one call; the SDK's exceptions become ``LocalloopError``."""
        try:
            if self._client is None:
                self._client = _BoundedClient(f"unix://{self.socket}", self.timeout)
            self._client.seconds = self.timeout if timeout is None else timeout
            yield self._client
        except HTTPError as error:  # the SDK's APIError is one
            raise _refused(what, error) from error
        except (DockerException, RequestException, OSError) as error:
            self.close()
            raise unreachable(self.socket, _root_cause(error)) from error
        except BaseException:  # the answer is only half read: Ctrl-C, or a pull that took too long
            self.close()
            raise


def _exit_status(api: Any, number: str) -> int:
    """The daemon may close a command's output a moment before it knows the exit status."""
    deadline = time.monotonic() + _EXIT_STATUS_SECONDS
    while (status := api.exec_inspect(number)["ExitCode"]) is None:
        if time.monotonic() > deadline:
            raise LocalloopError("docker_error", "Docker did not report a command's exit status")
        time.sleep(0.02)
    return int(status)


def _demultiplexed(stream: bytes) -> bytes:
    """The outputs of a command without a terminal, which come in frames.

    A frame is a type, a length (big-endian) and that many bytes.
    """
    output, offset = b"", 0
    while offset + 8 <= len(stream):
        size = int.from_bytes(stream[offset + 4 : offset + 8], "big")
        output += stream[offset + 8 : offset + 8 + size]
        offset += 8 + size
    return output


def _refuse_error(line: Mapping[str, Any], what: str) -> None:
    """Raise the failure that a pull or import reports within a successful response."""
    if "error" in line:
        raise LocalloopError("docker_error", f"Docker refused {what}: {line['error']}")


def _refused(what: str, error: HTTPError) -> LocalloopError:
    response: Any = error.response
    try:
        message = str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        message = response.text[:300]
    return LocalloopError(
        "docker_error", f"Docker refused {what} ({response.status_code}): {message}"
    )


def _root_cause(error: BaseException) -> BaseException:
    """The original cause, such as the socket's ``FileNotFoundError``."""
    while below := error.__cause__ or error.__context__:
        error = below
    return error
