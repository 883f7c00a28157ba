"""Why a gate fails: every reason name, what it means and what to do next.

``causes`` refines them. ``make docs`` writes the tables of docs/troubleshooting.md from both.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FailureReason:
    """``name`` is stable; ``meaning`` completes "not ready: …"; ``next_step`` says what to do."""

    name: str
    meaning: str
    next_step: str


_READ_LOGS = "Read its logs"
REASONS: tuple[FailureReason, ...] = (
    FailureReason(
        "crash_loop", "a container keeps exiting", f"{_READ_LOGS} and fix what they name."
    ),
    FailureReason(
        "image_pull_failed",
        "the node cannot get an image",
        "Read the message: a wrong name or tag, or a registry that the node cannot reach.",
    ),
    FailureReason(
        "invalid_image_name",
        "the image reference cannot be parsed",
        "Correct it in the chart or its values.",
    ),
    FailureReason(
        "image_never_pull",
        "imagePullPolicy is Never, and the node does not have the image",
        "Remove that policy: the node pulls from the local registry.",
    ),
    FailureReason(
        "wrong_image",
        "a pod runs, or its template names, a digest other than the one built",
        "Use `$NAME.ref` (or .tag, .digest) in the chart's values instead of a fixed tag.",
    ),
    FailureReason(
        "image_unknown",
        "the node does not report which image a container runs",
        "Run again; if it persists, look at the pod with kubectl.",
    ),
    FailureReason(
        "container_config_error",
        "the container's configuration is incomplete or invalid",
        "The message names what is missing or invalid: create it, or correct the name.",
    ),
    FailureReason(
        "container_create_failed",
        "the container cannot be created",
        "The message names the mount, device or name: correct it in the chart.",
    ),
    FailureReason(
        "container_start_failed",
        "the container cannot be started",
        "The message names the command or file: correct the command or the image.",
    ),
    FailureReason(
        "hook_failed",
        "a lifecycle hook of the container failed",
        "Correct lifecycle.postStart in the chart.",
    ),
    FailureReason(
        "unschedulable",
        "no node can run the pod",
        "Lower its requests, or correct its node selector, tolerations or volumes.",
    ),
    FailureReason(
        "replica_failure",
        "the Deployment's pods cannot be created",
        "The message names the quota, limit range or admission webhook.",
    ),
    FailureReason(
        "progress_deadline",
        "the Deployment's own progressDeadlineSeconds has passed",
        "As for `timeout`; or raise progressDeadlineSeconds in the chart.",
    ),
    FailureReason(
        "job_failed", "a Job of the chart failed", f"{_READ_LOGS}; a changed Job is created again."
    ),
    FailureReason(
        "pod_failed", "a bare Pod ended with an error", f"{_READ_LOGS} and fix what they name."
    ),
    FailureReason(
        "paused",
        "the Deployment is paused",
        "Run kubectl rollout resume, or remove spec.paused from the chart.",
    ),
    FailureReason(
        "claim_lost",
        "a PersistentVolumeClaim has lost its volume",
        "Delete the claim and deploy again.",
    ),
    FailureReason(
        "names_not_accepted",
        "another CustomResourceDefinition already uses these names",
        "Remove the other one, or choose other names.",
    ),
    FailureReason(
        "stalled",
        "the resource's controller has given up on it",
        "The message says why: correct the resource.",
    ),
    FailureReason(
        "recreated",
        "something keeps deleting and recreating the object",
        "Find the other controller or command that manages it.",
    ),
    FailureReason(
        "node_file_missing",
        "a pod mounts a node file that is not on the node",
        "Run localloop deploy --full: it puts every node file again.",
    ),
    FailureReason(
        "no_match",
        "a selector under readiness.also matches nothing",
        "Correct it, or set `optional: true`.",
    ),
    FailureReason(
        "http_check",
        "a request under readiness.http was not answered as declared",
        "Correct the service, path or expectation, or what the program serves there.",
    ),
    FailureReason(
        "timeout",
        "not ready within readiness.timeout",
        "Look at the events; the most common cause is a probe on the wrong port or path.",
    ),
    FailureReason(
        "apiserver_unreachable",
        "the API server did not answer, so readiness is unknown",
        "Check localloop status, then run again.",
    ),
    FailureReason(
        "api_forbidden",
        "the kubeconfig's user may not read something, so readiness is unknown",
        "Allow that user to list and watch what the message names.",
    ),
    FailureReason(
        "api_unauthorized",
        "the API server rejects the kubeconfig's credentials, so readiness is unknown",
        "Renew them in the kubeconfig.",
    ),
)
"""Every reason with which a gate can end."""


def reason_named(name: str) -> FailureReason | None:
    """The entry for a reason name, given with or without its subject (``crash_loop:web``)."""
    head = name.partition(":")[0]
    return next((reason for reason in REASONS if reason.name == head), None)
