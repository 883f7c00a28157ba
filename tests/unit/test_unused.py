"""Which images a prune takes: never a new one, one that is named, or one with a foreign tag."""

from __future__ import annotations

import json

import pytest

from localloop.publish.unused import References, TaggedImage, to_remove
from localloop.registry.published import PublishedImage


def image(number: int, *tags: str, pushed: str = "", created: str = "") -> TaggedImage:
    own = (
        f"d-{number:020x}",
        f"0.0.0-d-{number:020x}",
        *([f"tx-{pushed}-abcdef"] if pushed else []),
        *tags,
    )
    configs = {"linux/amd64": f"sha256:{number + 100:064x}"}
    return TaggedImage(PublishedImage("r", f"sha256:{number:064x}", configs), own, created)


OLD = image(1, pushed="20250101-000000", created="2024-01-01T00:00:00Z")
MIDDLE = image(2, pushed="20250102-000000", created="2024-01-02T00:00:00Z")
NEW = image(3, pushed="20250103-000000", created="2024-01-03T00:00:00Z")
ALL = [MIDDLE, NEW, OLD]


@pytest.mark.parametrize(
    ("keep", "gone"), [(0, [OLD, MIDDLE, NEW]), (1, [OLD, MIDDLE]), (2, [OLD]), (3, []), (9, [])]
)
def test_newest_stay(keep: int, gone: list[TaggedImage]) -> None:
    assert to_remove(ALL, References([]), keep=keep) == gone


@pytest.mark.parametrize(
    "text",
    [
        f"127.0.0.1:5001/p/web@{OLD.image.digest}",
        json.dumps({"imageID": f"docker-pullable://x@{OLD.image.digest}"}),
        json.dumps({"imageID": OLD.image.configs["linux/amd64"]}),
        json.dumps({"image": f"p/web:{OLD.tags[0]}"}),
        json.dumps({"image": f"p/web:{OLD.tags[1]}"}),
        json.dumps({"image": f"p/web:{OLD.tags[2]}"}),
    ],
    ids=["reference", "imageID", "configuration", "d-tag", "semver", "transaction"],
)
def test_named_ones_stay(text: str) -> None:
    assert to_remove(ALL, References(["", text]), keep=1) == [MIDDLE]


def test_a_recorded_fingerprint_names_its_tag() -> None:
    fingerprint = "ab" * 32
    file = image(4, f"fp-{fingerprint[:16]}", pushed="20240101-000000")
    record = json.dumps({"node_files": {"tool": {"fingerprint": fingerprint}}})
    assert to_remove([*ALL, file], References([record]), keep=3) == []
    assert to_remove([*ALL, file], References([]), keep=3) == [file]


@pytest.mark.parametrize("tag", ["v1", "latest", "ci-77", "fp-x"])
def test_a_foreign_tag_keeps_its_image(tag: str) -> None:
    foreign = image(5, tag, pushed="20240101-000000")
    assert to_remove([foreign, *ALL], References([]), keep=0) == [OLD, MIDDLE, NEW]


def test_pushed_again_is_new_and_without_a_push_its_build_counts() -> None:
    again = image(6, "tx-20250101-000001-abcdef", pushed="20250104-000000")
    built = image(7, created="2025-01-02T12:00:00.5Z")
    ages = [found.age for found in (OLD, MIDDLE, built, NEW, again)]
    assert ages == sorted(ages)
    assert to_remove([image(8), again, built], References([]), keep=2) == [image(8)]
