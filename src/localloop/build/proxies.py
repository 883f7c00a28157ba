"""The proxy that a build's own downloads go through, as BuildKit's predefined arguments.

BuildKit keeps these out of the cache's key and out of the image.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..system.docker_host import client_config
from ..system.environ import for_containers


def build_proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """The arguments by name; none where Docker's client has proxies of its own to pass.

    They are passed by name alone, because a proxy's address may contain a password: the process
    that builds gets them as environment variables.
    """
    return {} if client_config(environ).get("proxies") else for_containers(environ)
