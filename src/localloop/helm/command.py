"""Helm: its releases as the cluster stores them, and the runner of the command."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

from ..errors import LocalloopError
from ..kube.client import Kube
from ..kube.objects import ObjectRef
from ..record.store import HISTORY_MAX, PROJECT_LABEL
from ..system import tools

OLDEST = (3, 18, 4)
INSTALL_HINT = (
    f"Install Helm {'.'.join(map(str, OLDEST))} or newer (https://helm.sh/docs/intro/install/)."
)
TRANSACTION_LABEL = "localloop-transaction"
PENDING = ("pending-install", "pending-upgrade", "pending-rollback", "uninstalling")
# What Helm gets beyond the time that its hooks may take, to end by itself and say why.
GRACE_SECONDS = 5.0


class HelmHungError(LocalloopError):
    """Helm did not end in time, and was ended."""


@dataclass(frozen=True)
class Release:
    """A revision of a release, as its Secret's metadata tells it; ``created`` is RFC 3339."""

    name: str
    namespace: str
    revision: int
    status: str
    labels: Mapping[str, str] = field(default_factory=dict)
    secret: str = ""
    uid: str = ""
    resource_version: str = ""
    created: str = ""

    @property
    def place(self) -> str:
        """NAMESPACE/NAME."""
        return f"{self.namespace}/{self.name}"

    @property
    def removal(self) -> str:
        """The command that removes it by hand."""
        return f"helm -n {self.namespace} uninstall {self.name}"

    @property
    def owner(self) -> str:
        """The project whose label it carries; empty where it has none."""
        return self.labels.get(PROJECT_LABEL, "")

    @property
    def whose(self) -> str:
        """In words: whose it is, where it is not this project's."""
        return f"project {self.owner}'s" if self.owner else "not one of localloop's"

    def belongs_to(self, project: str, *, adopt: bool) -> bool:
        """Whether it is this project's; ``adopt``: one without an owner is, too."""
        return self.owner == project or (adopt and not self.owner)


def releases(kube: Kube, namespace: str, names: Sequence[str]) -> dict[str, Release]:
    """The newest revision of each named release in a namespace, by one metadata-only list."""
    return {release.name: release for release in _newest(revisions(kube, namespace, names))}


def all_releases(kube: Kube) -> list[Release]:
    """The newest revision of each release in the cluster, by one metadata-only list."""
    items, _ = kube.list("v1", "Secret", label_selector="owner=helm", metadata_only=True)
    return _newest([_release(item["metadata"]) for item in items])


def _newest(revisions: Iterable[Release]) -> list[Release]:
    newest: dict[tuple[str, str], Release] = {}
    for release in sorted(revisions, key=lambda each: each.revision):
        newest[release.namespace, release.name] = release
    return list(newest.values())


def revisions(kube: Kube, namespace: str, names: Sequence[str]) -> list[Release]:
    """All revisions that Helm keeps of the named releases, by one metadata-only list."""
    selector = f"owner=helm,name in ({','.join(sorted(names))})"
    items, _ = kube.list("v1", "Secret", namespace, label_selector=selector, metadata_only=True)
    return [_release(item["metadata"]) for item in items]


def _release(metadata: Mapping[str, Any]) -> Release:
    labels = metadata.get("labels", {})
    return Release(
        name=labels.get("name", ""),
        namespace=metadata.get("namespace", ""),
        revision=int(labels.get("version", "0")),
        status=labels.get("status", ""),
        labels=labels,
        secret=metadata["name"],
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        created=metadata.get("creationTimestamp", ""),
    )


@dataclass(frozen=True)
class Hook:
    """A hook of a revision: its manifest, when it runs (``pre-upgrade``), what its run came to.

    ``phase`` is ``Running``, ``Succeeded``, ``Failed`` or ``Unknown``; empty where it has not run.
    """

    manifest: str
    events: tuple[str, ...]
    phase: str


@dataclass(frozen=True)
class Stored:
    """What Helm stored of a revision: its manifest and that one's sha256, values given, hooks."""

    manifest: str
    sha256: str
    values: dict[str, Any] = field(default_factory=dict, repr=False)
    hooks: tuple[Hook, ...] = ()


def stored(kube: Kube, release: Release) -> Stored:
    """Read a revision's manifest out of Helm's Secret (base64, base64, gzip, JSON)."""
    content = decode_secret(_secret(kube, release))
    manifest = content.get("manifest", "")
    digest = hashlib.sha256(manifest.encode()).hexdigest()
    hooks = tuple(
        Hook(
            hook.get("manifest") or "",
            tuple(hook.get("events") or ()),
            (hook.get("last_run") or {}).get("phase") or "",
        )
        for hook in content.get("hooks") or ()
    )
    return Stored(manifest, digest, content.get("config") or {}, hooks)


def mark_failed(kube: Kube, release: Release) -> None:
    """Turn a revision whose helm died half-way (see ``PENDING``) into a failed one.

    Helm refuses to upgrade such a release; a failed one it upgrades.
    """
    secret = _secret(kube, release)
    content = decode_secret(secret)
    content["info"]["status"] = "failed"
    content["info"]["description"] = "localloop: the helm that was at work ended before it was done"
    packed = base64.b64encode(gzip.compress(json.dumps(content).encode()))
    secret["data"]["release"] = base64.b64encode(packed).decode()
    secret["metadata"]["labels"]["status"] = "failed"
    kube.replace({"apiVersion": "v1", "kind": "Secret", **secret})


def _secret(kube: Kube, release: Release) -> dict[str, Any]:
    found = kube.read(ObjectRef("v1", "Secret", release.namespace, release.secret))
    if found is None:
        raise LocalloopError(
            "release_gone",
            f"revision {release.revision} of release {release.name} is gone",
            hint="Run the deploy again.",
        )
    return found


def decode_secret(secret: Mapping[str, Any]) -> dict[str, Any]:
    """The release that Helm keeps in a Secret, as plain data."""
    try:
        packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
        content = json.loads(gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed)
    except (KeyError, ValueError, OSError, EOFError, zlib.error) as error:
        metadata = secret.get("metadata", {})
        name, namespace = metadata.get("name"), metadata.get("namespace")
        raise LocalloopError(
            "release_undecodable",
            f"Helm's Secret {name} cannot be read: {error}",
            hint="Helm cannot read it either. Delete that one Secret: what runs goes on, and the"
            f" next deploy releases over it: kubectl -n {namespace} delete secret {name}",
        ) from error
    return content if isinstance(content, dict) else {}


class Helm:
    """Runs helm against one frozen kubeconfig and context."""

    def __init__(self, kubeconfig: Path, context: str) -> None:
        self.path = tools.find("helm", hint=INSTALL_HINT)
        self._target = ("--kubeconfig", str(kubeconfig), "--kube-context", context)

    def identity(self) -> str:
        """Tells one helm binary from another without starting it."""
        found = Path(self.path).stat()
        return f"{self.path}:{found.st_size}:{found.st_mtime_ns}"

    def version(self) -> tuple[int, int, int]:
        """Major, minor and patch."""
        done = tools.run(
            [self.path, "version", "--template", "{{.Version}}"], timeout=30, env=_environment()
        )
        found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", done.stdout.strip())
        if done.returncode or found is None:
            raise LocalloopError("helm_failed", f"`helm version`: {_last_line(done.stderr)}")
        major, minor, patch = map(int, found.groups())
        return major, minor, patch

    def upgrade(
        self,
        release: str,
        chart: Path | str,
        *,
        namespace: str,
        values: Mapping[str, Any],
        values_files: Sequence[Path],
        chart_flags: Sequence[str] = (),
        labels: Mapping[str, str],
        apply_flags: Sequence[str],
        timeout: float,
        pass_fds: Sequence[int] = (),
    ) -> tools.Completed:
        """``helm upgrade --install``; the values go in by standard input, never on argv.

        ``timeout``: seconds that a hook may take. ``HelmHungError`` where Helm does not end soon
        after.
        """
        argv = upgrade_argv(
            self.path,
            release,
            chart,
            namespace=namespace,
            values_files=values_files,
            chart_flags=chart_flags,
            labels=labels,
            apply_flags=apply_flags,
            timeout=timeout,
        )
        return self._run(argv[1:], timeout, json.dumps(values).encode(), pass_fds)

    def rollback(
        self,
        release: str,
        revision: int,
        *,
        namespace: str,
        apply_flags: Sequence[str],
        timeout: float,
        pass_fds: Sequence[int] = (),
    ) -> tools.Completed:
        """Make a new revision that is an earlier one again, labels included."""
        argv = ["rollback", "--namespace", namespace, "--history-max", str(HISTORY_MAX)]
        argv += [f"--timeout={ceil(timeout)}s", *apply_flags, "--", release, str(revision)]
        return self._run(argv, timeout, None, pass_fds)

    def _run(
        self, argv: Sequence[str], timeout: float, stdin: bytes | None, pass_fds: Sequence[int]
    ) -> tools.Completed:
        try:
            return tools.run(
                [self.path, *self._target, *argv],
                timeout=timeout + GRACE_SECONDS,
                stdin=stdin,
                env=_environment(),
                pass_fds=pass_fds,
            )
        except LocalloopError as error:
            if error.reason != "tool_timeout":
                raise
            raise HelmHungError(error.reason, error.message) from error

    def uninstall(self, release: str, *, namespace: str, timeout: float) -> tools.Completed:
        """Remove a release, with what it left; ``timeout`` as for ``upgrade``."""
        argv = ["uninstall", "--namespace", namespace, "--ignore-not-found"]
        argv += [f"--timeout={ceil(timeout)}s", "--", release]
        return self._run(argv, timeout, None, ())


def upgrade_argv(
    helm: str,
    release: str,
    chart: Path | str,
    *,
    namespace: str,
    values_files: Sequence[Path],
    labels: Mapping[str, str],
    apply_flags: Sequence[str],
    chart_flags: Sequence[str] = (),
    timeout: float,
) -> list[str]:
    """The argv of a release, without the cluster's flags."""
    argv = [helm, "upgrade", "--install", "--namespace", namespace, "--create-namespace"]
    argv += ["--history-max", str(HISTORY_MAX), f"--timeout={ceil(timeout)}s"]
    argv += ["--labels", ",".join(f"{key}={value}" for key, value in sorted(labels.items()))]
    for path in values_files:
        argv += ["--values", _csv_field(str(path))]
    argv += ["--values", "-"]
    return [*argv, *chart_flags, *apply_flags, "--", release, str(chart)]


def chart_flags(chart: str, repo: str, version: str) -> tuple[str, ...]:
    """What finds a chart that is no directory; a registry on this machine speaks plain HTTP."""
    flags = [f"--version={version}"]
    if repo:
        flags.append(f"--repo={repo}")
    host = chart.removeprefix("oci://").partition("/")[0].partition(":")[0]
    if chart.startswith("oci://") and host in ("127.0.0.1", "localhost"):
        flags.append("--plain-http")
    return tuple(flags)


def apply_flags(helm_major: int, server_minor: int) -> tuple[str, ...]:
    """How Helm 4 is to apply: by the server, over anybody's hand-made changes, where it can.

    Server-side apply is generally available from Kubernetes 1.22 on; before, it rejects Services
    whose ports name no protocol. Helm 3 knows the client-side way alone.
    """
    if helm_major < 4:
        return ()
    if server_minor < 22:
        return ("--server-side=false",)
    return ("--server-side=true", "--force-conflicts")


def _csv_field(text: str) -> str:
    # Helm reads --values as a line of CSV: a comma would part one path into two.
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\n') else text


def _environment() -> dict[str, str]:
    # HELM_* of the caller (a driver, a namespace, plugins) would make it another release.
    return {key: value for key, value in os.environ.items() if not key.startswith("HELM_")}


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no output"
