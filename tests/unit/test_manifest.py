"""Manifests: what is in them, and what of a live object is not as they say."""

from __future__ import annotations

import base64
import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localloop.errors import LocalloopError
from localloop.helm.differences import differences
from localloop.helm.manifest import located, parse, read_objects
from localloop.kube.documents import DocumentError
from localloop.kube.objects import ObjectRef

Object = dict[str, Any]

MANIFEST = """\
---
# Source: hello/templates/service.yaml
apiVersion: v1
kind: Service
metadata: {name: web}
---
# nothing was rendered here
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: elsewhere}
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: one}}
- apiVersion: v1
  kind: ConfigMapList
  items:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: two}}
---
apiVersion: v1
kind: SecretList
items: []
---
apiVersion: example.com/v1
kind: AllowList
metadata: {name: crd}
spec: {items: [1]}
"""


def test_parse() -> None:
    assert [(o["kind"], o["metadata"]["namespace"], o["metadata"]["name"])
            for o in parse(MANIFEST, "app")] == [
        ("Service", "app", "web"),
        ("Deployment", "elsewhere", "web"),
        ("ConfigMap", "app", "one"),
        ("ConfigMap", "app", "two"),
        ("AllowList", "app", "crd"),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "---\n", "# no objects\n", "---\n---\nnull\n"])
def test_parse_nothing(text: str) -> None:
    assert parse(text, "app") == []


def test_parse_is_safe() -> None:
    with pytest.raises(LocalloopError) as caught:
        parse("kind: !!python/object/apply:os.system [id]", "app")
    assert caught.value.reason == "manifest_unreadable"


@pytest.mark.parametrize("namespace", ["", "null", "~", "''", '""', "&x"])
def test_a_namespace_that_rendered_to_nothing_is_the_releases(namespace: str) -> None:
    text = f"apiVersion: v1\nkind: Service\nmetadata:\n  namespace: {namespace}\n  name: web\n"
    assert [obj["metadata"]["namespace"] for obj in parse(text, "app")] == ["app"]


POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"
LISTS = [
    ("apiVersion: v1\nkind: List\nitems: null\n", []),
    ("apiVersion: v1\nkind: List\nitems:\n", []),
    ("apiVersion: v1\nkind: ConfigMapList\nitems: []\n", []),
    ("apiVersion: v1\nkind: PodList\nitems: [{metadata: {name: a}}]\n", ["v1/Pod/app/a"]),
    (
        "apiVersion: x.org/v1\nkind: Bag\n"
        "items: [{apiVersion: v1, kind: Pod, metadata: {name: a}}]",
        ["v1/Pod/app/a"],
    ),
]


@pytest.mark.parametrize(("text", "wanted"), LISTS)
def test_lists_are_what_kubectl_takes_for_lists(text: str, wanted: list[str]) -> None:
    assert [str(located(obj, namespaced=True)) for obj in parse(text, "app")] == wanted


NO_OBJECTS = [
    ("just text", 1, "not a Kubernetes object"),
    ("[1]", 1, "not a Kubernetes object"),
    (f"{POD}---\n12\n", 5, "not a Kubernetes object"),
    ("replicas: 2\nimage: web\n", 1, "it has no apiVersion"),
    ("apiVersion: v1\nmetadata: {name: a}\n", 1, "it has no kind"),
    ("apiVersion: v1\nkind: Pod\n", 1, "it has no metadata.name"),
    ("apiVersion: v1\nkind: Pod\nmetadata: text\n", 1, "it has no metadata.name"),
    ("apiVersion: v1\nkind: Pod\nmetadata: {name: }\n", 1, "it has no metadata.name"),
    ("apiVersion: v1\nkind: Pod\nmetadata: {name: 1}\n", 1, "metadata.name must be text, and 1"),
    ("apiVersion: v1\nkind: Pod\nmetadata: {name: on}\n", 1, "name must be text, and true is not"),
    ("apiVersion: 1\nkind: Pod\nmetadata: {name: a}\n", 1, "apiVersion must be text"),
    (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: 7}\n",
        1,
        "metadata.namespace must be text, and 7 is not: put it in quotes",
    ),
    (
        "---\napiVersion: v1\nkind: Pod\nmetadata: {name: a, annotations: {x/y: true}}\n",
        2,
        "metadata.annotations.x/y must be text, and true is not: put it in quotes",
    ),
    ("apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: [b]}\n", 1, "labels must be a map"),
    ("apiVersion: v1\nkind: List\nitems: [text]\n", 1, "not a Kubernetes object"),
    ("apiVersion: v1\nkind: List\nitems: text\n", 1, "not a Kubernetes object"),
]


@pytest.mark.parametrize(("text", "line", "problem"), NO_OBJECTS)
def test_a_document_that_is_no_object_is_named(text: str, line: int, problem: str) -> None:
    with pytest.raises(DocumentError) as caught:
        list(read_objects(text))
    assert (caught.value.line, problem in caught.value.problem) == (line, True), caught.value
    with pytest.raises(LocalloopError, match="what Helm rendered cannot be read"):
        parse(text, "app")


def test_located() -> None:
    (namespace,) = parse("apiVersion: v1\nkind: Namespace\nmetadata: {name: x}", "app")
    assert located(namespace, namespaced=False) == ObjectRef("v1", "Namespace", "", "x")
    assert located(namespace, namespaced=True) == ObjectRef("v1", "Namespace", "app", "x")


# -- differences ----------------------------------------------------------------------------------

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: app
  labels: {app: web, version: "1.0"}
spec:
  replicas: 2
  paused: false
  template:
    metadata: {labels: {app: web}, annotations: {}}
    spec:
      nodeSelector: {}
      tolerations: []
      containers:
      - name: web
        image: 127.0.0.1:5000/hello/web:d-1
        command: [serve]
        args: ["--limit", "1000"]
        env:
        - {name: LIMIT, value: "1000"}
        - {name: EMPTY, value: ""}
        ports: [{name: http, containerPort: 80}]
        readinessProbe: {httpGet: {path: /, port: http}}
        resources: {limits: {cpu: 0.5, memory: 1Gi}, requests: {cpu: 100m, memory: "1024Mi"}}
        volumeMounts:
        - {name: config, mountPath: /a, subPath: a}
        - {name: config, mountPath: /b, subPath: b}
      volumes:
      - {name: config, configMap: {name: web, defaultMode: 0644}}
      - {name: scratch, emptyDir: {}}
"""


def deployment() -> tuple[Object, Object]:
    """The manifest's Deployment, and the live one as the API server keeps it."""
    (wanted,) = parse(DEPLOYMENT, "app")
    live = copy.deepcopy(wanted)
    live["metadata"] |= {"uid": "u", "generation": 3, "annotations": {"deployment/revision": "2"}}
    live["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "Helm"
    live["status"] = {"replicas": 2}
    spec = live["spec"]
    spec |= {"revisionHistoryLimit": 10, "strategy": {"type": "RollingUpdate"}}
    del spec["paused"]
    del spec["template"]["metadata"]["annotations"]
    pod = spec["template"]["spec"]
    pod |= {"restartPolicy": "Always", "dnsPolicy": "ClusterFirst"}
    del pod["nodeSelector"], pod["tolerations"]
    web = pod["containers"][0]
    web |= {"imagePullPolicy": "IfNotPresent", "terminationMessagePath": "/dev/termination-log"}
    web["ports"][0]["protocol"] = "TCP"
    web["resources"] = {
        "limits": {"cpu": "500m", "memory": "1Gi"},
        "requests": {"cpu": "100m", "memory": "1Gi"},
    }
    del web["env"][1]["value"]
    pod["containers"].insert(0, {"name": "injected", "image": "mesh"})
    pod["volumes"].append({"name": "injected", "emptyDir": {}})
    return wanted, live


def web_of(live: Object) -> Object:
    found: Object = live["spec"]["template"]["spec"]["containers"][1]
    return found


def test_defaults_quantities_dropped_empties_and_sidecars_are_no_difference() -> None:
    assert differences(*deployment()) == []


def set_at(obj: Any, path: list[Any], value: Any) -> None:
    for key in path[:-1]:
        obj = obj[key]
    obj[path[-1]] = value


POD = ["spec", "template", "spec"]
WEB = [*POD, "containers", 1]
AT = "spec.template.spec.containers[web]"

HAND_MADE = {
    "scale": (["spec", "replicas"], 5, "spec.replicas"),
    "set image": ([*WEB, "image"], "web:other", f"{AT}.image"),
    "set env": ([*WEB, "env", 0, "value"], "2000", f"{AT}.env[LIMIT].value"),
    "set env to the same number written otherwise": (
        [*WEB, "env", 0, "value"],
        "1k",
        f"{AT}.env[LIMIT].value",
    ),
    "unset env": ([*WEB, "env"], [{"name": "EMPTY"}], f"{AT}.env[LIMIT]"),
    "an argument": ([*WEB, "args", 1], "1e3", f"{AT}.args[1]"),
    "one argument more": ([*WEB, "args"], ["--limit", "1000", "-v"], f"{AT}.args"),
    "set resources": ([*WEB, "resources", "limits", "cpu"], "600m", f"{AT}.resources.limits.cpu"),
    "a port": ([*WEB, "ports", 0, "containerPort"], 81, f"{AT}.ports[http].containerPort"),
    "a mount": ([*WEB, "volumeMounts", 1, "subPath"], "c", f"{AT}.volumeMounts[1].subPath"),
    "a volume": (
        [*POD, "volumes", 0, "configMap", "name"],
        "x",
        "spec.template.spec.volumes[config].configMap.name",
    ),
    "pause": (["spec", "paused"], True, "spec.paused"),
    "a label": (["metadata", "labels", "version"], "1.00", "labels.version"),
    "a template label": (
        ["spec", "template", "metadata", "labels", "app"],
        "w",
        "spec.template.metadata.labels.app",
    ),
    "another kind": (["kind"], "DaemonSet", "kind"),
}


@pytest.mark.parametrize("name", HAND_MADE)
def test_change_by_hand_is_named(name: str) -> None:
    path, value, wanted = HAND_MADE[name]
    manifest, live = deployment()
    set_at(live, path, value)
    assert differences(manifest, live) == [wanted]


def test_container_that_is_gone() -> None:
    manifest, live = deployment()
    live["spec"]["template"]["spec"]["containers"].pop()
    assert differences(manifest, live) == [AT]


@pytest.mark.parametrize(
    ("wanted", "live"),
    [
        (0.5, "500m"),
        ("0.5", "500m"),
        (1, "1"),
        ("1000m", "1"),
        ("1024Mi", "1Gi"),
        ("1e3", "1k"),
        ("1000000000n", 1),
        ("2Ei", str(2 * 2**60)),
        ("1E", "1000P"),
        (80, "80"),  # an IntOrString on its way through a CRD
        ("", None),
        (False, None),
        (0, None),
        ([], None),
        ({}, None),
        ({"a": {"b": []}}, None),
        (None, "defaulted"),
        (["a"], ["a"]),
        ([{"name": {"prefix": "x"}}], [{"name": {"prefix": "x"}}]),
        ([{"name": "a", "v": 1}, {"name": "a", "v": 2}], [{"name": "a", "v": 1},
                                                          {"name": "a", "v": 2}]),
        ([{"name": "b"}, {"name": "a"}], [{"name": "a"}, {"name": "b"}]),
    ],
)  # fmt: skip
def test_equal_values(wanted: Any, live: Any) -> None:
    one, other = ({"kind": "X", "metadata": {}, "spec": {"field": v}} for v in (wanted, live))
    assert differences(one, other) == []


@pytest.mark.parametrize(
    ("wanted", "live"),
    [
        ("500m", "0.6"),
        ("1G", "1Gi"),
        (True, 1),
        (True, "true"),
        (1, True),
        (1, None),
        ("x", None),
        ("x", ""),
        ("1.2.3", "1.2.4"),
        ("a", "b"),
        ({"a": 1}, "text"),
        ({"a": 1}, None),
        ([1], "text"),
        ([1], None),
        ([], [1]),
        ([1, 2], [1, 3]),
        (["a"], [{"name": "a"}]),
        ("text", {"a": 1}),
    ],
)
def test_different_values(wanted: Any, live: Any) -> None:
    one, other = ({"kind": "X", "metadata": {}, "spec": {"field": v}} for v in (wanted, live))
    assert [path.partition("[")[0].split(".")[:2] for path in differences(one, other)] == [
        ["spec", "field"]
    ]


def test_keys_are_text_as_in_json() -> None:
    data = "data: {9000: a, yes: b, 1.5: c}\n"
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\n{data}"
    (wanted,) = parse(text, "app")
    live = {**wanted, "data": {"9000": "a", "true": "b", "1.5": "c"}}
    assert differences(wanted, live) == []
    assert differences(wanted, {**live, "data": {"9000": "x"}}) == [
        "data.9000", "data.true", "data.1.5"
    ]  # fmt: skip


def test_a_custom_resource_has_no_quantities() -> None:
    wanted = {"apiVersion": "example.org/v1", "kind": "X", "spec": {"cpu": "1000m"}}
    assert differences(wanted, {**wanted, "spec": {"cpu": "1"}}) == ["spec.cpu"]
    builtin = {**wanted, "apiVersion": "policy/v1"}
    assert differences(builtin, {**builtin, "spec": {"cpu": "1"}}) == []


def test_configmap_values_are_text() -> None:
    wanted = {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"limit": "1000"}}
    assert differences(wanted, {**wanted, "data": {"limit": "1k"}}) == ["data.limit"]
    assert differences(wanted, {**wanted, "data": None}) == ["data"]


def secret(**data: str) -> Object:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": encoded}


def test_secret_by_string_data() -> None:
    wanted = {**secret(user="me"), "stringData": {"password": "s3cret", "user": "wins"}}
    assert differences(wanted, secret(user="wins", password="s3cret", more="x")) == []
    assert differences(wanted, secret(user="wins", password="other")) == ["data.password"]
    assert differences(wanted, secret(password="s3cret", user="me")) == ["data.user"]
    empty = {**secret(), "stringData": {"token": None}}
    assert differences(empty, secret(token="")) == []
    # The words of a secret are in no difference.
    assert "s3cret" not in str(differences(wanted, secret()))


# -- laws -----------------------------------------------------------------------------------------

leaves = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6) | st.sampled_from(["500m", "1Gi", "0", "1e3"])
)  # fmt: skip
keys = st.sampled_from(["name", "a", "b", "env", "data", "labels", "value"]) | st.text(max_size=4)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
objects = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["Deployment", "Secret", "ConfigMap"]),
        "metadata": st.fixed_dictionaries(
            {"labels": st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2)}
        ),
        "spec": values,
    }
)
any_objects = st.fixed_dictionaries(
    {"kind": st.sampled_from(["Secret", "X"]) | values},
    optional=dict.fromkeys(("apiVersion", "metadata", "data", "stringData", "spec"), values),
)


def with_extras(value: Any, draw: Any) -> Any:
    if isinstance(value, dict):
        extra = {f"extra-{n}": draw(leaves) for n in range(draw(st.integers(0, 2)))}
        return {**{key: with_extras(found, draw) for key, found in value.items()}, **extra}
    if isinstance(value, list):
        return [with_extras(found, draw) for found in value]
    return value


@given(objects, st.data())
def test_law_an_object_never_differs_from_itself_plus_extra_fields(
    obj: Object, data: st.DataObject
) -> None:
    assert differences(obj, with_extras(copy.deepcopy(obj), data.draw)) == []


@given(any_objects, any_objects)
def test_law_comparing_raises_nothing_and_changes_nothing(one: Object, other: Object) -> None:
    before = copy.deepcopy((one, other))
    found = differences(one, other)
    assert all(isinstance(path, str) for path in found)
    assert (one, other) == before
