"""All known causes of failures."""

from __future__ import annotations

from .cause import EVENT, LOG, TERMINATED, WAITING, Cause, cause
from .scheduling_causes import SCHEDULING

_CONTAINER = (WAITING, TERMINATED, EVENT)
_LATE = ("timeout", "progress_deadline")

PROBE_FAILS = cause(
    "probe_fails",
    (),
    "",
    "it is running, but its readiness probe has not succeeded yet",
    "Compare the probe's port and path with what the program serves, or give it more time.",
    only=_LATE,
)
CAUSES: tuple[Cause, ...] = (
    # Waiting for a person.
    cause(
        "on_delete",
        (EVENT,),
        r"must be deleted by hand",
        "its update strategy is OnDelete: pods of the old revision stay until you delete them",
        "Delete them with kubectl delete pod, or use RollingUpdate in the chart.",
    ),
    cause(
        "job_suspended",
        (EVENT,),
        r"the Job is suspended",
        "the Job has suspend: true, so it does not start",
        "Remove spec.suspend from the chart.",
    ),
    # Gone.
    cause(
        "gone",
        (EVENT,),
        r"^timeout not found$",
        "it was created and has since been deleted",
        "Run the deploy again to recreate it. A Job's events say how it ended; a longer"
        " ttlSecondsAfterFinished keeps its logs.",
    ),
    cause(
        "job_deleted",
        (EVENT,),
        r"^job_failed .*\(deleted since\)$",
        "the Job was deleted after it had failed, and its pods with their logs",
        "Give it a longer ttlSecondsAfterFinished in the chart (300), run the deploy again, and"
        " read its logs.",
    ),
    # Images.
    cause(
        "image_platform",
        (WAITING, EVENT),
        r"no match for platform",
        "the image does not exist for the node's architecture",
        "Build it for the node's platform (`platform:` in localloop.yml).",
    ),
    cause(
        "registry_refuses",
        (WAITING, EVENT),
        r"pull.*(unauthorized|authentication required|access denied|authorization failed|403 F)",
        "the registry denies access: it wants credentials, or has no such image",
        "Check the name; give the pod an imagePullSecrets entry where the image is private.",
    ),
    cause(
        "image_not_found",
        (WAITING, EVENT),
        r"pull.*(: not found|manifest unknown|name unknown)",
        "the registry has no such image or tag",
        "Correct the name or tag in the chart's values; $NAME.ref is the image just built.",
    ),
    cause(
        "registry_tls",
        (WAITING, EVENT),
        r"pull.*(x509|server gave HTTP response to HTTPS client|tls: )",
        "the node and the registry do not agree on TLS",
        "Configure that registry in the node's container runtime (a mirror, or its CA).",
    ),
    cause(
        "registry_unreachable",
        (WAITING, EVENT),
        r"pull.*(dial tcp|no such host|connection refused|timeout|deadline exceeded|no route)",
        "the node cannot reach the registry",
        "On the node 127.0.0.1 is the node itself. Use the local registry (localloop status).",
    ),
    # Starting.
    cause(
        "exec_format",
        (WAITING, TERMINATED, LOG, EVENT),
        r"exec format error",
        "the program is built for another architecture, or is a script without a #! line",
        "Build for the node's platform (`platform:` in localloop.yml), or run it with a shell.",
    ),
    cause(
        "out_of_memory",
        (TERMINATED, EVENT),
        r"OOMKilled|OOMKilling",
        "it exceeded its memory limit and was killed",
        "Raise resources.limits.memory, or make the program use less.",
    ),
    cause(
        "command_not_found",
        _CONTAINER,
        r"executable file not found|exec: .*: (no such file or directory|not found)",
        "the command is not in the image",
        "Correct command: in the chart, or ENTRYPOINT in the Dockerfile.",
    ),
    cause(
        "runs_as_root",
        (WAITING, EVENT),
        r"runAsNonRoot|will run as root|non-numeric user",
        "the pod does not allow root, and the image runs as root",
        "Set USER to a numeric uid in the Dockerfile, or runAsUser in the chart.",
    ),
    cause(
        "config_missing",
        (WAITING, EVENT),
        r"(configmap|secret) \"[^\"]*\" not found|couldn't find key|non-existent config key",
        "a ConfigMap or Secret, or a key in it, is missing",
        "Create it in that namespace, or correct the name in the chart.",
    ),
    cause(
        "volume_failed",
        (EVENT,),
        r"^(FailedMount|FailedAttachVolume)\b",
        "a volume cannot be mounted",
        "The event says which volume, and why.",
        only=_LATE,
    ),
    cause(
        "read_only",
        (LOG, TERMINATED),
        r"read-only file ?system|EROFS",
        "the program writes to a read-only file system",
        "Mount an emptyDir there, or drop readOnlyRootFilesystem.",
    ),
    cause(
        "permission_denied",
        (LOG, TERMINATED, WAITING),
        r"permission denied|operation not permitted|EACCES",
        "the program lacks a permission it needs",
        "Its logs name the path: correct its owner or mode, runAsUser or fsGroup.",
    ),
    cause(
        "liveness_failed",
        (EVENT,),
        r"^(Unhealthy|Killing)\b.*(liveness|startup) probe",
        "the kubelet kills it because its liveness or startup probe fails",
        "Correct that probe's port and path, or give it more time (a startupProbe).",
    ),
    cause(
        "dependency_unreachable",
        (LOG,),
        r"connection refused|no such host|name or service not known|could not translate host",
        "its logs say that it cannot reach something it needs",
        "Check that the other service runs, under the name and port that the program uses.",
    ),
    cause(
        "keeps_exiting",
        (WAITING,),
        r"^CrashLoopBackOff\b",
        "its container keeps exiting, and is started again after a pause",
        "Fix what its last lines say. If it only waits for something that is late, give it more"
        " time: the deadline that has passed is named above.",
        only=_LATE,
    ),
    # Getting ready.
    cause(
        "probe_refused",
        (EVENT,),
        r"readiness probe failed.*connection refused",
        "nothing listens on the readiness probe's port",
        "Give the probe the port that the program listens on.",
        only=_LATE,
    ),
    cause(
        "probe_status",
        (EVENT,),
        r"readiness probe failed.*statuscode",
        "the readiness probe's path answers with an error",
        "Correct the probe's path, or what the program serves there.",
        only=_LATE,
    ),
    cause(
        "probe_timeout",
        (EVENT,),
        r"readiness probe failed.*(timeout|deadline exceeded|timed out)",
        "the readiness probe gets no answer in time",
        "Raise timeoutSeconds, or find out why the program answers so slowly.",
        only=_LATE,
    ),
    cause(
        "probe_command",
        (EVENT,),
        r"readiness probe (failed|errored)",
        "the readiness probe fails",
        "Run the probe's command in the container with kubectl exec.",
        only=_LATE,
    ),
    PROBE_FAILS,
    *SCHEDULING,
    # Creation.
    cause(
        "quota_exceeded",
        (EVENT,),
        r"exceeded quota",
        "the namespace's quota is used up",
        "Raise the quota, or delete what is no longer needed there.",
    ),
    cause(
        "creation_refused",
        (EVENT,),
        r"^FailedCreate\b",
        "the API server rejects its pods",
        "The event names the admission rule, webhook or service account.",
    ),
)
"""All known causes; the first that matches is the one reported."""
