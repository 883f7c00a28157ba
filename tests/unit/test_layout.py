"""The layout of src/localloop: imports run down, never up, and never in a circle."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src/localloop"

# The rooms from the ground up, a storey a line: a room imports rooms of the storeys below it, and
# rooms of one storey import each other at most one way. This is the only place that has the order.
STOREYS = """
errors events
system kube registry config
readiness cluster inputs
helm fingerprint
session
record
observe
plan
build report
publish node_files transaction baseline
gate
release
steps
ansible
commands
__main__
"""
LEVEL = {
    room: number
    for number, storey in enumerate(STOREYS.strip().splitlines())
    for room in storey.split()
}


def modules(package: Path) -> dict[str, Path]:
    """Dotted name below the package → file; a package is named by its directory."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name:
            found[name] = path
    return found


def imports(name: str, path: Path, known: Mapping[str, Path]) -> Iterator[str]:
    """The package's modules that a module imports: also in functions, for types alone, by name."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]

    def absolute(base: str, level: int) -> str:
        if not level:
            return base
        above = package.split(".")[: len(package.split(".")) - level + 1]
        return ".".join(["localloop", *filter(None, above), *filter(None, [base])])

    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            wanted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = absolute(node.module or "", node.level)
            wanted = [f"{base}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and called(node) in ("import_module", "__import__"):
            text = literal(node.args[0])
            assert text, f"{name}: {ast.unparse(node)} can import anything"
            base = text.lstrip(".")
            wanted = [absolute(base.rstrip("."), len(text) - len(base))]
        else:
            continue
        for each in wanted:
            if each.partition(".")[0] != "localloop":
                continue
            target = each.partition(".")[2]
            while target and target not in known:
                target = target.rpartition(".")[0]
            if target and target != name:
                yield target


def called(node: ast.Call) -> str:
    return str(getattr(node.func, "id", getattr(node.func, "attr", "")))


def literal(node: ast.expr) -> str:
    """A text, or what is known of an f-string: its part before the first placeholder."""
    first = node.values[0] if isinstance(node, ast.JoinedStr) else node
    return str(first.value) if isinstance(first, ast.Constant) else ""


def arrows(package: Path) -> set[tuple[str, str]]:
    known = modules(package)
    return {(name, each) for name, path in known.items() for each in imports(name, path, known)}


def room(module: str) -> str:
    return module.partition(".")[0]


def between_rooms(found: set[tuple[str, str]]) -> set[tuple[str, str]]:
    return {(room(low), room(high)) for low, high in found if room(low) != room(high)}


def faults(found: set[tuple[str, str]]) -> list[str]:
    """Imports that run up, or both ways between two rooms of one storey."""
    between = between_rooms(found)
    wrong = []
    for module, target in sorted(found):
        pair = (room(module), room(target))
        if pair[0] == pair[1]:
            continue
        up = LEVEL[pair[1]] > LEVEL[pair[0]]
        both_ways = LEVEL[pair[0]] == LEVEL[pair[1]] and pair[::-1] in between
        if up or both_ways:
            wrong.append(f"{module} imports {target}")
    return wrong


def circles(found: set[tuple[str, str]]) -> list[list[str]]:
    """Circles of modules; each is found once, by a walk in depth."""
    edges: dict[str, list[str]] = {}
    for module, target in sorted(found):
        edges.setdefault(module, []).append(target)
    state: dict[str, int] = {}
    path: list[str] = []
    wrong: list[list[str]] = []

    def walk(module: str) -> None:
        state[module] = 1
        path.append(module)
        for target in edges.get(module, []):
            if state.get(target) == 1:
                wrong.append([*path[path.index(target) :], target])
            elif target not in state:
                walk(target)
        path.pop()
        state[module] = 2

    for module in sorted(edges):
        if module not in state:
            walk(module)
    return wrong


def test_every_room_has_its_storey() -> None:
    assert {room(name) for name in modules(PACKAGE)} == set(LEVEL)


def test_imports_run_down() -> None:
    assert faults(arrows(PACKAGE)) == []


def test_no_circles() -> None:
    assert circles(arrows(PACKAGE)) == []
    assert circles(between_rooms(arrows(PACKAGE))) == []


def test_the_face_of_a_room_imports_nothing() -> None:
    """Whatever imports a module imports its packages first, localloop's own included."""
    loud = [
        name
        for name, path in {**modules(PACKAGE), "": PACKAGE / "__init__.py"}.items()
        if path.name == "__init__.py" and any(imports(name, path, modules(PACKAGE)))
    ]
    assert loud == []


def test_one_room_imports_ansible() -> None:
    found = set()
    for name, path in modules(PACKAGE).items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            wanted = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                wanted = [node.module or ""]
            if any(re.match(r"ansible(_runner)?(\.|$)", each) for each in wanted):
                found.add(room(name))
    assert found == {"ansible"}


def test_every_room_says_what_it_is_for_in_one_line() -> None:
    for path in PACKAGE.glob("*/__init__.py"):
        text = ast.get_docstring(ast.parse(path.read_text("utf-8")))
        assert text is not None and "\n" not in text and text.endswith("."), path


def test_the_architecture_shows_the_rooms_in_this_order() -> None:
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    rows = page.partition("\n## The rooms\n")[2].partition("\n## ")[0]
    shown = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", rows, re.MULTILINE)
    assert shown == [each for each in LEVEL if each != "__main__"]
    for room, words in re.findall(r"^\| `(\w+)/` \| (.*) \|$", rows, re.MULTILINE):
        text = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text("utf-8")))
        assert words == (text or "").replace("``", "`"), room


def test_files_that_the_architecture_names_exist() -> None:
    named = re.findall(
        r"`([\w/.-]+\.(?:py|yml))`", (ROOT / "docs/architecture.md").read_text("utf-8")
    )
    named = [each for each in named if "NAME" not in each and each != "localloop.yml"]
    places = [ROOT, PACKAGE, ROOT / "playbooks"]
    assert named
    assert [each for each in named if not any((place / each).is_file() for place in places)] == []


@pytest.mark.parametrize(
    ("file", "line", "says"),
    [
        ("system/paths.py", "from ..session import Session", "system.paths imports session"),
        ("kube/client.py", "from ..config import model", "kube.client imports config.model"),
        (
            "record/model.py",
            "def late():\n    from ..plan.model import Plan",
            "record.model imports plan.model",
        ),
        (
            "readiness/result.py",
            "if TYPE_CHECKING:\n    from localloop.gate.run import run",
            "readiness.result imports gate.run",
        ),
        (
            "system/paths.py",
            "def late():\n    return import_module('localloop.gate.run')",
            "system.paths imports gate.run",
        ),
        (
            "helm/live.py",
            "import importlib\nimportlib.import_module('..plan.model', __package__)",
            "helm.live imports plan.model",
        ),
        (
            "observe/facts.py",
            "def late(name):\n    return import_module(f'..steps.{name}', __package__)",
            "observe.facts imports steps",
        ),
        ("events.py", "__import__('localloop.config.model')", "events imports config.model"),
    ],
)
def test_an_import_turned_round_is_found(tmp_path: Path, file: str, line: str, says: str) -> None:
    import shutil

    copy = tmp_path / "localloop"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    with (copy / file).open("a") as module:
        module.write(f"\n{line}\n")
    found = arrows(copy)
    if "config" in says:  # the other way round is allowed: only both are a fault
        (copy / "config/model.py").open("a").write("\nfrom ..kube.client import Kube\n")
        found = arrows(copy)
    assert says in faults(found)


def test_a_circle_inside_a_room_is_found() -> None:
    loop = [("a.x", "a.y"), ("a.y", "a.z"), ("a.z", "a.x"), ("a.z", "a.w")]
    assert circles(set(loop)) == [["a.x", "a.y", "a.z", "a.x"]]
    assert not circles(set(pairwise(["a.x", "a.y", "a.z"])))


def test_a_circle_of_rooms_is_found_whose_modules_are_in_none() -> None:
    found = {
        ("publish.a", "node_files.a"),
        ("node_files.b", "baseline.b"),
        ("baseline.c", "publish.c"),
    }
    assert faults(found) == circles(found) == []
    assert len(circles(between_rooms(found))) == 1


def test_an_import_of_any_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "late.py").write_text("import_module(name)")
    with pytest.raises(AssertionError, match="late: import_module"):
        arrows(tmp_path)
