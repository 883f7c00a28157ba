"""Roles, modules and plugins agree with each other and with the steps."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, nodes
from jinja2.filters import FILTERS as OF_JINJA

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
MODULES = sorted(path.stem for path in (ROOT / "library").glob("*.py"))
STEPS = sorted(
    path.stem
    for path in (ROOT / "src/localloop/steps").glob("*.py")
    if path.stem not in ("__init__", "context")
)
FILTERS = sorted(path.stem for path in (ROOT / "filter_plugins").glob("*.py"))
EXPRESSIONS = ("when", "that", "until", "changed_when", "failed_when")
IMPORT_ROLE = "ansible.builtin.import_role"
COMPARED = ("type", "elements", "required", "default", "choices", "no_log")


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def docs_of(module: str, name: str) -> Any:
    for node in ast.parse((ROOT / "library" / f"{module}.py").read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return yaml.safe_load(ast.literal_eval(node.value))
    raise AssertionError(f"{module} has no {name}")


@pytest.mark.parametrize("role", ROLES)
def test_defaults_and_argument_specs_agree(role: str) -> None:
    where = ROOT / "roles" / role
    options = load(where / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    defaults_file = where / "defaults" / "main.yml"
    defaults = (load(defaults_file) if defaults_file.exists() else None) or {}
    required = {name for name, option in options.items() if option.get("required")}
    assert set(defaults) | required == set(options)
    assert not required & set(defaults)
    for name, option in options.items():
        assert name.startswith(f"{role}_")
        assert option.get("description")
        assert option.get("type")
        if "default" in option:
            assert option["default"] == defaults[name]


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_documented(role: str) -> None:
    where = ROOT / "roles" / role
    options = load(where / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    defaults = load(where / "defaults" / "main.yml")
    assert rows(where / "README.md") == {
        f"`{name}`": [option["type"], shown(defaults[name]) if name in defaults else "required"]
        for name, option in options.items()
    }
    descriptions = [option["description"] for option in options.values()]
    assert len(set(descriptions)) == len(descriptions)
    assert (where / "tasks" / "main.yml").is_file()
    assert load(where / "meta" / "main.yml")["galaxy_info"]["description"]


def rows(readme: Path) -> dict[str, list[str]]:
    """Type and default of each variable in the README's table, read as GitHub does."""
    lines = [line for line in readme.read_text().splitlines() if line.startswith("|")]
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    assert {len(row) for row in cells} == {4}
    table = [[cell.strip().replace(r"\|", "|") for cell in row] for row in cells]
    assert table[0] == ["variable", "type", "default", "meaning"]
    return {name: [kind, default] for name, kind, default, _meaning in table[2:]}


def shown(default: Any) -> str:
    if default == "":
        return "(empty)"
    text = default if isinstance(default, str) else json.dumps(default)
    return f"`{text}`"


def test_steps_modules_and_actions_have_the_same_names() -> None:
    actions = sorted(path.stem for path in (ROOT / "action_plugins").glob("*.py"))
    assert actions == MODULES == STEPS


@pytest.mark.parametrize("module", MODULES)
def test_documentation_and_argument_spec_agree(module: str) -> None:
    spec = import_module(f"localloop.steps.{module}").ARGUMENT_SPEC
    documentation = docs_of(module, "DOCUMENTATION")
    assert documentation["module"] == module
    shared = [options_of(name) for name in documentation.get("extends_documentation_fragment", ())]
    options = documentation.get("options") or {}
    for each in shared:
        assert not set(each) & set(options)
        options = {**options, **each}
    compare(spec, options, module)


def options_of(fragment: str) -> dict[str, Any]:
    """The options of one of ours in doc_fragments."""
    path = ROOT / "doc_fragments" / f"{fragment}.py"
    (made,) = (node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef))
    (text,) = (node for node in made.body if isinstance(node, ast.Assign))
    found: dict[str, Any] = yaml.safe_load(ast.literal_eval(text.value))["options"]
    return found


def compare(spec: dict[str, Any], options: dict[str, Any], where: str) -> None:
    assert set(spec) == set(options), where
    for name, wanted in spec.items():
        documented = options[name]
        assert documented.get("description"), f"{where}.{name}"
        for key in COMPARED:
            if key != "no_log":  # documented by the option's words
                default = "str" if key == "type" else False if key == "required" else None
                assert documented.get(key, default) == wanted.get(key, default), f"{where}.{name}"
        if "options" in wanted or "suboptions" in documented:
            compare(wanted["options"], documented["suboptions"], f"{where}.{name}")


@pytest.mark.parametrize("module", MODULES)
def test_examples_and_return_are_real(module: str) -> None:
    spec = import_module(f"localloop.steps.{module}").ARGUMENT_SPEC
    used = [task[module] for task in docs_of(module, "EXAMPLES") if module in task]
    assert used
    for arguments in used:
        assert set(arguments or {}) <= set(spec)
    returned = docs_of(module, "RETURN")
    for name, value in returned.items():
        assert {"description", "type", "returned"} <= set(value), name
    failure = {name for name, value in returned.items() if value["returned"] == "failure"}
    assert failure == {"reason", "error"}


def tasks_of(tasks: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The tasks, and those in their blocks."""
    for task in tasks:
        yield task
        for part in ("block", "rescue", "always"):
            yield from tasks_of(task.get(part, ()))


def test_tasks_in_blocks_are_looked_at() -> None:
    inner = {"block": [{"name": "a"}], "rescue": [{"name": "b"}], "always": [{"name": "c"}]}
    found = tasks_of([{"block": [inner]}, {"name": "d"}])
    assert [task["name"] for task in found if "name" in task] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("role", ROLES)
def test_tasks_use_only_options_that_exist(role: str) -> None:
    for path in sorted((ROOT / "roles" / role / "tasks").rglob("*.yml")):
        for task in tasks_of(load(path) or []):
            for module in set(task) & set(MODULES):
                spec = import_module(f"localloop.steps.{module}").ARGUMENT_SPEC
                given = set(task[module] or {})
                assert given <= set(spec), f"{path.name}: {module}"
                required = {name for name, option in spec.items() if option.get("required")}
                assert required <= given, f"{path.name}: {module}"


def test_playbooks_only_list_roles() -> None:
    for path in sorted((ROOT / "playbooks").glob("*.yml")):
        for play in load(path):
            assert not {"pre_tasks", "post_tasks"} & set(play), path.name
            roles = [role["role"] for role in play.get("roles", ())]
            for task in play.get("tasks", ()):
                assert set(task) <= {"name", "ansible.builtin.import_role", "run_once", "vars"}, (
                    path.name
                )
                roles.append(task[IMPORT_ROLE]["name"])
            assert roles, path.name
            assert set(roles) <= set(ROLES), path.name


def templates_in(value: Any, key: str = "") -> Iterator[nodes.Template]:
    """Every template of the YAML value, parsed; those of conditions too, which have no braces."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from templates_in(item, str(name))
    elif isinstance(value, list):
        for item in value:
            yield from templates_in(item, key)
    elif isinstance(value, str) and (key in EXPRESSIONS or "{{" in value or "{%" in value):
        text = f"{{{{ {value} }}}}" if key in EXPRESSIONS else value
        yield Environment(autoescape=True).parse(text)


def computes(value: Any) -> bool:
    """Whether a template in the value does more than to name something, inside a text or not."""
    text = (nodes.Output, nodes.TemplateData)
    reference = (nodes.Name, nodes.Getitem, nodes.Getattr, nodes.Const)
    return any(
        not isinstance(node, text + reference)
        for template in templates_in(value)
        for node in template.find_all(nodes.Node)
    )


@pytest.mark.parametrize(
    "text",
    [
        "{{ a + 1 }}",
        "{{ a ~ 'b' }}",
        "{{ a | length }}",
        "{{ a or b }}",
        "{{ not a }}",
        "{{ a == 'b' }}",
        "{{ a if b else c }}",
        "{{ a is defined }}",
        "{{ a['b'][:3] }}",
        "{{ lookup('env', 'A') }}",
        "{{ [a, b] }}",
        "{% if a %}b{% endif %}",
    ],
)
def test_what_counts_as_computing(text: str) -> None:
    assert computes({"a": ["b", text]})
    assert not computes({"a": ["b", "c-{{ a }}", "{{ a['b'].c }}/{{ d[0] }}", 1, "a + 1"]})


@pytest.mark.parametrize("role", ROLES)
def test_no_vars_file_computes(role: str) -> None:
    for path in sorted((ROOT / "roles" / role / "vars").rglob("*.y*ml")):
        for name, value in load(path).items():
            assert not computes(value), f"{path}: {name}"


def filters_used() -> Iterator[tuple[Path, nodes.Filter]]:
    """Every use of a filter in roles, playbooks and scenarios."""
    folders = ("roles", "playbooks", "tests/molecule")
    paths = (path for folder in folders for path in (ROOT / folder).rglob("*.yml"))
    for path in sorted(path for path in paths if "files" not in path.parts):
        for template in templates_in(load(path)):
            for node in template.find_all(nodes.Filter):
                yield path, node


def test_filters_that_are_used_exist() -> None:
    from ansible.plugins.filter.core import FilterModule as Core
    from ansible.plugins.filter.mathstuff import FilterModule as Sets
    from ansible.plugins.filter.urls import FilterModule as Urls

    known = {*FILTERS, *OF_JINJA, *Core().filters(), *Sets().filters(), *Urls().filters()}
    for path, node in filters_used():
        assert node.name.removeprefix("ansible.builtin.") in known, f"{path}: {node.name}"


def test_filters_are_used_with_their_arguments() -> None:
    used = set()
    for path, node in filters_used():
        if node.name in FILTERS:
            used.add(node.name)
            documentation = load(ROOT / "filter_plugins" / f"{node.name}.yml")["DOCUMENTATION"]
            names = documentation["positional"].split(", ")[1:]
            given = [*names[: len(node.args)], *(option.key for option in node.kwargs)]
            assert len(node.args) <= len(names), path
            required = {name for name in names if documentation["options"][name].get("required")}
            assert required <= set(given) <= set(names), f"{path}: {node.name}"
    assert used == set(FILTERS)


def conditions(value: Any) -> Iterator[Any]:
    """What stands under the keywords that take conditions, at any depth."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in EXPRESSIONS:
                yield from item if isinstance(item, list) else [item]
            yield from conditions(item)
    elif isinstance(value, list):
        for item in value:
            yield from conditions(item)


def test_conditions_are_texts() -> None:
    """An unquoted ``: `` makes a mapping of a condition, which fails only when it is evaluated."""
    files = [
        path
        for folder in ("roles", "playbooks", "tests/molecule", "tests/modules")
        for path in (ROOT / folder).rglob("*.yml")
    ]
    found = [
        (str(path.relative_to(ROOT)), condition)
        for path in files
        for condition in conditions(yaml.safe_load(path.read_text("utf-8")))
        if not isinstance(condition, (str, bool))
    ]
    assert files
    assert found == []
