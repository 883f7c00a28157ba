"""Why a gate fails: the one table of reason names, what each means, and what to do next.

``causes`` makes them more precise. `make docs` writes the tables of docs/troubleshooting.md from
both.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FailureReason:
    """A stable name; ``meaning`` completes "it is not ready: …", ``next_step`` is an order."""

    name: str
    meaning: str
    next_step: str


_READ = "Read its last lines"
REASONS: tuple[FailureReason, ...] = (
    FailureReason(
        "crash_loop", "a container ends again and again", f"{_READ} and mend what they name."
    ),
    FailureReason(
        "image_pull_failed",
        "the node cannot get an image",
        "Look at the message: a wrong name or tag, or a registry that the node cannot reach.",
    ),
    FailureReason(
        "invalid_image_name",
        "the image reference cannot be parsed",
        "Correct it in the chart or its values.",
    ),
    FailureReason(
        "image_never_pull",
        "imagePullPolicy is Never and the node has no such image",
        "Remove that policy: the node pulls from the local registry.",
    ),
    FailureReason(
        "wrong_image",
        "a pod runs, or the template names, another digest than the one built",
        "Let the chart take `$NAME.ref` (or .tag, .digest) instead of a tag of its own.",
    ),
    FailureReason(
        "image_unknown",
        "the node does not say which image a container runs",
        "Run again; look at the pod with kubectl if that lasts.",
    ),
    FailureReason(
        "container_config_error",
        "the container's settings cannot be put together",
        "The message names what is missing or refused: create it, or correct the name.",
    ),
    FailureReason(
        "container_create_failed",
        "the container cannot be made",
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
        "no node takes the pod",
        "Lower its requests, or correct its node selector, tolerations or volumes.",
    ),
    FailureReason(
        "replica_failure",
        "the Deployment's pods cannot be created",
        "The message names the quota, limit range or admission webhook.",
    ),
    FailureReason(
        "progress_deadline",
        "the Deployment's own progressDeadlineSeconds is over",
        "As for timeout; or raise progressDeadlineSeconds in the chart.",
    ),
    FailureReason(
        "job_failed", "a Job of the chart failed", f"{_READ}; once changed it is made anew."
    ),
    FailureReason(
        "pod_failed", "a bare Pod ended with an error", f"{_READ} and mend what they name."
    ),
    FailureReason(
        "paused",
        "the Deployment is paused",
        "kubectl rollout resume, or remove spec.paused from the chart.",
    ),
    FailureReason(
        "claim_lost", "a claim has lost its volume", "Delete the claim and let it be made again."
    ),
    FailureReason(
        "names_not_accepted",
        "another CustomResourceDefinition has these names",
        "Remove the other one, or rename.",
    ),
    FailureReason(
        "stalled",
        "the resource's controller has given up on it",
        "Its message says why: correct the resource.",
    ),
    FailureReason(
        "recreated",
        "something keeps deleting and recreating the object",
        "Find the other controller or command that manages it.",
    ),
    FailureReason(
        "node_file_missing",
        "a pod mounts a node file that is not on the node",
        "localloop deploy --full puts every node file again.",
    ),
    FailureReason(
        "no_match",
        "a selector under readiness.also finds nothing",
        "Correct it, or say `optional: true`.",
    ),
    FailureReason(
        "http_check",
        "a request under readiness.http was not answered as declared",
        "Correct the service, path or expectation, or what the program answers there.",
    ),
    FailureReason(
        "timeout",
        "not ready within readiness.timeout",
        "Look at the events; a probe on the wrong port or path is the commonest cause.",
    ),
    FailureReason(
        "apiserver_unreachable",
        "the API server did not answer: readiness is unknown",
        "localloop status; run again.",
    ),
    FailureReason(
        "api_forbidden",
        "the kubeconfig's user may not look at something: readiness is unknown",
        "Let that user list and watch what the message names.",
    ),
    FailureReason(
        "api_unauthorized",
        "the API server does not take the kubeconfig's credentials: readiness is unknown",
        "Renew them in the kubeconfig.",
    ),
)
"""The verdicts that end a gate."""


def reason_named(name: str) -> FailureReason | None:
    """The row of a reason, with or without its subject (``crash_loop:web``)."""
    head = name.partition(":")[0]
    return next((reason for reason in REASONS if reason.name == head), None)
