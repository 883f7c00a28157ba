"""The filters: their results as plain functions and in Ansible's templates, and their docs."""

from __future__ import annotations

import base64
import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from ansible.errors import AnsibleError, AnsibleFilterError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import filter_loader, init_plugin_loader
from ansible.template import Templar, trust_as_template
from jinja2 import Environment
from test_host import COMPLETE
from test_report import GATEWAY, GOLDEN, RELAY, RUNS, plan

from localloop.ansible.filters import filter_module
from localloop.errors import UsageError
from localloop.plan.model import STEPS
from localloop.record.model import ImageEntry, Record, encode
from localloop.registry.published import PublishedImage
from localloop.report.content import write_report
from localloop.report.markdown import report_markdown

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "filter_plugins"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))

DIGEST = "sha256:" + "2c26b46b" * 8
IMAGE = {
    "repository": "127.0.0.1:25000/hello/web",
    "digest": DIGEST,
    "configs": {"linux/amd64": DIGEST},
}
PLAN = json.loads(json.dumps(plan(GATEWAY, RELAY).as_dict()))
PUBLISHED = PublishedImage.from_dict(IMAGE)
RECORD = Record("hello", serial=3, images={"web": ImageEntry("f", PUBLISHED)})
SECRET = {
    "kind": "Secret",
    "metadata": {"name": "hello", "namespace": "localloop", "resourceVersion": "7"},
    "data": {"record": base64.b64encode(encode(RECORD)).decode()},
}
HOST = asdict(COMPLETE)
PODS = [
    {"kind": "Pod", "metadata": {"name": "old", "deletionTimestamp": "2026-01-01T00:00:00Z"}},
    {"kind": "Pod", "metadata": {"name": "new"}},
]
CSV = "run,category,step,status,duration_s\nwarm,image,web,ok,1.250\n"


class Case(NamedTuple):
    """One call of a filter: its input, its other arguments and its result."""

    filter: str
    value: Any
    gives: Any
    options: tuple[Any, ...] = ()


CASES = [
    Case("image_reference", IMAGE, f"127.0.0.1:25000/hello/web@{DIGEST}"),
    Case("image_tag", IMAGE, "d-2c26b46b2c26b46b2c26"),
    Case("components_with_step", PLAN, ["gateway"], ("build",)),
    Case("components_with_step", PLAN, ["relay"], ("release",)),
    Case("components_with_step", PLAN, [], ("put",)),
    Case(
        "component_summary",
        PLAN["components"]["gateway"],
        "build, publish: inputs_changed (changed crates/gateway/src/main.rs)",
    ),
    Case("component_summary", {"steps": [], "skip": "unchanged"}, "skip: unchanged"),
    Case("component_summary", {"steps": [], "skip": ""}, "skip: nothing to do"),
    Case("component_summary", {"steps": ["settle"]}, "settle"),
    Case(
        "component_summary", {"skip": "unchecked", "reasons": [{"name": "new"}]}, "unchecked: new"
    ),
    Case("targets_or_limit", ["web"], ["web"], (["web", "api"], True)),
    Case("targets_or_limit", "web,api", "web,api", (["web"], True)),
    Case("targets_or_limit", [], ["web"], (["web"], True)),
    Case("targets_or_limit", "", ["web"], (["web"], True)),
    Case("targets_or_limit", [], [], (["web", "api"], False)),
    Case("targets_or_limit", [], []),
    Case("host_lacks", HOST, []),
    Case(
        "host_lacks",
        {**HOST, "helm": "", "kubectl": "1.2"},
        [
            "helm is missing. Install helm 3.18.4 or newer.",
            "kubectl 1.2 is too old. Install kubectl 1.36 or newer.",
        ],
    ),
    Case("not_terminating", PODS, PODS[1:]),
    Case("not_terminating", [], []),
    Case(
        "stored_record",
        SECRET,
        json.loads(json.dumps(asdict(replace(RECORD, resource_version="7")))),
    ),
    Case(
        "baseline_rows",
        CSV,
        [{"run": "warm", "category": "image", "step": "web", "status": "ok", "duration_s": 1.25}],
    ),
]
# What a playbook may pass by mistake, and a part of the message that it gets.
BAD = [
    Case("image_reference", {"digest": DIGEST}, "it has no repository"),
    Case("image_reference", {**IMAGE, "digest": "latest"}, "'latest' is not a sha256 digest"),
    Case("image_reference", {**IMAGE, "repository": "r:5/a/web:latest"}, "is not a repository"),
    Case("image_reference", {**IMAGE, "repository": f"r:5/web@{DIGEST}"}, "is not a repository"),
    Case("image_reference", {**IMAGE, "repository": " "}, "is not a repository"),
    Case("image_tag", {**IMAGE, "digest": "sha256:abc"}, "is not a sha256 digest"),
    Case("image_tag", {**IMAGE, "digest": f"{DIGEST}\n"}, "is not a sha256 digest"),
    Case("image_tag", "web:latest", "not a published image"),
    Case("components_with_step", {}, "not a plan", ("build",)),
    Case("components_with_step", {"components": {"web": 1}}, "web: not a component", ("build",)),
    Case("components_with_step", PLAN, "'biuld' is not a step", ("biuld",)),
    Case("components_with_step", {"components": {"web": {"steps": 5}}}, "not a list", ("put",)),
    Case("components_with_step", {"components": {"web": {"steps": "put"}}}, "not a list", ("put",)),
    Case("targets_or_limit", 5, "not a list of components"),
    Case("targets_or_limit", {"web": 1}, "not a list of components", (["web"], True)),
    Case("component_summary", PLAN, "not a component of a plan"),
    Case("component_summary", {"steps": "build"}, "its steps are 'build', not a list"),
    Case("component_summary", {"steps": ["build"], "reasons": 5}, "its reasons are 5, not a list"),
    Case("host_lacks", {"helm": ""}, "not the description of a host"),
    Case("report_markdown", {"schema": 1}, "not a localloop report"),
    Case("not_terminating", {"resources": PODS}, "not a list of Kubernetes objects"),
    Case("not_terminating", [{"kind": "Pod"}], "not a list of Kubernetes objects"),
    Case("not_terminating", "", "not a list of Kubernetes objects"),
    Case("not_terminating", {}, "not a list of Kubernetes objects"),
    Case("stored_record", {"data": {}}, "not the Secret of a record"),
    Case("stored_record", {**SECRET, "data": {"record": "e30="}}, "the record cannot be read"),
    Case("stored_record", {**SECRET, "data": {"record": "?"}}, "the record cannot be read"),
    Case("baseline_rows", "", "not a baseline's CSV file"),
    Case("baseline_rows", CSV.replace("1.250", "long"), "not a baseline's CSV file"),
    Case("baseline_rows", CSV + "warm,image\n", "not a baseline's CSV file"),
    *(Case(name, None, "not", ("build",) if "step" in name else ()) for name in NAMES),
]


def shim(name: str) -> Any:
    """``FilterModule`` of the file in ``filter_plugins/``."""
    spec = spec_from_file_location(f"filter_of_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.FilterModule()


def function_of(name: str) -> Callable[..., Any]:
    """The plain function behind the filter."""
    found: Callable[..., Any] = inspect.unwrap(shim(name).filters()[name])
    return found


@cache
def _ansible() -> DataLoader:
    init_plugin_loader()
    filter_loader.add_directory(str(FOLDER))
    return DataLoader()


def template(text: str, /, **variables: Any) -> Any:
    """The template rendered by Ansible; the variables are those of a play."""
    return Templar(loader=_ansible(), variables=variables).template(trust_as_template(text))


def call(case: Case) -> str:
    options = f"({', '.join(repr(option) for option in case.options)})" if case.options else ""
    return f"{{{{ value | {case.filter}{options} }}}}"


def identity(case: Case) -> str:
    return case.filter


@pytest.mark.parametrize("case", CASES, ids=identity)
def test_the_function(case: Case) -> None:
    found = function_of(case.filter)(case.value, *case.options)
    assert json.loads(json.dumps(found)) == case.gives


@pytest.mark.parametrize("case", CASES, ids=identity)
def test_in_a_template(case: Case) -> None:
    assert template(call(case), value=case.value) == case.gives


def test_every_filter_has_a_case() -> None:
    tried = {case.filter for case in CASES} | {"report_markdown"}
    assert tried == {case.filter for case in BAD} == set(NAMES)


@pytest.mark.parametrize("case", BAD, ids=identity)
def test_a_wrong_input_is_reported(case: Case) -> None:
    with pytest.raises(UsageError, match=re.escape(case.gives)) as caught:
        function_of(case.filter)(case.value, *case.options)
    with pytest.raises(AnsibleFilterError, match=re.escape(str(caught.value))):
        shim(case.filter).filters()[case.filter](case.value, *case.options)
    with pytest.raises(AnsibleError, match=case.filter) as failed:
        template(call(case), value=case.value)
    assert case.gives in str(failed.value)
    assert "Traceback" not in str(failed.value)


def test_a_secret_is_not_quoted() -> None:
    with pytest.raises(AnsibleError) as failed:
        template("{{ value | stored_record }}", value={"data": {"record": "c2VzYW1l"}})
    assert "c2VzYW1l" not in str(failed.value)


@pytest.mark.parametrize("name", RUNS)
def test_a_report_is_rendered_from_its_file(name: str, tmp_path: Path) -> None:
    journal = tmp_path / "tx.jsonl"
    journal.write_text("".join(f"{json.dumps(event)}\n" for event in RUNS[name]()))
    markdown = write_report(journal)
    text = markdown.with_suffix(".json").read_text()
    assert report_markdown(json.loads(text)) == markdown.read_text()
    rendered = template("{{ text | from_json | report_markdown }}", text=text)
    assert rendered == markdown.read_text() == (GOLDEN / f"{name}.md").read_text()


def test_functions_get_plain_data() -> None:
    seen: list[Any] = []

    def look(value: Any, *, other: Any) -> str:
        seen.extend((value, other))
        return "done"

    call = filter_module(look)().filters()["look"]  # type: ignore[attr-defined]
    _ansible()
    tagged = trust_as_template("text")
    assert type(tagged) is not str
    assert call({"a": [tagged, 1, True, None]}, other=tagged) == "done"
    assert seen == [{"a": ["text", 1, True, None]}, "text"]
    assert type(seen[0]["a"][0]) is type(seen[1]) is str


def test_an_undefined_value_stays_undefined() -> None:
    with pytest.raises(AnsibleError, match="'nothing' is undefined"):
        template("{{ nothing | image_tag }}")
    with pytest.raises(AnsibleError, match="'nothing' is undefined"):
        template("{{ image | image_tag }}", image={"digest": trust_as_template("{{ nothing }}")})


# -- documentation


def sidecar(name: str) -> Any:
    return yaml.safe_load((FOLDER / f"{name}.yml").read_text())


def test_every_filter_has_its_two_files() -> None:
    assert NAMES
    assert sorted(path.name for path in FOLDER.iterdir() if path.name != "__pycache__") == sorted(
        f"{name}.{kind}" for name in NAMES for kind in ("py", "yml")
    )


@pytest.mark.parametrize("name", NAMES)
def test_documentation_and_function_agree(name: str) -> None:
    module = shim(name)
    assert list(module.filters()) == [name]
    documentation = sidecar(name)["DOCUMENTATION"]
    assert documentation["name"] == name
    assert documentation["author"] == ["The localloop authors"]
    assert not documentation["short_description"].endswith(".")
    assert documentation["description"]
    parameters = list(inspect.signature(module.filters()[name]).parameters.values())
    named = ["_input", *(parameter.name for parameter in parameters[1:])]
    assert documentation["positional"].split(", ") == named
    options = documentation["options"]
    assert list(options) == named
    for parameter, option in zip(parameters, options.values(), strict=True):
        assert option["description"]
        assert option["type"]
        assert option.get("required", False) is (parameter.default is parameter.empty)
        assert option.get("default") == (None if option.get("required") else parameter.default)
    assert function_of(name).__doc__


def test_documented_steps_are_those_of_plans() -> None:
    option = sidecar("components_with_step")["DOCUMENTATION"]["options"]["step"]
    assert tuple(option["choices"]) == STEPS


@pytest.mark.parametrize("name", NAMES)
def test_examples_and_return_are_real(name: str) -> None:
    found = sidecar(name)
    tasks = yaml.safe_load(found["EXAMPLES"])
    assert all(task["name"] for task in tasks)
    assert re.search(rf"\| {name}\b", found["EXAMPLES"])
    for expression in re.findall(r"\{\{.*?\}\}", found["EXAMPLES"]):
        Environment(autoescape=True).parse(expression)
    returned = found["RETURN"]["_value"]
    assert {"description", "type"} <= set(returned)
    types = {"str": str, "dict": dict, "list": list, "raw": object}
    for case in CASES:
        if case.filter == name:
            assert isinstance(case.gives, types[returned["type"]])


def test_ansible_doc_shows_each() -> None:
    environ = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-doc")), "-t", "filter", "--json", *NAMES],
        env=environ,
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    shown = json.loads(done.stdout)
    assert sorted(shown) == NAMES
    for name, found in shown.items():
        assert found["doc"]["filename"] == str(FOLDER / f"{name}.yml")
        assert (
            found["doc"]["short_description"]
            == (sidecar(name)["DOCUMENTATION"]["short_description"])
        )
        assert found["examples"].strip()
        assert found["return"]["_value"]["type"]
    assert "ERROR" not in done.stderr
