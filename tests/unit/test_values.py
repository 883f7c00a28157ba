"""Values that a release keeps."""

from __future__ import annotations

from typing import Any

import pytest

from localloop.config.model import Chart
from localloop.helm.values import keeping, new_secret, value_at, with_value


def chart(*, keep: tuple[str, ...] = (), generate: tuple[str, ...] = ()) -> Chart:
    return Chart(name="web", release="web", namespace="n", keep_values=keep, generate=generate)


def test_kept_once_the_release_has_it() -> None:
    values = {"host": {"ip": "unset", "port": 1}}
    kept = chart(keep=("host.ip",))
    assert keeping(values, kept, {}) == values
    assert keeping(values, kept, {"host": {"ip": "10.0.0.1", "port": 2}}) == {
        "host": {"ip": "10.0.0.1", "port": 1}
    }
    assert values == {"host": {"ip": "unset", "port": 1}}


@pytest.mark.parametrize("deployed", [False, 0, ""])
def test_what_is_false_is_kept_too(deployed: Any) -> None:
    assert keeping({"a": 1}, chart(keep=("a",)), {"a": deployed}) == {"a": deployed}


def test_generated_once() -> None:
    made = chart(generate=("auth.secret",))
    first = keeping({"auth": {"user": "me"}}, made, {})
    assert first["auth"]["user"] == "me"
    assert len(first["auth"]["secret"]) == 32
    assert keeping({"auth": {"user": "you"}}, made, first)["auth"] == {
        "user": "you",
        "secret": first["auth"]["secret"],
    }
    assert keeping({}, made, {}) != keeping({}, made, {})


def test_a_secret_is_letters_and_digits() -> None:
    assert new_secret().isalnum()
    assert new_secret() != new_secret()


def test_paths() -> None:
    assert value_at({"a": {"b": [1]}}, "a.b") == [1]
    assert value_at({"a": "text"}, "a.b") is None
    assert with_value({"a": "text", "c": 1}, "a.b", 2) == {"a": {"b": 2}, "c": 1}
