"""Dependencies of local charts: they count as inputs, and a copy has them as they are now."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from print_project import write
from real_helm import needs_helm

from localloop.cluster.route import OURS
from localloop.config.project import load_project
from localloop.errors import UsageError
from localloop.fingerprint.components import Fingerprint, fingerprint_chart
from localloop.fingerprint.explain import Kept, explain
from localloop.helm.dependencies import built_chart
from localloop.helm.files import require_readable
from localloop.inputs.chart_folders import chart_folders
from localloop.plan.model import ComponentPlan, Plan
from localloop.plan.preflight import require_charts

CONFIG = "version: 1\nproject: demo\ncharts: {web: {path: deploy/web, namespace: demo}}\n"
TEMPLATE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\ndata: {text: TEXT}\n"
COMMON = {"name": "common", "version": ">=0.1.0", "repository": "file://../common"}


def chart(
    root: Path, path: str, *needs: dict[str, str], text: str = "one", v1: bool = False
) -> None:
    """Write a chart with one ConfigMap, in the form of the old apiVersion with ``v1``."""
    name = path.rpartition("/")[2]
    about = f"apiVersion: {'v1' if v1 else 'v2'}\nname: {name}\nversion: 0.1.0\n"
    entries = "".join(
        "- " + "\n  ".join(f"{key}: '{value}'" for key, value in need.items()) + "\n"
        for need in needs
    )
    declared = f"dependencies:\n{entries}" if needs else ""
    write(root / path / "Chart.yaml", about if v1 else about + declared)
    if v1 and needs:
        write(root / path / "requirements.yaml", declared)
    edit(root, path, text)


def edit(root: Path, path: str, text: str) -> None:
    name = path.rpartition("/")[2]
    content = TEMPLATE.replace("NAME", name).replace("TEXT", text)
    write(root / path / "templates/map.yaml", content)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A project whose chart depends on another one beside it."""
    root = tmp_path / "project"
    write(root / "localloop.yml", CONFIG)
    chart(root, "deploy/common")
    chart(root, "deploy/web", COMMON)
    return root


def printed(root: Path) -> Fingerprint:
    project = load_project(root, environ={})
    return fingerprint_chart(project, project.charts["web"])


def rendered(root: Path) -> str:
    """What Helm makes of the chart with its dependencies; the project's files stay as they are."""
    project = load_project(root, environ={})
    before = tree(root)
    with built_chart(project, project.charts["web"]) as source:
        done = subprocess.run(
            ["helm", "template", "web", str(source)], capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    assert tree(root) == before
    assert not source.exists() or source == root / "deploy/web"
    return done.stdout


def tree(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".cache" not in path.parts
    }


def refused(root: Path) -> UsageError:
    with pytest.raises(UsageError) as caught:
        printed(root)
    return caught.value


def test_an_edit_in_a_local_dependency_is_a_change_with_its_name(place: Path) -> None:
    before = printed(place)
    edit(place, "deploy/common", "two")
    after = printed(place)
    kept = Kept(before.value, "", before.facts, before.tree)
    assert before.value != after.value
    assert explain(kept, after)["changed"]["first"] == ["../common/templates/map.yaml"]


@needs_helm
@pytest.mark.parametrize("v1", [False, True], ids=["v2", "v1"])
def test_a_local_dependency_is_packed_anew(place: Path, v1: bool) -> None:
    chart(place, "deploy/common", v1=v1)
    chart(place, "deploy/web", COMMON, v1=v1)
    assert "text: one" in rendered(place)
    subprocess.run(["helm", "dependency", "build", place / "deploy/web"], check=True)
    edit(place, "deploy/common", "two")
    assert rendered(place).count("name: common") == 1
    assert "text: two" in rendered(place)


@needs_helm
def test_a_package_that_is_made_anew_does_not_count(place: Path) -> None:
    before = printed(place)
    (place / "deploy/web/charts").mkdir()
    subprocess.run(
        ["helm", "package", place / "deploy/common", "-d", place / "deploy/web/charts"], check=True
    )
    assert printed(place).value == before.value
    chart(place, "deploy/web/charts/common-2")  # another chart, whose name only begins alike
    assert printed(place).value != before.value


@needs_helm
def test_what_a_local_dependency_depends_on_counts_too(place: Path) -> None:
    chart(place, "deploy/common", {"name": "base", "version": "*", "repository": "file://../base"})
    chart(place, "deploy/base")
    before = printed(place)
    assert "name: base" in rendered(place)
    edit(place, "deploy/base", "deep")
    assert printed(place).value != before.value
    assert "text: deep" in rendered(place)


@needs_helm
def test_a_chart_in_charts_may_have_local_dependencies(place: Path) -> None:
    chart(place, "deploy/web")
    need = {**COMMON, "repository": "file://../../../common"}
    chart(place, "deploy/web/charts/sub", need)
    before = printed(place)
    edit(place, "deploy/common", "two")
    assert printed(place).value != before.value
    shown = rendered(place)
    assert "# Source: web/charts/sub/charts/common/templates/map.yaml" in shown
    assert "text: two" in shown


@needs_helm
def test_a_local_dependency_that_lies_in_charts_is_read_there(place: Path) -> None:
    chart(place, "deploy/web", {**COMMON, "repository": "file://charts/common"})
    chart(place, "deploy/web/charts/common", text="inside")
    before = printed(place)
    assert rendered(place).count("name: common") == 1
    edit(place, "deploy/web/charts/common", "edited")
    assert printed(place).value != before.value
    assert "text: edited" in rendered(place)


@needs_helm
def test_a_copy_in_charts_gives_way_to_the_folder_that_is_declared(place: Path) -> None:
    chart(place, "deploy/web/charts/common", text="old")
    shown = rendered(place)
    assert (shown.count("name: common"), "text: old" in shown) == (1, False)


@needs_helm
def test_a_local_dependency_may_be_reached_by_a_link_or_an_absolute_path(place: Path) -> None:
    chart(place, "library/common", text="shared")
    (place / "deploy/link").symlink_to("../library/common")
    for repository in ("file://../link", f"file://{place}/library/common"):
        chart(place, "deploy/web", {**COMMON, "repository": repository})
        assert "text: shared" in rendered(place)
        before = printed(place)
        edit(place, "library/common", repository[-4:])
        assert printed(place).value != before.value
        edit(place, "library/common", "shared")


@needs_helm
def test_a_helmignore_of_either_chart_is_heeded(place: Path) -> None:
    write(place / "deploy/common/.helmignore", "secret*\n")
    write(place / "deploy/common/templates/secret.yaml", "{{ fail `read` }}")
    write(place / "deploy/web/.helmignore", "map.yaml\n")
    before = printed(place)
    assert "name: common" in rendered(place)
    write(place / "deploy/common/templates/secret.yaml", "{{ fail `again` }}")
    assert printed(place).value == before.value


def test_a_circle_is_refused_by_name(place: Path) -> None:
    chart(place, "deploy/common", {"name": "web", "version": "*", "repository": "file://../web"})
    error = refused(place)
    assert error.reason == "dependency_circle"
    assert "deploy/web → deploy/common → deploy/web" in error.message
    chart(place, "deploy/web", {"name": "web", "version": "*", "repository": "file://."})
    assert "deploy/web → deploy/web" in refused(place).message


def test_a_circle_through_charts_or_a_link_ends(place: Path) -> None:
    chart(place, "deploy/web")
    chart(place, "deploy/web/charts/sub", {**COMMON, "name": "web", "repository": "file://../.."})
    assert refused(place).reason == "dependency_circle"
    chart(place, "deploy/web/charts/sub")
    (place / "deploy/self").symlink_to(".")
    chart(place, "deploy/web", {**COMMON, "repository": "file://../self/self/web"})
    assert refused(place).reason == "dependency_circle"


def test_a_local_dependency_that_is_not_there_is_named(place: Path) -> None:
    chart(place, "deploy/web", {**COMMON, "repository": "file://../comon"})
    error = refused(place)
    assert (error.reason, error.where) == ("input_missing", "deploy/web/Chart.yaml")
    assert "common is at deploy/comon, which holds no Chart.yaml" in error.message


def test_a_local_dependency_outside_the_project_is_refused(place: Path) -> None:
    chart(place.parent, "outside")
    chart(place, "deploy/web", {**COMMON, "repository": "file://../../../outside"})
    assert refused(place).reason == "path_outside"


@pytest.mark.parametrize(
    "text",
    [
        "dependencies:\n",
        "dependencies: x\n",
        "dependencies: {a: b}\n",
        "dependencies: [1, null, {}, {name: [x]}, {repository: 7}]\n",
        "- dependencies\n",
        "# no dependencies\n",
    ],
)
def test_what_declares_nothing_that_can_be_used_is_left_to_helm(place: Path, text: str) -> None:
    write(place / "deploy/web/Chart.yaml", text)
    project = load_project(place, environ={})
    assert [each.path for each in chart_folders(project, project.charts["web"])] == ["deploy/web"]


def test_a_broken_file_of_a_dependency_is_refused_with_its_line(place: Path) -> None:
    write(place / "deploy/common/values.yaml", "a: 1\nb: [\n")
    project = load_project(place, environ={})
    with pytest.raises(UsageError) as caught:
        require_readable(project, project.charts["web"])
    assert caught.value.reason == "input_invalid"
    assert str(caught.value.where).startswith("deploy/common/values.yaml:")
    write(place / "deploy/web/Chart.yaml", "dependencies: [\n")
    assert str(refused(place).where).startswith("deploy/web/Chart.yaml:")


@needs_helm
def test_the_lock_is_respected(place: Path) -> None:
    subprocess.run(["helm", "dependency", "update", place / "deploy/web"], check=True)
    assert "name: common" in rendered(place)
    about = place / "deploy/common/Chart.yaml"
    about.write_text(about.read_text("utf-8").replace("0.1.0", "0.2.0"), "utf-8")
    project = load_project(place, environ={})
    with (
        pytest.raises(UsageError, match="deploy/web") as caught,
        built_chart(project, project.charts["web"]),
    ):
        pass
    assert caught.value.reason == "dependencies_failed:web"
    assert "helm dependency update deploy/web" in str(caught.value.hint)


# -- what has to be fetched --------------------------------------------------------------------


class _Store(ThreadingHTTPServer):
    """A chart repository on this machine that notes what is asked of it."""

    asked: list[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Store]:
    served, asked = tmp_path / "served", list[str]()
    served.mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, _format: str, *args: object) -> None:
            asked.append(str(args[0]))

    for name in ("CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"HELM_{name}_HOME", str(tmp_path / name))
    with _Store(("127.0.0.1", 0), partial(Handler, directory=served)) as server:
        server.asked = asked
        chart(tmp_path, "upstream/far", text="far")
        subprocess.run(["helm", "package", tmp_path / "upstream/far", "-d", served], check=True)
        subprocess.run(["helm", "repo", "index", served, "--url", server.url], check=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@needs_helm
def test_a_missing_dependency_is_fetched_once(place: Path, store: _Store) -> None:
    chart(place, "deploy/web", COMMON, {"name": "far", "version": "*", "repository": store.url})
    shown = rendered(place)
    assert "text: far" in shown
    assert "text: one" in shown
    asked = len(store.asked)
    assert asked
    edit(place, "deploy/common", "two")
    shown = rendered(place)
    assert "text: far" in shown
    assert "text: two" in shown
    assert len(store.asked) == asked
    assert not (place / "deploy/web/charts").exists()


@needs_helm
def test_what_is_fetched_is_what_the_lock_says(place: Path, store: _Store, tmp_path: Path) -> None:
    served, upstream = tmp_path / "served", tmp_path / "upstream/far"

    def helm(*words: str | Path) -> None:
        subprocess.run(["helm", *words], check=True)

    helm("repo", "add", "far", store.url)
    chart(place, "deploy/web", {"name": "far", "version": "*", "repository": store.url})
    helm("dependency", "update", place / "deploy/web")
    (place / "deploy/web/charts/far-0.1.0.tgz").unlink()
    about = upstream / "Chart.yaml"
    about.write_text(about.read_text("utf-8").replace("0.1.0", "0.2.0"), "utf-8")
    edit(tmp_path, "upstream/far", "newer")
    helm("package", upstream, "-d", served)
    helm("repo", "index", served, "--url", store.url)
    assert "text: far" in rendered(place)
    (place / "deploy/web/Chart.lock").unlink()
    assert "text: newer" in rendered(place)


@needs_helm
def test_a_dependency_that_is_there_is_not_fetched_again(place: Path, store: _Store) -> None:
    need = {"name": "far", "version": "*", "repository": store.url}
    chart(place, "deploy/web", need)
    subprocess.run(["helm", "dependency", "update", place / "deploy/web"], check=True)
    store.asked.clear()
    assert "text: far" in rendered(place)
    project = load_project(place, environ={})
    with built_chart(project, project.charts["web"]) as source:
        assert source == place / "deploy/web"  # nothing to build: no copy
    chart(place, "deploy/web", need, COMMON)
    assert "text: one" in rendered(place)
    assert store.asked == []


@needs_helm
def test_without_fetching_a_missing_dependency_is_named(place: Path, store: _Store) -> None:
    chart(place, "deploy/web", {"name": "far", "version": "*", "repository": store.url})
    project = load_project(place, environ={})
    with (
        pytest.raises(UsageError, match="not fetched yet: far"),
        built_chart(project, project.charts["web"], fetches=False),
    ):
        pass
    assert store.asked == []


@needs_helm
def test_a_dependency_that_cannot_be_fetched_is_refused(place: Path, store: _Store) -> None:
    chart(place, "deploy/web", {"name": "gone", "version": "1.2.3", "repository": store.url})
    project = load_project(place, environ={})
    with (
        pytest.raises(UsageError, match="gone") as caught,
        built_chart(project, project.charts["web"]),
    ):
        pass
    assert caught.value.reason == "dependencies_failed:web"


@needs_helm
def test_a_chart_is_looked_at_with_what_was_fetched_for_it(place: Path, store: _Store) -> None:
    """Without its dependency it cannot be rendered, and nothing would be found wrong."""
    chart(place, "deploy/web", {"name": "far", "version": "*", "repository": store.url})
    write(place / "deploy/web/values.schema.json", '{"properties": {"size": {"type": "integer"}}}')
    config = CONFIG.replace("namespace: demo", "namespace: demo, values: {size: many}")
    write(place / "localloop.yml", config)
    session: Any = SimpleNamespace(
        project=load_project(place, environ={}),
        provider=SimpleNamespace(owns=True),
        kubeconfig=place / "kubeconfig",
        context="kind-demo",
        fingerprints=SimpleNamespace(values_of=lambda chart: chart.values),
    )
    part = ComponentPlan("web", "chart", ("release",), fingerprint="new")
    plan = Plan("demo", "/", "", "auto", (), {"verdict": "ok"}, {"web": part}, route=OURS)
    with pytest.raises(UsageError) as caught:
        require_charts(session, plan)
    assert caught.value.reason == "values_invalid:web"
