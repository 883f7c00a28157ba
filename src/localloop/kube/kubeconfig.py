"""The kubeconfig: one context, resolved to its server and credentials."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UsageError

_LOCAL_NAMES = {"localhost", "host.docker.internal", "kubernetes.docker.internal"}
_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")


@dataclass(frozen=True)
class KubeConfig:
    """One context of a kubeconfig, with every file that it refers to already read."""

    context: str
    server: str
    ca_data: bytes | None = None
    client_cert: bytes | None = field(default=None, repr=False)
    client_key: bytes | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    namespace: str = "default"
    insecure: bool = False
    server_name: str | None = None


def load_kubeconfig(
    path: str | Path | Sequence[str | Path], context: str | None = None
) -> KubeConfig:
    """Read a context (default: the current one) from one or several kubeconfig files.

    Several files are merged as kubectl does: the first file that defines a name wins. Credential
    plugins are refused, because a deploy must not start programs that a kubeconfig names.
    Raises ``UsageError`` (``kubeconfig_…`` or ``context_missing``).
    """
    paths = [path] if isinstance(path, str | Path) else list(path)
    merged = _Merged([Path(entry).expanduser() for entry in paths])
    name = context or merged.current
    if not name:
        raise UsageError(
            "context_missing",
            "the kubeconfig has no current context",
            where=merged.where,
            hint="name one: cluster: {context: NAME} in localloop.yml",
        )
    entry, _ = merged.find("contexts", name)
    cluster, cluster_dir = merged.find("clusters", str(entry.get("cluster")), context=name)
    user, user_dir = (
        merged.find("users", str(entry["user"]), context=name)
        if entry.get("user")
        else ({}, Path())
    )
    _refuse_unsupported(name, user, cluster, merged.where)
    server = cluster.get("server")
    if not isinstance(server, str) or not server.startswith(("https://", "http://")):
        raise _invalid(merged.where, f"context {name!r}: its cluster has no http(s) server")
    token = user.get("token")
    if not token and user.get("tokenFile"):
        token = _read(user_dir / str(user["tokenFile"]), name).decode().strip()
    return KubeConfig(
        context=name,
        server=server.rstrip("/"),
        ca_data=_inline_or_file(cluster, "certificate-authority", cluster_dir, name),
        client_cert=_inline_or_file(user, "client-certificate", user_dir, name),
        client_key=_inline_or_file(user, "client-key", user_dir, name),
        token=str(token) if token else None,
        namespace=str(entry.get("namespace") or "default"),
        insecure=bool(cluster.get("insecure-skip-tls-verify", False)),
        server_name=cluster.get("tls-server-name") or None,
    )


def is_local(server: str) -> bool:
    """Whether a server URL is on a loopback or private address.

    Of host names only localhost and Docker's own names for it count.
    """
    import ipaddress
    from urllib.parse import urlsplit

    try:
        host = (urlsplit(server).hostname or "").rstrip(".")
    except ValueError:
        return False
    if host in _LOCAL_NAMES or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    # k3d writes 0.0.0.0 for this machine.
    return (
        address.is_loopback
        or address.is_unspecified
        or any(
            address in network
            for network in map(ipaddress.ip_network, _PRIVATE)
            if network.version == address.version
        )
    )


class _Merged:
    """The entries of one or more kubeconfig files, each with its file's directory."""

    def __init__(self, paths: list[Path]) -> None:
        self.where = ":".join(map(str, paths))
        self.current = ""
        self._entries: dict[str, dict[str, tuple[dict[str, Any], Path]]] = {
            "contexts": {},
            "clusters": {},
            "users": {},
        }
        existing = [path for path in paths if path.exists()]
        if not existing:
            raise UsageError(
                "kubeconfig_missing",
                "the kubeconfig does not exist",
                where=self.where or "(none given)",
            )
        for path in existing:
            self._add(path)

    def _add(self, path: Path) -> None:
        document = _parse(path)
        self.current = self.current or str(document.get("current-context") or "")
        for section, singular in (
            ("contexts", "context"),
            ("clusters", "cluster"),
            ("users", "user"),
        ):
            for item in document.get(section) or ():
                if not isinstance(item, dict) or not isinstance(item.get("name"), str):
                    raise _invalid(str(path), f"an entry of {section!r} has no name")
                body = item.get(singular) or {}
                if not isinstance(body, dict):
                    raise _invalid(str(path), f"{singular} {item['name']!r} is not a mapping")
                self._entries[section].setdefault(item["name"], (body, path.parent))

    def find(
        self, section: str, name: str, *, context: str | None = None
    ) -> tuple[dict[str, Any], Path]:
        """The entry of that name; the error suggests the most similar one."""
        found = self._entries[section].get(name)
        if found:
            return found
        from difflib import get_close_matches

        names = list(self._entries[section])
        near = get_close_matches(name, names, 1, 0.5)
        what = section[:-1]
        if context:
            raise _invalid(
                self.where, f"context {context!r} refers to {what} {name!r}, which does not exist"
            )
        raise UsageError(
            "context_missing",
            f"no {what} {name!r} in the kubeconfig",
            where=self.where,
            hint=f"did you mean {near[0]!r}?"
            if near
            else f"there are: {', '.join(names) or 'none'}",
        )


def _parse(path: Path) -> dict[str, Any]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        document = yaml.load(path.read_bytes(), Loader=loader)  # noqa: S506 (a safe loader)
    except OSError as error:
        raise UsageError(
            "kubeconfig_missing", f"cannot read it: {error.strerror}", where=str(path)
        ) from error
    except (yaml.YAMLError, UnicodeError) as error:
        raise _invalid(str(path), f"not YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(document, dict):
        raise _invalid(str(path), "not a kubeconfig: it is not a mapping")
    return document


def _refuse_unsupported(
    name: str, user: dict[str, Any], cluster: dict[str, Any], where: str
) -> None:
    for plugin in ("exec", "auth-provider"):
        if user.get(plugin):
            raise UsageError(
                "kubeconfig_credential_plugin",
                f"context {name!r} gets its credentials from a plugin ({plugin})",
                where=where,
                hint="give the context a client certificate or a token",
            )
    if cluster.get("proxy-url"):
        raise UsageError(
            "kubeconfig_proxy", f"context {name!r} uses a proxy (proxy-url)", where=where
        )


def _inline_or_file(entry: dict[str, Any], key: str, base: Path, context: str) -> bytes | None:
    encoded = entry.get(f"{key}-data")
    if encoded:
        try:
            return base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError, TypeError) as error:
            raise _invalid(None, f"context {context!r}: {key}-data is not base64") from error
    return _read(base / str(entry[key]), context) if entry.get(key) else None


def _read(path: Path, context: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _invalid(
            str(path), f"context {context!r} needs this file: {error.strerror}"
        ) from error


def _invalid(where: str | None, message: str) -> UsageError:
    return UsageError("kubeconfig_invalid", message, where=where)
