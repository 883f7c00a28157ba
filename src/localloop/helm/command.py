"""The helm command: its arguments, its environment, its time limit."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Any

from ..errors import LocalloopError
from ..kube.documents import write_document
from ..kube.kubeconfig import server_host
from ..system import tools
from ..system.environ import uses_proxy, without_proxy
from .releases import HISTORY_MAX

OLDEST = (3, 18, 4)
INSTALL_HINT = (
    f"Install Helm {'.'.join(map(str, OLDEST))} or newer (https://helm.sh/docs/intro/install/)."
)
# Helm gets this long beyond the time for hooks, to end by itself and say why.
GRACE_SECONDS = 5.0
TEMPLATE_SECONDS = 60.0
DEPENDENCY_SECONDS = 300.0


class HelmHungError(LocalloopError):
    """Helm did not end in time and was killed."""


class Helm:
    """Runs helm against one frozen kubeconfig and context."""

    def __init__(self, kubeconfig: Path, context: str) -> None:
        self.path = tools.find("helm", hint=INSTALL_HINT)
        self._kubeconfig, self._context = kubeconfig, context
        self._target = ("--kubeconfig", str(kubeconfig), "--kube-context", context)

    @property
    def manager(self) -> str:
        """The field manager under which it applies: it names itself after its program."""
        return Path(self.path).name

    def identity(self) -> str:
        """A text that differs for another helm binary; found without starting it."""
        found = Path(self.path).stat()
        return f"{self.path}:{found.st_size}:{found.st_mtime_ns}"

    def version(self) -> tuple[int, int, int]:
        """Major, minor and patch. Raises ``helm_failed`` if helm does not say."""
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

        The namespace must exist.
        ``timeout`` is in seconds and bounds the hooks. Raises ``HelmHungError`` if Helm does not
        end soon after.
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
        return self._run(argv[1:], timeout, write_document(values).encode(), pass_fds)

    def template(
        self,
        release: str,
        chart: Path | str,
        *,
        namespace: str,
        values: Mapping[str, Any],
        values_files: Sequence[Path],
        chart_flags: Sequence[str] = (),
    ) -> tools.Completed:
        """What ``upgrade`` would send, rendered here without tests; the cluster is not asked."""
        argv = [self.path, "template", "--skip-tests", "--namespace", namespace]
        for path in values_files:
            argv += ["--values", _csv_field(str(path))]
        argv += ["--values", "-", *chart_flags, "--", release, str(chart)]
        content = write_document(values).encode()
        return tools.run(argv, timeout=TEMPLATE_SECONDS, stdin=content, env=_environment())

    def show_crds(self, chart: Path | str, flags: Sequence[str]) -> tools.Completed:
        """What a chart and all of its subcharts have in ``crds/``, without rendering it."""
        argv = [self.path, "show", "crds", *flags, "--", str(chart)]
        return tools.run(argv, timeout=TEMPLATE_SECONDS, env=_environment())

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
        """Make a new revision out of an earlier one, labels included; ``timeout`` as above."""
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
                env=self._cluster_environment(),
                pass_fds=pass_fds,
            )
        except LocalloopError as error:
            if error.reason != "tool_timeout":
                raise
            raise HelmHungError(error.reason, error.message) from error

    def _cluster_environment(self) -> dict[str, str]:
        environ = _environment()
        if uses_proxy(environ):
            return without_proxy(environ, [server_host(self._kubeconfig, self._context)])
        return environ

    def uninstall(
        self,
        release: str,
        *,
        namespace: str,
        timeout: float,
        hooks: bool = True,
        pass_fds: Sequence[int] = (),
    ) -> tools.Completed:
        """Remove a release, if it exists. ``timeout`` as for ``upgrade``.

        Without ``hooks`` its delete hooks are left out, and Helm waits until its objects are gone.
        """
        argv = ["uninstall", "--namespace", namespace, "--ignore-not-found"]
        argv += [f"--timeout={ceil(timeout)}s"]
        argv += [] if hooks else ["--no-hooks", "--wait"]
        return self._run([*argv, "--", release], timeout, None, pass_fds)


def build_dependencies(chart: Path, *, refresh: bool) -> tools.Completed:
    """``helm dependency build`` in a chart's folder, which is written to.

    ``refresh`` also brings the indexes of the user's repositories up to date. Raises
    ``tool_missing`` and ``tool_timeout``.
    """
    argv = [tools.find("helm", hint=INSTALL_HINT), "dependency", "build"]
    argv += [] if refresh else ["--skip-refresh"]
    # The whole environment: HELM_* may say where the user's repositories and credentials are.
    return tools.run([*argv, "--", str(chart)], timeout=DEPENDENCY_SECONDS)


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
    """The command line of an upgrade, without the flags that name the cluster."""
    argv = [helm, "upgrade", "--install", "--namespace", namespace]
    argv += ["--history-max", str(HISTORY_MAX), f"--timeout={ceil(timeout)}s"]
    argv += ["--labels", ",".join(f"{key}={value}" for key, value in sorted(labels.items()))]
    for path in values_files:
        argv += ["--values", _csv_field(str(path))]
    argv += ["--values", "-"]
    return [*argv, *chart_flags, *apply_flags, "--", release, str(chart)]


def chart_flags(chart: str, repo: str, version: str) -> tuple[str, ...]:
    """The flags for a chart from a repository; a registry on this machine speaks plain HTTP."""
    flags = [f"--version={version}"]
    if repo:
        flags.append(f"--repo={repo}")
    host = chart.removeprefix("oci://").partition("/")[0].partition(":")[0]
    if chart.startswith("oci://") and host in ("127.0.0.1", "localhost"):
        flags.append("--plain-http")
    return tuple(flags)


def apply_flags(helm_major: int) -> tuple[str, ...]:
    """The flags that say how Helm applies: on the server, over changes by hand.

    Helm 3 applies on the client only.
    """
    if helm_major < 4:
        return ()
    return ("--server-side=true", "--force-conflicts")


def _csv_field(text: str) -> str:
    # Helm reads --values as a line of CSV: a comma would split one path into two.
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\n') else text


def _environment() -> dict[str, str]:
    # The caller's HELM_* variables (driver, namespace, plugins) could change which release it is.
    return {key: value for key, value in os.environ.items() if not key.startswith("HELM_")}


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no output"
