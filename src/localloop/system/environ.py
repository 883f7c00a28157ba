"""Which variables reach what localloop starts: the usual ones of the system, and few others."""

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


def passed(environ: Mapping[str, str]) -> dict[str, str]:
    """What a playbook gets: an ``ANSIBLE_…`` of the caller's would make it another run."""
    ours = {name: value for name, value in environ.items() if name.startswith(_OURS)}
    return {**_usual(environ), **ours}


def for_commands(environ: Mapping[str, str]) -> dict[str, str]:
    """What a command of the project gets, from whatever started the run.

    Without what is ours: a localloop inside of it would take itself for a part of this run.
    """
    return {**_usual(environ), "PATH": environ.get("PATH", "")}


def _usual(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environ.items()
        if name in _USUAL or name.startswith(_USUAL_PREFIXES)
    }


def in_ci(environ: Mapping[str, str]) -> bool:
    """Whether ``CI`` is set to something that is no no."""
    return environ.get("CI", "").strip().lower() not in ("", "0", "false")
