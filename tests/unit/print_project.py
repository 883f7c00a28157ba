"""A small project and its fingerprints, for the tests of what counts as a change."""

from __future__ import annotations

import subprocess
from pathlib import Path

from localloop.config.project import load_project
from localloop.fingerprint.components import Fingerprint, fingerprint_chart, fingerprint_image

CONFIG = """\
version: 1
project: demo
profiles:
  fast: {build_args: {MODE: fast}}
  slow: {build_args: {MODE: slow, UNUSED: x}}
default_profile: fast
cluster: {inputs: ["infra/**"]}
images:
  app: {dockerfile: docker/Dockerfile, context: src}
  other: {dockerfile: docker/Dockerfile.other, context: other}
charts:
  web: {path: chart, namespace: demo, values: {tag: $app.tag}}
"""
DOCKERFILE = "FROM alpine:3\nARG MODE\nCOPY . /app\n"


def write(path: Path, text: str | bytes = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def make(root: Path) -> Path:
    write(root / "localloop.yml", CONFIG)
    write(root / "docker/Dockerfile", DOCKERFILE)
    write(root / "docker/Dockerfile.other", "FROM scratch\nCOPY . /\n")
    write(root / "src/main.c", "int main;")
    write(root / "src/.dockerignore", "*.log\nbuild\n")
    write(root / "other/file", "x")
    write(root / "chart/Chart.yaml", "name: web\n")
    write(root / "chart/templates/a.yaml", "a: 1\n")
    write(root / "infra/kube.yaml", "k: 1\n")
    return root


def prints(
    root: Path, name: str = "app", *, profile: str | None = None, **more: object
) -> Fingerprint:
    project = load_project(root, profile=profile, environ={})
    if name in project.charts:
        return fingerprint_chart(project, project.charts[name])
    options: dict[str, object] = {
        "base_digests": {"alpine:3": "sha256:aa"},
        "platform": "linux/amd64",
        "builder": "docker",
        **more,
    }
    return fingerprint_image(project, project.builds[name], **options)  # type: ignore[arg-type]


def value(root: Path, name: str = "app", **more: object) -> str:
    return prints(root, name, **more).value  # type: ignore[arg-type]


def git(root: Path, *words: str) -> str:
    """Run git; its standard output."""
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    argv = ["git", *identity, *words]
    return subprocess.run(argv, cwd=root, check=True, capture_output=True, text=True).stdout
