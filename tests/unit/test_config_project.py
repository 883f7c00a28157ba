"""``localloop.yml`` → ``Project``: errors, profiles, placeholders."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from localloop.config.model import Project, Secret
from localloop.config.placeholders import consumed_images, resolve_values
from localloop.config.project import load_project
from localloop.errors import UsageError
from localloop.registry.published import PublishedImage

BASE = """\
version: 1
project: demo
profiles: {fast: {build_args: {MODE: fast, JOBS: 04}}, release: {}}
default_profile: fast
ci_profile: release
images:
  app: {dockerfile: Dockerfile}
  tools: {dockerfile: ./docker/../Dockerfile}
charts:
  web: {path: chart, namespace: demo}
""".replace("./docker/../", "./")


def load(tmp_path: Path, text: str, **more: object) -> Project:
    (tmp_path / "localloop.yml").write_text(text)
    return load_project(tmp_path, **{"environ": {}, **more})  # type: ignore[arg-type]


def fail(tmp_path: Path, text: str, **more: object) -> UsageError:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, text, **more)
    return caught.value


def test_defaults(tmp_path: Path) -> None:
    project = load(tmp_path, "version: 1\nproject: demo\n")
    assert (project.name, project.cluster.name, project.root) == ("demo", "demo", tmp_path)
    assert (project.profile, project.profile_args, project.builder) == (None, {}, None)
    assert (project.cluster.provider, project.registry.port) == ("auto", None)
    assert (project.readiness.timeout, project.readiness.stable_for) == (90.0, None)
    assert project.components == {}


def test_node_file(tmp_path: Path) -> None:
    text = (
        "version: 1\nproject: demo\nnode_files:\n"
        "  sup: {dockerfile: D, file: ./sup, dest: /opt/sup, mode: 755, owner: 1000,\n"
        "        reconcile: {namespace: n, selector: a=b}}\n"
    )
    found = load(tmp_path, text).node_files["sup"]
    assert (found.file, found.dest, found.mode, found.owner) == ("sup", "/opt/sup", "0755", "1000")
    assert found.reconcile and (found.reconcile.mode, found.reconcile.timeout) == (
        "rolling-delete",
        90.0,
    )


ERRORS = [
    ("imagse: {}\n", "11:1", "unknown key 'imagse'", "did you mean 'images'?"),
    ("node_files:\n  app: {dockerfile: D, file: f, dest: /f}\n", "12:3", "already the name", None),
    ("node_files:\n  all: {dockerfile: D, file: f, dest: /f}\n", "12:3", "reserved", None),
    ("node_files:\n  n: {dockerfile: D, file: f, dest: /a/../f}\n", "12:37", "absolute path", None),
    ("node_files:\n  n: {dockerfile: D, file: f, dest: /f, mode: 999}\n", "12:47", "mode", None),
    ("node_files:\n  n: {dockerfile: ../D, file: f, dest: /f}\n", "12:19", "'..' is not", None),
    ("node_files:\n  n: {dockerfile: /D, file: f, dest: /f}\n", "12:19", "must be relative", None),
    ("node_files:\n  n: {dockerfile: D, dest: /f}\n", "12:3", "needs the key 'file'", None),
    ("node_files:\n  n: {dockerfile: D, file: f, dest: /f, needs: [tool]}\n", "12:49",
     "not an image", "did you mean 'tools'?"),
    ("node_files:\n  A: {dockerfile: D, file: f, dest: /f}\n", "12:3", "not a valid name", None),
    ("cluster: {provider: minikube}\n", "11:21", "must be one of", None),
    ("cluster: {provider: kin}\n", "11:21", "must be one of", "did you mean 'kind'?"),
    ("registry: {port: 80}\n", "11:18", "at least 1024", None),
    ("readiness: {timeout: 5m}\n", "11:22", "must be a number, not text", None),
    ("readiness: {timeout: 5, stable_for: 5}\n", "11:37", "must be shorter than timeout", None),
    ("readiness:\n  http: {page: {status: 200}}\n", "12:16", "either a service or a url", None),
    ("readiness:\n  http: {page: {service: web, path: /}}\n", "12:26", "'web' is not valid", None),
    ("readiness:\n  http: {page: {url: 'http://example.org/'}}\n", "12:22", "is not valid", None),
    ("readiness:\n  http: {page: {url: 'http://localhost/', path: /}}\n", "12:49", "contains the",
     "remove `path`"),
    ("readiness:\n  http: {Page: {}}\n", "12:10", "not a valid name", None),
    ("builder: [a]\n", "11:10", "must be text, not a list", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "position", "message", "hint"), ERRORS)
def test_errors(tmp_path: Path, text: str, position: str, message: str, hint: str | None) -> None:
    error = fail(tmp_path, BASE + text)
    assert (error.reason, error.where) == ("config_invalid", f"localloop.yml:{position}")
    assert message in error.message
    if hint:
        assert error.hint == hint


def test_all_schema_errors_are_in_the_details(tmp_path: Path) -> None:
    error = fail(tmp_path, "version: 2\nproject: demo\nx: 1\n")
    assert error.where == "localloop.yml:1:10"
    assert error.details["count"] == 2


def test_needs_in_a_circle(tmp_path: Path) -> None:
    text = BASE.replace("app: {", "app: {needs: [tools], ").replace(
        "tools: {", "tools: {needs: [app], "
    )
    assert "need each other" in fail(tmp_path, text).message


def test_one_release_twice(tmp_path: Path) -> None:
    error = fail(tmp_path, BASE + "  two: {path: c, namespace: demo, release: web}\n")
    assert (error.where, "same release" in error.message) == ("localloop.yml:11:3", True)


def test_argument_hashed_and_unhashed(tmp_path: Path) -> None:
    extra = "build_args: {A: 1}, unhashed_args: {A: 2}"
    assert (
        "also in build_args"
        in fail(
            tmp_path, BASE.replace("dockerfile: Dockerfile}", f"dockerfile: D, {extra}}}", 1)
        ).message
    )


def test_build_args_stay_as_written(tmp_path: Path) -> None:
    assert load(tmp_path, BASE).profile_args == {"MODE": "fast", "JOBS": "04"}


PROFILES = [
    (None, {}, "fast"),
    (None, {"CI": "true"}, "release"),
    (None, {"CI": "1"}, "release"),
    (None, {"CI": "0"}, "fast"),
    (None, {"CI": "False"}, "fast"),
    (None, {"CI": ""}, "fast"),
    (None, {"CI": "1", "LOCALLOOP_PROFILE": "fast"}, "fast"),
    (None, {"CI": "1", "LOCALLOOP_PROFILE": ""}, "release"),
    ("release", {"LOCALLOOP_PROFILE": "fast"}, "release"),
]


@pytest.mark.parametrize(("flag", "environ", "profile"), PROFILES)
def test_profile_precedence(
    tmp_path: Path, flag: str | None, environ: dict[str, str], profile: str
) -> None:
    assert load(tmp_path, BASE, profile=flag, environ=environ).profile == profile


def test_no_profile(tmp_path: Path) -> None:
    text = BASE.replace("default_profile: fast\n", "").replace("ci_profile: release\n", "")
    assert load(tmp_path, text).profile is None


def test_unknown_profile(tmp_path: Path) -> None:
    error = fail(tmp_path, BASE, profile="relaese")
    assert (error.where, error.hint) == ("--profile", "did you mean 'release'?")
    error = fail(tmp_path, BASE.replace("ci_profile: release", "ci_profile: x"))
    assert error.where == "localloop.yml:5:13"


def test_cluster_name_from_the_environment(tmp_path: Path) -> None:
    assert load(tmp_path, BASE, environ={"CLUSTER_NAME": "other"}).cluster.name == "other"
    assert fail(tmp_path, BASE, environ={"CLUSTER_NAME": "a;b"}).where == "CLUSTER_NAME"


def test_found_upwards_and_missing(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    with pytest.raises(UsageError) as caught:
        load_project(tmp_path / "a/b")
    assert caught.value.reason == "config_missing"
    assert f"no localloop.yml in {tmp_path}/a/b or any directory above it" in str(caught.value)
    load(tmp_path, BASE)
    assert load_project(tmp_path / "a/b", environ={}).root == tmp_path


REF = PublishedImage("127.0.0.1:5000/demo/app", "sha256:" + "ab" * 32)
VALUES = [
    ("$app.repository", "127.0.0.1:5000/demo/app"),
    ("$app.tag", "d-" + "ab" * 10),
    ("$app.semver", "0.0.0-d-" + "ab" * 10),
    ("$app.digest", "sha256:" + "ab" * 32),
    ("$app.registry", "127.0.0.1:5000"),
    ("$app.name", "demo/app"),
    ("$app.ref", "127.0.0.1:5000/demo/app@sha256:" + "ab" * 32),
    ("docker://$app.ref!", "docker://127.0.0.1:5000/demo/app@sha256:" + "ab" * 32 + "!"),
    ("$$app.tag", "$app.tag"),
    ("$$$app.registry", "$127.0.0.1:5000"),
    ("$HOME ${x} $(id) $ $1 {{ .x }} costs 5$", "$HOME ${x} $(id) $ $1 {{ .x }} costs 5$"),
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_placeholders(tmp_path: Path, text: str, value: str) -> None:
    chart = f"  web: {{path: chart, namespace: demo, values: {{a: [{{b: '{text}', n: 1}}]}}}}\n"
    start = BASE[: BASE.index("  web:")]
    project = load(tmp_path, start + chart)
    found = project.charts["web"]
    assert resolve_values(found.values, {"app": REF}) == {"a": [{"b": value, "n": 1}]}
    uses = "$app." in text.replace("$$", "")
    assert consumed_images(found) == ({"app"} if uses else set())


@pytest.mark.parametrize(
    ("text", "message"), [("$ap.tag", "no image is named 'ap'"), ("x$app.tags", "no 'tags'")]
)
def test_placeholder_errors(tmp_path: Path, text: str, message: str) -> None:
    start = BASE[: BASE.index("  web:")]
    error = fail(tmp_path, start + f"  web: {{path: c, namespace: d, values:\n   {{a: {text}}}}}\n")
    assert error.where == "localloop.yml:11:8"
    assert message in error.message
    assert error.hint and "did you mean" in error.hint and "$$" in error.hint


def test_importing_is_light() -> None:
    code = (
        "import sys, localloop.config, localloop.fingerprint, yaml;"
        "print([m for m in ('pydantic', 'jsonschema', 'requests', 'importlib.metadata',"
        "'subprocess',"
        "'difflib', 'ansible', 'docker', 'kubernetes') if m in sys.modules])"
    )
    environ = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environ, check=True
    )
    assert done.stdout == "[]\n"


FILE = """
version: 1
project: relay
node_files:
  tool:
    dockerfile: D
    file: tool
    dest: /opt/tool
    reconcile: {namespace: relay, selector: app=x}
"""


@pytest.mark.parametrize(
    ("environ", "mode", "timeout"),
    [
        ({}, "rolling-delete", 90.0),
        ({"LOCALLOOP_RECONCILE": "none"}, "none", 90.0),
        ({"LOCALLOOP_RECONCILE_TIMEOUT": "2.5"}, "rolling-delete", 2.5),
        ({"LOCALLOOP_RECONCILE": "", "LOCALLOOP_RECONCILE_TIMEOUT": ""}, "rolling-delete", 90.0),
    ],
)
def test_the_environment_overrides_the_reconcile(
    tmp_path: Path, environ: dict[str, str], mode: str, timeout: float
) -> None:
    (tmp_path / "localloop.yml").write_text(FILE)
    reconcile = load_project(tmp_path, environ=environ).node_files["tool"].reconcile
    assert reconcile is not None
    assert (reconcile.mode, reconcile.timeout) == (mode, timeout)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LOCALLOOP_RECONCILE", "rolling"),
        *[("LOCALLOOP_RECONCILE_TIMEOUT", text) for text in ("soon", "0", "-1", "nan", "1e9")],
    ],
)
def test_a_wrong_reconcile_in_the_environment_is_refused(
    tmp_path: Path, variable: str, value: str
) -> None:
    (tmp_path / "localloop.yml").write_text(FILE)
    with pytest.raises(UsageError, match=variable):
        load_project(tmp_path, environ={variable: value})


# -- the baseline's steps

STEPS = "version: 1\nproject: demo\nbaseline:\n  steps:\n"


def test_baseline_steps(tmp_path: Path) -> None:
    text = (
        "    - {name: cli_debug, category: rust, command: [cargo, build], env: {A: 04, B: $X},\n"
        "       timeout: 60}\n"
        "    - {name: cli_debug, command: [make]}\n"
    )
    first, second = load(tmp_path, STEPS + text).baseline
    assert (first.name, first.category, first.command) == ("cli_debug", "rust", ("cargo", "build"))
    assert (first.env, first.timeout) == ({"A": "04", "B": "$X"}, 60.0)
    assert (second.category, second.env, second.timeout) == ("command", {}, 3600.0)
    assert load(tmp_path, "version: 1\nproject: demo\n").baseline == ()


@pytest.mark.parametrize(
    ("step", "said", "where"),
    [
        ("{command: [make]}", "needs the key 'name'", "5:7"),
        ("{name: a}", "needs the key 'command'", "5:7"),
        ("{name: a, command: []}", "must not be empty", "5:26"),
        ("{name: a, command: make all}", "must be a list", "5:26"),
        ("{name: a b, command: [x]}", "is not valid", "5:14"),
        ("{name: 'a,b', command: [x]}", "is not valid", "5:14"),
        ("{name: a, category: 'a|b', command: [x]}", "is not valid", "5:27"),
        ("{name: a, category: deploy, command: [x]}", "is reserved", "5:27"),
        ("{name: a, category: image, command: [x]}", "is reserved", "5:27"),
        ("{name: a, command: [x], timeout: 0}", "more than 0", "5:40"),
        ("{name: a, command: [x], env: {1A: x}}", "not a valid name", "5:37"),
        ("{name: a, command: [x], comand: [y]}", "unknown key 'comand'", "5:31"),
        ("{name: a, command: [x]}\n    - {name: a, command: [y]}", "already has a step", "6:14"),
    ],
)
def test_baseline_steps_that_are_refused(tmp_path: Path, step: str, said: str, where: str) -> None:
    error = fail(tmp_path, f"{STEPS}    - {step}\n")
    assert said in str(error)
    assert error.where == f"localloop.yml:{where}"


def test_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    keys = (
        "secrets: {a: {file: ci/token}, b: {file: ~/.netrc}, c: {file: /run/c}, d: {env: TOKEN},"
        " e: {ca_bundle: host}},"
        " ssh: [default], cache_from: ['type=registry,ref=r/c'], cache_to: [type=inline]"
    )
    image = load(tmp_path, BASE.replace("{dockerfile: Dockerfile}", f"{{dockerfile: D, {keys}}}"))
    found = image.images["app"]
    assert found.secrets.pop("e") == Secret(ca_bundle=True)
    assert {name: secret.file or secret.env for name, secret in found.secrets.items()} == {
        "a": str(tmp_path / "ci/token"),
        "b": "/home/me/.netrc",
        "c": "/run/c",
        "d": "TOKEN",
    }
    assert (found.ssh, found.cache_to) == (("default",), ("type=inline",))
    assert found.cache_from == ("type=registry,ref=r/c",)


@pytest.mark.parametrize(
    "keys",
    [
        "secrets: {a: {}}",
        "secrets: {a: {file: f, env: E}}",
        "secrets: {a: {file: f, ca_bundle: host}}",
        "secrets: {a: {ca_bundle: /etc/ssl/cert.pem}}",
        "secrets: {a: {value: s3cret}}",
        "secrets: {a: s3cret}",
        "secrets: {'a,src=/etc/shadow': {env: E}}",
        "ssh: ['default=/etc/passwd']",
        "cache_to: ['--push']",
        "cache_from: [r/c]",
    ],
)
def test_secrets_that_are_refused(tmp_path: Path, keys: str) -> None:
    text = BASE.replace("{dockerfile: Dockerfile}", f"{{dockerfile: D, {keys}}}")
    error = fail(tmp_path, text)
    assert error.where and error.where.startswith("localloop.yml:7")
    assert "s3cret" not in str(error)
