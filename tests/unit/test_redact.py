"""Secrets are masked by value, in the forms in which tools print them."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from localloop.system.redact import Redactor

SECRET = 'pa"ss/w?rd é'
FORMS = {
    "raw": SECRET,
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64 for URLs": base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
    "URL": quote(SECRET, safe=""),
    "JSON": json.dumps({"x": SECRET})[7:-2],
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_masked(form: str) -> None:
    assert Redactor([SECRET])(f"token={FORMS[form]};") == "token=***;"


def test_lines_of_a_file_and_values_within_values() -> None:
    redact = Redactor(["machine x\npassword abcdef\n", "abcdef", "abcdefgh"])
    assert redact("> password abcdef") == "> ***"
    assert redact("abcdefgh abcdef") == "*** ***"


def test_nothing_to_mask() -> None:
    text = "a b c"
    assert Redactor()(text) == text
    assert Redactor(["", "a", "b\nc"])(text) == text
