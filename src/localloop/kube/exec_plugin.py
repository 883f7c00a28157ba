"""Credentials from a program that the kubeconfig names: ``client.authentication.k8s.io``."""

from __future__ import annotations

import json
import os
import shlex
from datetime import datetime
from typing import Any

from ..errors import LocalloopError
from ..system import tools
from .errors import ApiUnreachable
from .kubeconfig import Credential, ExecPlugin, KubeConfig

TIMEOUT_SECONDS = 12.0
_GRACE_SECONDS = 1.0
_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


def ask(plugin: ExecPlugin, config: KubeConfig) -> Credential:
    """Run the plugin without a terminal, in the user's environment, for at most 15 seconds.

    Raises ``ApiUnreachable`` (``exec_plugin_failed``) with the plugin's own words.
    """
    if plugin.api_version not in _VERSIONS:
        raise _failed(plugin, config, f"speaks {plugin.api_version or 'no apiVersion'}")
    try:
        done = tools.run(
            [tools.find(plugin.argv[0], hint=plugin.hint), *plugin.argv[1:]],
            timeout=TIMEOUT_SECONDS,
            env={**os.environ, **plugin.env, "KUBERNETES_EXEC_INFO": _request(plugin)},
            grace=_GRACE_SECONDS,
        )
    except OSError as error:
        raise _failed(plugin, config, f"cannot be started: {error.strerror}") from error
    except LocalloopError as error:
        if error.reason == "tool_missing":
            raise _failed(plugin, config, "is not on PATH, or not executable") from error
        raise _failed(plugin, config, f"did not end within {TIMEOUT_SECONDS:g} s") from error
    if done.returncode:
        said = _words(done.stderr) or _words(done.stdout) or "it printed nothing"
        raise _failed(plugin, config, f"ended with {done.returncode}: {said}")
    try:
        return _credential(done.stdout, plugin)
    except ValueError as error:
        # What it printed may be a secret unless it is no JSON at all.
        said = _words(done.stderr) or ("" if "{" in done.stdout else _words(done.stdout))
        raise _failed(plugin, config, f"{error}{': ' if said else ''}{said}") from error


def _request(plugin: ExecPlugin) -> str:
    spec: dict[str, Any] = {"interactive": False}
    if plugin.cluster is not None:
        spec["cluster"] = plugin.cluster
    return json.dumps({"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec})


def _credential(text: str, plugin: ExecPlugin) -> Credential:
    """The credential that was printed; ``ValueError`` says what is wrong, without any secret."""
    try:
        found = json.loads(text)
        status = found["status"]
        kind, version = found["kind"], found["apiVersion"]
        token, until = status.get("token"), status.get("expirationTimestamp")
        cert, key = status.get("clientCertificateData"), status.get("clientKeyData")
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ValueError("printed no ExecCredential") from None
    if kind != "ExecCredential" or version != plugin.api_version:
        raise ValueError(f"printed {kind!r} of {version!r}, not of {plugin.api_version}")
    if not token and not (cert and key):
        raise ValueError("printed neither a token nor a certificate with its key")
    if not all(isinstance(each or "", str) for each in (token, until, cert, key)):
        raise ValueError("printed a credential that is not text")
    if token and not (token.isascii() and token.isprintable()):
        raise ValueError("printed a token with characters that no token has")
    return Credential(
        token or None,
        cert.encode() if cert and key else None,
        key.encode() if cert and key else None,
        _time(until) if until else None,
    )


def _time(text: str) -> float:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("printed an expirationTimestamp that is no time") from None
    if found.tzinfo is None:
        raise ValueError("printed an expirationTimestamp without a time zone")
    return found.timestamp()


def _words(text: str) -> str:
    """The last lines of an output, in one."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return "; ".join(lines[-3:])[-500:]


def _failed(plugin: ExecPlugin, config: KubeConfig, what: str) -> ApiUnreachable:
    return ApiUnreachable(
        "exec_plugin_failed",
        f"context {config.context} gets its credentials from {plugin.name}, which {what}",
        hint=plugin.hint
        or "Run `kubectl --context "
        f"{shlex.quote(config.context)} get namespaces` to see what it wants; log in if need be.",
    )
