"""The reason names in the sources: every literal that can become the ``reason`` of something.

They are read from the syntax, so a name counts whether or not a test reaches it. An expression that
cannot be read is reported, never passed over.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "src" / "localloop"
# These explain names; the names found elsewhere are compared with them.
TABLES = ("readiness/reasons.py", "readiness/causes.py")
# A tuple type whose first item is a reason, and what variables of that type are called.
PAIR, PAIR_NAME = "Problem", "problem"


@dataclass(frozen=True)
class Found:
    """A name and where it stands.

    ``kind`` says what carries it: an error (its exit code), a ``plan``'s step, a component that is
    skipped (``skip``), or the ``state`` of an object, a cluster or a registry.
    """

    name: str
    kind: int | str
    where: str

    @property
    def module(self) -> str:
        """The module's name below the package."""
        return self.where.partition(".py:")[0].replace("/", ".")

    @property
    def room(self) -> str:
        """The package that it stands in."""
        return self.module.partition(".")[0]


@dataclass(frozen=True)
class Taker:
    """Something that takes a reason: at which position, of what kind, by default which."""

    position: int
    kind: int | str
    method: bool = False


@dataclass
class Index:
    """What has to be known of all files before any of them can be read."""

    errors: dict[str, int] = field(default_factory=lambda: {"LocalloopError": 1})
    takers: dict[str, list[Taker]] = field(default_factory=dict)
    constants: dict[str, set[str]] = field(default_factory=dict)
    own_init: set[str] = field(default_factory=set)
    # Functions that return a reason first: ``reason, text = f()``.
    givers: set[str] = field(default_factory=set)


def read_names() -> tuple[list[Found], list[str]]:
    """Every reason name, and each expression that stands for one and cannot be read."""
    files = {
        path.relative_to(SOURCES).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(SOURCES.rglob("*.py"))
    }
    index = index_of([tree for path, tree in files.items() if path not in TABLES])
    names: list[Found] = []
    unread: list[str] = []
    for path, tree in files.items():
        if path in TABLES:
            continue
        index.constants |= constants_of(tree)  # where two files have the same name, its own
        for node, kind in reasons_in(tree, index):
            where = f"{path}:{node.lineno}"
            values = values_of(node, index)
            if values is None:
                unread.append(f"{where}: {ast.unparse(node)}")
            else:
                names += [Found(value, kind, where) for value in sorted(values)]
    return names, unread


def index_of(trees: list[ast.Module]) -> Index:
    """The errors and their exit codes, what takes a reason, and constants that hold names."""
    index = Index()
    nodes = [node for tree in trees for node in ast.walk(tree)]
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    for _ in classes:  # until those made from others that come later are known too
        for made in classes:
            for base in made.bases:
                if ast.unparse(base) in index.errors:
                    index.errors[made.name] = _exit_code(made) or index.errors[ast.unparse(base)]
                    if any(getattr(item, "name", "") == "__init__" for item in made.body):
                        index.own_init.add(made.name)
    methods = {id(item) for made in classes for item in made.body}
    for node in nodes:
        if isinstance(node, ast.FunctionDef):
            _index_function(node, index, id(node) in methods)
        elif isinstance(node, ast.ClassDef) and node.name not in index.errors:
            _index_class(node, index)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for name, value in _assigned(node):
                if name == "reason" and isinstance(value, ast.Call):
                    index.givers.add(ast.unparse(value.func))
    for tree in trees:
        index.constants |= constants_of(tree)
    return index


def constants_of(tree: ast.Module) -> dict[str, set[str]]:
    """The texts in each constant of a file."""
    found: dict[str, set[str]] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            for name, value in _assigned(node):
                if name.isupper():
                    found[name] = _texts(value, found)
    return found


def _exit_code(made: ast.ClassDef) -> int | None:
    for item in made.body:
        if isinstance(item, ast.Assign) and ast.unparse(item.targets[0]) == "exit_code":
            return int(ast.literal_eval(item.value))
    return None


def _index_class(node: ast.ClassDef, index: Index) -> None:
    fields = [
        item.target.id
        for item in node.body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    ]
    if "reason" in fields:
        index.takers.setdefault(node.name, []).append(Taker(fields.index("reason"), "state"))


def _index_function(node: ast.FunctionDef, index: Index, method: bool) -> None:
    names = [arg.arg for arg in node.args.args + node.args.kwonlyargs]
    names = [name for name in names if name not in ("self", "cls")]
    if node.name == "__init__" or "reason" not in names:
        return
    kind: int | str = index.errors.get(ast.unparse(node.returns) if node.returns else "", "state")
    if node.returns and ast.unparse(node.returns) == "Reason":
        kind = "plan"
    index.takers.setdefault(node.name, []).append(Taker(names.index("reason"), kind, method))


def reasons_in(tree: ast.Module, index: Index) -> Iterator[tuple[ast.expr, int | str]]:
    """The expressions of a file that give something its reason, and its kind."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _of_call(node, index)
        elif isinstance(node, ast.ClassDef) and node.name in index.errors:
            yield from _of_own_error(node, index)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "reason":
                    yield value, "state"
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for name, value in _assigned(node):
                if name == "reason":
                    yield value, "state"
                if name == PAIR_NAME and isinstance(value, ast.Tuple):
                    yield value.elts[0], "state"
        elif isinstance(node, ast.FunctionDef):
            yield from _of_function(node, index)


def _of_call(node: ast.Call, index: Index) -> Iterator[tuple[ast.expr, int | str]]:
    method = isinstance(node.func, ast.Attribute)
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
    keywords = {keyword.arg: keyword.value for keyword in node.keywords}
    if "skip" in keywords:
        yield keywords["skip"], "skip"
    if name == "Reason" and node.args:
        yield node.args[0], "plan"
    elif name in index.errors:
        if node.args and name not in index.own_init:
            yield node.args[0], index.errors[name]
    elif "reason" in keywords:
        kinds = [taker.kind for taker in index.takers.get(name, ())]
        yield keywords["reason"], kinds[0] if kinds else "state"
    else:
        for taker in index.takers.get(name, ()):
            if taker.position < len(node.args) and method >= taker.method:
                yield node.args[taker.position], taker.kind


def _of_own_error(node: ast.ClassDef, index: Index) -> Iterator[tuple[ast.expr, int | str]]:
    """The reason that an error with an ``__init__`` of its own hands to its base."""
    for call in (item for item in ast.walk(node) if isinstance(item, ast.Call)):
        if ast.unparse(call.func) == "super().__init__" and node.name != "LocalloopError":
            yield call.args[0], index.errors[node.name]


def _of_function(node: ast.FunctionDef, index: Index) -> Iterator[tuple[ast.expr, int | str]]:
    """The default of its parameter ``reason``; what it returns, where that is a pair."""
    arguments = node.args.args + node.args.kwonlyargs
    defaults: list[ast.expr | None] = [
        *[None] * (len(node.args.args) - len(node.args.defaults)),
        *node.args.defaults,
        *node.args.kw_defaults,
    ]
    for argument, default in zip(arguments, defaults, strict=True):
        if argument.arg == "reason" and default is not None:
            returned = ast.unparse(node.returns) if node.returns else ""
            yield default, index.errors.get(returned, "state")
    if node.name in index.givers or (node.returns and PAIR in ast.unparse(node.returns)):
        for item in ast.walk(node):
            if isinstance(item, ast.Return) and isinstance(item.value, ast.Tuple):
                yield item.value.elts[0], "state"


def _assigned(node: ast.Assign | ast.AnnAssign) -> Iterator[tuple[str, ast.expr]]:
    """Names with their values, also of ``a, b = 1, 2``; of ``a, b = f()`` the first alone."""
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        if isinstance(target, ast.Name) and node.value is not None:
            yield target.id, node.value
        elif isinstance(target, ast.Tuple) and node.value is not None:
            values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            for item, value in zip(target.elts, values, strict=False):
                if isinstance(item, ast.Name):
                    yield item.id, value


def _texts(node: ast.expr, known: dict[str, set[str]]) -> set[str]:
    """The string of a constant; of a table its values, and of tuples among them the first item."""
    if isinstance(node, ast.Dict):
        return set().union(*(_texts(value, known) for value in node.values))
    if isinstance(node, ast.Tuple) and node.elts:
        return _texts(node.elts[0], known)
    if isinstance(node, ast.Name):
        return known.get(node.id, set())
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {node.value}
    return set()


def values_of(node: ast.expr, index: Index) -> set[str] | None:
    """The names, without subjects, that an expression can be; None where it cannot be read.

    Empty for the reason of something else that is passed on: it is read where it is made.
    """
    if isinstance(node, ast.IfExp):
        return _all_of([node.body, node.orelse], index)
    if isinstance(node, ast.BoolOp):
        return _all_of(node.values, index)
    if isinstance(node, ast.JoinedStr):
        return _of_joined(node, index)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {node.value.partition(":")[0]} - {""}
    name = _looked_up(node)
    if name in index.constants:
        return {text.partition(":")[0] for text in index.constants[name]} - {""}
    return set() if _is_passed_on(node) or _is_given(node, index) else None


def _all_of(nodes: list[ast.expr], index: Index) -> set[str] | None:
    found = [values_of(node, index) for node in nodes]
    return set().union(*(each or () for each in found)) if None not in found else None


def _of_joined(node: ast.JoinedStr, index: Index) -> set[str] | None:
    """``f"name:{subject}"``; ``f"name_{rest}"`` is read as ``name_*``."""
    first = node.values[0]
    if isinstance(first, ast.FormattedValue):
        return values_of(first.value, index)
    assert isinstance(first, ast.Constant)
    head, colon, _ = str(first.value).partition(":")
    return {head if colon else f"{head}*"}


def _looked_up(node: ast.expr) -> str:
    """The name of a constant, or of a table that something is looked up in."""
    if isinstance(node, ast.Subscript):
        return _looked_up(node.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return _looked_up(node.func.value) if node.func.attr == "get" else ""
    return node.id if isinstance(node, ast.Name) and node.id.isupper() else ""


def _is_given(node: ast.expr, index: Index) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in index.givers


def _is_passed_on(node: ast.expr) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr.endswith("reason")
    if isinstance(node, ast.Subscript):
        return ast.unparse(node.slice) == "'reason'" or ast.unparse(node.value) == PAIR_NAME
    if isinstance(node, ast.Call):  # gate.get("reason", "")
        return "'reason'" in ast.unparse(node)
    return isinstance(node, ast.Name) and node.id == "reason"
