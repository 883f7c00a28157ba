"""Charts made of manifests and of kustomize directories."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from real_helm import needs_helm

from localloop.config.model import Project
from localloop.config.project import load_project
from localloop.errors import UsageError
from localloop.fingerprint.components import fingerprint_chart
from localloop.helm.files import require_readable
from localloop.helm.manifest import parse
from localloop.helm.raw_chart import raw_objects, write_chart
from localloop.inputs.manifests import kustomize_roots
from localloop.registry.published import PublishedImage

REF = PublishedImage("127.0.0.1:5000/demo/web", "sha256:" + "1" * 64)
OBJECTS = """\
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {x: "0123", z: "{{ .Values.x }}", t: 12:30}}
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


def test_objects_are_released_unchanged_except_for_images(tmp_path: Path) -> None:
    (tmp_path / "m/sub").mkdir(parents=True)
    (tmp_path / "m/sub/all.yml").write_text(OBJECTS)
    (tmp_path / "m/README.md").write_text("not a manifest")
    found = project(tmp_path, "manifests: [m]")
    chart = write_chart(found, found.charts["raw"], {"web": REF})
    assert (chart / "templates/all.yaml").read_text() == '{{ .Files.Get "objects.yaml" }}\n'
    config, pod = yaml.safe_load_all((chart / "objects.yaml").read_text())
    assert config["data"] == {"x": "0123", "z": "{{ .Values.x }}", "t": "12:30"}
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
    assert kustomize_roots(found, found.charts["raw"])[0] == ["base", "overlays/dev", "parts/log"]
    before = value(found)
    (tmp_path / "base/all.yaml").write_text("b")
    assert value(found) != before


def kustomization(root: Path, folder: str, text: str) -> None:
    (root / folder).mkdir(parents=True, exist_ok=True)
    (root / folder / "kustomization.yaml").write_text(text)


FOLDERS = ["resources", "bases", "components", "transformers", "generators", "validators"]
FILES = [
    *("resources", "bases", "components", "transformers", "generators", "validators"),
    *("crds", "configurations", "patchesStrategicMerge"),
]
ENTRIES = [
    "patches: [{target: {kind: Pod}, path: PATH}, {patch: 'a: 1'}]",
    "patchesJson6902: [{target: {kind: Pod}, path: PATH}]",
    "replacements: [{path: PATH}, {source: {kind: Pod}, targets: []}]",
    "configMapGenerator: [{name: a, files: [PATH], literals: [a=b]}]",
    "configMapGenerator: [{name: a, files: [key=PATH]}]",
    "configMapGenerator: [{name: a, envs: [PATH]}]",
    "configMapGenerator: [{name: a, env: PATH}]",
    "secretGenerator: [{name: a, files: [PATH]}]",
    "secretGenerator: [{name: a, envs: [PATH]}]",
    "openapi: {path: PATH}",
]


@pytest.mark.parametrize("key", FOLDERS)
def test_edit_in_a_folder_that_a_kustomization_names(tmp_path: Path, key: str) -> None:
    kustomization(tmp_path, "overlay", f"{key}: [../common]\n")
    kustomization(tmp_path, "common", "resources: [deep/a.yaml]\n")
    (tmp_path / "common/deep").mkdir()
    seen = set()
    for text in ("1", "2"):
        (tmp_path / "common/deep/a.yaml").write_text(text)
        seen.add(value(project(tmp_path, "kustomize: overlay")))
    assert len(seen) == 2


@pytest.mark.parametrize(
    "entry", [*(f"{key}: [PATH]" for key in FILES), *ENTRIES], ids=lambda entry: entry[:40]
)
def test_edit_of_a_file_that_a_kustomization_names(tmp_path: Path, entry: str) -> None:
    for path in ("../common/file.yaml", "in/file.yaml"):
        kustomization(tmp_path, "overlay", entry.replace("PATH", path))
        file = tmp_path / "overlay" / path
        file.parent.mkdir(exist_ok=True)
        seen = set()
        for text in ("1", "2", "3"):
            file.write_text(text)
            (tmp_path / "common/aside").write_text(text) if path.startswith("..") else None
            seen.add(value(project(tmp_path, "kustomize: overlay")))
        assert len(seen) == 3
        if path.startswith(".."):
            (tmp_path / "common/aside").write_text("other")
            assert value(project(tmp_path, "kustomize: overlay")) in seen


@pytest.mark.parametrize("key", ["transformers", "generators", "validators"])
def test_inline_yaml_is_not_a_path(tmp_path: Path, key: str) -> None:
    inline = "apiVersion: builtin\n    kind: X\n    metadata: {name: x}\n"
    kustomization(tmp_path, "overlay", f"{key}:\n  - |-\n    {inline}")
    merge = "patchesStrategicMerge:\n  - |-\n    kind: Pod\n"
    kustomization(tmp_path, "other", merge)
    for folder in ("overlay", "other"):
        found = project(tmp_path, f"kustomize: {folder}")
        assert kustomize_roots(found, found.charts["raw"]) == ([folder], [])


def test_a_path_may_look_like_a_number(tmp_path: Path) -> None:
    kustomization(tmp_path, "a", 'resources: ["../1.0"]\ncrds: ["1"]\n')
    kustomization(tmp_path, "1.0", "")
    (tmp_path / "a/1").write_text("")
    found = project(tmp_path, "kustomize: a")
    assert kustomize_roots(found, found.charts["raw"]) == (["1.0", "a"], [])


def test_the_project_root_as_kustomization(tmp_path: Path) -> None:
    kustomization(tmp_path, ".", "resources: [a]\ncrds: [b/c.yaml]\n")
    kustomization(tmp_path, "a", "")
    kustomization(tmp_path, "b", "")
    (tmp_path / "b/c.yaml").write_text("")
    found = project(tmp_path, "kustomize: .")
    assert kustomize_roots(found, found.charts["raw"]) == ([".", "a"], [])


def test_a_chain_of_folders_ends(tmp_path: Path) -> None:
    kustomization(tmp_path, "a", "transformers: [../b]\nresources: [../b]\n")
    kustomization(tmp_path, "b", "components: [../c/d]\npatches: [{path: ../x.yaml}]\n")
    kustomization(tmp_path, "c/d", "generators: [../../a]\ncrds: [own.yaml]\n")
    for name in ("x.yaml", "c/d/own.yaml"):
        (tmp_path / name).write_text("1")
    found = project(tmp_path, "kustomize: a")
    assert kustomize_roots(found, found.charts["raw"]) == (["a", "b", "c/d"], ["x.yaml"])
    assert "x.yaml" in fingerprint_chart(found, found.charts["raw"]).manifest


@pytest.mark.parametrize(
    "text",
    [
        "[a]",
        "x",
        "2026-99-99",
        "resources: [2026-99-99]",
        "resources: x",
        "resources: [{a: 1}]",
        "patches: [1]",
    ],
)
def test_a_malformed_kustomization_is_left_to_kustomize(tmp_path: Path, text: str) -> None:
    kustomization(tmp_path, "a", text)
    found = project(tmp_path, "kustomize: a")
    try:
        assert kustomize_roots(found, found.charts["raw"])[0] == ["a"]
    except UsageError as error:
        assert error.reason == "input_missing"


def test_a_kustomization_that_cannot_be_read(tmp_path: Path) -> None:
    kustomization(tmp_path, "a", "resources: [\n")
    with pytest.raises(UsageError) as caught:
        value(project(tmp_path, "kustomize: a"))
    assert caught.value.reason == "input_invalid"
    assert caught.value.where == "a/kustomization.yaml:1"
    assert "did not find expected node content" in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "transformers: [nowhere.yaml]",
        "crds: [nowhere.yaml]",
        "patches: [{path: nowhere.yaml}]",
        "configMapGenerator: [{name: a, files: [k=nowhere.yaml]}]",
    ],
)
def test_a_missing_path_is_refused(tmp_path: Path, text: str) -> None:
    kustomization(tmp_path, "a", text)
    with pytest.raises(UsageError, match=r"nowhere\.yaml is not in the project"):
        value(project(tmp_path, "kustomize: a"))


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


# -- files that cannot be used --------------------------------------------------------------------

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
BAD = [
    ("metadata:\n  name: a\n data: {}\n", 3, "not valid YAML: did not find expected key"),
    ("apiVersion: v1\nkind: Pod\n", 1, "it has no metadata.name"),
    (f"{POD}---\nreplicas: 1\n", 5, "it has no apiVersion"),
    (f"{POD}---\njust text\n", 5, "not a Kubernetes object"),
    (f"{POD}spec: {{? [a] : b}}\n", 4, "a key cannot be a list or a map"),
    (f"{POD}spec: {{a: .inf}}\n", 4, ".inf is no number in JSON"),
    (f"{POD}spec: *nothing\n", 4, "found undefined alias"),
    ('{"apiVersion": "v1",\n "kind": Pod "metadata": {}}\n', 2, "not valid YAML"),
    (b"apiVersion: v1\nkind: Pod\nmetadata: {name: caf\xe9}\n", 3, "not UTF-8"),
    (b"\xff\xfea\x00:\x00 \x00[\x00", 1, ""),
    (b"a: \x00", 1, "control characters are not allowed"),
]


@pytest.mark.parametrize("suffix", ["yaml", "yml", "json"])
@pytest.mark.parametrize(("text", "line", "problem"), BAD)
def test_a_broken_manifest_is_refused_by_file_and_line(
    tmp_path: Path, text: str | bytes, line: int, problem: str, suffix: str
) -> None:
    (tmp_path / "m/deep").mkdir(parents=True)
    data = text if isinstance(text, bytes) else text.encode()
    (tmp_path / f"m/deep/a.{suffix}").write_bytes(data)
    found = project(tmp_path, "manifests: [m]")
    with pytest.raises(UsageError) as caught:
        raw_objects(found, found.charts["raw"])
    assert caught.value.reason == "input_invalid"
    assert caught.value.where == f"m/deep/a.{suffix}:{line}"
    assert problem in caught.value.message


def test_a_manifest_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m/a.yaml").symlink_to("nowhere")
    found = project(tmp_path, "manifests: [m]")
    with pytest.raises(UsageError, match=r"m/a\.yaml: it cannot be read: No such file") as caught:
        raw_objects(found, found.charts["raw"])
    assert caught.value.reason == "input_unreadable"


def test_a_folder_may_have_the_name_of_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "m/a.yaml").mkdir(parents=True)
    (tmp_path / "m/a.yaml/b.yaml").write_text(POD)
    found = project(tmp_path, "manifests: [m]")
    assert [obj["kind"] for obj in raw_objects(found, found.charts["raw"])] == ["Pod"]


GOOD = {"chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0\n", "values.yaml": ""}
BROKEN = [
    ("values.yaml", "a:\n  b: 1\n c: 2\n", "values.yaml:3", "did not find expected key"),
    ("values.yaml", "# words\n- a\n", "values.yaml:2", "it must be a map"),
    ("values.yaml", b"a: \xff\n", "values.yaml:1", "not UTF-8"),
    ("chart/values.yaml", "a: [\n", "chart/values.yaml:1", "did not find expected node"),
    ("chart/values.yaml", "text\n", "chart/values.yaml:1", "it must be a map"),
    ("chart/Chart.yaml", "name: web\nversion: '", "chart/Chart.yaml:2", "unexpected end of stream"),
    ("chart/values.schema.json", '{\n "type": }', "chart/values.schema.json:2", "not JSON"),
    ("chart/crds/a.yaml", "kind: X\n", "chart/crds/a.yaml:1", "it has no apiVersion"),
    ("chart/charts/sub/Chart.yaml", "a: b: c\n", "chart/charts/sub/Chart.yaml:1", "not valid YAML"),
]


@pytest.mark.parametrize(("name", "text", "where", "problem"), BROKEN)
def test_a_broken_file_of_a_chart_is_refused_by_file_and_line(
    tmp_path: Path, name: str, text: str | bytes, where: str, problem: str
) -> None:
    for path, good in GOOD.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(good)
    found = project(tmp_path, "path: chart, values_files: [values.yaml]")
    require_readable(found, found.charts["raw"])
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError) as caught:
        require_readable(found, found.charts["raw"])
    assert (caught.value.reason, caught.value.where) == ("input_invalid", where)
    assert problem in caught.value.message


@needs_helm
def test_helm_reads_what_is_written_for_it(tmp_path: Path) -> None:
    """Characters of all planes, and words that YAML would read as something else."""
    texts = [
        "Ship it 🚀",
        "\x7f\x85\x9f",
        "\u2028\u2029\ufeff",
        "\U0010ffff",
        "yes",
        "0644",
        "12:30",
        "",
    ]
    config = {str(number): text for number, text in enumerate(texts)}
    (tmp_path / "a.json").write_text(
        json.dumps(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": config}
        )
    )
    found = project(tmp_path, "manifests: [a.json]")
    chart = write_chart(found, found.charts["raw"], {})
    done = subprocess.run(["helm", "template", str(chart)], capture_output=True, check=True)
    assert [obj["data"] for obj in parse(done.stdout.decode(), "x")] == [config]
