"""An image that a command of the project makes: hello's page without a Dockerfile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.claims import unchanged
from harness.outside import docker
from harness.project import Project

pytestmark = pytest.mark.cluster

CONFIG = """\
    build: {command: [sh, make-image], timeout: 120}
    build_args: {GREETING: hello}
    inputs: [make-image, site]
"""
# The file system of the image that Docker built before, with this page.
MAKE_IMAGE = """\
set -eu
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
cp -r busybox/. "$work"
cp -r site "$work"
echo "$GREETING on $LOCALLOOP_PLATFORM" > "$work/site/greeting"
tar -c -C "$work" . | docker import --platform "$LOCALLOOP_PLATFORM" \
  --change 'ENTRYPOINT ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/site"]' \
  - "$LOCALLOOP_IMAGE"
"""


@pytest.fixture
def custom(deployed: Project) -> Project:
    """The deployed hello, whose image a command builds from now on."""
    image = deployed.outside.see().image
    container = docker("create", image)
    (deployed.root / "busybox/bin").mkdir(parents=True)
    docker("cp", f"{container}:/bin/busybox", str(deployed.root / "busybox/bin/busybox"))
    docker("rm", container)
    docker("rmi", image)
    deployed.edit("localloop.yml", "    dockerfile: Dockerfile\n", CONFIG)
    deployed.write("make-image", MAKE_IMAGE)
    return deployed


def test_a_command_builds_the_image(custom: Project) -> None:
    outside = custom.outside
    run = custom.deploy()
    assert outside.page() == custom.read("site/index.html")
    greeting = outside.get_raw("services/hello:http/proxy/greeting")
    assert greeting == "hello on linux/amd64\n"
    assert "runs sh make-image" in run.text
    web = run.report["components"]["web"]
    assert "the command that builds it" in str(web["changes"]["facts_changed"])
    assert web["untracked"] == ["what its command reads besides its inputs"]

    before = outside.see()
    custom.write("not-an-input", "one")
    unchanged(custom.deploy(), outside, before)
    custom.set_page("Made by a command")
    custom.deploy()
    assert "Made by a command" in outside.page()
    assert len(outside.see().builds) == len(before.builds) + 1
    # The command's arguments count; nothing of it stays in Docker's own store.
    custom.edit("localloop.yml", "GREETING: hello", "GREETING: servus")
    custom.deploy()
    assert outside.get_raw("services/hello:http/proxy/greeting").startswith("servus")
    assert docker("images", "-q", f"*/{custom.name}/web") == ""


def test_a_command_that_fails_only_costs_its_own_image(custom: Project) -> None:
    custom.add_node_file("one")
    custom.append("make-image", "echo no flour >&2\nexit 7\n")
    failed = custom.deploy(code=1)
    assert failed.report["error"]["reason"] == "build_failed:web"
    assert failed.report["error"]["component"] == "web"
    assert "exit 7" in failed.text
    assert "no flour" in failed.text
    log = custom.root / ".cache/localloop/build/web/command.log"
    assert str(log) in failed.text
    assert "no flour" in log.read_text()
    assert len(custom.outside.tags("tool")) == 4  # built and published all the same

    custom.edit("make-image", "exit 7\n", "")
    custom.edit("make-image", "set -eu\n", "set -eu\nsleep 600\n")
    custom.edit("localloop.yml", "timeout: 120", "timeout: 1")
    late = custom.deploy(code=1)
    assert late.report["error"]["reason"] == "build_failed:web"
    assert "did not end within 1 s" in late.text

    custom.write("make-image", "true\n")
    custom.edit("localloop.yml", "timeout: 1}", "timeout: 120}")
    nothing = custom.deploy(code=1)
    assert nothing.report["error"]["reason"] == "image_not_left"
    assert "$LOCALLOOP_IMAGE" in nothing.text


def test_an_image_that_the_command_pushed_is_used(custom: Project) -> None:
    """Also if it is an index; the nodes' platform is what counts."""
    custom.set_page("Pushed by the command")
    custom.append(
        "make-image",
        'docker tag "$LOCALLOOP_IMAGE" "$LOCALLOOP_IMAGE-one"\n'
        'docker push -q "$LOCALLOOP_IMAGE-one"\n'
        'docker rmi "$LOCALLOOP_IMAGE" "$LOCALLOOP_IMAGE-one"\n'
        'docker buildx imagetools create -t "$LOCALLOOP_IMAGE" "$LOCALLOOP_IMAGE-one"\n',
    )
    run = custom.deploy()
    assert "Pushed by the command" in custom.outside.page()
    transaction = run.report["header"]["transaction_id"]
    one = custom.outside.digest_of(f"{transaction}-one")
    assert custom.outside.see().image.endswith(f"@{one}")


def add_page(custom: Project) -> None:
    """An image that builds on the command's."""
    custom.write("Dockerfile", "FROM web\nCOPY more /site/more\n")
    custom.write("more", "and more")
    custom.edit(
        "localloop.yml",
        "\ncharts:",
        "  page:\n    dockerfile: Dockerfile\n    needs: [web]\n\ncharts:",
    )
    custom.edit("localloop.yml", "image: $web.ref", "image: $page.ref")


def test_an_image_that_builds_on_a_commands_image(custom: Project) -> None:
    add_page(custom)
    custom.deploy()
    assert custom.outside.get_raw("services/hello:http/proxy/more") == "and more"
    assert custom.deploy().report["outcome"] == "unchanged"
    custom.set_page("Through two images")
    custom.deploy()
    assert "Through two images" in custom.outside.page()
    # If the command fails, what builds on its image fails too.
    custom.append("make-image", "exit 1\n")
    failed = custom.deploy(code=1)
    assert failed.report["error"]["reason"] == "build_failed:web"
    assert "Through two images" in custom.outside.page()


def test_baseline_measures_a_command(custom: Project) -> None:
    add_page(custom)
    custom.append("make-image", 'touch "$LOCALLOOP_BASELINE_DIR/was-here"\n')
    run = custom.localloop("baseline", "--mode", "cold", "-o", "json")
    table = Path(json.loads(run.out)["csv"]).read_text()
    assert "cold,image,web,ok," in table
    assert "cold,image,page,ok," in table
    assert (custom.root / ".cache/localloop/baseline/cold/was-here").exists()
    assert docker("images", "-q", f"*/*/{custom.name}/web") == ""
