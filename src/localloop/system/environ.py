"""Which environment variables localloop passes on: the usual ones of the system and its own."""

from __future__ import annotations

from collections.abc import Mapping

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
    | {
        name
        for proxy in ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
        for name in (proxy, proxy.upper())
    }
)
_USUAL_PREFIXES = ("DOCKER_", "LC_", "XDG_")
_OURS = ("DEPLOY_", "LOCALLOOP_")


def for_playbooks(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables for our playbooks: the usual ones and localloop's own.

    Not the caller's ``ANSIBLE_…``, which would change how the playbook runs.
    """
    ours = {name: value for name, value in environ.items() if name.startswith(_OURS)}
    return {**_usual(environ), **ours}


def for_commands(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables for the project's own commands.

    Without localloop's own: a localloop started by such a command would join this run.
    """
    return {**_usual(environ), "PATH": environ.get("PATH", "")}


def _usual(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environ.items()
        if name in _USUAL or name.startswith(_USUAL_PREFIXES)
    }


def in_ci(environ: Mapping[str, str]) -> bool:
    """Whether ``CI`` is set, and to something other than ``0`` or ``false``."""
    return environ.get("CI", "").strip().lower() not in ("", "0", "false")
