"""Which environment variables localloop's children get, and what they ask no proxy for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
# Programs differ in what they understand: names, single addresses or networks.
_LOOPBACK = ("localhost", "127.0.0.1", "127.0.0.0/8", "::1", "0.0.0.0")  # noqa: S104 (no bind)

_USUAL = frozenset(
    {
        "BUILDX_BUILDER",
        "BUILDX_CONFIG",
        "CI",
        "CLUSTER_NAME",
        "COLORTERM",
        "HOME",
        "KUBECONFIG",
        "LANG",
        "LANGUAGE",
        "LOGNAME",
        "NO_COLOR",
        "SHELL",
        "SSH_AUTH_SOCK",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TERM",
        "TMPDIR",
        "TZ",
        "USER",
    }
    | {name for proxy in (*_PROXIES, "NO_PROXY") for name in (proxy, proxy.lower())}
)
_USUAL_PREFIXES = ("DOCKER_", "LC_", "XDG_")
_OURS = ("DEPLOY_", "LOCALLOOP_")


def for_playbooks(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables for our playbooks: the usual ones and localloop's own.

    Not the caller's ``ANSIBLE_…``, which would change how the playbook runs.
    """
    ours = {name: value for name, value in environ.items() if name.startswith(_OURS)}
    return {**_usual(environ), **ours}


def for_commands(environ: Mapping[str, str], direct: Iterable[str] = ()) -> dict[str, str]:
    """The variables for the project's own commands.

    Without localloop's own: a localloop started by such a command would join this run. ``direct``
    as for ``without_proxy``.
    """
    return without_proxy({**_usual(environ), "PATH": environ.get("PATH", "")}, direct)


def for_containers(environ: Mapping[str, str], direct: Iterable[str] = ()) -> dict[str, str]:
    """The proxy's variables for builds and nodes, in both spellings; none without a proxy.

    A proxy on loopback is left out: a container that asks its own loopback finds nothing there.
    ``direct`` as for ``without_proxy``.
    """
    found = {}
    for name in _PROXIES:
        value = environ.get(name) or environ.get(name.lower(), "")
        if value and not _is_on_loopback(value):
            found[name] = found[name.lower()] = value
    given = {name: environ.get(name, "") for name in ("NO_PROXY", "no_proxy")}
    return without_proxy({**given, **found}, direct) if found else {}


def uses_proxy(environ: Mapping[str, str]) -> bool:
    """Whether a variable names a proxy."""
    return any(environ.get(name) or environ.get(name.lower()) for name in _PROXIES)


def without_proxy(environ: Mapping[str, str], direct: Iterable[str] = ()) -> dict[str, str]:
    """All variables, with loopback and ``direct`` in NO_PROXY and no_proxy after what is there.

    ``direct`` are names, addresses or networks in CIDR notation. Where no proxy is configured
    nothing is added.
    """
    if not uses_proxy(environ):
        return dict(environ)
    upper, lower = environ.get("NO_PROXY", ""), environ.get("no_proxy", "")
    wanted = [*_LOOPBACK, *direct]
    return {
        **environ,
        "NO_PROXY": _extended(upper or lower, wanted),
        "no_proxy": _extended(lower or upper, wanted),
    }


def _extended(given: str, wanted: Iterable[str]) -> str:
    if given.strip() == "*":  # some programs take it for everything only while it stands alone
        return given
    entries = [entry.strip() for entry in given.split(",") if entry.strip()]
    for host in wanted:
        if host and host not in entries:
            entries.append(host)
    return ",".join(entries)


def _is_on_loopback(proxy: str) -> bool:
    from ipaddress import ip_address
    from urllib.parse import urlsplit

    try:
        host = urlsplit(proxy if "://" in proxy else f"//{proxy}").hostname or ""
        return host.rstrip(".") == "localhost" or ip_address(host).is_loopback
    except ValueError:  # a name
        return False


def _usual(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environ.items()
        if name in _USUAL or name.startswith(_USUAL_PREFIXES)
    }


def in_ci(environ: Mapping[str, str]) -> bool:
    """Whether ``CI`` is set, and to something other than ``0`` or ``false``."""
    return environ.get("CI", "").strip().lower() not in ("", "0", "false")
