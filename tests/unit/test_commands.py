"""The command line: each command has its own arguments, and only the chosen one is imported."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields
from importlib import import_module

import pytest

from localloop.__main__ import COMMANDS, main, parser
from localloop.config.schema import SCHEMA

NEEDED = {"fingerprint": ["."]}


@pytest.mark.parametrize("name", COMMANDS)
def test_what_a_command_parses_is_what_its_options_hold(name: str) -> None:
    options = import_module(f"localloop.commands.{name}").Options
    given = vars(parser(name).parse_args([name, *NEEDED.get(name, [])]))
    assert given.pop("command") == name
    assert given.pop("output") == "text"
    made = options(**given)
    assert set(given) == {field.name for field in fields(made)}
    with pytest.raises(AttributeError):
        made.anything = 1


@pytest.mark.parametrize("name", COMMANDS)
def test_both_defaults_are_the_same(name: str) -> None:
    """Without an option the parser gives what ``Options`` has as its default."""
    options = import_module(f"localloop.commands.{name}").Options
    given = vars(parser(name).parse_args([name, *NEEDED.get(name, [])]))
    for field in fields(options):
        value = given[field.name]
        assert field.name == "path" or field.default == (tuple(value) if value == [] else value)


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_imports_no_other_command(name: str) -> None:
    code = (
        "import json, sys\n"
        "from localloop.__main__ import main\n"
        "try: main([*sys.argv[1:], '--help'])\n"
        "except SystemExit as end: assert not end.code\n"
        "rooms = 'localloop.commands.'\n"
        "found = [name for name in sys.modules if name.startswith(rooms)]\n"
        "print(json.dumps([name.removeprefix(rooms) for name in found]), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *name.split()], capture_output=True, text=True, check=True
    )
    assert f"usage: localloop {name}".rstrip() in done.stdout
    allowed = {name}
    allowed |= {"bootstrap": {"deploy", "plan"}, "deploy": {"plan"}}.get(name, set())
    allowed |= {"rollback": {"plan"}, "status": {"plan"}, "report": {"history"}}.get(name, set())
    assert set(json.loads(done.stderr)) & set(COMMANDS) <= allowed


def test_help_lists_all_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for name, what in COMMANDS.items():
        assert name in shown and what.split()[0] in shown


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ([], "required: COMMAND"),
        (["deplyo"], "invalid choice: 'deplyo'"),
        (["history", "--profile", "x"], "unrecognized arguments: --profile x"),
        (["plan", "--keep", "1"], "unrecognized arguments: --keep"),
        (["prune", "--keep", "-1"], "argument --keep: '-1' is not a whole number"),
        (["bootstrap", "--recreate", "--reuse-ok"], "not allowed with argument"),
        (["report", "-o", "xml"], "invalid choice: 'xml'"),
    ],
)
def test_a_wrong_line_is_a_usage_error(
    line: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(line)
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_schema_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == SCHEMA
