"""The scheduler's messages: the reason that counts, and one cause for each."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localloop.readiness.causes import CAUSES
from localloop.readiness.diagnosis import diagnose
from localloop.readiness.scheduling import decisive, first_decisive

# Every reason that kube-scheduler 1.31.14 and 1.37.2, and 1.35.4 between them, give for a node or,
# before they look at nodes, for the pod: constants, and formats with an example put in.
SAID = {
    "host_port_taken": ["node(s) didn't have free ports for the requested pod ports"],
    "insufficient_resources": [
        "Insufficient cpu",
        "Insufficient memory",
        "Insufficient ephemeral-storage",
        "Insufficient hugepages-2Mi",
        "Insufficient example.com/gpu",
        "Too many pods",
    ],
    "claim_missing": [
        'persistentvolumeclaim "data" not found',
        "PVC default/web-cache was not created for pod default/web (pod is not owner)",
        "PersistentVolumeClaim had no name",
    ],
    "claim_ending": ['persistentvolumeclaim "data" is being deleted'],
    "volume_gone": [
        "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)",
        'persistentvolumeclaim "data" bound to non-existent persistentvolume "pv-1"',
        "PersistentVolume had no name",
    ],
    "volume_unbound": [
        "pod has unbound immediate PersistentVolumeClaims",
        "node(s) didn't find available persistent volumes to bind",
        'waiting for ephemeral volume controller to create the persistentvolumeclaim "web-cache"',
        "PersistentVolumeClaim had no pv name and storageClass name",
        'VolumeBindingMode not set for StorageClass "fast"',
        'storageclass.storage.k8s.io "fast" not found',
    ],
    "volume_elsewhere": [
        "node(s) had volume node affinity conflict",
        "node(s) didn't match PersistentVolume's node affinity",
        "node(s) had no available volume zone",
    ],
    "volume_in_use": [
        "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access"
        " mode",
        "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already"
        " in-use by another pod",
        "node(s) had no available disk",
    ],
    "volume_limit": ["node(s) exceed max volume count"],
    "storage_full": ["node(s) did not have enough free storage"],
    "csi_driver_missing": ["hostpath.csi.k8s.io CSI driver is not installed on the node"],
    "device_claim": [
        'resourceclaim "gpu" is being deleted',
        'resourceclaim.resource.k8s.io "gpu" not found',
        "resourceclaim in use",
        "resourceclaim must be reallocated",
        "resourceclaim not available on the node",
        "resourceclaim cannot be allocated for the node (unsuitable)",
        "resourceclaim depends on disabled DRAControlPlaneController feature",
        "resource claim default/gpu is in the process of being allocated",
        "resource claim default/gpu, request one: unknown request type",
        "resource claim default/gpu, request one: has subrequests, but the DRAPrioritizedList"
        " feature is disabled",
        "resource claim default/gpu allocation requires DRAOptionalNodeOperations feature on the"
        " node",
        "request one: device class gpu.example.com does not exist",
        "excluded by device class node filter",
        "cannot allocate all claims",
        "cannot fit resource",
        "cannot schedule extended resource claim",
        "timed out trying to allocate devices",
        "node n1: timed out trying to allocate devices",
        "asked by caller to stop allocating devices: filter found enough nodes",
        "waiting for resource driver",
        "waiting for resource driver to provide information",
        "node allocatable resource claim gpu has a mapped device and cannot be shared across pods",
        "pod level limit for cpu is insufficient to cover the limit and DRA overhead for container"
        " main",
        "pod level limit for cpu is insufficient to cover the aggregated container and"
        " node-allocatable DRA limits",
        "pod level request for cpu is insufficient to cover the aggregated container and"
        " node-allocatable DRA requests",
    ],
    "pod_group": [
        "waiting for minCount pods from a gang to appear in scheduling queue",
        'waiting for pods\'s workload "train" to appear in scheduling queue',
        'waiting for pods\'s pod group "train" to appear in scheduling queue',
        'waiting for composite pod group "train" tree to meet quorum',
        'pod group "workers" doesn\'t exist for a workload "train"',
        "minCount (3) cannot be satisfied: 1 scheduled, 1 remaining",
    ],
    "waits_for_preemption": [
        "waiting for the preemption for this pod to be finished",
        "waiting for the preemption for this pod group to be finished",
    ],
    "resize_deferred": [
        "node had resize preemption disabled",
        "pod assigned to different node",
        "pod resize fits, waiting for Kubelet actuation",
    ],
    "pod_anti_affinity": [
        "node(s) didn't match pod anti-affinity rules",
        "node(s) didn't satisfy existing pods anti-affinity rules",
    ],
    "pod_affinity": ["node(s) didn't match pod affinity rules"],
    "topology_spread": [
        "node(s) didn't match pod topology spread constraints",
        "node(s) didn't match pod topology spread constraints (missing required label)",
    ],
    "node_features": [
        "node declared features check failed - unsatisfied requirements: GuaranteedQoSPodCPUResize",
        "node(s) didn't match Pod's required features",
        "Pod has a restartable init container and the SidecarContainers feature is disabled",
    ],
    "node_not_ready": [
        "node(s) had untolerated taint {node.kubernetes.io/not-ready: }",
        "node(s) had untolerated taint {node.kubernetes.io/unreachable: }",
        "node(s) had untolerated taint {node.kubernetes.io/network-unavailable: }",
        "node(s) had untolerated taint {node.cloudprovider.kubernetes.io/uninitialized: true}",
        "node(s) had unknown conditions",
    ],
    "node_pressure": ["node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }"],
    "node_cordoned": [
        "node(s) were unschedulable",
        "node(s) had untolerated taint {node.kubernetes.io/unschedulable: }",
    ],
    "untolerated_taint": [
        "node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }",
        "node(s) had untolerated taint {team: red}",
        "node(s) had untolerated taint(s)",
        "node(s) had taints that the pod didn't tolerate",
    ],
    "no_matching_node": [
        "node(s) didn't match Pod's node affinity/selector",
        "node(s) didn't match scheduler-enforced node affinity",
        "node(s) didn't match the requested node name",
        "node(s) didn't satisfy plugin NodeAffinity",
        "node(s) didn't satisfy plugin(s) [NodeAffinity]",
        "node(s) didn't satisfy plugin(s) [NodeAffinity VolumeBinding] simultaneously",
        "pod affinity terms conflict",
    ],
}
REASONS = [(cause, reason) for cause, reasons in SAID.items() for reason in reasons]
PREEMPTION = (
    " preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, 1"
    " Preemption is not helpful for scheduling."
)


@pytest.mark.parametrize(("cause", "reason"), REASONS)
def test_each_reason_has_its_cause(cause: str, reason: str) -> None:
    for count in ("2 ", ""):
        for rest in ("", PREEMPTION, " still not schedulable," + PREEMPTION):
            message = f"0/2 nodes are available: {count}{reason}.{rest}"
            assert reason.startswith(decisive(message))
            assert diagnose("unschedulable:web", message).cause == cause
            held = f"{message} (held by web-1, which is ending)"
            assert diagnose("timeout:ready 0/1", held).cause == cause


@pytest.mark.parametrize(("cause", "reason"), REASONS)
def test_no_reason_is_in_two_minds(cause: str, reason: str) -> None:
    """At most the broad causes, which stand last, match beside the one."""
    broad = {"untolerated_taint", "no_matching_node"}
    found = {each.name for each in CAUSES if each.sources and each.pattern.search(reason)}
    assert found - {cause} <= broad


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("no nodes available to schedule pods", "node_not_ready"),
        ("Scheduling is blocked due to non-empty scheduling gates", "scheduling_gated"),
        (
            'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded',
            "volume_unbound",
        ),
        (  # by the number of nodes
            "0/4 nodes are available: 1 node(s) didn't have free ports for the requested pod ports,"
            " 3 Insufficient memory.",
            "insufficient_resources",
        ),
        (
            "0/2 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated taint(s).",
            "insufficient_resources",
        ),
        (
            "0/2 nodes are available: 1 node(s) didn't have free ports for the requested pod ports,"
            " 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }.",
            "host_port_taken",
        ),
        (  # three control planes
            "0/4 nodes are available: 1 node(s) didn't match Pod's node affinity/selector,"
            " 3 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }.",
            "no_matching_node",
        ),
        (
            "0/2 nodes are available: 1 Too many pods, 1 node(s) didn't match Pod's node"
            " affinity/selector.",
            "insufficient_resources",
        ),
        (
            "0/3 nodes are available: 1 Insufficient memory, 2 node(s) had untolerated taint(s).",
            "untolerated_taint",
        ),
    ],
)
def test_the_cause_that_counts(message: str, cause: str) -> None:
    assert diagnose("unschedulable:web", message).cause == cause


def test_what_the_failure_says_goes_before_what_was_said_earlier() -> None:
    said = [
        "unschedulable 0/1 nodes are available: 1 Too many pods.",
        "Ready: ContainersNotReady",
        "FailedScheduling 0/1 nodes are available: 1 Insufficient cpu.",
    ]
    assert list(first_decisive(said)) == ["Too many pods", "Ready: ContainersNotReady"]


@given(
    counts=st.dictionaries(
        st.sampled_from([reason for _, reason in REASONS if not re.search(r"taint|, \d", reason)]),
        st.integers(1, 5000),
        min_size=1,
    )
)
def test_the_reason_of_the_most_nodes_counts(counts: dict[str, int]) -> None:
    reasons = ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))
    found = decisive(f"0/{sum(counts.values())} nodes are available: {reasons}.{PREEMPTION}")
    assert counts[found] == max(counts.values())


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    assert isinstance(decisive(text), str)
    assert len(list(first_decisive([text, f"unschedulable {text}"]))) in (1, 2)
