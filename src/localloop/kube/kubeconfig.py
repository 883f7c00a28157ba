"""The kubeconfig: one context, resolved to its server and credentials."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import UsageError
from .merged import Entry, choose, invalid

_CREDENTIALS = ("token", "tokenFile", "username", "client-certificate", "client-certificate-data")
_TEXTS = (
    *("server", "tls-server-name", "proxy-url", "certificate-authority", "token", "tokenFile"),
    *("certificate-authority-data", "client-certificate", "client-certificate-data"),
    *("client-key", "client-key-data", "username", "password", "as", "as-uid", "namespace"),
)
_PROXIES = ("http", "https", "socks5")


@dataclass(frozen=True)
class ExecPlugin:
    """A program that prints credentials; ``name`` is its command as it stands in the kubeconfig.

    ``cluster`` is what it is told of the cluster, None if it did not ask for that.
    """

    name: str
    argv: tuple[str, ...]
    env: dict[str, str] = field(repr=False)
    api_version: str
    hint: str = ""
    cluster: dict[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Credential:
    """What a request proves itself with: a token, a client certificate, both or neither.

    ``until`` is when it runs out (Unix time)."""

    token: str | None = field(default=None, repr=False)
    cert: bytes | None = field(default=None, repr=False)
    key: bytes | None = field(default=None, repr=False)
    until: float | None = None


@dataclass(frozen=True)
class KubeConfig:
    """One context of a kubeconfig, with every file that it refers to already read.

    Only ``token_file`` is read again: what is in there runs out. ``headers`` go with each request.
    ``document`` is the same as a kubeconfig that needs no other file.
    """

    context: str
    server: str
    ca_data: bytes | None = None
    client_cert: bytes | None = field(default=None, repr=False)
    client_key: bytes | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    namespace: str = "default"
    insecure: bool = False
    server_name: str | None = None
    proxy_url: str = field(default="", repr=False)
    token_file: Path | None = None
    plugin: ExecPlugin | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    document: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


def load_kubeconfig(path: str | Path | Sequence[str | Path], context: str) -> KubeConfig:
    """Read a context from one or several kubeconfig files, as kubectl does.

    No program is started and nothing is asked. Raises ``UsageError``: ``kubeconfig_missing``,
    ``kubeconfig_invalid``, ``kubeconfig_ambiguous``, ``kubeconfig_proxy``,
    ``kubeconfig_credential_plugin``, ``context_missing``.
    """
    paths = [path] if isinstance(path, str | Path) else list(path)
    chosen = choose([Path(each).expanduser().absolute() for each in paths], context)
    for entry in (chosen.context, chosen.cluster, chosen.user):
        _check_types(entry, context)
    cluster = _self_contained(chosen.cluster, ("certificate-authority",), context)
    user = _self_contained(chosen.user, ("client-certificate", "client-key"), context)
    _check_cluster(cluster, context, chosen.cluster.file)
    _check_user(user, context, chosen.user.file)
    plugin = _plugin(user, cluster, chosen.user, context)
    token, token_file = user.get("token"), user.get("tokenFile")
    if token_file:
        token = read_token(Path(token_file), context)
    return KubeConfig(
        context=context,
        server=cluster["server"].rstrip("/"),
        ca_data=_decoded(cluster, "certificate-authority"),
        client_cert=_decoded(user, "client-certificate"),
        client_key=_decoded(user, "client-key"),
        token=_printable(token, "token", context, chosen.user.file) if token else None,
        namespace=str(chosen.context.body.get("namespace") or "default"),
        insecure=cluster.get("insecure-skip-tls-verify") or False,
        server_name=cluster.get("tls-server-name") or None,
        proxy_url=cluster.get("proxy-url") or "",
        token_file=Path(token_file) if token_file else None,
        plugin=plugin,
        headers=_headers(user, context, chosen.user.file),
        document={
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "clusters": [{"name": "cluster", "cluster": cluster}],
            "users": [{"name": "user", "user": user}],
            "contexts": [
                {
                    "name": context,
                    "context": {**chosen.context.body, "cluster": "cluster", "user": "user"},
                }
            ],
        },
    )


def read_token(path: Path, context: str) -> str:
    """The token in a file; ``UsageError`` (``kubeconfig_invalid``) if there is none."""
    text = _read(path, context).decode(errors="replace").strip()
    if not text:
        raise invalid(str(path), f"context {context!r} needs the token in this file: it is empty")
    return _printable(text, "token", context, path)


def server_host(path: Path, context: str) -> str:
    """The host of a context's server; empty where the kubeconfig does not say."""
    try:
        return urlsplit(load_kubeconfig(path, context).server).hostname or ""
    except UsageError:
        return ""


def _check_types(entry: Entry, context: str) -> None:
    for key in _TEXTS:
        if not isinstance(entry.body.get(key) or "", str):
            raise invalid(str(entry.file), f"context {context!r}: {key} is not text")
    if not isinstance(entry.body.get("insecure-skip-tls-verify") or False, bool):
        message = f"context {context!r}: insecure-skip-tls-verify is neither true nor false"
        raise invalid(str(entry.file), message)


def _self_contained(entry: Entry, files: Sequence[str], context: str) -> dict[str, Any]:
    """An entry with its files' contents and absolute paths."""
    body = {key: value for key, value in entry.body.items() if value not in (None, "")}
    for key in files:
        path = body.pop(key, None)
        if path and f"{key}-data" not in body:
            body[f"{key}-data"] = base64.b64encode(_read(entry.path(path), context)).decode()
        try:
            _decoded(body, key)
        except (binascii.Error, ValueError) as error:
            message = f"context {context!r}: {key}-data is not base64"
            raise invalid(str(entry.file), message) from error
    if "tokenFile" in body:
        body["tokenFile"] = str(entry.path(body["tokenFile"]))
    return body


def _check_cluster(cluster: dict[str, Any], context: str, file: Path) -> None:
    server = cluster.get("server") or ""
    try:
        parts = urlsplit(server)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        usable = usable and (parts.port or 443) > 0 and "@" not in parts.netloc
    except ValueError:
        usable = False
    if not usable or not server.isprintable() or " " in server:
        raise invalid(str(file), f"context {context!r}: its cluster has no http(s) server")
    if cluster.get("insecure-skip-tls-verify") and "certificate-authority-data" in cluster:
        message = f"context {context!r}: a CA contradicts insecure-skip-tls-verify"
        raise invalid(str(file), message)
    proxy = cluster.get("proxy-url")
    if not proxy:
        return
    try:
        found = urlsplit(proxy)
        usable = found.scheme in _PROXIES and bool(found.hostname) and (found.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(
            "kubeconfig_proxy",
            f"context {context!r}: its proxy-url is no URL of an HTTP or SOCKS proxy",
            where=str(file),
            hint="Write it as http://HOST:PORT or socks5://HOST:PORT.",
        )


def _check_user(user: dict[str, Any], context: str, file: Path) -> None:
    if user.get("auth-provider"):
        raise UsageError(
            "kubeconfig_credential_plugin",
            f"context {context!r} gets its credentials from an auth-provider, which kubectl no"
            " longer has either",
            where=str(file),
            hint="Give the context an exec plugin, a client certificate or a token.",
        )
    if "client-certificate-data" in user and "client-key-data" not in user:
        raise invalid(str(file), f"context {context!r}: its client certificate has no key")
    others = [key.removesuffix("-data") for key in _CREDENTIALS if key in user]
    if user.get("exec") and others:
        raise invalid(str(file), f"context {context!r} has both exec and {others[0]}")


def _plugin(
    user: dict[str, Any], cluster: dict[str, Any], entry: Entry, context: str
) -> ExecPlugin | None:
    """The user's exec plugin; its command in ``user`` becomes absolute where it is a path."""
    found = user.get("exec")
    if not found:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("command"), str):
        raise invalid(str(entry.file), f"context {context!r}: its exec plugin has no command")
    name = found["command"]
    args = found.get("args") or []
    env = found.get("env") or []
    if not isinstance(args, list) or not isinstance(env, list):
        raise invalid(str(entry.file), f"context {context!r}: its exec plugin's lists are none")
    try:
        pairs = {str(each["name"]): str(each["value"]) for each in env}
    except (KeyError, TypeError):
        message = f"context {context!r}: an entry of its exec plugin's env has no name or value"
        raise invalid(str(entry.file), message) from None
    command = str(entry.path(name)) if os.sep in name else name
    user["exec"] = {**found, "command": command}
    if found.get("interactiveMode") == "Always":
        raise UsageError(
            "exec_plugin_interactive",
            f"context {context!r}: its exec plugin {name} asks on a terminal",
            where=str(entry.file),
            hint="Log in with it first; if it then asks nothing, set interactiveMode: IfAvailable.",
        )
    wants = found.get("provideClusterInfo") or False
    return ExecPlugin(
        name,
        (command, *map(str, args)),
        pairs,
        str(found.get("apiVersion") or ""),
        str(found.get("installHint") or "").strip(),
        _told(cluster) if wants else None,
    )


def _told(cluster: dict[str, Any]) -> dict[str, Any]:
    """What an exec plugin is told of the cluster."""
    extensions = cluster.get("extensions") or []
    own = [each for each in extensions if each.get("name") == "client.authentication.k8s.io/exec"]
    told = {key: value for key, value in cluster.items() if key != "extensions"}
    return {**told, **({"config": own[0].get("extension")} if own else {})}


def _headers(user: dict[str, Any], context: str, file: Path) -> tuple[tuple[str, str], ...]:
    """Basic authentication, and the user that is acted for."""
    headers: list[tuple[str, str]] = []
    if user.get("username") and not (user.get("token") or user.get("tokenFile")):
        pair = f"{user['username']}:{user.get('password') or ''}".encode()
        headers.append(("Authorization", f"Basic {base64.b64encode(pair).decode()}"))
    for key in ("as-groups", "as-user-extra"):
        if user.get(key):
            message = f"context {context!r}: {key} is not supported"
            raise invalid(str(file), message)
    for key, header in (("as", "Impersonate-User"), ("as-uid", "Impersonate-Uid")):
        if user.get(key):
            headers.append((header, _printable(user[key], key, context, file)))
    return tuple(headers)


def _printable(text: str, what: str, context: str, file: Path) -> str:
    if not text.isascii() or not text.isprintable():
        raise invalid(
            str(file), f"context {context!r}: its {what} has characters that no {what} has"
        )
    return text


def _decoded(entry: dict[str, Any], key: str) -> bytes | None:
    encoded = entry.get(f"{key}-data")
    return base64.b64decode("".join(encoded.split()), validate=True) if encoded else None


def _read(path: Path, context: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise invalid(
            str(path), f"context {context!r} needs this file: {error.strerror}"
        ) from error
