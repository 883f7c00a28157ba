"""The names of the session's clusters, and the type of a fixture."""

from __future__ import annotations

import os
from collections.abc import Callable

from .project import Project

# Two sessions at once on one machine need two names, and so do two processes of one session.
CLUSTER = "-".join(
    [os.environ.get("E2E_CLUSTER", "pytest"), *os.environ.get("PYTEST_XDIST_WORKER", "").split()]
)
SPARE = f"{CLUSTER}-spare"

MakeProject = Callable[..., Project]
