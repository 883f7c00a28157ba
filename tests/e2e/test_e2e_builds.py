"""Builds: the bake file that can be printed, and secrets that appear nowhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.claims import everything, unchanged
from harness.outside import docker, eventually
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
    # Both values were right: the build printed what comes after their tests.
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

    # A new value does not make a new image; a missing one is reported.
    assert deployed.deploy(env={"TOKEN": "another"}).report["outcome"] == "unchanged"
    deployed.set_page("Without its secret")
    missing = deployed.deploy(code=1)
    assert missing.report["error"]["reason"] == "secret_missing"
    assert "TOKEN is not set" in missing.text


def test_images_that_need_each_other(deployed: Project) -> None:
    """In one bake if both are built; from the published one if only the second is."""
    deployed.write("Dockerfile.base", "FROM scratch\nCOPY base /site/base\n")
    deployed.write("base", "first")
    deployed.edit(
        "localloop.yml",
        "dockerfile: Dockerfile\n",
        "dockerfile: Dockerfile\n    needs: [base]\n  base:\n    dockerfile: Dockerfile.base\n",
    )
    deployed.edit("Dockerfile", "COPY site/ /site/\n", "COPY site/ /site/\nCOPY --from=base / /\n")

    def contexts() -> dict[str, dict[str, str]]:
        baked = json.loads((deployed.root / ".cache/localloop/build/bake.json").read_text())
        return {name: found.get("contexts", {}) for name, found in baked["target"].items()}

    deployed.deploy()
    assert contexts() == {"web": {"base": "target:base"}, "base": {}}
    assert deployed.outside.get_raw("services/hello:http/proxy/base") == "first"
    base = deployed.outside.tags("base")

    deployed.set_page("On the base as it is")
    run = deployed.deploy()
    assert run.plan_of("base")["skip"] == "unchanged"
    ((needed, reference),) = contexts()["web"].items()
    assert needed == "base"
    assert f"/{deployed.name}/base@sha256:" in reference
    assert "On the base as it is" in deployed.outside.page()
    assert deployed.outside.tags("base") == base

    deployed.write("base", "second")
    run = deployed.deploy()
    assert "image base, which it needs" in run.reasons("web")
    assert deployed.outside.get_raw("services/hello:http/proxy/base") == "second"
    assert deployed.deploy().report["outcome"] == "unchanged"


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[str]:
    """The socket of a real SSH agent."""
    if not shutil.which("ssh-agent"):
        pytest.skip("needs ssh-agent (Debian: openssh-client)")
    socket = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    eventually("the agent", socket.exists)
    yield str(socket)
    process.terminate()
    process.wait(timeout=10)


def test_the_ssh_agent_reaches_the_build(deployed: Project, agent: str) -> None:
    deployed.edit(
        "localloop.yml", "dockerfile: Dockerfile\n", "dockerfile: Dockerfile\n    ssh: [default]\n"
    )
    deployed.add_build_step('--mount=type=ssh test -S "$SSH_AUTH_SOCK"')
    missing = deployed.deploy(code=1, env={"SSH_AUTH_SOCK": ""})
    assert missing.report["error"]["reason"] == "ssh_agent_missing"
    assert "SSH_AUTH_SOCK is not set" in missing.text
    done = deployed.deploy(env={"SSH_AUTH_SOCK": agent})
    assert done.report["outcome"] == "deployed"


def test_layers_are_exported_to_and_imported_from_other_caches(deployed: Project) -> None:
    deployed.edit(
        "localloop.yml",
        "dockerfile: Dockerfile\n",
        "dockerfile: Dockerfile\n    cache_to: [type=inline]\n",
    )
    deployed.set_page("With its cache inside")
    deployed.deploy()
    image = deployed.outside.see().image
    repository, _, digest = image.partition("@")
    name = f"{deployed.name}/web"
    manifest = json.loads(deployed.cluster.registry("GET", f"{name}/manifests/{digest}")[2])
    config = deployed.cluster.registry("GET", f"{name}/blobs/{manifest['config']['digest']}")[2]
    assert "moby.buildkit.cache.v0" in json.loads(config)

    deployed.edit(
        "localloop.yml",
        "    cache_to:",
        f'    cache_from: ["type=registry,ref={image}"]\n    cache_to:',
    )
    before = deployed.outside.see()
    unchanged(deployed.deploy(), deployed.outside, before)  # a cache is in no fingerprint
    deployed.set_page("From that cache")
    deployed.deploy()
    log = (deployed.root / ".cache/localloop/build/bake.log").read_text()
    assert f"importing cache manifest from {repository}" in log


def forget_history(project: Project) -> None:
    """Drop all states but the newest from the record, as ten more deploys would."""
    record = project.outside.record()
    chart = record["charts"]["hello"]
    chart["history"] = chart["history"][:1]
    data = {"record": b64encode(json.dumps(record).encode()).decode()}
    project.cluster.kubectl(
        "-n", "localloop", "patch", "secret", project.name, "--patch", json.dumps({"data": data})
    )


def test_prune_keeps_the_newest_images_and_those_in_use(deployed: Project, make_project) -> None:
    outside, cluster = deployed.outside, deployed.cluster
    images = [outside.see().image]
    for words in ("one", "two", "three"):
        deployed.set_page(words)
        deployed.deploy()
        images.append(outside.see().image)
    digests = [image.partition("@")[2] for image in images]
    before = outside.see()
    for _ in range(5):
        unchanged(deployed.deploy(), outside, before)

    # A bare pod uses the oldest one by its tag; the second one has a tag of the user's own.
    old, second = f"d-{digests[0].removeprefix('sha256:')[:20]}", digests[1]
    repository = images[0].partition("@")[0]
    outside.kubectl("run", "other", f"--image={repository}:{old}", "--restart=Never")
    make_project("somebody").deploy()
    docker("pull", "-q", f"{repository}@{second}")
    docker("tag", f"{repository}@{second}", f"{repository}:mine")
    docker("push", "-q", f"{repository}:mine")
    docker("rmi", f"{repository}:mine")
    others = cluster.registry("GET", "somebody/web/tags/list")

    deployed.set_page("four")
    deployed.add_build_step("sleep 4")
    running = deployed.start("deploy")
    running.until_said("web", "build", "sleep 4")
    assert "another run holds the lock" in deployed.localloop("prune", code=75).text
    assert running.end().code == 0
    pods = ("-n", deployed.name, "pods", "-l", "app=hello")
    eventually("one pod", lambda: len(cluster.items(*pods)) == 1)
    newest = outside.see().image.partition("@")[2]

    def prune() -> dict[str, list[str]]:
        told = json.loads(deployed.localloop("prune", "--keep", "1", "-o", "json").out)
        parts = told["components"].items()
        removed = {name: part["removes"] for name, part in parts if part["changed"]}
        assert told["outcome"] == ("pruned" if removed else "unchanged")
        return removed

    # The record names everything that a rollback could go back to.
    assert prune() == {}
    forget_history(deployed)
    assert prune() == {"web": [digests[2], digests[3]]}
    left = {outside.digest_of(tag) for tag in outside.tags()}
    assert left == {digests[0], second, newest}
    assert cluster.registry("GET", "somebody/web/tags/list")[2] == others[2]

    after = outside.see()
    unchanged(deployed.deploy(), outside, after)
    assert prune() == {}
    # What was pruned is built again when it is needed.
    deployed.set_page("two")
    assert deployed.deploy().report["outcome"] == "deployed"
    assert "two" in outside.page()


def test_an_image_that_no_node_can_run_is_not_released(deployed: Project) -> None:
    before = deployed.outside.see()
    deployed.add_node_file("one")
    deployed.edit(
        "localloop.yml", "    file: out/tool\n", "    file: out/tool\n    platform: linux/arm64\n"
    )
    # An image that no chart uses may be for any platform; it is built along with the other.
    deployed.write("Dockerfile.spare", "FROM scratch\nCOPY site/ /\n")
    deployed.edit(
        "localloop.yml",
        "images:\n",
        "images:\n  spare: {dockerfile: Dockerfile.spare, platform: linux/arm64}\n",
    )
    run = deployed.deploy(code=1)
    assert run.report["error"]["reason"] == "image_platform"
    assert run.report["error"]["component"] == "tool"
    assert "built for linux/arm64, but the cluster's nodes are linux/amd64" in run.text
    assert deployed.outside.see() == before
    assert any(tag.startswith("fp-") for tag in deployed.outside.tags("spare"))
    assert not any(tag.startswith(("fp-", "d-")) for tag in deployed.outside.tags("tool"))
    assert deployed.deploy(code=1).report["error"]["reason"] == "image_platform"
    # Docker keeps none of it, published or not.
    assert docker("images", "-q", "--filter", f"reference=*/{deployed.name}/*") == ""


def test_a_builder_that_cannot_push_is_refused(deployed: Project, tmp_path: Path) -> None:
    before = deployed.outside.see()
    env = {"BUILDX_CONFIG": str(tmp_path / "buildx")}
    subprocess.run(
        ["docker", "buildx", "create", "--name", "apart", "--driver", "docker-container"],
        env={**os.environ, **env}, check=True, capture_output=True,
    )  # fmt: skip
    deployed.append("localloop.yml", "\nbuilder: apart\n")
    run = deployed.deploy(code=2, env=env)
    assert run.report["error"]["reason"] == "builder_unfit"
    assert "the builder apart cannot push" in run.text
    assert "network=host" in run.text
    deployed.edit("localloop.yml", "builder: apart", "builder: nobody")
    deployed.set_page("Something to build")
    run = deployed.deploy(code=2, env=env)
    assert run.report["error"]["reason"] == "builder_unknown"
    assert deployed.outside.see() == before
