"""The baseline without Docker: its files, its caches, and real commands as its steps."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from localloop.baseline.steps import (
    build_order,
    caches_for_mode,
    images_needed,
    prepare_folder,
    replace_names,
)
from localloop.baseline.table import Baseline, Measurement, csv_text, markdown_text
from localloop.config.project import load_project
from localloop.system.locks import Lock, lock_path

BASELINE = Baseline(
    run_id="20260102-030405",
    mode="both",
    include_deploy=True,
    profile="local-fast",
    csv=Path("/p/.cache/perf/cluster-baseline-20260102-030405.csv"),
    steps=(
        Measurement("cold", "rust", "cli_debug", "ok", 94.0),
        Measurement("cold", "image", "gateway", "failed", 1.25, "the build failed\n\x1b[1m  | why"),
        Measurement("warm", "deploy", "deploy", "ok", 0.0614, changed=True),
        Measurement("warm", "deploy", "never"),
    ),
)
CSV = """\
run,category,step,status,duration_s
cold,rust,cli_debug,ok,94.000
cold,image,gateway,failed,1.250
warm,deploy,deploy,ok,0.061
"""
MARKDOWN = """\
# Baseline 20260102-030405

- run_id: 20260102-030405
- mode: both
- include_deploy: 1
- profile: local-fast
- cargo_build_profile: local-fast
- csv: `/p/.cache/perf/cluster-baseline-20260102-030405.csv`

| run | category | step | status | duration_s |
|---|---|---|---|---:|
| cold | rust | cli_debug | ok | 94.000 |
| cold | image | gateway | failed | 1.250 |
| warm | deploy | deploy | ok | 0.061 |

## cold image/gateway: failed

    the build failed
    [1m  | why
"""


def test_the_files() -> None:
    assert csv_text(BASELINE) == CSV
    assert markdown_text(BASELINE) == MARKDOWN


def test_failed_steps_are_the_error() -> None:
    error = BASELINE.error()
    assert error is not None
    assert (error.reason, error.exit_code) == ("baseline_failed", 1)
    assert "1 of 4 steps failed: cold image/gateway" in str(error)
    assert "cluster-baseline-20260102-030405.md" in str(error)


def test_caches_of_each_run() -> None:
    root = Path("/p")
    (cold,) = caches_for_mode(root, "cold", "1")
    (warm,) = caches_for_mode(root, "warm", "1")
    both = caches_for_mode(root, "both", "1")
    assert (cold.run, cold.cold, warm.run, warm.cold) == ("cold", True, "warm", False)
    # A cold run and the warm run after it share their caches; each cold run has new cache mounts.
    assert both[0] == cold
    assert (both[1].run, both[1].cold) == ("warm", False)
    assert (both[1].folder, both[1].name) == (cold.folder, cold.name)
    assert caches_for_mode(root, "cold", "2")[0].name != cold.name
    # A warm run alone always has the same caches, which no other run shares.
    assert caches_for_mode(root, "warm", "2")[0] == warm
    assert warm.folder != cold.folder
    assert caches_for_mode(Path("/q"), "warm", "1")[0].name != warm.name


def test_a_cold_run_empties_its_folder(tmp_path: Path) -> None:
    cold, warm = caches_for_mode(tmp_path, "both", "1")
    prepare_folder(tmp_path, cold)
    closed = cold.folder / "module" / "cache"
    closed.mkdir(parents=True)
    (closed / "file").write_text("left behind")
    closed.chmod(0o500)
    prepare_folder(tmp_path, warm)
    assert (closed / "file").exists()
    prepare_folder(tmp_path, cold)
    assert list(cold.folder.iterdir()) == []


def test_order_and_needs(tmp_path: Path) -> None:
    (tmp_path / "localloop.yml").write_text(
        "version: 1\nproject: p\n"
        "node_files:\n  file: {dockerfile: D, file: f, dest: /f, needs: [app]}\n"
        "images:\n  app: {dockerfile: D, needs: [base, tools]}\n"
        "  tools: {dockerfile: D, needs: [base]}\n  base: {dockerfile: D}\n"
    )
    project = load_project(tmp_path, environ={})
    assert [image.name for image in build_order(project)] == ["base", "tools", "app", "file"]
    assert images_needed(project, project.node_files["file"]) == ["base", "tools", "app"]


def test_references() -> None:
    values = {"LOCALLOOP_BASELINE_DIR": r"/a\1", "LOCALLOOP_PROFILE": ""}
    assert replace_names("x=$LOCALLOOP_BASELINE_DIR/y$LOCALLOOP_PROFILE", values) == r"x=/a\1/y"
    assert replace_names("$HOME $$ ${LOCALLOOP_PROFILE} $LOCALLOOP_PROFILES", values) == (
        "$HOME $$ ${LOCALLOOP_PROFILE} $LOCALLOOP_PROFILES"
    )


# -- the command

CONFIG = """\
version: 1
project: p
profiles: {fast: {}}
default_profile: fast
baseline:
  steps:
    - name: write
      category: shell
      command: [sh, -c, 'echo "$0" "$X" "$LOCALLOOP_PROFILE" >> "$1"', $LOCALLOOP_PROFILE,
                $LOCALLOOP_BASELINE_DIR/written]
      env: {X: $LOCALLOOP_BASELINE_DIR/target}
"""
FAILING = """\
    - {name: missing, command: [no-such-command]}
    - {name: bad, command: [sh, -c, "echo why >&2; exit 7"]}
    - {name: slow, command: [sleep, "30"], timeout: 0.2}
    - {name: last, command: ["true"]}
"""


def start(root: Path, *words: str, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "localloop", "baseline", *words, "--project", str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "DOCKER_HOST": "unix:///nonexistent/docker.sock", **environ},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )


def run(root: Path, *words: str, **environ: str) -> tuple[int, str, str]:
    process = start(root, *words, **environ)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def outcomes(document: dict[str, Any]) -> list[str]:
    return [
        f"{step['run']} {step['category']}/{step['step']} {step['status']}" for step in document
    ]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "p"
    root.mkdir()
    (root / "localloop.yml").write_text(CONFIG)
    return root


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_commands_and_their_folder(root: Path) -> None:
    code, out, err = run(root, "-o", "json")
    assert code == 0, err
    document = json.loads(out)
    assert outcomes(document["steps"]) == ["cold shell/write ok", "warm shell/write ok"]
    folder = root / ".cache/localloop/baseline/cold"
    line = f"fast {folder}/target fast\n"
    assert (folder / "written").read_text() == line * 2
    names = [
        f"cluster-baseline-{document['run_id']}.csv",
        f"cluster-baseline-{document['run_id']}.md",
    ]
    assert files(root / ".cache/perf") == names
    assert [document["csv"], document["markdown"]] == [
        str(root / ".cache/perf" / name) for name in names
    ]
    assert (document["mode"], document["include_deploy"]) == ("both", False)
    assert document["cargo_build_profile"] == document["profile"] == "fast"
    assert "cold shell/write: ok" in err
    # A cold run starts from nothing; a warm run continues where the last warm run ended.
    for mode, runs in (("cold", 1), ("warm", 1), ("warm", 2)):
        code, out, err = run(root, "--mode", mode)
        assert code == 0, err
        assert (folder.with_name(mode) / "written").read_text().count("\n") == runs
    assert len(files(root / ".cache/perf")) == 8


def test_failed_steps_are_recorded_and_the_rest_still_run(root: Path) -> None:
    (root / "localloop.yml").write_text(
        CONFIG + FAILING + "images: {web: {dockerfile: Dockerfile}}\n"
    )
    (root / "Dockerfile").write_text("FROM scratch\n")
    code, out, err = run(root, "--mode", "cold", "--output-dir", "perf")
    assert code == 1
    (csv,) = (root / "perf").glob("*.csv")
    rows = [line.rpartition(",")[0] for line in csv.read_text().splitlines()]
    assert rows == [
        "run,category,step,status",
        "cold,shell,write,ok",
        "cold,command,missing,failed",
        "cold,command,bad,failed",
        "cold,command,slow,failed",
        "cold,command,last,ok",
        "cold,image,web,failed",
    ]
    markdown = csv.with_suffix(".md").read_text()
    for text in ("no-such-command", "exited with 7\n    why", "did not end within", "Docker"):
        assert text in markdown, text
    assert "4 of 6 steps failed" in err
    assert str(csv) in out


def test_ctrl_c_keeps_what_was_measured(root: Path) -> None:
    seconds = f"2{os.getpid():07d}"
    (root / "localloop.yml").write_text(
        CONFIG + f"    - {{name: slow, command: [sleep, '{seconds}']}}\n"
    )
    process = start(root)
    try:
        assert process.stdout is not None
        while "command/slow: started" not in process.stdout.readline():
            assert process.poll() is None
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    finally:
        process.kill()
    assert process.returncode == 130
    (csv,) = (root / ".cache/perf").glob("*.csv")
    assert [line.rpartition(",")[0] for line in csv.read_text().splitlines()[1:]] == [
        "cold,shell,write,ok",
        "cold,command,slow,interrupted",
    ]
    table = subprocess.run(["ps", "-A", "-o", "args="], capture_output=True, text=True, check=True)
    assert f"sleep {seconds}" not in table.stdout.splitlines()


def test_one_at_a_time(root: Path, own_state_home: Path) -> None:
    other = Lock(lock_path("baseline", str(root)))
    other.acquire({"command": "baseline", "pid": 1, "since": "then"}, exclusive=True)
    code, _, err = run(root)
    assert code == 75
    assert "baseline" in err
    assert not (root / ".cache").exists()
    other.release()
    assert run(root)[0] == 0


def test_what_is_refused(root: Path) -> None:
    (root / "file").write_text("")
    for words in (["--output-dir", "../x"], ["--output-dir", "file"], ["--output-dir", ""]):
        code, _, err = run(root, *words)
        assert (code, "--output-dir" in err) == (2, True), err
    code, _, err = run(root, LOCALLOOP_PERF_DIR="~/x")
    assert (code, "LOCALLOOP_PERF_DIR" in err) == (2, True), err
    (root / "localloop.yml").write_text("version: 1\nproject: p\n")
    code, _, err = run(root)
    assert (code, "nothing" in err or "no image" in err) == (2, True), err
    assert not (root / ".cache").exists()


def test_the_output_directory(root: Path, tmp_path: Path) -> None:
    assert run(root, "--mode", "cold", LOCALLOOP_PERF_DIR=str(tmp_path / "perf"))[0] == 0
    assert len(files(tmp_path / "perf")) == 2
    assert run(root, "--mode", "cold", "--output-dir", "mine", LOCALLOOP_PERF_DIR="no")[0] == 0
    assert len(files(root / "mine")) == 2
    assert not (root / "no").exists()
