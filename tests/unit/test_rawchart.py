"""Charts made of manifests and of kustomize directories."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from localloop.config import ImageRef, Project, load_project
from localloop.errors import UsageError
from localloop.fingerprint import fingerprint_chart
from localloop.rawchart import kustomize_roots, write_chart

REF = ImageRef(registry="127.0.0.1:5000", name="demo/web", digest="sha256:" + "1" * 64)
OBJECTS = """\
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {x: "0123", y: "{{ .Values.x }}", t: 12:30}}
---
# nothing here
---
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: elsewhere}
spec:
  initContainers: [{name: i, image: "web:dev"}]
  containers: [{name: a, image: web}, {name: b, image: busybox:1}, {name: c, image: r/web}]
"""  # noqa: E501 (YAML)


def project(root: Path, keys: str) -> Project:
    (root / "localloop.yml").write_text(
        "version: 1\nproject: demo\nimages: {web: {dockerfile: D}}\n"
        f"charts: {{raw: {{namespace: n, {keys}}}}}\n"
    )
    return load_project(root, environ={})


def value(found: Project) -> str:
    return fingerprint_chart(found, found.charts["raw"]).value


def test_objects_are_released_as_they_are_but_for_their_images(tmp_path: Path) -> None:
    (tmp_path / "m/sub").mkdir(parents=True)
    (tmp_path / "m/sub/all.yml").write_text(OBJECTS)
    (tmp_path / "m/README.md").write_text("not a manifest")
    found = project(tmp_path, "manifests: [m]")
    chart = write_chart(found, found.charts["raw"], {"web": REF})
    assert (chart / "templates/all.yaml").read_text() == '{{ .Files.Get "objects.yaml" }}\n'
    config, pod = yaml.safe_load_all((chart / "objects.yaml").read_text())
    assert config["data"] == {"x": "0123", "y": "{{ .Values.x }}", "t": "12:30"}
    assert "namespace" not in config["metadata"]
    assert pod["metadata"]["namespace"] == "elsewhere"
    assert pod["spec"]["initContainers"][0]["image"] == REF.ref
    images = [container["image"] for container in pod["spec"]["containers"]]
    assert images == [REF.ref, "busybox:1", "r/web"]


def test_fingerprint_of_manifests(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m/a.yaml").write_text("a")
    (tmp_path / "one.yaml").write_text("b")
    found = project(tmp_path, "manifests: [m, one.yaml]")
    before = value(found)
    (tmp_path / "aside.yaml").write_text("c")
    assert value(found) == before
    (tmp_path / "one.yaml").write_text("c")
    after = value(found)
    assert after != before
    (tmp_path / "m/b.yaml").write_text("b")
    assert value(found) != after


def test_fingerprint_of_a_kustomization_covers_its_bases(tmp_path: Path) -> None:
    for folder in ("base", "overlays/dev", "parts/log"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "base/kustomization.yml").write_text("resources: [all.yaml]\n")
    (tmp_path / "base/all.yaml").write_text("a")
    (tmp_path / "parts/log/Kustomization").write_text("kind: Component\n")
    (tmp_path / "overlays/dev/kustomization.yaml").write_text(
        "resources: [../../base]\ncomponents: [../../parts/log]\n"
    )
    found = project(tmp_path, "kustomize: overlays/dev")
    assert kustomize_roots(found, found.charts["raw"]) == ["base", "overlays/dev", "parts/log"]
    before = value(found)
    (tmp_path / "base/all.yaml").write_text("b")
    assert value(found) != before


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("manifests: [nowhere]", "there is no nowhere"),
        ("kustomize: empty", "empty has no kustomization.yaml"),
        ("kustomize: remote", "https://example.com/base is not in the project"),
        ("kustomize: above", "../../aside is not in the project"),
    ],
)
def test_refused(tmp_path: Path, keys: str, said: str) -> None:
    root = tmp_path / "project"
    for folder in ("empty", "remote", "above"):
        (root / folder).mkdir(parents=True)
    (root / "remote/kustomization.yaml").write_text("resources: [https://example.com/base]\n")
    (root / "above/kustomization.yaml").write_text("resources: [../../aside]\n")
    (tmp_path / "aside").mkdir()
    found = project(root, keys)
    with pytest.raises(UsageError, match=said) as caught:
        fingerprint_chart(found, found.charts["raw"])
    assert caught.value.reason == "input_missing"
