"""YAML of other tools: any bytes are read or refused, and what is read is plain data."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from localloop.config.yaml_tree import load_tree
from localloop.errors import UsageError

PIECES = st.sampled_from(
    ["a", "b: ", "- ", "&x ", "*x", "<<: ", "{", "}", "[", "]", ": ", ", ", "\n", "  ", "? ", "|\n",
     "!t ", "'", '"', "#", "---\n", "~", "1.10", "yes", "%", "\t"]
)  # fmt: skip


@given(
    st.binary(max_size=60) | st.lists(PIECES, max_size=20).map(lambda all_: "".join(all_).encode())
)
@settings(max_examples=1500, deadline=None)
def test_any_bytes_load_or_are_refused(data: bytes) -> None:
    with contextlib.suppress(UsageError):
        json.dumps(load_tree(data, "f").plain())


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=12,
    )
)
@settings(deadline=None)
def test_what_pyyaml_writes_is_read_as_it_was(data: Any) -> None:
    written = yaml.safe_dump(data, allow_unicode=True)
    assert load_tree(written.encode(), "f").plain() == data


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(
    "text", ["[" * 500 + "]" * 500, "- " * 4000, "[" * 4000, "a: &a [*a]", "a: &a {b: *a}"]
)
def test_what_has_no_end(text: str, fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not fast:
        monkeypatch.delattr(yaml, "CSafeLoader")
    with pytest.raises(UsageError, match=r"nested (deeper|too deeply)|maximum nesting depth"):
        load_tree(text.encode(), "f")


def test_a_merged_key_that_is_no_text() -> None:
    with pytest.raises(UsageError, match="a key must be a string"):
        load_tree(b"<<: {[a]: b}", "f")
