"""Chart values that come from a command."""

from __future__ import annotations

from pathlib import Path

import pytest

from localloop.config.placeholders import consumed_images, resolve_values
from localloop.config.project import load_project
from localloop.errors import UsageError
from localloop.fingerprint.bases import Bases
from localloop.fingerprint.project import ProjectFingerprints

CONFIG = """\
version: 1
project: demo
images:
  web: {{dockerfile: Dockerfile}}
charts:
  demo:
    path: chart
    namespace: demo
    values: {values}
"""


def project(root: Path, values: str) -> ProjectFingerprints:
    (root / "chart").mkdir(exist_ok=True)
    (root / "chart/Chart.yaml").write_text("apiVersion: v2\nname: demo\nversion: 0.1.0\n")
    (root / "Dockerfile").write_text("FROM scratch\n")
    (root / "localloop.yml").write_text(CONFIG.format(values=values))
    found = load_project(root)
    return ProjectFingerprints(
        found, platform="linux/amd64", environ={}, bases=Bases(None), writes=False
    )


def values_of(root: Path, values: str) -> dict[str, object]:
    prints = project(root, values)
    return prints.values_of(load_project(root).charts["demo"])


def test_the_output_is_the_value(tmp_path: Path) -> None:
    (tmp_path / "address").write_text("10.0.0.1\n\n")
    values = "{host: {ip: {$command: [cat, address]}}, list: [{$command: [echo, two]}, 3]}"
    assert values_of(tmp_path, values) == {"host": {"ip": "10.0.0.1"}, "list": ["two", 3]}


def test_a_dollar_sign_in_the_output_is_literal(tmp_path: Path) -> None:
    found = values_of(tmp_path, "{a: {$command: [echo, $web.tag $$ $x]}}")
    assert resolve_values(found, {}) == {"a": "$web.tag $$ $x"}
    assert consumed_images(load_project(tmp_path).charts["demo"]) == set()


def test_another_output_is_another_fingerprint_and_one_run_asks_once(tmp_path: Path) -> None:
    values = "{a: {$command: [sh, -c, echo asked >> log; cat address]}}"
    (tmp_path / "address").write_text("1")
    prints = project(tmp_path, values)
    chart = load_project(tmp_path).charts["demo"]
    first = prints.of_chart(chart).value
    assert prints.values_of(chart) == {"a": "1"}
    assert (tmp_path / "log").read_text() == "asked\n"
    assert project(tmp_path, values).of_chart(chart).value == first
    (tmp_path / "address").write_text("2")
    assert project(tmp_path, values).of_chart(chart).value != first


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ('[sh, -c, "echo no >&2; exit 3"]', "ended with 3: no"),
        ("[no-such-program]", "cannot be started"),
        ("[cat, missing]", "ended with 1"),
        ('["a\\0b"]', "cannot be started"),
        ('[sleep, "60"], $timeout: 0.2', "`sleep 60` did not end within 0.2 s"),
    ],
)
def test_a_command_that_fails_is_refused(tmp_path: Path, command: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        values_of(tmp_path, f"{{b: [{{a: {{$command: {command}}}}}]}}")
    assert "the command of the value b[0].a, `" in caught.value.message
    assert caught.value.reason == "value_command_failed:demo"
    assert caught.value.component == "demo"


@pytest.mark.parametrize(
    "value",
    [
        "{$command: hostname}",
        "{$command: []}",
        "{$command: [a, [b]]}",
        '{$command: [""]}',
        "{$command: [a], other: 1}",
        "{$command: {a: b}}",
        "{$command: [a], $timeout: soon}",
        "{$command: [a], $timeout: 0}",
        "{$command: [a], $timeout: true}",
    ],
)
def test_another_shape_is_refused_with_its_line(tmp_path: Path, value: str) -> None:
    with pytest.raises(UsageError, match=r"\$(command|timeout)") as caught:
        project(tmp_path, f"{{a: {value}}}")
    assert "localloop.yml:9" in str(caught.value.where)


def test_a_key_named_command_is_a_plain_value(tmp_path: Path) -> None:
    assert values_of(tmp_path, "{a: {command: [sh, -c]}}") == {"a": {"command": ["sh", "-c"]}}
