"""docs/architecture.md names every module."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_module_has_its_room() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    rooms = text.partition("\n## The rooms\n")[2].partition("\n## ")[0]
    where = [line.split("|")[1] for line in rooms.splitlines() if line.startswith("|")]
    named = re.findall(r"`([\w*]+\.py|\w+/)`", "".join(where))
    package = ROOT / "src/localloop"
    modules = {path.name for path in package.glob("*.py")} - {"__init__.py", "__main__.py"}
    rooms_of_many = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    found = modules | rooms_of_many
    assert [name for name in sorted(found) if not any(fnmatch(name, each) for each in named)] == []
    assert [each for each in named if not any(fnmatch(name, each) for name in found)] == []
