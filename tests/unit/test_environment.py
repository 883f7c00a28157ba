"""Environment variables: what they override, and docs/configuration.md against the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from localloop.ansible.inventory import project_vars
from localloop.commands.arguments import TargetOptions, requested
from localloop.config.model import Project
from localloop.config.project import load_project
from localloop.errors import UsageError
from localloop.observe.facts import Request

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs/configuration.md"
OURS = re.compile(r"(?:LOCALLOOP|DEPLOY)_[A-Z_]*[A-Z]")
ELSEWHERE = {"PATH", "VERSION_ID"}  # the system's, and a key of /etc/os-release
PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}
READ_BY_TOOLS = {"BUILDX_BUILDER", "BUILDX_CONFIG", "TMPDIR", "PATH", *PROXIES}
# As OpenShell's scripts have them.
SEED = """
CLUSTER_NAME CI
IMAGE_REPO_BASE OPENSHELL_REGISTRY OPENSHELL_REGISTRY_HOST OPENSHELL_REGISTRY_ENDPOINT
OPENSHELL_REGISTRY_NAMESPACE OPENSHELL_REGISTRY_INSECURE OPENSHELL_REGISTRY_USERNAME
OPENSHELL_REGISTRY_PASSWORD IMAGE_TAG OPENSHELL_CARGO_PROFILE RUST_BUILD_PROFILE DEPLOY_FAST_MODE
FORCE_HELM_UPGRADE DEPLOY_FAST_HELM_WAIT DEPLOY_FAST_READINESS_TIMEOUT_SECONDS
DEPLOY_FAST_READINESS_POLL_SECONDS DEPLOY_FAST_SUPERVISOR_RECONCILE
DEPLOY_FAST_SUPERVISOR_RECONCILE_TIMEOUT_SECONDS DEPLOY_FAST_STATE_FILE DEPLOY_TX_ID
DEPLOY_REPORT_DIR OPENSHELL_CARGO_VERSION RUST_TOOLCHAIN_SCOPE DOCKER_BUILDER DOCKER_PLATFORM
DOCKER_PUSH IMAGE_REGISTRY DOCKER_BUILD_CACHE_DIR SCCACHE_MEMCACHED_ENDPOINT
OPENSHELL_CLUSTER_IMAGE K3S_VERSION SKIP_IMAGE_PUSH SKIP_CLUSTER_IMAGE_BUILD GATEWAY_PORT
GATEWAY_HOST CI_REGISTRY CI_REGISTRY_IMAGE CI_REGISTRY_USER CI_REGISTRY_PASSWORD PERF_OUTPUT_DIR
"""

CONFIG = """\
version: 1
project: demo
builder: configured
cluster: {name: configured}
readiness: {timeout: 5}
images: {app: {dockerfile: Dockerfile}}
node_files:
  tool:
    dockerfile: Dockerfile
    file: tool
    dest: /opt/tool
    reconcile: {namespace: n, selector: a=b, mode: none, timeout: 5}
"""


def load(tmp_path: Path, environ: Mapping[str, str]) -> Project:
    (tmp_path / "localloop.yml").write_text(CONFIG)
    return load_project(tmp_path, environ=environ)


# -- overrides


@pytest.mark.parametrize("given", [True, False])
def test_overrides(tmp_path: Path, given: bool) -> None:
    """A variable overrides the file; an empty one counts as unset."""
    found = load(
        tmp_path,
        {
            "LOCALLOOP_BUILDER": "other" * given,
            "CLUSTER_NAME": "other" * given,
            "LOCALLOOP_READINESS_TIMEOUT": "7.5" * given,
            "LOCALLOOP_RECONCILE": "rolling-delete" * given,
            "LOCALLOOP_RECONCILE_TIMEOUT": "8" * given,
        },
    )
    reconcile = found.node_files["tool"].reconcile
    assert reconcile is not None
    values = (found.builder, found.cluster.name, found.readiness.timeout)
    assert values == (("other", "other", 7.5) if given else ("configured", "configured", 5.0))
    pods = (reconcile.mode, reconcile.timeout)
    assert pods == (("rolling-delete", 8.0) if given else ("none", 5.0))


REFUSED = [
    ("LOCALLOOP_BUILDER", "a b", "use 1 to 63"),
    ("CLUSTER_NAME", "Big", "use 1 to 63"),
    ("LOCALLOOP_READINESS_TIMEOUT", "5m", "above 0 and at most 86400"),
    ("LOCALLOOP_READINESS_TIMEOUT", "nan", "above 0 and at most 86400"),
    ("LOCALLOOP_RECONCILE", "rolling", "did you mean 'rolling-delete'?"),
    ("LOCALLOOP_RECONCILE_TIMEOUT", "0", "above 0 and at most 86400"),
]


@pytest.mark.parametrize(("variable", "value", "hint"), REFUSED)
def test_values_that_the_key_may_not_have_are_refused(
    tmp_path: Path, variable: str, value: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, {variable: value})
    assert (caught.value.reason, caught.value.where) == ("config_invalid", variable)
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("given", "environ", "wanted"),
    [
        ({}, {}, Request()),
        ({}, {"LOCALLOOP_TARGETS": "app, tool app"}, Request("auto", ("app", "tool"))),
        ({}, {"LOCALLOOP_MODE": "full"}, Request("full")),
        (
            {"targets": ["app"]},
            {"LOCALLOOP_TARGETS": "tool", "LOCALLOOP_MODE": "full"},
            Request("auto", ("app",)),
        ),
        ({"full": True}, {"LOCALLOOP_TARGETS": "app"}, Request("full")),
    ],
)
def test_targets_and_mode(
    tmp_path: Path, given: dict[str, Any], environ: dict[str, str], wanted: Request
) -> None:
    """Targets or --full on the command line replace both variables."""
    project = load(tmp_path, environ)
    assert requested(TargetOptions(**given), project, environ) == wanted


def test_an_unknown_target(tmp_path: Path) -> None:
    environ = {"LOCALLOOP_TARGETS": "tol"}
    with pytest.raises(UsageError, match="there is no component 'tol'") as caught:
        requested(TargetOptions(), load(tmp_path, environ), environ)
    assert (caught.value.reason, caught.value.hint) == ("unknown_target", "Did you mean tool?")


def test_an_unknown_mode(tmp_path: Path) -> None:
    environ = {"LOCALLOOP_MODE": "fulll"}
    project = load(tmp_path, environ)
    with pytest.raises(UsageError, match="'fulll' is unknown") as caught:
        requested(TargetOptions(), project, environ)
    assert (caught.value.where, caught.value.hint) == ("LOCALLOOP_MODE", "did you mean 'full'?")
    with pytest.raises(UsageError, match="'fulll' is unknown"):
        project_vars(project, environ)


# -- docs/configuration.md


def section(title: str) -> str:
    _, _, rest = DOCS.read_text().partition(f"# {title}\n")
    assert rest, title
    return re.split(r"^#", rest, flags=re.M)[0]


def names(text: str) -> set[str]:
    return set(re.findall(r"`([A-Z][A-Z0-9_]+)`", text))


def rows(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [(cells[1], cells[2]) for cells in (line.split("|") for line in lines)]


def read_by_the_code() -> set[str]:
    return {
        name
        for path in (ROOT / "src").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in _read(node)
    } - ELSEWHERE


def _read(node: ast.AST) -> Iterator[str]:
    """Our variables wherever they are named, others where they are read from an environment."""
    asked: list[ast.expr] = []
    if isinstance(node, ast.Constant) and OURS.fullmatch(str(node.value)):
        asked = [node]
    elif isinstance(node, ast.Subscript) and _is_environment(node.value):
        asked = [node.slice]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "get" and _is_environment(node.func.value):
            asked = node.args[:1]
    elif isinstance(node, ast.Call) and ast.unparse(node.func) == "overrides":
        asked = [keyword.value for keyword in node.keywords]
    for name in asked:
        if isinstance(name, ast.Constant):
            yield str(name.value).upper()  # those of proxies count in lower case too


def _is_environment(node: ast.expr) -> bool:
    return ast.unparse(node).endswith("environ")


def test_the_page_names_each_variable_that_the_code_reads_and_no_other() -> None:
    documented, code = names(section("Environment")), read_by_the_code()
    assert code <= documented
    assert documented - code <= READ_BY_TOOLS


def test_each_variable_of_the_seed_is_answered() -> None:
    table = rows(section("Coming from OpenShell's deploy scripts"))
    listed = [name for cell, _ in table for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(listed) == sorted(SEED.split())
    known = names(section("Environment"))
    for cell, answer in table:
        if answer.strip().startswith("the same"):
            assert names(cell) <= known, cell
        elif not answer.strip().startswith("retired: "):
            assert {name for name in names(answer) if OURS.fullmatch(name)} <= known, answer


def test_the_page_says_which_of_ansibles_variables_are_refused() -> None:
    whole_run = pytest.importorskip("localloop.ansible.whole_run")
    refused, _, left = section("Ansible's own variables").partition("is left alone")
    named = [re.findall(r"`(ANSIBLE_[A-Z0-9_]+)`", part) for part in (refused, left)]
    harmless = [{bool(whole_run._HARMLESS.fullmatch(name)) for name in part} for part in named]
    assert harmless == [{False}, {True}]
