"""The names of the session's workers and clusters, and the type of a fixture."""

from __future__ import annotations

import os
from collections.abc import Callable

from .project import Project

SECOND, THIRD = "gw1", "gw2"  # as pytest-xdist calls its workers
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
BORROWS = WORKER == THIRD  # the second worker's cluster: see lanes.py

# Two sessions at once on one machine need two names, and so do two processes of one session.
CLUSTER = "-".join(
    [os.environ.get("E2E_CLUSTER", "pytest"), *(SECOND if BORROWS else WORKER).split()]
)
SPARE = f"{CLUSTER}-spare"

MakeProject = Callable[..., Project]
