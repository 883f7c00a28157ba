"""Masks secrets in the output of tools: by value, in the encodings that output may contain."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

SHORTEST = 4
MASK = "***"


class Redactor:
    """Replaces values in texts with ``MASK``.

    Values shorter than ``SHORTEST`` characters are left alone: masking them would make the text
    unreadable and give them away.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        forms = {form for value in values for form in _forms(value)}
        self._forms = sorted((form for form in forms if len(form) >= SHORTEST), key=len)[::-1]

    def __call__(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, MASK)
        return text


def _forms(value: str) -> set[str]:
    """The value and its lines (output arrives line by line), plain and in the usual encodings."""
    found = set()
    for text in {value, value.strip(), *(line.strip() for line in value.splitlines())}:
        data = text.encode()
        found |= {text, quote(text, safe=""), quote_plus(text), json.dumps(text)[1:-1]}
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found |= {encode(data).decode(), encode(data).decode().rstrip("=")}
    return found
