"""The record: its JSON, its states, and its compare-and-swap through the real client."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import pytest
from fake_store import FakeStore
from hypothesis import given
from hypothesis import strategies as st

from localloop.errors import BusyError, LocalloopError, UsageError
from localloop.record.model import (
    ChartEntry,
    ChartState,
    ImageEntry,
    NodeFileEntry,
    Record,
    decode,
    encode,
)
from localloop.record.store import RecordStore
from localloop.registry.published import PublishedImage

SECRETS = "/api/v1/namespaces/localloop/secrets"
SECRET = f"{SECRETS}/hello"

text = st.text(max_size=8)
some = st.text(min_size=1, max_size=8)
image = st.builds(PublishedImage, text, some, st.dictionaries(text, some, max_size=2))
note = st.dictionaries(text, text | st.integers(), max_size=2)
notes = st.dictionaries(text, note, max_size=2)
stat = st.dictionaries(text, text | st.integers(), min_size=1, max_size=2)
states = st.builds(
    ChartState,
    transaction=some,
    fingerprint=some,
    images=st.dictionaries(text, image, max_size=2),
    base_revision=st.integers(0, 99),
    revision=st.integers(1, 99),
    manifest=some,
    secret=st.dictionaries(text, text, max_size=2),
    objects=notes,
    completed_jobs=st.lists(text, max_size=2).map(tuple),
)
entries = st.builds(
    ChartEntry,
    state=st.sampled_from(["settled", "settling"]),
    target=states,
    last_good=st.none() | states,
    history=st.lists(states, max_size=2).map(tuple),
)
files = st.builds(
    NodeFileEntry,
    transaction=text,
    fingerprint=text,
    sha256=some,
    put=st.booleans(),
    reconciled=st.booleans(),
    nodes=st.dictionaries(text, stat, min_size=1, max_size=2),
    pods=st.lists(text, max_size=2).map(tuple),
)
records = st.builds(
    Record,
    project=st.just("hello"),
    serial=st.integers(0),
    images=st.dictionaries(text, st.builds(ImageEntry, some, image), max_size=3),
    node_files=st.dictionaries(text, files, max_size=2),
    charts=st.dictionaries(text, entries, max_size=2),
    resource_version=st.just("17"),
)


def state(fingerprint: str, **changes: Any) -> ChartState:
    images = {"web": PublishedImage("r/web", "d")}
    found = ChartState(f"tx-{fingerprint}", fingerprint, images, revision=1, manifest="m")
    return replace(found, **changes)


# -- JSON -----------------------------------------------------------------------------------------


@given(records)
def test_round_trip(record: Record) -> None:
    assert decode(encode(record), project="hello", resource_version="17") == record


@given(records)
def test_equal_records_are_equal_bytes(record: Record) -> None:
    shuffled = replace(
        record,
        images=dict(reversed(record.images.items())),
        charts=dict(reversed(record.charts.items())),
    )
    assert encode(shuffled) == encode(record)


DIGEST, CONFIG = "sha256:" + "a" * 64, "sha256:" + "c" * 64
STATE_1 = {
    "transaction": "tx-1",
    "fingerprint": "f1",
    "images": {"web": {"repository": "r:5000/hello/web", "digest": DIGEST, "config": CONFIG}},
    "base_revision": 0,
    "revision": 1,
    "manifest": "m",
    "secret": {"uid": "u", "resource_version": "9"},
    "objects": {"v1/Service/app/web": {"uid": "s", "resource_version": "7"}},
    "completed_jobs": [],
    "settled": 1,
}
SCHEMA_1 = {
    "schema": 1,
    "project": "hello",
    "serial": 3,
    "key": "00" * 32,
    "images": {"web": {"fingerprint": "f2", "digest": DIGEST, "config": CONFIG}},
    "node_files": {
        "tool": {
            "transaction": "tx-1",
            "fingerprint": "f3",
            "sha256": "e" * 64,
            "put": True,
            "reconciled": True,
            "nodes": {"node": {"size": 4, "mode": 493, "mtime": "2026-01-01T00:00:00Z"}},
            "pods": [],
        }
    },
    "charts": {
        "hello": {"state": "settled", "target": STATE_1, "last_good": None, "history": [STATE_1]}
    },
}


def test_the_record_of_the_last_version_is_read() -> None:
    found = decode(json.dumps(SCHEMA_1).encode(), project="hello", resource_version="1")
    web = PublishedImage("r:5000/hello/web", DIGEST)
    chart = found.charts["hello"]
    assert (found.serial, chart.target.images, chart.history[0].images) == (3, *[{"web": web}] * 2)
    assert chart.target.images["web"].digests == {DIGEST, CONFIG}
    assert found.images["web"].fingerprint == "f2"
    assert found.images["web"].image.digests == {DIGEST, CONFIG}
    written = encode(found)
    assert json.loads(written)["schema"] == 2
    assert decode(written, project="hello", resource_version="1") == found


@given(records)
def test_configurations_are_kept(record: Record) -> None:
    """Images are equal by their digest: whether the rest was kept is asked apart."""
    found = decode(encode(record), project="hello", resource_version="17")
    assert {name: entry.image.configs for name, entry in found.images.items()} == {
        name: entry.image.configs for name, entry in record.images.items()
    }


FILE = NodeFileEntry("tx", "fp", "e" * 64, put=True, nodes={"node": {"size": 1}})
PROVEN = Record(
    "hello",
    images={"web": ImageEntry("fp", PublishedImage("r/web", "d"))},
    node_files={"tool": FILE},
    charts={"page": ChartEntry("settled", state("a"), None, (state("a"),))},
)


def with_image(fingerprint: str, image: PublishedImage) -> Record:
    return replace(PROVEN, images={"web": ImageEntry(fingerprint, image)})


def with_chart(**changes: Any) -> Record:
    entry = replace(PROVEN.charts["page"], **changes)
    return replace(PROVEN, charts={"page": entry})


@pytest.mark.parametrize(
    ("record", "component", "lacking"),
    [
        (
            replace(PROVEN, images={"web": ImageEntry("", PublishedImage("r", "d"))}),
            "web",
            "finger",
        ),
        (
            replace(PROVEN, images={"web": ImageEntry("f", PublishedImage("r", ""))}),
            "web",
            "digest",
        ),
        (PROVEN.with_file("tool", replace(FILE, sha256="")), "tool", "sha256"),
        (PROVEN.with_file("tool", replace(FILE, sha256="", put=False)), "tool", "sha256"),
        (PROVEN.with_file("tool", replace(FILE, nodes={})), "tool", "node's stat"),
        (PROVEN.with_file("tool", replace(FILE, nodes={"n": {}})), "tool", "stat of n"),
        (with_chart(target=state("a", manifest="")), "page", "manifest"),
        (with_chart(target=state("a", revision=0)), "page", "revision"),
        (with_chart(state="settling", target=state("")), "page", "fingerprint"),
        (with_chart(last_good=state("a", manifest="")), "page", "manifest"),
        (with_chart(history=(state("a", revision=0),)), "page", "revision"),
        (with_chart(target=state("a", images={"web": PublishedImage("r", "")})), "page", "of web"),
    ],
)
def test_an_entry_without_its_proof_is_never_written(
    record: Record, component: str, lacking: str
) -> None:
    encode(PROVEN)
    with pytest.raises(LocalloopError, match=f"would have no .*{lacking}") as caught:
        encode(record)
    assert (caught.value.reason, caught.value.component) == ("record_without_proof", component)


@pytest.mark.parametrize(
    "record",
    [
        # Right before the change of it: what comes of it is not known yet.
        PROVEN.with_file("tool", replace(FILE, put=False, nodes={})),
        with_chart(state="settling", target=state("a", revision=0, manifest="")),
        # The inputs moved while it was built.
        PROVEN.with_file("tool", replace(FILE, fingerprint="")),
    ],
)
def test_what_is_only_begun_needs_no_proof_yet(record: Record) -> None:
    assert decode(encode(record), project="hello", resource_version="") == record


def test_a_file_that_was_recorded_without_its_sha256_is_put_again() -> None:
    """As an earlier localloop did after it had replaced the cluster."""
    data = json.loads(encode(PROVEN))
    data["node_files"]["tool"]["sha256"] = ""
    found = decode(json.dumps(data).encode(), project="hello", resource_version="1")
    assert found.node_files == {}
    encode(found)


def test_a_file_whose_nodes_are_gone_is_put_again() -> None:
    kept = PROVEN.on_nodes(set(FILE.nodes))
    assert kept == PROVEN
    gone = PROVEN.on_nodes({"another"})
    assert gone.node_files == {"tool": replace(FILE, nodes={}, put=False)}
    encode(gone)


def test_resource_version_is_not_stored() -> None:
    assert "resource_version" not in json.loads(encode(Record("hello", resource_version="17")))


@pytest.mark.parametrize("schema", [0, 3, "1", None])
def test_another_schema_is_refused(schema: object) -> None:
    content = json.dumps({**json.loads(encode(Record("hello"))), "schema": schema}).encode()
    with pytest.raises(UsageError, match=f"has schema {schema}, this localloop knows 2") as caught:
        decode(content, project="hello", resource_version="1")
    assert caught.value.reason == "record_schema"
    assert caught.value.where == "Secret localloop/hello"


def test_another_projects_record_is_refused() -> None:
    with pytest.raises(UsageError, match="belongs to project other") as caught:
        decode(encode(Record("other")), project="hello", resource_version="1")
    assert caught.value.reason == "record_of_another_project"


WHOLE = encode(Record("hello", charts={"web": ChartEntry("settled", state("a"))}))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b'"schema"',
        b"{}",
        b'{"schema": 1}',
        b'{"schema": 1, "project": "hello"}',
        b"\xff\xfe",
        WHOLE[: len(WHOLE) // 2],
        WHOLE.replace(b'"fingerprint": "a"', b'"finger": "a"'),
        WHOLE.replace(b'"images": {}', b'"images": []'),
        WHOLE.replace(b'"images": {}', b'"images": {"web": 1}'),
        WHOLE.replace(b'"last_good": null', b'"last_good": 7'),
        WHOLE.replace(b'"serial": 0', b'"serial": "many"'),
        b"[" * 100_000,
    ],
)
def test_damaged_record_is_refused_with_the_way_out(content: bytes) -> None:
    assert content != WHOLE
    with pytest.raises(UsageError) as caught:
        decode(content, project="hello", resource_version="1")
    assert caught.value.reason == "record_unreadable"
    assert "kubectl -n localloop delete secret hello" in str(caught.value)


# -- states ---------------------------------------------------------------------------------------


def test_settle_and_unsettle_keep_the_last_good_state() -> None:
    a, b, c = state("a"), state("b"), state("c")
    record = Record("hello").unsettle("web", a)
    assert record.charts["web"] == ChartEntry("settling", a, None)
    record = record.settle("web", a)
    a = replace(a, settled=1)
    assert record.charts["web"] == ChartEntry("settled", a, None, (a,))
    record = record.unsettle("web", b)
    assert record.charts["web"] == ChartEntry("settling", b, a, (a,))
    # A second try after a failed one: what was good is still a.
    record = record.unsettle("web", c)
    assert record.charts["web"] == ChartEntry("settling", c, a, (a,))
    noted = replace(c, revision=4)
    record = record.note("web", noted)
    assert record.charts["web"] == ChartEntry("settling", noted, a, (a,))
    noted = replace(noted, settled=8)
    record = replace(record, serial=7).settle("web", noted)
    assert record.charts["web"] == ChartEntry("settled", noted, None, (noted, a))


def test_history_is_bounded_newest_first_and_without_objects() -> None:
    record = Record("hello")
    for number in range(1, 14):
        made = state(str(number), revision=number, objects={"o": {}}, secret={"uid": "u"})
        record = replace(record, serial=number).settle("web", made)
    past = record.charts["web"].history
    assert [found.revision for found in past] == list(range(13, 3, -1))
    assert [found.settled for found in past] == list(range(14, 4, -1))
    assert not any(found.objects or found.secret for found in past)
    # Settled again as it is (other generations of its objects): the same entry.
    again = replace(record, serial=40).settle("web", record.charts["web"].target)
    assert again.charts["web"].history == past
    assert decode(encode(again), project="hello", resource_version="").charts == again.charts


def test_record_without_a_history_is_read() -> None:
    plain = json.loads(encode(Record("hello").settle("web", state("a"))))
    del plain["charts"]["web"]["history"]
    del plain["charts"]["web"]["target"]["settled"]
    found = decode(json.dumps(plain).encode(), project="hello", resource_version="1")
    assert found.charts["web"].history == ()


@given(records, st.sampled_from(["settle", "unsettle"]), states)
def test_a_change_moves_nothing_else(record: Record, how: str, target: ChartState) -> None:
    changed = getattr(record, how)("the chart", target)
    assert replace(changed.charts.pop("the chart").target, settled=target.settled) == target
    assert changed == record


# -- in the cluster -------------------------------------------------------------------------------


@pytest.fixture
def api() -> Iterator[FakeStore]:
    with FakeStore() as fake:
        yield fake


def test_no_record_is_an_empty_one(api: FakeStore) -> None:
    store = RecordStore(api.kube(), "hello")
    first = store.load()
    assert first.missing
    assert (first.project, first.serial, first.images, first.charts) == ("hello", 0, {}, {})


def test_first_save_makes_the_namespace(api: FakeStore) -> None:
    store = RecordStore(api.kube(), "hello")
    saved = store.save(store.load())
    assert api.requests == [
        ("GET", SECRET),
        ("POST", SECRETS),
        ("POST", "/api/v1/namespaces"),
        ("POST", SECRETS),
    ]
    assert saved.serial == 1
    assert not saved.missing
    assert store.load() == saved
    secret = api.objects[SECRET]
    assert secret["type"] == "localloop/record"
    assert secret["metadata"]["labels"] == {"localloop-project": "hello"}
    assert base64.b64decode(secret["data"]["record"]) == encode(saved)


def test_first_save_into_an_existing_namespace(api: FakeStore) -> None:
    api.namespace("localloop")
    store = RecordStore(api.kube(), "hello")
    store.save(Record("hello"))
    assert api.requests == [("POST", SECRETS)]


def test_saves_count_up(api: FakeStore) -> None:
    store = RecordStore(api.kube(), "hello")
    record = store.save(store.load())
    for serial in (2, 3, 4):
        record = store.save(record.settle("web", state(str(serial))))
        assert record.serial == serial
    assert store.load() == record


def test_the_slower_of_two_runs_is_refused(api: FakeStore) -> None:
    mine, theirs = (RecordStore(api.kube(), "hello") for _ in range(2))
    mine.save(mine.load())
    seen, also_seen = mine.load(), theirs.load()
    won = theirs.save(also_seen.unsettle("web", state("theirs")))
    with pytest.raises(BusyError) as caught:
        mine.save(seen.unsettle("web", state("mine")))
    assert (caught.value.reason, caught.value.exit_code) == ("record_moved", 75)
    assert theirs.load() == won


def test_two_first_saves(api: FakeStore) -> None:
    mine, theirs = (RecordStore(api.kube(), "hello") for _ in range(2))
    seen, also_seen = mine.load(), theirs.load()
    won = theirs.save(also_seen)
    with pytest.raises(BusyError):
        mine.save(seen)
    assert mine.load() == won


def test_record_removed_meanwhile(api: FakeStore) -> None:
    store = RecordStore(api.kube(), "hello")
    record = store.save(store.load())
    store.delete()
    store.delete()
    with pytest.raises(BusyError):
        store.save(record)
    assert store.load().missing


def test_namespace_that_may_not_be_made(api: FakeStore) -> None:
    api.refuse_namespaces = True
    with pytest.raises(LocalloopError, match="cannot create namespace localloop") as caught:
        RecordStore(api.kube(), "hello").save(Record("hello"))
    assert caught.value.reason == "record_unwritable"


@pytest.mark.parametrize("data", [None, {}, {"record": "%%%"}, {"record": "YWJj"}])
def test_secret_that_holds_no_record(api: FakeStore, data: Any) -> None:
    api.put(SECRET, {"kind": "Secret", "metadata": {"name": "hello"}, "data": data})
    with pytest.raises(UsageError) as caught:
        RecordStore(api.kube(), "hello").load()
    assert caught.value.reason == "record_unreadable"


def test_every_field_is_known_to_these_tests() -> None:
    assert {field.name for field in fields(Record)} == {
        "project",
        "serial",
        "images",
        "node_files",
        "charts",
        "resource_version",
    }
