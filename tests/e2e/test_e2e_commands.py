"""history, report, status, plan and down."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.claims import everything
from harness.outside import Cluster, eventually
from harness.project import SPAWN_LOG, Project
from harness.terminal import screen_of

pytestmark = pytest.mark.cluster


def test_history_and_report(deployed: Project) -> None:
    deployed.set_page("For the history")
    second = deployed.deploy()
    third = deployed.deploy()
    run = deployed.localloop("history", "-o", "json")
    entries = json.loads(run.out)
    assert [entry["outcome"] for entry in entries] == ["unchanged", "deployed", "deployed"]
    transactions = [entry["transaction_id"] for entry in entries]
    assert transactions[:2] == [third.report_path.stem, second.report_path.stem]
    shown = deployed.localloop("history").out
    assert all(transaction in shown for transaction in transactions)

    assert deployed.localloop("report").out == third.markdown
    assert deployed.localloop("report", transactions[1]).out == second.markdown
    told = json.loads(deployed.localloop("report", transactions[1], "-o", "json").out)
    assert told == second.report
    assert "localloop history" in deployed.localloop("report", "tx-none", code=2).text


def test_on_a_terminal_each_component_has_one_line(deployed: Project) -> None:
    deployed.set_page("On a terminal")
    deployed.add_build_step("sleep 4")
    argv = [sys.executable, "-m", "localloop", "deploy", "--project", str(deployed.root)]
    lines, written = screen_of(argv, env=deployed.cluster.env())
    assert "web: [busybox 3/3] RUN sleep 4" in written
    assert "web: [busybox 3/3] 3 s" in written
    about = {line.partition(": ")[0] for line in lines if ": " in line}
    said = {
        who: [line for line in lines if line.startswith(f"{who}: ")]
        for who in ("web", "hello", "Deployment hello", "Service hello")
    }
    assert said.keys() <= about
    assert said["web"][0].startswith("web: published d-")
    assert said["hello"] == ["hello: revision 2"]
    assert said["Deployment hello"] == ["Deployment hello: ready 1/1"]
    assert {len(found) for found in said.values()} == {1}
    assert any(line.startswith("Deployed: ") for line in lines)
    assert "On a terminal" in deployed.outside.page()


def test_plan_and_status_change_nothing_and_are_right(deployed: Project) -> None:
    before = deployed.outside.see()
    planned = json.loads(deployed.localloop("plan", "-o", "json").out)
    assert planned["components"]["web"]["skip"] == "unchanged"
    run = deployed.localloop("status", "-o", "json")
    status, record = json.loads(run.out), deployed.outside.record()
    quickest = min(run.seconds, deployed.localloop("status").seconds)
    assert quickest < 3 * deployed.localloop("plan").seconds
    web, hello = status["components"]["web"], status["components"]["hello"]
    assert hello["fingerprint"] == record["charts"]["hello"]["target"]["fingerprint"]
    assert hello["images"] == {"web": web["digest"]}
    assert hello["transaction"] == web["transaction"] == deployed.reports().pop()[: -len(".json")]
    assert 0 <= hello["age_s"] == web["age_s"] < 60
    assert hello["ready"] == ["Deployment hello: ready 1/1"]
    assert hello["drift"] == []
    assert status["components"]["hello"]["revision"] == before.revision
    assert status["components"]["hello"]["state"] == "settled"
    assert before.image.endswith(status["components"]["web"]["digest"])
    assert status["components"]["hello"]["next_deploy"] == "nothing to do"

    deployed.set_page("Planned, not deployed")
    whole = everything(deployed)
    planned = json.loads(deployed.localloop("plan", "-o", "json").out)
    assert planned["components"]["web"]["steps"] == ["build", "publish"]
    shown = deployed.localloop("plan", "--diff").out
    assert "M web site/index.html" in shown
    status = json.loads(deployed.localloop("status", "-o", "json").out)
    assert "inputs_changed" in status["components"]["web"]["next_deploy"]
    assert everything(deployed) == whole

    deployed.outside.kubectl("scale", "deployment", "hello", "--replicas=2")
    status = json.loads(deployed.localloop("status", "-o", "json").out)
    assert any("replicas" in found for found in status["components"]["hello"]["drift"])
    assert f"revision {before.revision} (drift)" in deployed.localloop("status").out
    after = deployed.outside.see()
    assert (after.tags, after.revisions) == (before.tags, before.revisions)
    # Helm refuses to set a field that kubectl has set to something else.
    deployed.outside.kubectl("scale", "deployment", "hello", "--replicas=1")
    by_hand = ("upgrade", "hello", str(deployed.root / "chart"), "--reuse-values")
    by_hand += ("--force-conflicts",)  # over kubectl's scale
    deployed.cluster.helm("-n", deployed.name, *by_hand)
    status = json.loads(deployed.localloop("status", "-o", "json").out)
    assert any("Helm revision" in found for found in status["components"]["hello"]["drift"])


def test_status_after_a_deploy_that_failed(deployed: Project, tmp_path: Path) -> None:
    """What is live is shown, ready or not, although none of it is settled."""
    before = deployed.outside.see()
    deployed.set_readiness_timeout(4)
    deployed.set_page("Never ready")
    deployed.edit("chart/templates/deployment.yaml", "path: /,", "path: /no-such-page,")
    failed = deployed.deploy(code=1)
    target = deployed.outside.record()["charts"]["hello"]["target"]
    log = tmp_path / "spawned"
    log.write_text("")
    spying = {"PYTHONPATH": str(SPAWN_LOG), "E2E_SPAWN_LOG": str(log)}
    deployed.localloop("status", env=spying)
    assert log.read_text() == ""
    run = deployed.localloop("status", "-o", "json")
    quickest = min(run.seconds, deployed.localloop("status").seconds)
    assert quickest < 3 * deployed.localloop("plan").seconds
    shown = json.loads(run.out)["components"]
    web, hello = shown["web"], shown["hello"]
    assert hello["state"] == web["state"] == "settling"
    assert hello["ready"][0].startswith("Deployment hello: ready 0/1")
    assert hello["fingerprint"] == target["fingerprint"]
    assert hello["transaction"] == web["transaction"] == failed.report["header"]["transaction_id"]
    assert hello["revision"] == before.revision + 1
    assert deployed.outside.deployment()["spec"]["template"]["spec"]["containers"][0][
        "image"
    ].endswith(web["digest"])
    assert 0 <= web["age_s"] == hello["age_s"] < 60
    table = deployed.localloop("status").out
    assert f"revision {before.revision + 1} (settling)" in table
    assert f"{web['digest'][7:19]} (settling)" in table


def test_deploy_prints_one_json_document(deployed: Project) -> None:
    deployed.set_page("For machines")
    run = deployed.deploy("-o", "json")
    told = json.loads(run.out)
    assert told == run.report
    assert told["outcome"] == "deployed"
    refused = deployed.deploy("nonesuch", "-o", "json", code=2)
    assert json.loads(refused.out)["error"]["reason"] == "unknown_target"


def test_down(deployed: Project) -> None:
    run = deployed.localloop("down")
    assert "helm uninstall" in run.text
    assert deployed.outside.history() == []
    assert deployed.outside.record() == {}
    eventually("the pods' end", lambda: not deployed.outside.pods())
    assert run.report["outcome"] == "removed"
    # What was removed is deployed again, without a build: the registry holds it.
    before = deployed.outside.see()
    again = deployed.deploy()
    after = deployed.outside.see()
    assert after.revisions == ((1, "deployed"),)
    assert after.tags == before.tags
    assert "never_deployed" in again.reasons("hello")


def test_a_release_that_the_project_no_longer_names(deployed: Project) -> None:
    """``status`` lists it, ``down`` removes it."""
    deployed.edit("localloop.yml", "    path: chart\n", "    path: chart\n    release: renamed\n")
    deployed.deploy()
    status = deployed.localloop("status")
    assert f"left behind: release {deployed.name}/hello" in status.text
    assert f"helm -n {deployed.name} uninstall hello;" in status.text
    told = json.loads(deployed.localloop("status", "-o", "json").out)
    assert told["left_behind"] == [f"{deployed.name}/hello"]
    assert "Hello" in deployed.outside.page()
    deployed.localloop("down")
    assert deployed.outside.kubectl("get", "secrets", "-l", "owner=helm", "-o", "name") == ""


def test_down_leaves_a_release_that_was_replaced_by_hand(deployed: Project) -> None:
    helm, image = deployed.cluster.helm, deployed.outside.see().image
    helm("-n", deployed.name, "uninstall", "hello")
    chart = str(deployed.root / "chart")
    helm("-n", deployed.name, "install", "hello", chart, "--set", f"image={image}")
    run = deployed.localloop("down")
    assert f"{deployed.name}/hello is left, it is not one of localloop's" in run.text
    assert f"helm -n {deployed.name} uninstall hello)" in run.text
    assert [each["status"] for each in deployed.outside.history()] == ["deployed"]
    assert deployed.outside.record() == {}


def test_down_with_the_cluster_is_refused_if_others_are_deployed(
    make_project: Callable[..., Project], cluster: Cluster
) -> None:
    mine, other = make_project("down-mine"), make_project("down-other")
    mine.deploy()
    other.deploy()
    containers = cluster.objects_of_docker()
    run = mine.localloop("down", "--cluster", code=2)
    assert "project down-other" in run.text
    assert "--force" in run.text
    assert cluster.objects_of_docker() == containers
    assert "Hello" in mine.outside.page()


def test_module_and_console_script_are_one_command() -> None:
    script = Path(sys.executable).parent / "localloop"
    outputs = {
        subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        for argv in ([str(script), "--version"], [sys.executable, "-m", "localloop", "--version"])
    }
    assert len(outputs) == 1
