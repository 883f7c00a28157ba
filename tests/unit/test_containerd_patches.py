"""A kind file's patches of containerd: which of them leave nodes that never get ready."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from localloop.config.kind_file import read_kind_file
from localloop.config.project import load_project
from localloop.errors import UsageError

V2, V3 = "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images"
TYPE = {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4"}
CERTS = "/etc/containerd/certs.d"


def read(directory: Path, *merged: str, operations: tuple[str, ...] = ()) -> dict[str, Any]:
    path = directory / "kind.yaml"
    patches = {
        "containerdConfigPatches": list(merged),
        "containerdConfigPatchesJSON6902": list(operations),
    }
    path.write_text(yaml.safe_dump({**TYPE, **patches}))
    return read_kind_file(path, name="kind.yaml", base=directory)


def refused(directory: Path, *merged: str, operations: tuple[str, ...] = ()) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read(directory, *merged, operations=operations)
    assert (caught.value.reason, caught.value.exit_code) == ("config_invalid", 2)
    assert str(caught.value.where).startswith("kind.yaml:")
    return caught.value


MIRRORS = {
    "a table": '[plugins."{plugin}".registry.mirrors."docker.io"]\nendpoint = ["http://m:5000"]',
    "white space": "[ plugins .\t'{plugin}' . registry.mirrors.'docker.io' ]\n  endpoint=[ 'x' ]",
    "every key quoted": '["plugins"."{plugin}"."registry"."mirrors"."docker.io"]\n"endpoint" = []',
    "a dotted key": 'plugins."{plugin}".registry.mirrors."docker.io".endpoint = ["http://m:5000"]',
    "an inline table": (
        '[plugins]\n"{plugin}" = {{registry = {{mirrors = {{"docker.io" = {{}}}}}}}}'
    ),
    "escapes": '[plugins."{plugin}".registry."m\\u0069rrors"."docker.io"]',
    "CRLF and comments": (
        '# c\r\n[plugins."{plugin}".registry] # c\r\nmirrors."docker.io" = {{}}\r\n'
    ),
    "another case": '[plugins."{plugin}".Registry.Mirrors."docker.io"]',
    "with a config_path": (
        '[plugins."{plugin}".registry]\nconfig_path = "/etc/containerd/certs.d"\n'
        '[plugins."{plugin}".registry.mirrors."docker.io"]'
    ),
    "without a config_path": (
        '[plugins."{plugin}".registry]\nconfig_path = ""\n'
        '[plugins."{plugin}".registry.mirrors."docker.io"]'
    ),
}


@pytest.mark.parametrize("plugin", [V2, V3])
@pytest.mark.parametrize("form", MIRRORS)
def test_mirrors_are_refused(tmp_path: Path, plugin: str, form: str) -> None:
    error = refused(tmp_path, "version = 2", MIRRORS[form].format(plugin=plugin))
    assert f'containerdConfigPatches[1] sets plugins."{plugin}".registry.mirrors' in str(error)
    assert "(docker.io)" in str(error)
    assert f"containerPath: {CERTS}/docker.io" in str(error.hint)
    assert "hosts.toml" in str(error.hint)


@pytest.mark.parametrize("plugin", [V2, V3])
@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "/plugins/{plugin}/registry/mirrors", "value": {"docker.io": {}}},
        {"op": "add", "path": "/plugins/{plugin}/registry/mirrors/docker.io", "value": {}},
        {"op": "add", "path": "/plugins/{plugin}/registry/mirrors/docker.io/endpoint/-"},
        {
            "op": "replace",
            "path": "/plugins/{plugin}/registry",
            "value": {"config_path": CERTS, "mirrors": {"docker.io": {}}},
        },
        {
            "op": "add",
            "path": "/plugins/{plugin}",
            "value": {"registry": {"config_path": CERTS, "mirrors": {"docker.io": {}}}},
        },
        {"op": "copy", "from": "/x", "path": "/plugins/{plugin}/registry/mirrors/docker.io"},
        {"op": "move", "from": "/x", "path": "/plugins/{plugin}/registry/mirrors/docker.io"},
    ],
)
def test_operations_that_set_mirrors_are_refused(
    tmp_path: Path, plugin: str, operation: dict[str, Any]
) -> None:
    placed = {**operation, "path": operation["path"].format(plugin=plugin)}
    harmless = {"op": "add", "path": "/debug", "value": {"level": "debug"}}
    error = refused(tmp_path, operations=(json.dumps([harmless, placed]),))
    assert "containerdConfigPatchesJSON6902[0] sets" in str(error)
    assert f'plugins."{plugin}".registry.mirrors (docker.io)' in str(error)


def test_mirrors_in_two_patches_are_seen_together(tmp_path: Path) -> None:
    """An operation finds what an earlier patch has written."""
    moved = [{"op": "move", "from": "/mine", "path": f"/plugins/{V2}/registry/mirrors"}]
    error = refused(tmp_path, '[mine."a~b/c"]', operations=(json.dumps(moved),))
    assert "mirrors (a~b/c)" in str(error)


@pytest.mark.parametrize("plugin", [V2, V3])
def test_tls_of_a_registry_is_refused(tmp_path: Path, plugin: str) -> None:
    patch = f'[plugins."{plugin}".registry.configs."r:5000".tls]\ninsecure_skip_verify = true'
    error = refused(tmp_path, patch)
    assert f'plugins."{plugin}".registry.configs.HOST.tls (r:5000)' in str(error)
    assert f"{CERTS}/r:5000" in str(error.hint)


@pytest.mark.parametrize("plugin", [V2, V3])
@pytest.mark.parametrize("path", ["", "/etc/other", "/etc/containerd/certs.d2"])
def test_the_registrys_own_place_stays(tmp_path: Path, plugin: str, path: str) -> None:
    error = refused(tmp_path, f'[plugins."{plugin}".registry]\nconfig_path = "{path}"')
    assert f'takes {CERTS} out of plugins."{plugin}".registry.config_path' in str(error)


@pytest.mark.parametrize("path", ["", "/plugins", f"/plugins/{V2}", f"/plugins/{V3}/registry"])
@pytest.mark.parametrize("op", ["remove", "replace"])
def test_an_operation_that_takes_it_away(tmp_path: Path, path: str, op: str) -> None:
    operation = {"op": op, "path": path, "value": {}}
    assert "config_path" in str(refused(tmp_path, operations=(json.dumps([operation]),)))


@pytest.mark.parametrize(
    "patch", ["[plugins", "two", "a = 1\na = 2", '[plugins."x".y]\nz = }', "[{}]"]
)
def test_what_is_no_toml(tmp_path: Path, patch: str) -> None:
    assert "containerdConfigPatches[0] cannot be read" in str(refused(tmp_path, patch))


@pytest.mark.parametrize(
    ("patch", "problem"),
    [
        ("[", "cannot be read"),
        ("{}x", "cannot be read"),
        ("7", "is no list of operations"),
        ('{"a": 1}', "is no list of operations"),
        ('["add"]', "is no list of operations"),
        ('[{"op": "add"}]', "is no list of operations"),
        ('[{"op": "add", "path": 7}]', "is no list of operations"),
    ],
)
def test_what_is_no_json_patch(tmp_path: Path, patch: str, problem: str) -> None:
    error = refused(tmp_path, operations=(patch,))
    assert f"containerdConfigPatchesJSON6902[0] {problem}" in str(error)


@pytest.mark.parametrize(
    "patch",
    [
        f'[plugins."{V2}"]\n  max_container_log_line_size = 12345',
        f'[plugins."{V2}".registry]\nconfig_path = "{CERTS}"',
        f'[plugins."{V3}".registry]\nconfig_path = "{CERTS}:/etc/docker/certs.d"',
        f'[plugins."{V2}".registry.mirrors]',  # empty: containerd counts them
        f'[plugins."{V2}".registry.configs."r".auth]\nusername = "u"',
        f'[plugins."{V2}".registry.headers]\nX = ["mirrors"]',
        f'# [plugins."{V2}".registry.mirrors."docker.io"]',
        '[plugins."mine".registry.mirrors."docker.io"]',
        '[registry.mirrors."docker.io"]',
        'imports = ["/etc/containerd/mirrors.toml"]',
    ],
)
def test_other_patches_pass_unchanged(tmp_path: Path, patch: str) -> None:
    operations = json.dumps(
        [
            {"op": "test", "path": f"/plugins/{V2}/registry/mirrors", "value": None},
            {"op": "add", "path": "/imports/-", "value": "/x"},
            {"op": "remove", "path": "/debug"},
            {"op": "replace", "path": f"/plugins/{V2}/registry/config_path", "value": CERTS},
        ]
    )
    document = read(tmp_path, patch, operations=(operations,))
    assert document["containerdConfigPatches"] == [patch]
    assert document["containerdConfigPatchesJSON6902"] == [operations]


TABLES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["plugins", V2, "registry", "mirrors", "a", ""]), inner)
    ),
    max_leaves=8,
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "x"]),
                "path": st.sampled_from(["", "/", "/a", "/a/-", f"/plugins/{V2}/registry/mirrors"]),
            },
            optional={"value": TABLES, "from": st.sampled_from(["", "/a", "/a/b", "/plugins"])},
        ),
        max_size=4,
    )
    | TABLES
)
def test_whatever_it_is_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, operations: Any
) -> None:
    directory = tmp_path_factory.getbasetemp()
    try:
        read(directory, operations=(json.dumps(operations),))
    except UsageError as error:
        assert error.reason == "config_invalid"


def test_the_project_is_refused_with_the_files_name(tmp_path: Path) -> None:
    (tmp_path / "localloop.yml").write_text(
        "version: 1\nproject: demo\ncluster: {kind_config: nodes.yaml}\n"
    )
    patch = f'[plugins."{V2}".registry.mirrors."docker.io"]'
    (tmp_path / "nodes.yaml").write_text(
        yaml.safe_dump({**TYPE, "containerdConfigPatches": [patch]})
    )
    with pytest.raises(UsageError, match=r"registry\.mirrors") as caught:
        load_project(tmp_path, environ={})
    assert str(caught.value.where).startswith("nodes.yaml:")
