"""What people and controllers do to a released object, as managedFields show it: drift, or not.

The entries are as the API server writes them for kubectl and for both ways in which Helm applies.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fake_api import FakeApi, path_of

from localloop.helm.additions import additions
from localloop.kube.objects import object_version, ref_of
from localloop.observe.drift import Drift, drift_of, unnoted

Object = dict[str, Any]
Change = Callable[[Object], object]


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as fake:
        yield fake


def fields(**below: Any) -> Object:
    return {f"f:{key}": value for key, value in below.items()}


def in_pods(**below: Any) -> Object:
    return fields(spec=fields(template=fields(**below)))


def in_container(**below: Any) -> Object:
    return in_pods(spec=fields(containers={'k:{"name":"web"}': fields(**below)}))


def by(manager: str, tree: Object, operation: str = "Update", **more: str) -> Object:
    """An entry of managedFields; its apiVersion is that of the object it is put into."""
    entry = {"manager": manager, "operation": operation, "time": "2026-01-01T00:00:00Z"}
    return {**entry, "fieldsType": "FieldsV1", "fieldsV1": tree, **more}


MADE: Object = {".": {}}
RELEASED = {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "app"}


def owned_by_helm(value: Any) -> Object:
    """The tree of what a manifest sets."""
    if not isinstance(value, dict):
        return {}
    found: Object = {}
    for key, below in value.items():
        if isinstance(below, list) and below and all("name" in entry for entry in below):
            names = {f'k:{{"name":"{entry["name"]}"}}': entry for entry in below}
            found[f"f:{key}"] = {each: MADE | owned_by_helm(entry) for each, entry in names.items()}
        else:
            found[f"f:{key}"] = {} if key == "selector" else owned_by_helm(below)
    return found


def helm_4(wanted: Object) -> list[Object]:
    metadata = {"annotations": RELEASED, **wanted["metadata"]}
    tree = {key: value for key, value in wanted.items() if key not in ("apiVersion", "kind")}
    kept = {key: metadata[key] for key in ("labels", "annotations") if key in metadata}
    return [by("helm", owned_by_helm({**tree, "metadata": kept}), "Apply")]


def helm_3(wanted: Object) -> list[Object]:
    """It creates: defaults are its own too, and so is each map that it made."""
    (entry,) = helm_4(wanted)
    tree = entry["fieldsV1"]
    tree["f:metadata"]["f:annotations"]["."] = {}
    if wanted["kind"] == "Deployment":
        tree["f:spec"] |= fields(progressDeadlineSeconds={}, revisionHistoryLimit={})
    return [by("helm", tree)]


def without(tree: Object, path: tuple[str, ...]) -> None:
    """A manager whose value another one changed does not own the field any more."""
    key, *rest = path
    if rest and key in tree:
        without(tree[key], tuple(rest))
    if not rest or not tree.get(key):
        tree.pop(key, None)


def wanted(api_version: str, kind: str, **body: Any) -> Object:
    metadata = {"name": "web", "namespace": "app", "labels": {"app": "web"}}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}


CONTAINER = {"name": "web", "image": "web:1", "env": [{"name": "PORT", "value": "80"}]}
POD: Object = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [CONTAINER]}}
UNCOUNTED = wanted("apps/v1", "Deployment", spec={"template": POD})
DEPLOYMENT = wanted("apps/v1", "Deployment", spec={"replicas": 2, "template": POD})
SERVICE = wanted("v1", "Service", spec={"selector": {"app": "web"}})
INGRESS = wanted("networking.k8s.io/v1", "Ingress", spec={"ingressClassName": "nginx"})
ROLE = wanted("rbac.authorization.k8s.io/v1", "ClusterRole", aggregationRule={}, rules=[])
SECRET = wanted("v1", "Secret", stringData={"user": "a"})
HOOKS = [{"name": "a.example.org", "clientConfig": {"caBundle": "Cg=="}}]
WEBHOOK = wanted(
    "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", webhooks=HOOKS
)
del WEBHOOK["metadata"]["namespace"], ROLE["metadata"]["namespace"]


def live_of(manifest: Object, helm: Callable[[Object], list[Object]]) -> Object:
    """The object as Helm left it in the cluster."""
    found = copy.deepcopy(manifest)
    found["metadata"] |= {"uid": "u", "generation": 1, "annotations": dict(RELEASED)}
    found["metadata"]["managedFields"] = helm(manifest)
    if manifest["kind"] == "Deployment":
        found["spec"] |= {"progressDeadlineSeconds": 600, "revisionHistoryLimit": 10}
        found["spec"].setdefault("replicas", 1)
        note = fields(annotations=fields(**{"deployment.kubernetes.io/revision": {}}) | MADE)
        found["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "1"
        controller = by("kube-controller-manager", fields(metadata=note, status={}))
        found["metadata"]["managedFields"].append({**controller, "subresource": "status"})
    if manifest["kind"] == "Secret":
        texts = found.pop("stringData")
        found["data"] = dict.fromkeys(texts, "YQ==")
    for entry in found["metadata"]["managedFields"]:
        entry["apiVersion"] = manifest["apiVersion"]
    return found


def changed(live: Object, entry: Object, change: Change, lost: tuple[str, ...] = ()) -> Object:
    """The object after a change of which the entry speaks; what Helm does not own after it."""
    found = copy.deepcopy(live)
    change(found)
    if lost:
        without(found["metadata"]["managedFields"][0]["fieldsV1"], lost)
    found["metadata"]["managedFields"].append({**entry, "apiVersion": live["apiVersion"]})
    return found


def web(live: Object) -> Any:
    return live["spec"]["template"]["spec"]["containers"][0]


SIDECAR = {"name": "side", "image": "side:1", "imagePullPolicy": "Always", "resources": {}}
SIDECAR_OWNED = in_pods(
    spec=fields(
        containers={
            'k:{"name":"side"}': MADE | fields(image={}, imagePullPolicy={}, name={}, resources={})
        }
    )
)
DEBUG = {'k:{"name":"DEBUG"}': MADE | fields(name={}, value={})}
REPLICAS = fields(spec=fields(replicas={}))
RESTARTED = "kubectl.kubernetes.io/restartedAt"
RESTART = in_pods(metadata=fields(annotations=MADE | {f"f:{RESTARTED}": {}}))
LAST = "kubectl.kubernetes.io/last-applied-configuration"


def restart(live: Object) -> None:
    live["spec"]["template"]["metadata"]["annotations"] = {RESTARTED: "2026-01-02T00:00:00Z"}


DONE_BY_HAND: dict[str, tuple[Object, Object, Change, tuple[str, ...], list[str]]] = {
    "kubectl annotate ingress": (
        INGRESS,
        by("kubectl-annotate", fields(metadata=fields(annotations=fields(note={})))),
        lambda live: live["metadata"]["annotations"].update(note="x"),
        (),
        ["annotations.note"],
    ),
    "kubectl label deployment": (
        DEPLOYMENT,
        by("kubectl-label", fields(metadata=fields(labels=fields(team={})))),
        lambda live: live["metadata"]["labels"].update(team="a"),
        (),
        ["labels.team"],
    ),
    "kubectl label deployment, which takes one away": (
        DEPLOYMENT,
        by("kubectl-label", {}),
        lambda live: live["metadata"]["labels"].pop("app"),
        ("f:metadata", "f:labels", "f:app"),
        ["labels.app"],
    ),
    "kubectl set env": (
        DEPLOYMENT,
        by("kubectl-set", in_container(env=DEBUG)),
        lambda live: web(live)["env"].append({"name": "DEBUG", "value": "1"}),
        (),
        ["spec.template.spec.containers[web].env[DEBUG]"],
    ),
    "kubectl edit, a sidecar": (
        DEPLOYMENT,
        by("kubectl-edit", SIDECAR_OWNED),
        lambda live: live["spec"]["template"]["spec"]["containers"].append(SIDECAR),
        (),
        ["spec.template.spec.containers[side]"],
    ),
    "kubectl patch, a key of a selector": (
        SERVICE,
        by("kubectl-patch", fields(spec=fields(selector={}))),
        lambda live: live["spec"]["selector"].update(track="canary"),
        ("f:spec", "f:selector"),
        ["spec.selector.track"],
    ),
    "kubectl patch, a field that is removed": (
        INGRESS,
        by("kubectl-patch", {}),
        lambda live: live["spec"].pop("ingressClassName"),
        ("f:spec", "f:ingressClassName"),
        ["spec.ingressClassName"],
    ),
    "kubectl scale, replicas in the manifest": (
        DEPLOYMENT,
        by("kubectl", REPLICAS, subresource="scale"),
        lambda live: live["spec"].update(replicas=0),
        ("f:spec", "f:replicas"),
        ["spec.replicas"],
    ),
    "kubectl scale, no replicas in the manifest": (
        UNCOUNTED,
        by("kubectl", REPLICAS, subresource="scale"),
        lambda live: live["spec"].update(replicas=0),
        (),
        ["spec.replicas"],
    ),
    "kubectl rollout pause": (
        DEPLOYMENT,
        by("kubectl-rollout", fields(spec=fields(paused={}))),
        lambda live: live["spec"].update(paused=True),
        (),
        ["spec.paused"],
    ),
    "kubectl apply": (
        SERVICE,
        by("kubectl-client-side-apply", fields(metadata=fields(annotations={f"f:{LAST}": {}}))),
        lambda live: live["metadata"]["annotations"].update({LAST: "{}"}),
        (),
        [f"annotations.{LAST}"],
    ),
    "kubectl apply --server-side": (
        SERVICE,
        by("kubectl", fields(spec=fields(sessionAffinity={}, selector={})), "Apply"),
        lambda live: live["spec"].update(sessionAffinity="ClientIP"),
        (),
        ["spec.sessionAffinity"],
    ),
    "kubectl edit, a Secret": (
        SECRET,
        by("kubectl-edit", fields(data=fields(extra={}))),
        lambda live: live["data"].update(extra="YQ=="),
        (),
        ["data.extra"],
    ),
    "an annotation beside a restart": (
        DEPLOYMENT,
        by(
            "kubectl",
            in_pods(metadata=fields(annotations=MADE | {f"f:{RESTARTED}": {}, "f:note": {}})),
        ),
        lambda live: live["spec"]["template"]["metadata"].update(
            annotations={RESTARTED: "", "note": "x"}
        ),
        (),
        ["spec.template.metadata.annotations.note"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("helm", [helm_3, helm_4])
@pytest.mark.parametrize("name", DONE_BY_HAND)
def test_what_is_done_by_hand_is_drift(
    name: str, helm: Callable[[Object], list[Object]], api: FakeApi
) -> None:
    manifest, entry, change, lost, told = DONE_BY_HAND[name]
    before = live_of(manifest, helm)
    live = changed(before, entry, change, lost)
    assert drift(api, manifest, before) == Drift((), ())
    assert drift(api, manifest, live).fields == tuple(told)
    live["metadata"]["generation"] += "metadata" not in str(entry["fieldsV1"].keys())
    assert object_version(live) != object_version(before)


DONE_BY_CONTROLLERS: dict[str, tuple[Object, Object, Change, tuple[str, ...], str]] = {
    "an HPA scales, replicas in the manifest": (
        DEPLOYMENT,
        by("kube-controller-manager", REPLICAS, subresource="scale"),
        lambda live: live["spec"].update(replicas=5),
        ("f:spec", "f:replicas"),
        "spec.replicas is left as kube-controller-manager set it",
    ),
    "an HPA scales, no replicas in the manifest": (
        UNCOUNTED,
        by("kube-controller-manager", REPLICAS, subresource="scale"),
        lambda live: live["spec"].update(replicas=5),
        (),
        "",
    ),
    "an aggregated ClusterRole": (
        ROLE,
        by("clusterrole-aggregation-controller", fields(rules={}), "Apply"),
        lambda live: live.update(rules=[{"verbs": ["get"], "resources": ["pods"]}]),
        ("f:rules",),
        "rules is left as clusterrole-aggregation-controller set it",
    ),
    "a CA bundle that is injected": (
        WEBHOOK,
        by(
            "cert-manager-cainjector",
            fields(
                webhooks={'k:{"name":"a.example.org"}': fields(clientConfig=fields(caBundle={}))}
            ),
        ),
        lambda live: live["webhooks"][0]["clientConfig"].update(caBundle="QUJD"),
        ("f:webhooks", 'k:{"name":"a.example.org"}', "f:clientConfig", "f:caBundle"),
        "webhooks[a.example.org].clientConfig.caBundle is left as cert-manager-cainjector set it",
    ),
    "a program writes into its Secret": (
        SECRET,
        by("argocd-server", fields(data=fields(**{"admin.password": {}}))),
        lambda live: live["data"].update({"admin.password": "YQ=="}),
        (),
        "",
    ),
    "a controller annotates": (
        INGRESS,
        by("cert-manager-ingress", fields(metadata=fields(annotations=fields(issued={})))),
        lambda live: live["metadata"]["annotations"].update(issued="yes"),
        (),
        "",
    ),
    "kubectl rollout restart": (
        DEPLOYMENT,
        by("kubectl-rollout", RESTART),
        restart,
        (),
        "was restarted by hand at 2026-01-02T00:00:00Z",
    ),
}


def drift(api: FakeApi, manifest: Object, live: Object) -> Drift:
    return drift_of(api.kube(), ref_of(live), manifest, live, {})


@pytest.mark.parametrize("helm", [helm_3, helm_4])
@pytest.mark.parametrize("name", DONE_BY_CONTROLLERS)
def test_what_controllers_own_is_left_and_told_once(
    name: str, helm: Callable[[Object], list[Object]], api: FakeApi
) -> None:
    manifest, entry, change, lost, told = DONE_BY_CONTROLLERS[name]
    live = changed(live_of(manifest, helm), entry, change, lost)
    found = drift(api, manifest, live)
    assert found.fields == ()
    assert [text.partition(", which is")[0] for text in found.left] == ([told] if told else [])
    assert unnoted(found, {}) == list(found.left)
    assert unnoted(found, {"left": list(found.left)}) == []


def test_a_controllers_annotation_is_no_other_version() -> None:
    """It may come and go with each look, as a controller's heartbeat does."""
    before = live_of(INGRESS, helm_4)
    _, entry, change, _, _ = DONE_BY_CONTROLLERS["a controller annotates"]
    assert object_version(changed(before, entry, change)) == object_version(before)


def test_what_a_webhook_makes_of_a_manifest_is_no_drift(api: FakeApi) -> None:
    """The server says so itself, when it is asked what applying again would change."""
    live = live_of(DEPLOYMENT, helm_4)
    web(live)["image"] = "mirror/web:1"
    api.answers["PATCH", path_of(DEPLOYMENT)] = [(200, {}, live)]
    assert drift(api, DEPLOYMENT, live) == Drift((), ())


def test_of_a_workload_only_the_scale_is_another_ones(api: FakeApi) -> None:
    """A program by any name may own a field of it, but its pods are what this tree says."""
    scaled = by("somebody", REPLICAS, "Apply")
    image = by("updater", in_container(image={}))
    live = changed(live_of(DEPLOYMENT, helm_4), scaled, lambda _: None, ("f:spec",))
    live["metadata"]["managedFields"].append(image)
    live["spec"]["replicas"] = 3
    web(live)["image"] = "web:2"
    found = drift(api, DEPLOYMENT, live)
    assert found.fields == ("spec.replicas", "spec.template.spec.containers[web].image")


def test_a_person_who_scales_what_an_hpa_scaled(api: FakeApi) -> None:
    """The last to change it owns it."""
    _, entry, _, lost, _ = DONE_BY_HAND["kubectl scale, replicas in the manifest"]
    live = changed(live_of(DEPLOYMENT, helm_4), entry, lambda _: None, lost)
    live["spec"]["replicas"] = 7
    assert drift(api, DEPLOYMENT, live).fields == ("spec.replicas",)


def test_what_a_controller_owns_too_is_not_taken_away(api: FakeApi) -> None:
    manifest, entry, change, _, _ = DONE_BY_HAND["kubectl annotate ingress"]
    live = changed(live_of(manifest, helm_4), entry, change)
    shared = {**entry, "manager": "cert-manager-ingress", "apiVersion": live["apiVersion"]}
    live["metadata"]["managedFields"].append(shared)
    assert drift(api, manifest, live) == Drift((), ())


def test_helm_is_known_by_its_mark_whatever_its_program_is_called(api: FakeApi) -> None:
    live = live_of(DEPLOYMENT, helm_4)
    live["metadata"]["managedFields"][0]["manager"] = "h4"
    live["spec"]["replicas"] = 7
    assert drift(api, DEPLOYMENT, live).fields == ("spec.replicas",)
    (query,) = (query for method, _, query, *_ in api.requests if method == "PATCH")
    assert query["fieldManager"] == "h4"


@pytest.mark.parametrize(
    "manager", ["kubectl", "kubectl.exe", "kubectl-1.37", "kubectl1.37", "oc", "k9s", "Mozilla"]
)
def test_a_persons_client_by_any_of_its_names(manager: str) -> None:
    manifest, entry, change, _, _ = DONE_BY_HAND["kubectl label deployment"]
    live = changed(live_of(manifest, helm_4), {**entry, "manager": manager}, change)
    assert [each.field for each in additions(manifest, live)] == ["labels.team"]


def test_through_another_version_only_metadata_is_known(api: FakeApi) -> None:
    manifest, entry, change, _, _ = DONE_BY_HAND["kubectl label deployment"]
    live = changed(live_of(manifest, helm_4), entry, change)
    other = by("kubectl-edit", fields(spec=fields(paused={}), metadata=fields(labels=fields(x={}))))
    live["metadata"]["managedFields"].append({**other, "apiVersion": "apps/v1beta1"})
    live["metadata"]["labels"]["x"] = "y"
    live["spec"]["paused"] = True
    assert drift(api, manifest, live).fields == ("labels.team", "labels.x")
