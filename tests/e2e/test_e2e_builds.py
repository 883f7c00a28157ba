"""Builds: the bake file that can be printed, secrets that are nowhere to be found."""

from __future__ import annotations

import json
import subprocess
from base64 import b64encode

import pytest

from harness.claims import everything
from harness.project import Project

pytestmark = pytest.mark.cluster

IN_A_FILE, IN_A_VARIABLE = "s3cret-of-a-file", "s3cret-of-a-variable"


def test_the_printed_bake_file_is_the_one_that_runs(deployed: Project) -> None:
    deployed.add_node_file("one")
    deployed.set_page("Printed first")
    whole = everything(deployed)
    printed = deployed.localloop("plan", "--bake").out
    assert everything(deployed) == whole
    read = subprocess.run(
        ["docker", "buildx", "bake", "--print", "--file", "-"],
        input=printed, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert set(json.loads(read.stdout)["target"]) == {"web", "tool"}

    run = deployed.deploy()
    ran = (deployed.root / ".cache/localloop/build/bake.json").read_text()
    transaction = run.report["header"]["transaction_id"]
    assert json.loads(ran.replace(f":{transaction}", ":tx")) == json.loads(printed)
    assert json.loads(deployed.localloop("plan", "--bake").out)["target"] == {}


def with_secrets(project: Project, *commands: str) -> None:
    project.edit(
        "localloop.yml",
        "    dockerfile: Dockerfile\n",
        "    dockerfile: Dockerfile\n"
        f"    secrets: {{file: {{file: {project.root}/../token}}, variable: {{env: TOKEN}}}}\n",
    )
    (project.root / "../token").write_text(f"{IN_A_FILE}\n")
    mounts = "--mount=type=secret,id=file --mount=type=secret,id=variable"
    project.add_build_step(f"{mounts} {' && '.join(commands)}")


def test_secrets_reach_the_build_and_nothing_else(deployed: Project) -> None:
    with_secrets(
        deployed,
        f"[ $(cat /run/secrets/file) = {IN_A_FILE[:8]}''{IN_A_FILE[8:]} ]",
        f"[ $(cat /run/secrets/variable) = {IN_A_VARIABLE[:8]}''{IN_A_VARIABLE[8:]} ]",
        "cat /run/secrets/variable | base64",
        "cat /run/secrets/*",
        "sleep 1",
        "cat /run/secrets/file",
        "false",
    )
    failed = deployed.deploy(code=1, env={"TOKEN": IN_A_VARIABLE})
    # The tests of the two values passed: what came after them was said.
    assert "***" in failed.text
    deployed.edit("Dockerfile", "cat /run/secrets/file && false", "true")
    done = deployed.deploy(env={"TOKEN": IN_A_VARIABLE})
    assert done.report["outcome"] == "deployed"

    cache = deployed.root / ".cache"
    told = [path for path in cache.rglob("*") if path.is_file() and path.name != "Dockerfile"]
    assert cache / "localloop/build/bake.log" in told
    texts = {str(path): path.read_bytes() for path in told}
    texts |= {"failed": failed.text.encode(), "done": done.text.encode()}
    values = [value.encode() for value in (IN_A_FILE, IN_A_VARIABLE)]
    for where, text in texts.items():
        for value in values:
            assert value not in text, where
            assert b64encode(value) not in text, where

    # Another value is no other image; a missing one is named.
    assert deployed.deploy(env={"TOKEN": "another"}).report["outcome"] == "unchanged"
    deployed.set_page("Without its secret")
    missing = deployed.deploy(code=1)
    assert missing.report["error"]["reason"] == "secret_missing"
    assert "TOKEN is not set" in missing.text
