"""Why the scheduler places a pod on no node; ``scheduling.py`` leaves one reason of its message."""

from __future__ import annotations

from .cause import EVENT, Cause, cause

SCHEDULING: tuple[Cause, ...] = (
    cause(
        "host_port_taken",
        (EVENT,),
        r"free ports for the requested pod ports",
        "another pod on the node has the same hostPort",
        "Use a Service instead of hostPort, or another port. While a Deployment is updated its old"
        " pod keeps the port: use strategy Recreate, or maxSurge 0.",
    ),
    cause(
        "insufficient_resources",
        (EVENT,),
        r"^(Insufficient [a-z0-9./-]+|Too many pods)$",
        "it requests more than any node has left",
        "Lower resources.requests, or free resources on the node.",
    ),
    cause(
        "claim_missing",
        (EVENT,),
        r"persistentvolumeclaim \"[^\"]*\" not found|was not created for pod"
        r"|PersistentVolumeClaim had no name$",
        "the PersistentVolumeClaim that it names does not exist",
        "Create it in that namespace, or correct claimName in the chart.",
    ),
    cause(
        "claim_ending",
        (EVENT,),
        r"persistentvolumeclaim \"[^\"]*\" is being deleted",
        "its PersistentVolumeClaim is being deleted",
        "The claim goes once no pod uses it; then run the deploy again.",
    ),
    cause(
        "volume_gone",
        (EVENT,),
        r"bound to non-existent (persistentvolume|pv)|PersistentVolume had no name",
        "its PersistentVolumeClaim is bound to a volume that no longer exists",
        "Delete the claim (its data is gone) and run the deploy again.",
    ),
    cause(
        "volume_unbound",
        (EVENT,),
        r"unbound immediate PersistentVolumeClaims|didn't find available persistent volumes"
        r"|waiting for ephemeral volume controller|had no pv name and storageClass name"
        r"|VolumeBindingMode not set|storageclass.* not found|binding volumes: ",
        "the pod's PersistentVolumeClaim is not bound to a volume",
        "Name a StorageClass that provisions volumes, or create the volume.",
    ),
    cause(
        "volume_elsewhere",
        (EVENT,),
        r"volume node affinity conflict|didn't match PersistentVolume's node affinity"
        r"|no available volume zone",
        "its volume is on another node, or in another zone, than it may run",
        "Correct the pod's node selection, or delete the claim if its data may go.",
    ),
    cause(
        "volume_in_use",
        (EVENT,),
        r"already in-use by another pod|same name and ReadWriteOncePod|no available disk",
        "another pod uses its volume, which only one pod may use",
        "Stop that pod. While a Deployment is updated its old pod keeps the volume: use strategy"
        " Recreate.",
    ),
    cause(
        "volume_limit",
        (EVENT,),
        r"exceed max volume count",
        "no node can attach another volume of that driver",
        "Delete pods with volumes that are no longer needed, or add a node.",
    ),
    cause(
        "storage_full",
        (EVENT,),
        r"not have enough free storage",
        "no node has enough free storage for its volume",
        "Request less in the PersistentVolumeClaim, or free storage.",
    ),
    cause(
        "csi_driver_missing",
        (EVENT,),
        r"CSI driver is not installed on the node",
        "its volume's CSI driver does not run on the node",
        "Install the driver, or name another StorageClass.",
    ),
    cause(
        "device_claim",
        (EVENT,),
        r"resource ?claim|device ?class|allocat\w+ (all claims|devices)|for resource driver"
        r"|cannot fit resource|\bDRA\b",
        "no node has the devices that its ResourceClaim asks for, or the claim is not allocated",
        "kubectl describe resourceclaims says what is missing.",
    ),
    cause(
        "pod_group",
        (EVENT,),
        r"pod group \"|\bminCount\b|pods's workload",
        "it waits for the other pods of its group, or its group does not exist",
        "Deploy the rest of the group, or lower its minimum.",
    ),
    cause(
        "waits_for_preemption",
        (EVENT,),
        r"waiting for the preemption",
        "pods of a lower priority are being stopped to make room for it",
        "Run the deploy again once they have ended.",
    ),
    cause(
        "resize_deferred",
        (EVENT,),
        r"resize preemption disabled|pod resize fits|assigned to different node",
        "the node has no room yet for the pod's new size",
        "Free resources on its node, or lower its requests.",
    ),
    cause(
        "pod_anti_affinity",
        (EVENT,),
        r"anti-affinity rules",
        "an anti-affinity rule, its own or that of another pod, keeps it off every node",
        "Prefer the rule instead of requiring it, or add a node. While a Deployment is updated its"
        " old pod counts too: use maxSurge 0.",
    ),
    cause(
        "pod_affinity",
        (EVENT,),
        r"match pod affinity rules",
        "no node runs a pod that its podAffinity requires",
        "Correct podAffinity in the chart, or deploy that pod first.",
    ),
    cause(
        "topology_spread",
        (EVENT,),
        r"topology spread constraints",
        "its topologySpreadConstraints allow no node",
        "Use whenUnsatisfiable: ScheduleAnyway, or correct topologyKey.",
    ),
    cause(
        "node_features",
        (EVENT,),
        r"declared features|required features|SidecarContainers feature is disabled",
        "no node has the feature of Kubernetes that it needs",
        "Use a newer `cluster.kubernetes`, or do without that field.",
    ),
    cause(
        "node_not_ready",
        (EVENT,),
        r"taint \{node\.(cloudprovider\.)?kubernetes\.io/(not-ready|unreachable"
        r"|network-unavailable|uninitialized|out-of-service)\b|had unknown conditions"
        r"|no nodes available to schedule pods",
        "no node is ready",
        "kubectl describe nodes says why; `docker ps -a` shows whether they run.",
    ),
    cause(
        "node_pressure",
        (EVENT,),
        r"taint \{node\.kubernetes\.io/(disk|memory|pid)-pressure\b",
        "the node runs out of disk, memory or processes",
        "Free disk space or memory on this host; kubectl describe nodes says which.",
    ),
    cause(
        "node_cordoned",
        (EVENT,),
        r"taint \{node\.kubernetes\.io/unschedulable\b|node\(s\) were unschedulable",
        "the node takes no new pods: it is cordoned",
        "kubectl uncordon NODE.",
    ),
    cause(
        "untolerated_taint",
        (EVENT,),
        r"untolerated taint|taints that the pod didn't tolerate",
        "the nodes have a taint that it does not tolerate",
        "kubectl describe nodes shows the taints: remove it, or add a toleration to the chart.",
    ),
    cause(
        "no_matching_node",
        (EVENT,),
        r"node\(s\) (didn't match|didn't satisfy plugin)|pod affinity terms conflict|^parsing pod:",
        "no node matches its nodeSelector, node affinity or nodeName",
        "Correct them in the chart, or label the node.",
    ),
    cause(
        "scheduling_gated",
        (EVENT,),
        r"scheduling gates",
        "it has schedulingGates, which a controller must remove",
        "Install or mend that controller, or remove the gates from the chart.",
    ),
)
"""The first that matches is the one reported."""
