"""YAML: what is refused, and how plain scalars are read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localloop.config.loader import load
from localloop.errors import UsageError

REFUSED = [
    ("a: 1\nb: 2\na: 3\n", "3:1", "duplicate key 'a' (first on line 1)"),
    ("a: {x: 1, 'x': 2}\n", "1:11", "duplicate key 'x'"),
    ("a: &n 1\n", "1:4", "anchors"),
    ("a: *n\n", "1:4", "aliases"),
    ("a: !!str 1\n", "1:4", "tags are not allowed"),
    ("a: !!python/object/apply:os.system [id]\n", "1:4", "tags are not allowed"),
    ("a: !vault x\n", "1:4", "tags are not allowed"),
    ("? [a, b]\n: 1\n", "1:3", "a key must be a string"),
    ("1: a\n", "1:1", "a key must be a string: 1"),
    ("null: a\n", "1:1", "a key must be a string"),
    ("true: a\n", "1:1", "a key must be a string"),
    ("<<: {a: 1}\n", "1:1", "merge keys"),
    ("a: 1\n---\nb: 2\n", "2:1", "second YAML document"),
    ("a: [1\n", "2:1", "not valid YAML"),
    ("a: b: c\n", "1:5", "not valid YAML"),
    ("a:\n\t- b\n", "2:1", "not valid YAML"),
    ("[" * 65, "1:65", "deeper than 64"),
    ("ok: 1\na: \x07\n", "2:4", "not valid YAML"),
]


@pytest.mark.parametrize(("text", "position", "message"), REFUSED)
def test_refused(text: str, position: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(text.encode(), "f.yml")
    assert (caught.value.reason, caught.value.where) == ("config_invalid", f"f.yml:{position}")
    assert message in caught.value.message


def test_refuses_too_large_and_not_utf8() -> None:
    with pytest.raises(UsageError, match="larger than 1 MiB"):
        load(b"#" * ((1 << 20) + 1), "f.yml")
    with pytest.raises(UsageError) as caught:
        load(b"a: 1\nb: \xff\n", "f.yml")
    assert caught.value.where == "f.yml:2:4"


SCALARS = [
    ("true", True),
    ("False", False),
    ("null", None),
    ("~", None),
    ("", None),
    ("0", 0),
    ("-7", -7),
    ("1.5", 1.5),
    ("1.0", 1.0),
    ("'1'", "1"),
    ('"true"', "true"),
    *(
        (text, text)
        for text in (
            "yes", "no", "on", "off", "1234e56", "00215e6", "0o17", "0x1f", "017", "+1", "1_000",
            "1.10", "1e3", ".5", "1.", ".inf", ".nan", "-0", "2024-01-02", "12:30:45", "tRUE",
            "1234567890123456789", "9" * 5000, "x {{ lookup('pipe','id') }}",
            "$(touch p)", "a;touch p",
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), SCALARS, ids=lambda item: repr(item)[:24])
def test_plain_scalars(text: str, value: object) -> None:
    found = load(f"a: {text}\n".encode(), "f").plain()["a"]
    assert found == value
    assert type(found) is type(value)


# What YAML prints raw: it reads JSON's surrogate pairs and raw control characters differently.
WORDS = st.text(st.characters(categories=("L", "N", "P", "S"), include_characters=" "))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | WORDS,
        lambda below: st.lists(below) | st.dictionaries(WORDS, below),
        max_leaves=20,
    )
)
@settings(deadline=None)
def test_json_reads_as_itself(data: object) -> None:
    assert load(json.dumps({"a": data}, ensure_ascii=False).encode(), "f").plain() == {"a": data}


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
@settings(max_examples=300, deadline=None)
def test_any_bytes_load_or_are_refused(data: bytes) -> None:
    try:
        load(data, "f")
    except UsageError as exc:
        assert exc.where and exc.where.startswith("f")
