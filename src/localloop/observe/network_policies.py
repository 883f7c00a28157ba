"""A chart with a NetworkPolicy, on nodes whose network does not enforce any."""

from __future__ import annotations

import re
from pathlib import Path

from ..config.model import Chart
from ..record.model import ChartEntry
from ..session import Session

OWN_IMAGES = "localloop/kind-node:"
_KIND = re.compile(rb"^\s*kind:\s*[\"']?NetworkPolicy\b", re.MULTILINE)


def policy_warnings(
    session: Session, chart: Chart, entry: ChartEntry | None, fingerprint: str
) -> tuple[str, ...]:
    """One warning for a chart that has a NetworkPolicy, on the node image that is built here.

    A chart that is deployed as it is now is known by its recorded objects, another one by its
    files.
    """
    if not session.cluster.image.startswith(OWN_IMAGES):
        return ()
    if entry is not None and entry.target.fingerprint == fingerprint:
        found = any("/NetworkPolicy/" in each for each in entry.target.objects)
    else:
        found = any(map(_has_policy, _files(session.project.root, chart)))
    if not found:
        return ()
    return (
        "it has a NetworkPolicy, which the nodes of this cluster do not enforce"
        " (those of a `kindest/node` image do)",
    )


def _files(root: Path, chart: Chart) -> list[Path]:
    places = [root / chart.path / "templates"] if chart.path else []
    places += [root / name for name in chart.manifests]
    return [
        path
        for place in places
        for path in ([place] if place.is_file() else sorted(place.rglob("*")))
        if path.is_file() and path.suffix in (".yaml", ".yml", ".tpl", ".json")
    ]


def _has_policy(path: Path) -> bool:
    try:
        return _KIND.search(path.read_bytes()) is not None
    except OSError:
        return False
