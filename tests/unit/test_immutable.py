"""Which objects of a failed release cannot be changed: the API server's answers are scripted."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fake_api import FakeApi, path_of

from localloop.config.model import Chart
from localloop.helm.live import LiveRelease, read_live
from localloop.helm.releases import Release
from localloop.kube.objects import ref_of
from localloop.release.immutable import Immutable, find_immutable, immutable_error, remove
from localloop.release.refused import Refused, find_refused

Object = dict[str, Any]


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as fake:
        yield fake


def obj(api_version: str, kind: str, name: str, value: str) -> Object:
    metadata = {"name": name, "namespace": "app", "uid": f"uid-{name}"}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": {"x": value}}


JOB = obj("batch/v1", "Job", "migrate", "old")
SET = obj("apps/v1", "StatefulSet", "db", "old")
WEB = obj("apps/v1", "Deployment", "web", "old")
SAME = obj("apps/v1", "Deployment", "same", "new")
NEW = obj("apps/v1", "Deployment", "not-there-yet", "new")


def refused(api: FakeApi, *objects: Object) -> list[Refused]:
    return find_refused(api.kube(), stored(api, *objects))


def stored(api: FakeApi, *objects: Object) -> LiveRelease:
    """A failed revision that wants ``new`` in each object."""
    wanted = [{**found, "spec": {"x": "new"}} for found in objects]
    for found in wanted:
        found["metadata"] = {"name": found["metadata"]["name"]}
    manifest = "".join(f"---\n{json.dumps(found)}\n" for found in wanted)
    inner = base64.b64encode(json.dumps({"manifest": manifest}).encode())
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "app"},
        "data": {"release": base64.b64encode(inner).decode()},
    }
    api.put(secret)
    return read_live(api.kube(), Release("web", "app", 2, "failed", secret="s"))


def refuse(api: FakeApi, found: Object, status: int, *fields: str) -> None:
    causes = [{"reason": "FieldValueInvalid", "field": field} for field in fields]
    answer = {"kind": "Status", "reason": "Invalid", "details": {"causes": causes}}
    api.answers["PATCH", path_of(found)] = [(status, {}, answer)]


def test_what_the_server_refuses_is_found_with_its_fields(api: FakeApi) -> None:
    api.put(JOB, SET, WEB, SAME)
    refuse(api, JOB, 422, "spec.template", "spec.template")
    refuse(api, SET, 422, "spec.volumeClaimTemplates", "spec.podManagementPolicy")
    refuse(api, WEB, 409)
    job, db = find_immutable(api.kube(), refused(api, JOB, SET, WEB, SAME, NEW))
    assert str(job) == "Job migrate: spec.template"
    assert (job.expendable, db.expendable) == (True, False)
    assert str(db) == "StatefulSet db: spec.volumeClaimTemplates, spec.podManagementPolicy"
    patches = [request for request in api.requests if request[0] == "PATCH"]
    # Neither of what is as it should be, nor of what is not there; of what is refused a second one.
    assert [request[1].rpartition("/")[2] for request in patches] == [
        *("migrate", "db", "web", "migrate-new", "db-new"),
    ]
    assert all(request[2].get("dryRun") == "All" for request in patches)


def test_what_is_invalid_in_a_new_object_too_is_not_deleted_for_it(api: FakeApi) -> None:
    api.put(JOB, SET)
    refuse(api, JOB, 422, "spec.template.spec.restartPolicy")
    refuse(api, SET, 422, "spec.replicas", "spec.serviceName")
    for found, field in ((JOB, "spec.template.spec.restartPolicy"), (SET, "spec.replicas")):
        name = f"{found['metadata']['name']}-new"
        refuse(api, {**found, "metadata": {**found["metadata"], "name": name}}, 422, field)
    (found,) = find_immutable(api.kube(), refused(api, JOB, SET))
    assert str(found) == "StatefulSet db: spec.serviceName"


def test_each_object_has_its_own_command() -> None:
    elsewhere = obj("apps/v1", "StatefulSet", "cache", "old")
    elsewhere["metadata"]["namespace"] = "other"
    role = obj("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "reads", "old")
    del role["metadata"]["namespace"]
    found = [
        Immutable(ref_of(SET), "u", ("spec.volumeClaimTemplates",)),
        Immutable(ref_of(elsewhere), "u", ("spec.serviceName", "spec.selector")),
        Immutable(ref_of(role), "u", ("roleRef",)),
        Immutable(ref_of(obj("v1", "Service", "front", "old")), "u", ("spec.clusterIP",)),
    ]
    error = immutable_error(cast("Chart", SimpleNamespace(name="web")), found)
    assert (error.reason, error.component) == ("field_immutable:web", "web")
    for each in found:
        assert str(each) in error.message
    _, _, commands = str(error.hint).rpartition(": ")
    assert commands.split(" && ") == [
        "kubectl delete -n app statefulset.apps db",
        "kubectl delete -n other statefulset.apps cache",
        "kubectl delete clusterrolebinding.rbac.authorization.k8s.io reads",
        "kubectl delete -n app service front",
    ]


def test_removed_until_it_is_gone(api: FakeApi) -> None:
    api.put(JOB)
    refuse(api, JOB, 422, "spec.template")
    (found,) = find_immutable(api.kube(), refused(api, JOB))
    remove(api.kube(), found)
    assert api.kube().read(ref_of(JOB)) is None
