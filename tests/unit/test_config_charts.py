"""``charts`` of ``localloop.yml``: sources, values of profiles, needs, hooks, and refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from localloop.config.model import Chart, Project
from localloop.config.placeholders import consumed_images
from localloop.config.project import load_project
from localloop.errors import UsageError

HEAD = """\
version: 1
project: demo
profiles:
  small: {values: {web: {size: 1, deep: {a: small}}}}
  plain: {}
default_profile: plain
images: {app: {dockerfile: D}, other: {dockerfile: D}}
charts:
"""


def load(tmp_path: Path, charts: str, *, profile: str | None = None) -> Project:
    (tmp_path / "localloop.yml").write_text(HEAD + charts)
    return load_project(tmp_path, profile=profile, environ={})


def web(tmp_path: Path, keys: str, **more: str) -> Chart:
    return load(tmp_path, f"  web: {{namespace: n, {keys}}}\n", **more).charts["web"]


def test_origins(tmp_path: Path) -> None:
    assert web(tmp_path, "path: ./chart").path == "chart"
    remote = web(tmp_path, 'chart: "oci://127.0.0.1:5000/charts/web", version: 1.2.3')
    assert (remote.chart, remote.repo) == ("oci://127.0.0.1:5000/charts/web", "")
    assert remote.version == "1.2.3"
    listed = web(tmp_path, 'chart: web, repo: "https://charts.example", version: v1.2.3-rc.1')
    assert (listed.chart, listed.repo) == ("web", "https://charts.example")
    assert web(tmp_path, "manifests: [./a.yaml, dir]").manifests == ("a.yaml", "dir")
    assert web(tmp_path, "kustomize: overlays/dev").kustomize == "overlays/dev"


def test_images_of_manifests(tmp_path: Path) -> None:
    assert consumed_images(web(tmp_path, "manifests: [dir]")) == {"app", "other"}
    assert consumed_images(web(tmp_path, "kustomize: dir, images: [app]")) == {"app"}
    assert consumed_images(web(tmp_path, "path: chart")) == set()


def test_values_of_the_profile_win(tmp_path: Path) -> None:
    keys = "path: c, values: {size: 0, list: [1], deep: {a: x, b: y}}"
    assert web(tmp_path, keys).values == {"size": 0, "list": [1], "deep": {"a": "x", "b": "y"}}
    small = {"size": 1, "list": [1], "deep": {"a": "small", "b": "y"}}
    assert web(tmp_path, keys, profile="small").values == small


def test_hooks(tmp_path: Path) -> None:
    before = "{command: [make, 1, x y]}"
    hooks = f"hooks: {{before_deploy: [{before}], after_deploy: [{{command: [a], timeout: 5}}]}}"
    with pytest.raises(UsageError):  # a number is not a word
        load(tmp_path, f"  web: {{namespace: n, path: c}}\n{hooks}\n")
    project = load(tmp_path, f"  web: {{namespace: n, path: c}}\n{hooks.replace('1', 'it')}\n")
    (first,), (after,) = project.before_deploy, project.after_deploy
    assert (first.command, first.timeout) == (("make", "it", "x y"), 60.0)
    assert (after.command, after.timeout) == (("a",), 5.0)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("release: x", "needs one of path, chart, manifests, kustomize"),
        ("path: c, manifests: [m]", "it has path and manifests"),
        ("chart: web, version: 1.2.3", "oci://… or a name in `repo:`"),
        ('chart: "oci://h/c", repo: "http://r", version: 1.2.3', "or a name in `repo:`"),
        ('chart: "oci://h/c"', "needs a version"),
        ('chart: "oci://h/c", version: ^1.2.3', "use an exact version, like 1.2.3"),
        ("chart: --post-renderer=./x, repo: http://r, version: 1.2.3", "use oci://HOST/PATH"),
        ("chart: web, repo: file:///etc, version: 1.2.3", "use an http:// or https:// URL"),
        ("path: c, version: 1.2.3", "version cannot be combined with path"),
        ("manifests: [m], values: {a: 1}", "values cannot be combined with manifests"),
        ("kustomize: k, generate: [a]", "generate cannot be combined with kustomize"),
        ("manifests: [../m]", "must stay inside"),
        ("manifests: [m], images: [ap]", "did you mean 'app'"),
        ("path: c, needs: [wen]", "which is not a chart"),
        ("path: c, needs: [web]", "need each other"),
        ("path: c, keep_values: [a..b]", "use a dotted path"),
    ],
)
def test_refused(tmp_path: Path, keys: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        web(tmp_path, keys)
    assert said in str(caught.value)
    assert caught.value.reason == "config_invalid"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("{wen: {a: 1}}", "'wen' is not a chart"),
        ("{web: {a: $ap.ref}}", "no image is named 'ap'"),
    ],
)
def test_refused_in_a_profile(tmp_path: Path, values: str, said: str) -> None:
    """Also in a profile that is not in use."""
    text = HEAD.replace("plain: {}", f"plain: {{}}\n  odd: {{values: {values}}}")
    (tmp_path / "localloop.yml").write_text(text + "  web: {namespace: n, path: c}\n")
    with pytest.raises(UsageError) as caught:
        load_project(tmp_path, environ={})
    assert said in str(caught.value)
