"""Compiler caches: which builds share one.

A Dockerfile that declares ``ARG LOCALLOOP_CACHE_SCOPE`` (or what ``cache_scope_arg`` says) and
names its cache mounts after it gets a cache of its own for each component, profile, set of lock
files and set of base images. The argument is not part of any fingerprint, because a cache must not
change the output.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from ..config.model import Image, Project
from ..errors import UsageError
from ..fingerprint.components import base_images
from ..inputs.context import read_input

SCOPE_ARG = "LOCALLOOP_CACHE_SCOPE"
_VERSION = "1"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def cache_scope(
    project: Project, image: Image, environ: Mapping[str, str], *, platform: str
) -> str:
    """The scope of a component's compiler caches: 16 hex digits, or LOCALLOOP_CACHE_SCOPE.

    Raises ``UsageError``: ``config_invalid`` for an unusable variable, ``input_missing``.
    """
    given = environ.get(SCOPE_ARG, "")
    if given:
        if not _NAME.fullmatch(given):
            raise UsageError(
                "config_invalid",
                f"{given!r} cannot name a cache",
                where=SCOPE_ARG,
                hint="Use 1 to 63 letters, digits, '.', '_' or '-', a letter or digit first.",
            )
        return given
    key = f"{'node_files' if image.kind == 'node_file' else 'images'}.{image.name}.cache_scope"
    locks = [
        hashlib.sha256(read_input(project, path, key)).hexdigest() for path in image.cache_scope
    ]
    parts = [
        _VERSION,
        image.name,
        *locks,
        *base_images(project, image, platform=platform),
        project.profile or "",
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
