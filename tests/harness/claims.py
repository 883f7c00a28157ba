"""Compares what a run claims with what was seen from outside before and after it."""

from __future__ import annotations

import hashlib
from typing import Any

from .outside import Outside, Seen
from .project import Project
from .run import Run

HASHES = "/.cache/localloop/folders"


def agrees(
    run: Run, outside: Outside, before: Seen, after: Seen, *, reinstalled: bool = False
) -> None:
    """Check every claim of a successful deploy's report that can be seen from outside.

    ``reinstalled``: the release was uninstalled first, and has the same revision again.
    """
    report = run.report
    web, hello = report["components"]["web"], report["components"]["hello"]
    built = after.builds - before.builds
    released = reinstalled or after.revision != before.revision

    assert report["exit_code"] == run.code == 0
    assert (report["outcome"] == "deployed") == bool(built or released or _settled(report))
    assert web["changed"] == bool(built)
    assert report["plan"]["build_web"] == bool(built)
    if built:
        assert built == {report["header"]["transaction_id"]}
    assert hello["changed"] == released
    assert report["plan"]["helm_upgrade"] == released
    if released:
        assert hello["revision"] == after.revision

    digest = report["digests"]["web"]["target_after_push"]
    assert after.image.endswith(f"/{outside.name}/web@{digest}")
    fp_tag = f"fp-{report['fingerprints']['web']['current'][:16]}"
    assert outside.digest_of(fp_tag) == digest

    readiness = report["readiness"]
    assert readiness["readiness_gate_status"] == "ready"
    refs = {found["ref"]: found["state"] for found in readiness["objects"]}
    assert refs == {
        f"apps/v1/Deployment/{outside.name}/hello": "ready",
        f"v1/Service/{outside.name}/hello": "ready",
    }
    status = outside.deployment()["status"]
    assert status["readyReplicas"] == status["replicas"] == after.replicas

    record = outside.record()
    assert record["charts"]["hello"]["state"] == "settled"
    assert record["charts"]["hello"]["target"]["revision"] == after.revision
    assert record["images"]["web"]["image"]["digest"] == digest
    assert record["images"]["web"]["fingerprint"] == report["fingerprints"]["web"]["current"]
    assert run.markdown.startswith(f"# Deploy report {report['header']['transaction_id']}\n")


def _settled(report: dict) -> bool:
    return any(found["state_written"] for found in report["fingerprints"].values())


def unchanged(run: Run, outside: Outside, before: Seen) -> None:
    """Check that the run changed nothing and says so."""
    after = outside.see()
    assert after == before
    assert run.report["outcome"] == "unchanged"
    assert "Nothing to do" in run.text
    agrees(run, outside, before, after)


def seen_by_inputs(plan: Run, cluster: str) -> None:
    """A plan of a deployed tree whose cluster could not be asked: it says what it knows."""
    assert plan.out.startswith(cluster)
    known = "inputs_same (as this checkout deployed them last)"
    lines = [line for line in plan.out.splitlines() if " unchecked " in line and known in line]
    assert [line.split()[0] for line in lines] == ["web", "hello"]


def everything(project: Project) -> dict[str, Any]:
    """The project's tree, the state directory, and the objects of the cluster.

    Without the hashes of files, which a plan keeps.
    """
    found: dict[str, Any] = {}
    for base in (project.root, project.cluster.state):
        for path in sorted(base.rglob("*")):
            if HASHES in str(path):
                continue
            stat = path.lstat()
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[str(path)] = (stat.st_mode, stat.st_mtime_ns, content)
    for namespace in (project.name, "localloop", "kube-public"):
        kinds = "secrets,configmaps,services,deployments,replicasets,pods,serviceaccounts"
        for obj in project.cluster.items("-n", namespace, kinds):
            # A pod's kubelet goes on writing its status, which moves its resourceVersion too.
            obj.pop("status", None)
            metadata = obj["metadata"]
            if obj["kind"] == "Pod":
                del metadata["resourceVersion"]
            found[f"{namespace}/{obj['kind']}/{metadata['name']}"] = obj
    found["tags"] = project.outside.tags()
    return found
