"""What every module does with its arguments and without Docker or a cluster."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from calls import FORMS, REPOSITORY, Call, Results, clean, judge, perform

from harness.documented import section
from localloop.config.project import load_project
from localloop.plan.model import UNCHECKED, ComponentPlan, Plan, Reason
from localloop.registry.published import PublishedImage

MODULES = sorted(path.stem for path in (REPOSITORY / "library").glob("*.py"))
SPECS = {name: import_module(f"localloop.steps.{name}").ARGUMENT_SPEC for name in MODULES}
# Replaced by the project's directory; it is not known when the table is made.
PROJECT = "/the/project"
NOWHERE = "/nonexistent/project"
DIGEST = "sha256:" + "a" * 64
IMAGE = PublishedImage("127.0.0.1:5000/hello/web", DIGEST, {"linux/amd64": DIGEST})


def plan(*components: ComponentPlan, config: str = "CONFIG") -> dict[str, Any]:
    return Plan(
        project="hello",
        root=PROJECT,
        profile="",
        mode="auto",
        targets=(),
        cluster={"verdict": "ok", "reason": ""},
        provider={"name": "kind", "context": "kind-hello", "why": "it is localloop's own"},
        components={component.name: component for component in components},
        config_sha256=config,
        platform="linux/amd64",
        registry="127.0.0.1:5000",
    ).as_dict()


WEB = ComponentPlan(
    "web", "image", steps=("build", "publish"), reasons=(Reason("never_built"),), fingerprint="f1"
)
BUILT = ComponentPlan(
    "web", "image", steps=("build", "publish"), reasons=(Reason("never_built"),),
    fingerprint="f1", image=IMAGE, changed=True,
)  # fmt: skip
SAME = ComponentPlan("web", "image", skip="unchanged", fingerprint="f1", image=IMAGE)
HELLO = ComponentPlan(
    "hello", "chart", steps=("release",), reasons=(Reason("consumes", "web"),), consumes=("web",),
    deployed={"web": IMAGE}, only_if_digest_differs=True, base_revision=1,
)  # fmt: skip
TOOL = ComponentPlan(
    "tool", "node_file", steps=("put", "reconcile"), reasons=(Reason("never_deployed"),),
    fingerprint="f2", image=IMAGE,
)  # fmt: skip
QUIET = ComponentPlan("hello", "chart", skip="unchanged", consumes=("web",), base_revision=1)
WITH_IMAGE = ComponentPlan(
    "hello", "chart", steps=("release",), reasons=(Reason("consumes", "web"),), consumes=("web",),
    images={"web": IMAGE}, base_revision=1,
)  # fmt: skip

NOTHING = plan(SAME, QUIET)
ABSENT = {
    **plan(replace(WEB, steps=(), skip=UNCHECKED)),
    "cluster": {"verdict": "create", "reason": "cluster_missing"},
}
WORKER = ("worker",)
STEPS = (
    "image_build", "digest_compare", "node_file_put", "chart_release", "node_file_reconcile",
    "readiness_gate", "deploy_record",
)  # fmt: skip

ACTING = ("project_remove", "image_prune", "chart_rollback")


def wrong_arguments() -> list[Call]:
    """For each module: one argument too few, one too many, and one of the wrong type."""
    table = []
    seen: set[str] = set()
    values: dict[str, Any] = {"str": "x", "path": NOWHERE, "dict": {}, "list": []}
    wrong: dict[str, Any] = {"dict": "no dict", "int": "many", "str": None, "path": None}
    for module, spec in SPECS.items():
        required = [name for name, option in spec.items() if option.get("required")]
        enough = {
            name: spec[name].get("choices", [values[spec[name]["type"]]])[0] for name in required
        }
        # The payloads of modules with the same arguments differ in their last call only.
        forms = WORKER if str(spec) in seen else FORMS
        seen.add(str(spec))
        if required:
            names = ", ".join(sorted(required))
            table.append(Call("too few", module, {}, error=f"missing required arguments: {names}"))
        table.append(
            Call(
                "unknown",
                module,
                {**enough, "txet": "x"},
                error=f"Unsupported parameters for ({module}) module: txet",
                forms=forms,
            )
        )
        typed = [name for name in spec if wrong.get(spec[name]["type"]) is not None]
        if typed:
            kind = spec[typed[0]]["type"]
            table.append(
                Call(
                    "wrong type",
                    module,
                    {**enough, typed[0]: wrong[kind]},
                    error=f"unable to convert to {kind}" if kind == "int" else "dict",
                    forms=forms,
                )
            )
    table.append(
        Call(
            "no such choice",
            "deploy_plan",
            {"project": NOWHERE, "mode": "some"},
            error="value of mode must be one of: auto, full, got: some",
        )
    )
    return table


def report(**arguments: Any) -> dict[str, Any]:
    return {"component": "web", **arguments}


CALLS = [
    *wrong_arguments(),
    # With nothing to do, nothing is done, and Docker is not needed.
    *[Call("nothing to do", name, {"plan": NOTHING}, {"changed": False, "plan": NOTHING})
      for name in STEPS[:5]],
    *[Call("nothing to do, check", name, {"plan": NOTHING}, {"changed": False, "plan": NOTHING},
           check=True, forms=WORKER) for name in STEPS],
    # Check mode predicts.
    Call("build, check", "image_build", {"plan": plan(WEB)},
         {"changed": True, "plan": plan(WEB)}, check=True),
    Call("release, check", "chart_release", {"plan": plan(WITH_IMAGE)},
         {"changed": True, "plan": plan(WITH_IMAGE)}, check=True),
    Call("put, check", "node_file_put", {"plan": plan(TOOL)},
         {"changed": True, "plan": plan(TOOL)}, check=True),
    Call("reconcile, check", "node_file_reconcile", {"plan": plan(TOOL)},
         {"changed": True, "plan": plan(TOOL)}, check=True),
    Call("compare, check", "digest_compare", {"plan": plan(BUILT, HELLO)},
         {"changed": False, "plan": plan(BUILT, HELLO)}, check=True),
    *[Call(name, "hook_run", {"plan": plan(WITH_IMAGE), "when": "before_deploy"},
           {"changed": False, "hooks": [], "plan": plan(WITH_IMAGE)}, check="check" in name)
      for name in ("no hooks", "no hooks, check")],
    Call("gate, check", "readiness_gate", {"plan": plan(WITH_IMAGE)},
         {"changed": False, "gate": {"status": "not_run"}}, check=True),
    Call("settle, check", "deploy_record", {"plan": plan(WEB, WITH_IMAGE)},
         {"changed": True, "settled": ["web", "hello"]}, check=True),
    # digest_compare
    Call("the running digest", "digest_compare", {"plan": plan(BUILT, HELLO)}, {"changed": False}),
    # What is refused before anything is touched.
    Call("without a transaction", "chart_release", {"plan": plan(WITH_IMAGE)},
         error="no_transaction"),
    *[Call("without a transaction", name, {"plan": plan(TOOL)}, error="no_transaction",
           forms=WORKER) for name in ("node_file_put", "node_file_reconcile")],
    Call("without a transaction", "deploy_record", {"plan": plan(WITH_IMAGE)},
         error="no_transaction", forms=WORKER),
    *[Call("another configuration", name, {"plan": plan(WEB, WITH_IMAGE, config="0" * 64)},
           error="config_moved", forms=WORKER)
      for name in ("image_build", "chart_release", "readiness_gate", "deploy_record")],
    Call("no project", "deploy_plan", {"project": NOWHERE}, error="config_missing"),
    Call("unknown target", "deploy_plan", {"project": PROJECT, "targets": ["wbe"]},
         error="unknown_target"),
    Call("unknown profile", "deploy_plan", {"project": PROJECT, "profile": "fast"},
         error="profile_unknown"),
    # Without Docker.
    Call("no Docker", "deploy_plan", {"project": PROJECT}, error="docker_unreachable"),
    Call("no Docker", "readiness_gate", {"plan": plan(WITH_IMAGE), "timeout": 5},
         error="docker_unreachable"),
    Call("no Docker", "cluster_inspect", {"name": "hello"}, error="docker_unreachable"),
    Call("no Docker", "registry_inspect", {"name": "hello"}, error="docker_unreachable"),
    *[Call(f"no Docker{', check' * check}", "registry_mirrors",
           {"nodes": ["a"], "directories": ["/b"], "content": "c"}, error="docker_unreachable",
           check=check) for check in (False, True)],
    Call("no nodes", "registry_mirrors", {"nodes": [], "directories": ["/b"], "content": "c"},
         {"changed": False, "written": []}, forms=WORKER),
    Call("no Docker", "cluster_record", {"project": PROJECT}, error="docker_unreachable"),
    Call("no Docker, check", "cluster_record", {"project": PROJECT}, error="docker_unreachable",
         check=True, forms=WORKER),
    *[Call(f"no Docker{', check' * check}", "kind_cluster", {"name": "hello", "state": "stopped"},
           error="docker_unreachable", check=check) for check in (False, True)],
    *[Call(f"no Docker{', check' * check}", "kind_node_image", {"path": PROJECT},
           error="docker_unreachable", check=check) for check in (False, True)],
    Call("no such state", "kind_cluster", {"name": "hello", "state": "started-up"},
         error="value of state must be one of: created, started, stopped, absent, got: started-up",
         forms=WORKER),
    Call("no Docker, check", "registry_image", {"repository": "x/y", "path": PROJECT},
         error="docker_unreachable", check=True),
    Call("no Docker", "baseline_measure", {"project": PROJECT, "mode": "warm"},
         error="baseline_failed", forms=WORKER),
    Call("check", "baseline_measure", {"project": PROJECT, "with_deploy": True},
         {"changed": False}, check=True, forms=WORKER),
    Call("no project", "baseline_measure", {"project": NOWHERE}, error="config_missing"),
    Call("no such mode", "baseline_measure", {"project": PROJECT, "mode": "hot"},
         error="value of mode must be one of: cold, warm, both, got: hot", forms=WORKER),
    Call("outside of the project", "baseline_measure",
         {"project": PROJECT, "output_dir": "../perf"}, error="bad_report_dir"),
    # Down, prune, rollback, status.
    *[Call("without a transaction", name, {"project": PROJECT}, error="no_transaction")
      for name in ACTING],
    *[Call("no project, check", name, {"project": NOWHERE}, error="config_missing", check=True,
           forms=WORKER) for name in (*ACTING, "project_status")],
    *[Call("no Docker, check", name, {"project": PROJECT}, error="docker_unreachable", check=True,
           forms=WORKER) for name in ACTING],
    *[Call("unknown profile, check", name, {"project": PROJECT, "profile": "fast"},
           error="profile_unknown", check=True, forms=WORKER)
      for name in ("project_remove", "chart_rollback")],
    Call("no Docker", "project_status", {"project": PROJECT}, error="docker_unreachable"),
    Call("fewer than none", "image_prune", {"project": PROJECT, "keep": -1}, error="bad_keep",
         forms=WORKER),
    Call("look", "host_inspect", {}, {"changed": False}),
    Call("look, check", "host_inspect", {}, {"changed": False}, check=True, forms=WORKER),
    # component_report
    Call("changed", "component_report", report(plan=plan(BUILT)), {
        "changed": True, "msg": "build, publish: never_built", "steps": ["build", "publish"],
        "reasons": ["never_built"], "skip": ""}),
    Call("changed, with diff", "component_report", report(plan=plan(BUILT)), {
        "changed": True, "diff": {
            "before_header": "web", "after_header": "web: build, publish: never_built",
            "before": "", "after": f"fingerprint: f1\nimage web: {DIGEST}\n"}}, diff=True),
    Call("skipped", "component_report", report(plan=plan(SAME)), {
        "changed": False, "msg": "skip: unchanged", "steps": [], "reasons": [],
        "skip": "unchanged"}),
    Call("skipped, with diff", "component_report", report(plan=plan(SAME)),
         {"changed": False, "diff": None}, diff=True, forms=WORKER),
    Call("not done", "component_report", report(plan=plan(WEB)), {"changed": False},
         forms=WORKER),
    Call("foreseen", "component_report", report(plan=plan(WEB)), {"changed": True}, check=True),
    Call("to a new cluster", "component_report", report(plan=ABSENT),
         {"changed": True, "msg": "unchecked: never_built", "steps": []}, check=True,
         forms=WORKER),
    Call("to a new cluster, not wanted", "component_report",
         report(plan={**ABSENT, "targets": ["hello"]}), {"changed": False}, check=True,
         forms=WORKER),
    Call("to a stopped cluster", "component_report",
         report(plan={**ABSENT, "cluster": {"verdict": "start", "reason": ""}}),
         {"changed": False}, check=True, forms=WORKER),
    Call("not in the plan", "component_report", report(plan=plan()), {
        "changed": False, "msg": "web is not in this plan"}),
]  # fmt: skip


def with_project(value: Any, root: Path, config: str) -> Any:
    """The value with the project's directory and its configuration's hash in their places."""
    if isinstance(value, dict):
        return {key: with_project(item, root, config) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [with_project(item, root, config) for item in value]
    return (
        {PROJECT: str(root), "CONFIG": config}.get(value, value) if value == str(value) else value
    )


@pytest.fixture(scope="module")
def located(hello: Path) -> dict[str, Call]:
    config = load_project(hello, environ={}).config_sha256
    return {
        call.id: replace(
            call,
            arguments=with_project(call.arguments, hello, config),
            expect=with_project(call.expect, hello, config),
        )
        for call in CALLS
    }


@pytest.fixture(scope="module")
def results(located: dict[str, Call], tmp_path_factory: pytest.TempPathFactory) -> Results:
    """All calls, by two playbooks in parallel: a payload takes half a second."""
    calls = list(located.values())
    where = [tmp_path_factory.mktemp("calls") for _ in range(2)]

    def run(number: int) -> Results:
        return perform(
            calls[number::2],
            where[number],
            environ={
                "DOCKER_HOST": "unix:///nonexistent/docker.sock",
                "XDG_STATE_HOME": str(where[number] / "state"),
            },
        )

    with ThreadPoolExecutor(2) as pool:
        halves = list(pool.map(run, range(2)))
    return {form: {**halves[0][form], **halves[1][form]} for form in halves[0]}


@pytest.mark.parametrize("name", [call.id for call in CALLS])
def test_call(name: str, located: dict[str, Call], results: Results) -> None:
    judge(located[name], results)


def test_every_module_is_called_in_both_modes() -> None:
    real = {call.module for call in CALLS if not call.check}
    checked = {call.module for call in CALLS if call.check}
    assert real == set(MODULES)
    # These return the same in check mode; what they inspect needs Docker.
    assert checked == set(MODULES) - {"deploy_plan", "cluster_inspect", "registry_inspect"}


def test_a_release_of_the_running_digest_is_dropped(results: Results) -> None:
    part = results["worker"]["digest_compare: the running digest"]["plan"]["components"]["hello"]
    assert part["steps"] == []
    assert part["skip"] == "digest_already_deployed"


def test_a_baseline_names_its_steps(results: Results) -> None:
    steps = results["worker"]["baseline_measure: check"]["baseline"]["steps"]
    assert [(step["run"], step["category"], step["step"], step["status"]) for step in steps] == [
        (run, *step, "not_run")
        for run in ("cold", "warm")
        for step in (("image", "web"), ("deploy", "deploy"))
    ]


def test_ansible_reads_the_documentation() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-doc"), "--json", *MODULES],
        cwd=REPOSITORY,
        env=clean({}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "WARNING" not in done.stderr
    documentation = json.loads(done.stdout)
    assert sorted(documentation) == MODULES
    for name, entry in documentation.items():
        assert entry["return"] == section(name, "RETURN")
        assert entry["doc"]["requirements"] == section(name, "DOCUMENTATION")["requirements"]


@pytest.mark.parametrize("kind", ["inventory", "callback"])
def test_plugins_are_documented(kind: str) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-doc"), "--json", "--type", kind, "localloop"],
        cwd=REPOSITORY,
        env=clean({}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "WARNING" not in done.stderr
    documentation = json.loads(done.stdout)["localloop"]["doc"]
    assert documentation["short_description"]
    assert documentation["description"]


def test_names_are_unique() -> None:
    assert len({call.id for call in CALLS}) == len(CALLS)
