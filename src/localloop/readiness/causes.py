"""Known causes of failures, recognised in what the cluster and the container report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .reasons import FailureReason

WAITING, TERMINATED, LOG, EVENT = "waiting", "ended", "log", "event"
_CONTAINER = (WAITING, TERMINATED, EVENT)
_LATE = ("timeout", "progress_deadline")


@dataclass(frozen=True)
class Cause(FailureReason):
    """A failure reason with the ``pattern`` that identifies it.

    ``sources`` are the parts of the evidence to search (``waiting``, ``terminated``, ``log``,
    ``event``); logs count only for containers that have terminated. ``only`` limits the cause to
    these reasons; empty means any.
    """

    sources: tuple[str, ...]
    pattern: re.Pattern[str]
    only: tuple[str, ...] = ()

    def explains(self, head: str, texts: Mapping[str, Iterable[str]]) -> bool:
        """Whether one of the texts matches; ``head`` is the reason without its subject.

        ``texts`` has an entry for every source.
        """
        if self.only and head not in self.only:
            return False
        return any(self.pattern.search(text) for source in self.sources for text in texts[source])


def _cause(
    name: str,
    sources: tuple[str, ...],
    pattern: str,
    meaning: str,
    next_step: str,
    *,
    only: tuple[str, ...] = (),
) -> Cause:
    return Cause(name, meaning, next_step, sources, re.compile(pattern, re.IGNORECASE), only)


PROBE_FAILS = _cause(
    "probe_fails",
    (),
    "",
    "it is running, but its readiness probe has not succeeded yet",
    "Compare the probe's port and path with what the program serves, or give it more time.",
    only=_LATE,
)
CAUSES: tuple[Cause, ...] = (
    # Waiting for a person.
    _cause(
        "on_delete",
        (EVENT,),
        r"must be deleted by hand",
        "its update strategy is OnDelete: pods of the old revision stay until you delete them",
        "Delete them with kubectl delete pod, or use RollingUpdate in the chart.",
    ),
    _cause(
        "job_suspended",
        (EVENT,),
        r"the Job is suspended",
        "the Job has suspend: true, so it does not start",
        "Remove spec.suspend from the chart.",
    ),
    # Gone.
    _cause(
        "gone",
        (EVENT,),
        r"^timeout not found$",
        "it was created and has since been deleted",
        "Run the deploy again to recreate it. A Job's events say how it ended; a longer"
        " ttlSecondsAfterFinished keeps its logs.",
    ),
    _cause(
        "job_deleted",
        (EVENT,),
        r"^job_failed .*\(deleted since\)$",
        "the Job was deleted after it had failed, and its pods with their logs",
        "Give it a longer ttlSecondsAfterFinished in the chart (300), run the deploy again, and"
        " read its logs.",
    ),
    # Images.
    _cause(
        "image_platform",
        (WAITING, EVENT),
        r"no match for platform",
        "the image does not exist for the node's architecture",
        "Build it for the node's platform (`platform:` in localloop.yml).",
    ),
    _cause(
        "registry_refuses",
        (WAITING, EVENT),
        r"pull.*(unauthorized|authentication required|access denied|authorization failed|403 F)",
        "the registry denies access: it wants credentials, or has no such image",
        "Check the name; give the pod an imagePullSecrets entry where the image is private.",
    ),
    _cause(
        "image_not_found",
        (WAITING, EVENT),
        r"pull.*(: not found|manifest unknown|name unknown)",
        "the registry has no such image or tag",
        "Correct the name or tag in the chart's values; $NAME.ref is the image just built.",
    ),
    _cause(
        "registry_tls",
        (WAITING, EVENT),
        r"pull.*(x509|server gave HTTP response to HTTPS client|tls: )",
        "the node and the registry do not agree on TLS",
        "Configure that registry in the node's container runtime (a mirror, or its CA).",
    ),
    _cause(
        "registry_unreachable",
        (WAITING, EVENT),
        r"pull.*(dial tcp|no such host|connection refused|timeout|deadline exceeded|no route)",
        "the node cannot reach the registry",
        "On the node 127.0.0.1 is the node itself. Use the local registry (localloop status).",
    ),
    # Starting.
    _cause(
        "exec_format",
        (WAITING, TERMINATED, LOG, EVENT),
        r"exec format error",
        "the program is built for another architecture, or is a script without a #! line",
        "Build for the node's platform (`platform:` in localloop.yml), or run it with a shell.",
    ),
    _cause(
        "out_of_memory",
        (TERMINATED, EVENT),
        r"OOMKilled|OOMKilling",
        "it exceeded its memory limit and was killed",
        "Raise resources.limits.memory, or make the program use less.",
    ),
    _cause(
        "command_not_found",
        _CONTAINER,
        r"executable file not found|exec: .*: (no such file or directory|not found)",
        "the command is not in the image",
        "Correct command: in the chart, or ENTRYPOINT in the Dockerfile.",
    ),
    _cause(
        "runs_as_root",
        (WAITING, EVENT),
        r"runAsNonRoot|will run as root|non-numeric user",
        "the pod does not allow root, and the image runs as root",
        "Set USER to a numeric uid in the Dockerfile, or runAsUser in the chart.",
    ),
    _cause(
        "config_missing",
        (WAITING, EVENT),
        r"(configmap|secret) \"[^\"]*\" not found|couldn't find key|non-existent config key",
        "a ConfigMap or Secret, or a key in it, is missing",
        "Create it in that namespace, or correct the name in the chart.",
    ),
    _cause(
        "volume_failed",
        (EVENT,),
        r"^(FailedMount|FailedAttachVolume)\b",
        "a volume cannot be mounted",
        "The event says which volume, and why.",
        only=_LATE,
    ),
    _cause(
        "read_only",
        (LOG, TERMINATED),
        r"read-only file ?system|EROFS",
        "the program writes to a read-only file system",
        "Mount an emptyDir there, or drop readOnlyRootFilesystem.",
    ),
    _cause(
        "permission_denied",
        (LOG, TERMINATED, WAITING),
        r"permission denied|operation not permitted|EACCES",
        "the program lacks a permission it needs",
        "Its logs name the path: correct its owner or mode, runAsUser or fsGroup.",
    ),
    _cause(
        "liveness_failed",
        (EVENT,),
        r"^(Unhealthy|Killing)\b.*(liveness|startup) probe",
        "the kubelet kills it because its liveness or startup probe fails",
        "Correct that probe's port and path, or give it more time (a startupProbe).",
    ),
    _cause(
        "dependency_unreachable",
        (LOG,),
        r"connection refused|no such host|name or service not known|could not translate host",
        "its logs say that it cannot reach something it needs",
        "Check that the other service runs, under the name and port that the program uses.",
    ),
    _cause(
        "keeps_exiting",
        (WAITING,),
        r"^CrashLoopBackOff\b",
        "its container keeps exiting, and is started again after a pause",
        "Fix what its last lines say. If it only waits for something that is late, give it more"
        " time: the deadline that has passed is named above.",
        only=_LATE,
    ),
    # Getting ready.
    _cause(
        "probe_refused",
        (EVENT,),
        r"readiness probe failed.*connection refused",
        "nothing listens on the readiness probe's port",
        "Give the probe the port that the program listens on.",
        only=_LATE,
    ),
    _cause(
        "probe_status",
        (EVENT,),
        r"readiness probe failed.*statuscode",
        "the readiness probe's path answers with an error",
        "Correct the probe's path, or what the program serves there.",
        only=_LATE,
    ),
    _cause(
        "probe_timeout",
        (EVENT,),
        r"readiness probe failed.*(timeout|deadline exceeded|timed out)",
        "the readiness probe gets no answer in time",
        "Raise timeoutSeconds, or find out why the program answers so slowly.",
        only=_LATE,
    ),
    _cause(
        "probe_command",
        (EVENT,),
        r"readiness probe (failed|errored)",
        "the readiness probe fails",
        "Run the probe's command in the container with kubectl exec.",
        only=_LATE,
    ),
    PROBE_FAILS,
    # Scheduling; ``scheduling.py`` leaves one reason of the scheduler's message.
    _cause(
        "host_port_taken",
        (EVENT,),
        r"free ports for the requested pod ports",
        "another pod on the node has the same hostPort",
        "Use a Service instead of hostPort, or another port. While a Deployment is updated its old"
        " pod keeps the port: use strategy Recreate, or maxSurge 0.",
    ),
    _cause(
        "insufficient_resources",
        (EVENT,),
        r"^(Insufficient [a-z0-9./-]+|Too many pods)$",
        "it requests more than any node has left",
        "Lower resources.requests, or free resources on the node.",
    ),
    _cause(
        "claim_missing",
        (EVENT,),
        r"persistentvolumeclaim \"[^\"]*\" not found|was not created for pod"
        r"|PersistentVolumeClaim had no name$",
        "the PersistentVolumeClaim that it names does not exist",
        "Create it in that namespace, or correct claimName in the chart.",
    ),
    _cause(
        "claim_ending",
        (EVENT,),
        r"persistentvolumeclaim \"[^\"]*\" is being deleted",
        "its PersistentVolumeClaim is being deleted",
        "The claim goes once no pod uses it; then run the deploy again.",
    ),
    _cause(
        "volume_gone",
        (EVENT,),
        r"bound to non-existent (persistentvolume|pv)|PersistentVolume had no name",
        "its PersistentVolumeClaim is bound to a volume that no longer exists",
        "Delete the claim (its data is gone) and run the deploy again.",
    ),
    _cause(
        "volume_unbound",
        (EVENT,),
        r"unbound immediate PersistentVolumeClaims|didn't find available persistent volumes"
        r"|waiting for ephemeral volume controller|had no pv name and storageClass name"
        r"|VolumeBindingMode not set|storageclass.* not found|binding volumes: ",
        "the pod's PersistentVolumeClaim is not bound to a volume",
        "Name a StorageClass that provisions volumes, or create the volume.",
    ),
    _cause(
        "volume_elsewhere",
        (EVENT,),
        r"volume node affinity conflict|didn't match PersistentVolume's node affinity"
        r"|no available volume zone",
        "its volume is on another node, or in another zone, than it may run",
        "Correct the pod's node selection, or delete the claim if its data may go.",
    ),
    _cause(
        "volume_in_use",
        (EVENT,),
        r"already in-use by another pod|same name and ReadWriteOncePod|no available disk",
        "another pod uses its volume, which only one pod may use",
        "Stop that pod. While a Deployment is updated its old pod keeps the volume: use strategy"
        " Recreate.",
    ),
    _cause(
        "volume_limit",
        (EVENT,),
        r"exceed max volume count",
        "no node can attach another volume of that driver",
        "Delete pods with volumes that are no longer needed, or add a node.",
    ),
    _cause(
        "storage_full",
        (EVENT,),
        r"not have enough free storage",
        "no node has enough free storage for its volume",
        "Request less in the PersistentVolumeClaim, or free storage.",
    ),
    _cause(
        "csi_driver_missing",
        (EVENT,),
        r"CSI driver is not installed on the node",
        "its volume's CSI driver does not run on the node",
        "Install the driver, or name another StorageClass.",
    ),
    _cause(
        "device_claim",
        (EVENT,),
        r"resource ?claim|device ?class|allocat\w+ (all claims|devices)|for resource driver"
        r"|cannot fit resource|\bDRA\b",
        "no node has the devices that its ResourceClaim asks for, or the claim is not allocated",
        "kubectl describe resourceclaims says what is missing.",
    ),
    _cause(
        "pod_group",
        (EVENT,),
        r"pod group \"|\bminCount\b|pods's workload",
        "it waits for the other pods of its group, or its group does not exist",
        "Deploy the rest of the group, or lower its minimum.",
    ),
    _cause(
        "waits_for_preemption",
        (EVENT,),
        r"waiting for the preemption",
        "pods of a lower priority are being stopped to make room for it",
        "Run the deploy again once they have ended.",
    ),
    _cause(
        "resize_deferred",
        (EVENT,),
        r"resize preemption disabled|pod resize fits|assigned to different node",
        "the node has no room yet for the pod's new size",
        "Free resources on its node, or lower its requests.",
    ),
    _cause(
        "pod_anti_affinity",
        (EVENT,),
        r"anti-affinity rules",
        "an anti-affinity rule, its own or that of another pod, keeps it off every node",
        "Prefer the rule instead of requiring it, or add a node. While a Deployment is updated its"
        " old pod counts too: use maxSurge 0.",
    ),
    _cause(
        "pod_affinity",
        (EVENT,),
        r"match pod affinity rules",
        "no node runs a pod that its podAffinity requires",
        "Correct podAffinity in the chart, or deploy that pod first.",
    ),
    _cause(
        "topology_spread",
        (EVENT,),
        r"topology spread constraints",
        "its topologySpreadConstraints allow no node",
        "Use whenUnsatisfiable: ScheduleAnyway, or correct topologyKey.",
    ),
    _cause(
        "node_features",
        (EVENT,),
        r"declared features|required features|SidecarContainers feature is disabled",
        "no node has the feature of Kubernetes that it needs",
        "Use a newer `cluster.kubernetes`, or do without that field.",
    ),
    _cause(
        "node_not_ready",
        (EVENT,),
        r"taint \{node\.(cloudprovider\.)?kubernetes\.io/(not-ready|unreachable"
        r"|network-unavailable|uninitialized|out-of-service)\b|had unknown conditions"
        r"|no nodes available to schedule pods",
        "no node is ready",
        "kubectl describe nodes says why; `docker ps -a` shows whether they run.",
    ),
    _cause(
        "node_pressure",
        (EVENT,),
        r"taint \{node\.kubernetes\.io/(disk|memory|pid)-pressure\b",
        "the node runs out of disk, memory or processes",
        "Free disk space or memory on this host; kubectl describe nodes says which.",
    ),
    _cause(
        "node_cordoned",
        (EVENT,),
        r"taint \{node\.kubernetes\.io/unschedulable\b|node\(s\) were unschedulable",
        "the node takes no new pods: it is cordoned",
        "kubectl uncordon NODE.",
    ),
    _cause(
        "untolerated_taint",
        (EVENT,),
        r"untolerated taint|taints that the pod didn't tolerate",
        "the nodes have a taint that it does not tolerate",
        "kubectl describe nodes shows the taints: remove it, or add a toleration to the chart.",
    ),
    _cause(
        "no_matching_node",
        (EVENT,),
        r"node\(s\) (didn't match|didn't satisfy plugin)|pod affinity terms conflict|^parsing pod:",
        "no node matches its nodeSelector, node affinity or nodeName",
        "Correct them in the chart, or label the node.",
    ),
    _cause(
        "scheduling_gated",
        (EVENT,),
        r"scheduling gates",
        "it has schedulingGates, which a controller must remove",
        "Install or mend that controller, or remove the gates from the chart.",
    ),
    # Creation.
    _cause(
        "quota_exceeded",
        (EVENT,),
        r"exceeded quota",
        "the namespace's quota is used up",
        "Raise the quota, or delete what is no longer needed there.",
    ),
    _cause(
        "creation_refused",
        (EVENT,),
        r"^FailedCreate\b",
        "the API server rejects its pods",
        "The event names the admission rule, webhook or service account.",
    ),
)
"""All known causes; the first that matches is the one reported."""
