"""Behind a proxy that refuses everything: a cluster is made, deployed to, mended and removed.

On a cluster of its own, because nodes get their proxy when they are created.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from harness.names import CLUSTER
from harness.outside import Cluster, docker
from harness.project import HELLO, Project
from harness.proxy import RefusingProxy, refusing_proxy
from harness.run import Run

pytestmark = pytest.mark.cluster

VARIABLES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}
# Names that only their askers know; nothing else may be asked of the proxy.
OF_A_BUILD, OF_A_NODE, OF_A_HOOK = "build.example", "node.example", "hook.example"

BUILD_STEP = f"""--mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \\
    grep -q 'of this machine' /etc/ssl/certs/ca-certificates.crt \\
    && echo ",$no_proxy," | grep -q ',127.0.0.1,' \\
    && ! busybox wget -q -O /dev/null http://{OF_A_BUILD}/"""
# What a hook's own programs do: they ask for the API server, and for something elsewhere.
HOOK = f"""\
import os, urllib.error, urllib.request

config = open(os.environ["KUBECONFIG"]).read()
server = config.partition("server: ")[2].split()[0].replace("https:", "http:")
for url in (server, "http://{OF_A_HOOK}/"):
    try:
        urllib.request.urlopen(url, timeout=20)
    except urllib.error.HTTPError as error:
        print(url, error.code)
"""


@dataclass(frozen=True)
class BehindProxy(Cluster):
    """A cluster whose runs have the variables of a user behind a proxy."""

    variables: Mapping[str, str] = field(default_factory=dict)

    def env(self) -> dict[str, str]:
        kept = {name: text for name, text in super().env().items() if name.upper() not in VARIABLES}
        return {**kept, **self.variables}


@pytest.fixture(scope="module")
def proxy() -> Iterator[RefusingProxy]:
    with refusing_proxy() as found:
        yield found


@pytest.fixture(scope="module")
def made(
    node_image: str, proxy: RefusingProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Project, Run]]:
    """A project, and the run that made its cluster."""
    base = tmp_path_factory.mktemp("proxy")
    certificates = base / "certificates.pem"
    certificates.write_text("a certificate of this machine\n")
    variables = {
        "HTTP_PROXY": proxy.url,
        "https_proxy": proxy.url,
        "NO_PROXY": "intranet.example",
        "SSL_CERT_FILE": str(certificates),
    }
    cluster = BehindProxy(f"{CLUSTER}-proxy", base / "state", variables)
    cluster.remove()
    project = Project(base / "project", "proxied", cluster)
    # What hello installs comes from the build cache, whatever the proxy.
    docker("buildx", "build", "--target=busybox", "--output=type=cacheonly", str(HELLO))
    project.add_build_step(BUILD_STEP)
    project.edit(
        "localloop.yml",
        "    dockerfile: Dockerfile\n",
        "    dockerfile: Dockerfile\n    secrets: {ca: {ca_bundle: host}}\n",
    )
    project.write("hook.py", HOOK)
    project.append(
        "localloop.yml", f"\nhooks: {{after_deploy: [{{command: [{sys.executable}, hook.py]}}]}}\n"
    )
    yield project, project.start("deploy").end()
    project.localloop("down", "--cluster", "--force", code=None)
    cluster.remove()


@pytest.fixture
def project(made: tuple[Project, Run], proxy: RefusingProxy) -> Project:
    """The deployed project; what was asked until now is forgotten."""
    project, run = made
    assert run.code == 0, run.text
    proxy.asked.clear()
    return project


def test_a_first_deploy_asks_the_proxy_only_for_what_is_elsewhere(
    made: tuple[Project, Run], proxy: RefusingProxy
) -> None:
    project, run = made
    assert run.code == 0, run.text
    assert run.report["bootstrap"]["mode"] == "create"
    assert "Hello from localloop" in project.outside.page()
    assert set(proxy.asked) == {OF_A_BUILD, OF_A_HOOK}


def test_the_nodes_have_the_proxy_and_pull_past_it(project: Project, proxy: RefusingProxy) -> None:
    node, image = project.cluster.node, project.outside.see().image
    docker("exec", node, "crictl", "rmi", image)
    docker("exec", node, "crictl", "pull", image)
    assert not proxy.asked
    argv = ["docker", "exec", node, "crictl", "pull", f"{OF_A_NODE}/image:1"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode, done.stdout
    assert set(proxy.asked) == {OF_A_NODE}


def test_a_second_deploy_changes_nothing(project: Project, proxy: RefusingProxy) -> None:
    before = project.outside.see()
    assert project.deploy().report["outcome"] == "unchanged"
    assert project.outside.see() == before
    assert not proxy.asked


def test_a_lost_registry_is_mended_and_an_edit_released(
    project: Project, proxy: RefusingProxy
) -> None:
    docker("rm", "-f", project.cluster.registry_container)
    project.set_page("Past the proxy")
    run = project.deploy()
    assert "registry_missing" in run.text + str(run.report), run.text
    assert "Past the proxy" in project.outside.page()
    assert set(proxy.asked) == {OF_A_HOOK}


def test_down_removes_everything(project: Project, proxy: RefusingProxy) -> None:
    project.localloop("down", "--cluster", "--force")
    assert not project.cluster.objects_of_docker()
    assert not proxy.asked
