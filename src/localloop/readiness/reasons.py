"""Why a gate fails: the one table of reason names, what each means, and what to do next.

``causes`` makes them more precise. `make docs` writes the tables of docs/troubleshooting.md from
both.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """A stable name; ``meaning`` completes "it is not ready: …", ``next_step`` is an order."""

    name: str
    meaning: str
    next_step: str


_READ = "Read its last lines"
REASONS: tuple[Reason, ...] = (
    Reason("crash_loop", "a container ends again and again", f"{_READ} and mend what they name."),
    Reason(
        "image_pull_failed",
        "the node cannot get an image",
        "Look at the message: a wrong name or tag, or a registry that the node cannot reach.",
    ),
    Reason(
        "invalid_image_name",
        "the image reference cannot be parsed",
        "Correct it in the chart or its values.",
    ),
    Reason(
        "image_never_pull",
        "imagePullPolicy is Never and the node has no such image",
        "Remove that policy: the node pulls from the local registry.",
    ),
    Reason(
        "wrong_image",
        "a pod runs, or the template names, another digest than the one built",
        "Let the chart take `$NAME.ref` (or .tag, .digest) instead of a tag of its own.",
    ),
    Reason(
        "image_unknown",
        "the node does not say which image a container runs",
        "Run again; look at the pod with kubectl if that lasts.",
    ),
    Reason(
        "container_config_error",
        "the container's settings cannot be put together",
        "The message names what is missing or refused: create it, or correct the name.",
    ),
    Reason(
        "container_create_failed",
        "the container cannot be made",
        "The message names the mount, device or name: correct it in the chart.",
    ),
    Reason(
        "container_start_failed",
        "the container cannot be started",
        "The message names the command or file: correct the command or the image.",
    ),
    Reason(
        "hook_failed",
        "a lifecycle hook of the container failed",
        "Correct lifecycle.postStart in the chart.",
    ),
    Reason(
        "unschedulable",
        "no node takes the pod",
        "Lower its requests, or correct its node selector, tolerations or volumes.",
    ),
    Reason(
        "replica_failure",
        "the Deployment's pods cannot be created",
        "The message names the quota, limit range or admission webhook.",
    ),
    Reason(
        "progress_deadline",
        "the Deployment's own progressDeadlineSeconds is over",
        "As for timeout; or raise progressDeadlineSeconds in the chart.",
    ),
    Reason("job_failed", "a Job of the chart failed", f"{_READ}; once changed it is made anew."),
    Reason("pod_failed", "a bare Pod ended with an error", f"{_READ} and mend what they name."),
    Reason(
        "paused",
        "the Deployment is paused",
        "kubectl rollout resume, or remove spec.paused from the chart.",
    ),
    Reason(
        "claim_lost", "a claim has lost its volume", "Delete the claim and let it be made again."
    ),
    Reason(
        "names_not_accepted",
        "another CustomResourceDefinition has these names",
        "Remove the other one, or rename.",
    ),
    Reason(
        "stalled",
        "the resource's controller has given up on it",
        "Its message says why: correct the resource.",
    ),
    Reason(
        "recreated",
        "something keeps deleting and recreating the object",
        "Find the other controller or command that manages it.",
    ),
    Reason(
        "node_file_missing",
        "a pod mounts a node file that is not on the node",
        "localloop deploy --full puts every node file again.",
    ),
    Reason(
        "no_match",
        "a selector under readiness.also finds nothing",
        "Correct it, or say `optional: true`.",
    ),
    Reason(
        "http_check",
        "a request under readiness.http was not answered as declared",
        "Correct the service, path or expectation, or what the program answers there.",
    ),
    Reason(
        "timeout",
        "not ready within readiness.timeout",
        "Look at the events; a probe on the wrong port or path is the commonest cause.",
    ),
    Reason(
        "apiserver_unreachable",
        "the API server did not answer: readiness is unknown",
        "localloop status; run again.",
    ),
    Reason(
        "api_forbidden",
        "the kubeconfig's user may not look at something: readiness is unknown",
        "Let that user list and watch what the message names.",
    ),
    Reason(
        "api_unauthorized",
        "the API server does not take the kubeconfig's credentials: readiness is unknown",
        "Renew them in the kubeconfig.",
    ),
)
"""The verdicts that end a gate."""


def reason_named(name: str) -> Reason | None:
    """The row of a reason, with or without its subject (``crash_loop:web``)."""
    head = name.partition(":")[0]
    return next((reason for reason in REASONS if reason.name == head), None)
