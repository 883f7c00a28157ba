"""The client against a real HTTP server on loopback (see fake_api)."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_api import FakeApi

from localloop.kube.client import ApiError, ApiUnreachable, Kube
from localloop.kube.kubeconfig import KubeConfig
from localloop.kube.objects import ObjectRef, Snapshot, ref_of
from localloop.kube.selectors import matches

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "app"}}
REF = ObjectRef("v1", "Pod", "app", "p")
PATH = "/api/v1/namespaces/app/pods/p"


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as fake:
        yield fake


def _status(code: int, reason: str, **extra: Any) -> dict[str, Any]:
    return {"kind": "Status", "code": code, "reason": reason, "message": "why", **extra}


def test_a_connection_is_reused(api: FakeApi) -> None:
    api.put(POD)
    kube = api.kube()
    for _ in range(3):
        assert (kube.get(PATH) or {})["metadata"]["name"] == "p"
    assert len(api.connections) == 1
    assert len(api.requests) == 3


def test_each_thread_has_its_own_connection(api: FakeApi) -> None:
    kube = api.kube()
    kube.ready()
    thread = threading.Thread(target=kube.ready)
    thread.start()
    thread.join()
    assert len(api.connections) == 2


def test_not_found_is_none(api: FakeApi) -> None:
    assert api.kube().get(PATH) is None
    assert api.kube().read(REF) is None


def test_the_server_date_is_noted(api: FakeApi) -> None:
    api.now = lambda: 1_700_000_000.0
    kube = api.kube()
    kube.ready()
    assert kube.server_date == 1_700_000_000.0


def test_token_and_agent(api: FakeApi) -> None:
    host, port = api.server.server_address[:2]
    kube = Kube(KubeConfig("x", f"http://{host!s}:{port}/prefix/", token="t"))
    with pytest.raises(ApiError):
        kube.request("GET", "/a")
    _, path, _, headers, _ = api.requests[0]
    assert path == "/prefix/a"
    assert headers["authorization"] == "Bearer t"


def test_conflict(api: FakeApi) -> None:
    api.answers[("PUT", PATH)] = [(409, {}, _status(409, "Conflict"))]
    with pytest.raises(ApiError) as caught:
        api.kube().replace(POD)
    error = caught.value
    assert (error.status, error.kube_reason, error.reason, error.message) == (
        409,
        "Conflict",
        "api_conflict",
        "why",
    )


def test_an_error_that_is_not_a_status_object(api: FakeApi) -> None:
    api.answers[("GET", PATH)] = [(502, {}, "<html>bad gateway")]
    with pytest.raises(ApiError) as caught:
        api.kube().without_retries().get(PATH)
    assert (caught.value.status, caught.value.reason) == (502, "api_http_502")


def test_too_many_requests_is_retried_after_the_requested_pause(api: FakeApi) -> None:
    api.put(POD)
    api.answers[("GET", PATH)] = [(429, {"Retry-After": "2"}, _status(429, "TooManyRequests"))] * 2
    kube = api.kube()
    pauses: list[float] = []
    kube.sleep = pauses.append
    assert kube.get(PATH)
    assert [int(pause) for pause in pauses] == [2, 2]


def test_too_many_requests_beyond_the_timeout(api: FakeApi) -> None:
    api.answers[("GET", PATH)] = [(429, {"Retry-After": "60"}, _status(429, "TooManyRequests"))]
    with pytest.raises(ApiError) as caught:
        api.kube().get(PATH)
    assert (caught.value.status, caught.value.retry_after) == (429, 60.0)


def failing(api: FakeApi, method: str, status: int, times: int, **headers: str) -> Any:
    """A client whose first calls fail with this status, and the list of its pauses."""
    api.put(POD)
    api.answers[(method, PATH)] = [(status, headers, _status(status, "ServiceUnavailable"))] * times
    kube = api.kube()
    pauses: list[float] = []
    kube.sleep = pauses.append
    return kube, pauses


def calls(api: FakeApi, method: str) -> int:
    return len(api.methods(f"{method} {PATH}"))


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_a_server_that_fails_for_a_moment_is_asked_again(
    api: FakeApi, method: str, status: int
) -> None:
    kube, pauses = failing(api, method, status, 3)
    assert kube.request(method, PATH, body=None if method == "GET" else {}).status == 200
    assert all(0 <= pause - base < 0.2 for pause, base in zip(pauses, (0.5, 1, 2), strict=True))


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_server_that_goes_on_failing_is_given_up(api: FakeApi, method: str) -> None:
    kube, pauses = failing(api, method, 503, 9)
    with pytest.raises(ApiError) as caught:
        kube.request(method, PATH, body=None if method == "GET" else POD)
    assert (caught.value.status, len(pauses), calls(api, method)) == (503, 3, 4)


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_change_that_may_have_been_made_is_not_sent_again(
    api: FakeApi, method: str, status: int
) -> None:
    kube, pauses = failing(api, method, status, 1)
    with pytest.raises(ApiError):
        kube.request(method, PATH, body=POD)
    assert (pauses, calls(api, method)) == ([], 1)


@pytest.mark.parametrize("status", [400, 404, 409, 410, 422, 501, 505])
def test_what_will_not_pass_is_told_at_once(api: FakeApi, status: int) -> None:
    kube, pauses = failing(api, "PATCH", status, 1)
    with pytest.raises(ApiError):
        kube.request("PATCH", PATH, body={})
    assert (pauses, calls(api, "PATCH")) == ([], 1)


def test_a_pause_that_the_server_asks_for_counts_if_there_is_time(api: FakeApi) -> None:
    kube, pauses = failing(api, "GET", 503, 1, **{"Retry-After": "3"})
    assert kube.get(PATH)
    assert [int(pause) for pause in pauses] == [3]
    kube, pauses = failing(api, "GET", 503, 1, **{"Retry-After": "60"})
    with pytest.raises(ApiError):
        kube.get(PATH)
    assert pauses == []


def test_who_tries_again_in_its_own_way_gets_each_error(api: FakeApi) -> None:
    kube, pauses = failing(api, "GET", 503, 1)
    with pytest.raises(ApiError):
        kube.without_retries().get(PATH)
    assert kube.retries
    api.answers[("GET", "/readyz")] = [(500, {}, "not yet")]
    assert not kube.ready()
    assert pauses == []


def test_a_reused_connection_that_is_lost_is_retried_once_for_get(api: FakeApi) -> None:
    api.put(POD)
    kube = api.kube()
    kube.get(PATH)
    api.answers[("GET", PATH)] = [(0, {}, None)]
    assert kube.get(PATH)
    api.answers[("GET", PATH)] = [(0, {}, None), (0, {}, None)]
    with pytest.raises(ApiUnreachable):
        kube.get(PATH)


def test_a_lost_connection_is_not_retried_for_changes(api: FakeApi) -> None:
    kube = api.kube()
    kube.ready()
    api.answers[("PUT", PATH)] = [(0, {}, None)]
    with pytest.raises(ApiUnreachable):
        kube.replace(POD)
    assert api.methods("PUT") == [f"PUT {PATH}"]


def test_a_connection_closed_while_idle_is_replaced_before_a_change(api: FakeApi) -> None:
    kube = api.kube()
    api.answers[("GET", "/readyz")] = [(200, {"Keep-Alive": "0"}, "ok")]
    kube.ready()
    sock = kube.transport.connection(1, kube.credentials.current())[0].sock
    sock.shutdown(socket.SHUT_RD)  # what a FIN from the server looks like
    assert kube.replace(POD)
    assert len(api.connections) == 2


def test_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(ApiUnreachable) as caught:
            Kube(KubeConfig("x", f"http://127.0.0.1:{port}")).ready()
    assert caught.value.reason == "apiserver_unreachable"
    assert caught.value.hint


def test_a_silent_server_times_out() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        kube = Kube(KubeConfig("x", f"http://127.0.0.1:{silent.getsockname()[1]}"), timeout=0.15)
        started = time.monotonic()
        with pytest.raises(ApiUnreachable):
            kube.ready()
        assert time.monotonic() - started < 1


def test_list_fills_in_type(api: FakeApi) -> None:
    api.put({**POD, "metadata": {**POD["metadata"], "labels": {"a": "b"}}})
    items, version = api.kube().list("v1", "Pod", "app", label_selector="a=b")
    assert [str(ref_of(item)) for item in items] == ["v1/Pod/app/p"]
    assert version == "101"
    assert api.requests[0][2] == {"labelSelector": "a=b"}


def test_list_of_metadata(api: FakeApi) -> None:
    api.put({**POD, "spec": {"secret": 1}})
    items, _ = api.kube().list("v1", "Pod", "app", metadata_only=True)
    assert (items[0]["kind"], "spec" in items[0]) == ("Pod", False)
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    assert api.requests[0][3]["accept"] == accept


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (("v1", "Pod", "app"), "/api/v1/namespaces/app/pods"),
        (("v1", "Pod", None), "/api/v1/pods"),
        (("v1", "Namespace", "", "app"), "/api/v1/namespaces/app"),
        (("apps/v1", "Deployment", "app", "web"), "/apis/apps/v1/namespaces/app/deployments/web"),
        (
            ("rbac.authorization.k8s.io/v1", "ClusterRole", "ignored", "system:a/b"),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Aa%2Fb",
        ),
    ],
)
def test_path_for(arguments: tuple[Any, ...], path: str) -> None:
    assert Kube(KubeConfig("x", "http://127.0.0.1:1")).path_for(*arguments) == path


def test_discovery_is_cached(api: FakeApi) -> None:
    resources = [
        {"name": "mice", "kind": "Mouse", "namespaced": True},
        {"name": "mice/status", "kind": "Mouse", "namespaced": True},
    ]
    api.answers[("GET", "/apis/a.b/v1")] = [(200, {}, {"resources": resources})]
    kube = api.kube()
    for _ in range(2):
        assert kube.path_for("a.b/v1", "Mouse", "x", "m") == "/apis/a.b/v1/namespaces/x/mice/m"
    assert len(api.requests) == 1
    with pytest.raises(ApiError) as caught:
        kube.path_for("a.b/v1", "Cat", "x")
    assert caught.value.reason == "api_kind_unknown"


def test_changes(api: FakeApi) -> None:
    kube = api.kube()
    kube.create(POD)
    kube.patch(REF, {"a": 1}, strategy="apply", force=True)
    assert kube.delete(REF, uid="u", resource_version="7", grace_period=0) is True
    assert kube.delete(REF) is False
    create, patch, delete, _ = api.requests
    assert create[:2] == ("POST", "/api/v1/namespaces/app/pods")
    assert patch[2] == {"fieldManager": "localloop", "force": "true"}
    assert patch[3]["content-type"] == "application/apply-patch+yaml"
    options = json.loads(delete[4])
    assert options["preconditions"] == {"uid": "u", "resourceVersion": "7"}
    assert options["gracePeriodSeconds"] == 0


def test_watch_streams_events_as_they_happen(api: FakeApi) -> None:
    kube = api.kube()
    _, version = kube.list("v1", "Pod", "app")
    stream = kube.watch("v1", "Pod", "app", version, timeout=5)
    api.put(POD)
    kind, obj = next(stream)
    assert (kind, str(ref_of(obj))) == ("ADDED", "v1/Pod/app/p")
    api.put({**POD, "metadata": {**POD["metadata"], "labels": {"x": "y" * 100_000}}})
    assert next(stream)[1]["metadata"]["labels"]["x"] == "y" * 100_000
    api.drop_watches()
    assert list(stream) == []


def test_watch_is_closed_from_another_thread(api: FakeApi) -> None:
    stream = api.kube().watch("v1", "Pod", "app", "1", timeout=30)
    threading.Timer(0.05, stream.close).start()
    started = time.monotonic()
    assert list(stream) == []
    assert time.monotonic() - started < 2


def test_watch_expired_in_the_stream_and_before_it(api: FakeApi) -> None:
    path = "/api/v1/namespaces/app/pods"
    event = json.dumps({"type": "ERROR", "object": _status(410, "Expired")}) + "\n"
    api.answers[("GET", path)] = [(200, {}, event), (410, {}, _status(410, "Expired"))]
    kube = api.kube()
    with pytest.raises(ApiError) as caught:
        list(kube.watch("v1", "Pod", "app", "1", timeout=5))
    assert caught.value.expired
    with pytest.raises(ApiError) as caught:
        kube.watch("v1", "Pod", "app", "1", timeout=5)
    assert caught.value.expired


@pytest.mark.parametrize("text", ["v1/Pod/app/p", "apps/v1/Deployment/app/web", "v1/Node//n"])
def test_object_ref_round_trip(text: str) -> None:
    assert str(ObjectRef.parse(text)) == text


@pytest.mark.parametrize("text", ["", "v1/Pod/p", "a/b/c/d/e/f", "v1/Pod/app/"])
def test_object_ref_refuses(text: str) -> None:
    with pytest.raises(ValueError, match="not an object reference"):
        ObjectRef.parse(text)


def test_snapshot_ignores_the_version_of_a_kind() -> None:
    cron = {**POD, "apiVersion": "batch/v1beta1", "kind": "CronJob"}
    assert Snapshot((cron,)).get(ObjectRef("batch/v1", "CronJob", "app", "p")) is cron


@pytest.mark.parametrize(
    ("selector", "held"),
    [
        ("", True),
        ("app=web", True),
        ("app==web,tier", True),
        ("app!=web", False),
        ("missing!=x", True),
        ("!tier", False),
        ("!missing", True),
        ("app in (web, db),tier notin (back)", True),
        ("tier in (back)", False),
    ],
)
def test_selectors(selector: str, held: bool) -> None:
    assert matches(selector, {"app": "web", "tier": "front"}) is held


def test_a_bad_selector() -> None:
    with pytest.raises(ValueError, match="not a label selector"):
        matches("a b", {})


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in the same file."""
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificate, and is not installed: apt-get install openssl")
    path = tmp_path / "both.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    names = ["-subj", "/CN=fake", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "crt.pem")]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    path.write_text((tmp_path / "crt.pem").read_text() + (tmp_path / "key.pem").read_text())
    return path


def _tls(api: FakeApi, certificate: Path) -> int:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.load_verify_locations(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    api.server.socket = context.wrap_socket(api.server.socket, server_side=True)
    return int(api.server.server_address[1])


def test_tls_with_a_client_certificate(certificate: Path) -> None:
    api = FakeApi()
    port = _tls(api, certificate)
    pem = certificate.read_bytes()
    with api:
        api.put(POD)
        url = f"https://127.0.0.1:{port}"
        config = KubeConfig("x", url, ca_data=pem, client_cert=pem, client_key=pem)
        kube = Kube(config, timeout=5)
        for _ in range(3):
            assert kube.get(PATH)
            time.sleep(0.01)  # session tickets arrive, which do not mean that the server closed
        assert len(api.connections) == 1
        stream = kube.watch("v1", "Pod", "app", "1", timeout=30)
        assert next(stream)[0] == "ADDED"
        threading.Timer(0.05, stream.close).start()
        assert list(stream) == []
        with pytest.raises(ApiUnreachable, match="Hostname mismatch"):
            Kube(KubeConfig("x", url.replace("127.0.0.1", "localhost"), ca_data=pem)).ready()
