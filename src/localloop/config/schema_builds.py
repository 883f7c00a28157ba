"""The schema of what is built: images and node files."""

from __future__ import annotations

from typing import Any

from .schema_words import (
    ARG,
    DEST,
    ID,
    MODE,
    NAME,
    OWNER,
    PATH,
    PLATFORM,
    PROFILE,
    SELECTOR,
    caches,
    mapping,
    obj,
    one_of,
    paths,
    seconds,
    text,
)

_BUILD: dict[str, Any] = {
    "dockerfile": text(
        "The Dockerfile, relative to the project; it may lie outside the context.", PATH
    ),
    "context": text("The build context, relative to the project.", PATH, default="."),
    "build_args": {"$ref": "#/$defs/build_args"},
    "unhashed_args": mapping(
        "Build arguments that no fingerprint contains: a value, the output of a "
        "command, or an environment variable.",
        ARG,
        {"$ref": "#/$defs/unhashed_arg"},
    ),
    "inputs": paths(
        "What the build may see, as .dockerignore patterns relative to the context. Narrows the "
        "context too. Default: what the Dockerfile's COPY, ADD and bind mounts reach. Required "
        "with build.",
        minItems=1,
    ),
    "cache_scope": paths(
        "Files, relative to the project, whose change starts a new compiler cache (lock files).",
        default=[],
    ),
    "cache_scope_arg": text(
        "The build argument that the scope of the compiler caches is passed as.",
        ARG,
        default="LOCALLOOP_CACHE_SCOPE",
    ),
    "needs": {
        "type": "array",
        "description": "Images of this project that the Dockerfile refers to by name.",
        "items": {"type": "string", "pattern": NAME},
        "uniqueItems": True,
        "default": [],
    },
    "secrets": mapping(
        "Secrets for RUN --mount=type=secret,id=NAME: a file, an environment variable, or the CA "
        "certificates that this machine trusts.",
        ID,
        obj(
            {
                "file": text("The file (absolute, ~/… or relative to the project).", PATH),
                "env": text("The environment variable.", ARG),
                "ca_bundle": {
                    "enum": ["host"],
                    "description": "This machine's CA certificates, for downloads that a proxy "
                    "decrypts.",
                },
            },
            minProperties=1,
            maxProperties=1,
        ),
    ),
    "ssh": {
        "type": "array",
        "description": "Ids for RUN --mount=type=ssh; each is the agent of SSH_AUTH_SOCK.",
        "items": {"type": "string", "pattern": ID},
        "uniqueItems": True,
        "default": [],
    },
    "cache_from": caches("Caches that BuildKit reads, as for buildx --cache-from."),
    "cache_to": caches("Caches that BuildKit writes, as for buildx --cache-to."),
    "platform": text("os/arch to build for. Default: the cluster's nodes'.", PLATFORM),
}

BUILD_DEFS: dict[str, Any] = {
    "unhashed_arg": {
        "anyOf": [
            {"type": ["string", "integer", "number", "boolean"]},
            obj(
                {
                    "command": {
                        "type": "array",
                        "description": "Words of a command, run in the project's directory; "
                        "its output is the value. No shell.",
                        "items": {"type": "string"},
                        "minItems": 1,
                    },
                    "env": text("The environment variable to pass on, if it is set.", ARG),
                    "timeout": seconds("Seconds for the command.", default=30, exclusiveMinimum=0),
                },
                **one_of(("command", "env")),
            ),
        ]
    },
    "image": obj(
        {
            **_BUILD,
            "target": text("The stage to build. Default: the last one.", PROFILE),
            "build": {"$ref": "#/$defs/build_command"},
        },
        **one_of(("dockerfile", "build")),
    ),
    "build_command": obj(
        {
            "command": {
                "type": "array",
                "description": "Words of a command, run in the project's directory, that "
                "builds the image that $LOCALLOOP_IMAGE names. No shell.",
                "items": {"type": "string"},
                "minItems": 1,
            },
            "timeout": seconds("Seconds for the command.", default=3600, exclusiveMinimum=0),
        },
        ("command",),
        description="Builds an image that no Dockerfile makes; instead of `dockerfile`.",
    ),
    "node_file": obj(
        {
            **_BUILD,
            "target": text("The export stage. Default: the last one.", PROFILE),
            "file": text("The file's path in the export stage.", PATH),
            "dest": text("Its absolute path on the node.", DEST),
            "owner": {
                "type": ["string", "integer"],
                "description": "Numeric owner on the node, UID or UID:GID.",
                "pattern": OWNER,
                "default": "0:0",
            },
            "mode": {
                "type": ["string", "integer"],
                "description": "Octal permissions on the node.",
                "pattern": MODE,
                "default": "0755",
            },
            "reconcile": {"$ref": "#/$defs/reconcile"},
        },
        ("dockerfile", "file", "dest"),
    ),
    "reconcile": obj(
        {
            "namespace": text("The namespace of the pods that use the file.", NAME),
            "selector": text("Their label selector.", SELECTOR),
            "mode": {
                "enum": ["rolling-delete", "none"],
                "description": "Delete those pods one by one if the file changes, or leave them.",
                "default": "rolling-delete",
            },
            "timeout": seconds("Seconds for each pod.", default=90, exclusiveMinimum=0),
        },
        ("namespace", "selector"),
        description="What happens to pods that still use the previous file. Default: nothing.",
    ),
}
