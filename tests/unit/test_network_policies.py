"""Which charts are warned of: those with a NetworkPolicy, where nothing enforces it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from localloop.config.model import Chart
from localloop.observe.network_policies import policy_warnings

POLICY = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
OWN, PUBLISHED = "localloop/kind-node:1.37-1", "kindest/node:v1.37.0"


def warnings(root: Path, *, image: str = OWN, entry: Any = None, **chart: Any) -> int:
    session: Any = SimpleNamespace(
        cluster=SimpleNamespace(image=image), project=SimpleNamespace(root=root)
    )
    made = Chart(name="web", namespace="web", release="web", **chart)
    return len(policy_warnings(session, made, entry, "now"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (POLICY, 1),
        ("metadata: {}\n---\n" + POLICY, 1),
        ('kind: "NetworkPolicy"\n', 1),
        ("kind: NetworkPolicyList2\n", 0),
        ("# kind: NetworkPolicy\n", 0),
        ("kind: Deployment\n", 0),
    ],
)
def test_templates_and_manifests_are_read(tmp_path: Path, text: str, found: int) -> None:
    (tmp_path / "chart/templates").mkdir(parents=True)
    (tmp_path / "chart/templates/x.yaml").write_text(text)
    assert warnings(tmp_path, path="chart") == found
    assert warnings(tmp_path, manifests=("chart/templates",)) == found
    assert warnings(tmp_path, manifests=("chart/templates/x.yaml",)) == found
    assert warnings(tmp_path, path="chart", image=PUBLISHED) == 0


def test_what_is_deployed_is_known_by_its_objects(tmp_path: Path) -> None:
    objects = {"networking.k8s.io/v1/NetworkPolicy/web/deny": {}}
    target = SimpleNamespace(fingerprint="now", objects=objects)
    assert warnings(tmp_path, path="chart", entry=SimpleNamespace(target=target)) == 1
    target.objects = {"v1/ConfigMap/web/x": {}}
    assert warnings(tmp_path, path="chart", entry=SimpleNamespace(target=target)) == 0


def test_a_chart_from_elsewhere_is_not_read(tmp_path: Path) -> None:
    assert warnings(tmp_path, chart="oci://example.org/web", version="1") == 0
