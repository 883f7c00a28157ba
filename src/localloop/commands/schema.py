"""``localloop schema``: the JSON Schema of ``localloop.yml``."""

from __future__ import annotations

import json

from ..config.schema import SCHEMA
from . import Options


def run(_options: Options) -> int:
    print(json.dumps(SCHEMA, indent=2))
    return 0
