"""The JSON Schema of ``localloop.yml``: the single source of its keys and defaults."""

from __future__ import annotations

from typing import Any

NAME = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
_RELEASE = r"^[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?$"
_PROFILE = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
_ARG = r"^[A-Za-z_][A-Za-z0-9_]*$"
_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
_CACHE = r"^type=[a-z0-9]+(,[a-z][a-z-]*=[^\u0000-\u001f\u007f,\"]+)*$"
_PATH = r"^[^\u0000-\u001f\u007f]+$"
_DEST = r"^/[^\u0000-\u001f\u007f]*[^/\u0000-\u001f\u007f]$"
_OWNER = r"^[0-9]{1,10}(:[0-9]{1,10})?$"
_SELECTOR = r"^[A-Za-z0-9./_=!,() -]+$"
_PLATFORM = r"^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9_.]+)?$"
_STEP = r"^[a-z0-9][a-z0-9_-]{0,62}$"
_SERVICE = (
    r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
    r":[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$"
)
_LOOPBACK = r"^http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?(/[!-~]*)?$"
_URL_PATH = r"^/[!-~]*$"
_CHART = r"^(oci://[a-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._-]+)+|[A-Za-z0-9][A-Za-z0-9._-]*)$"
_REPO = r"^https?://[!-~]+$"
_VERSION = r"^v?[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?$"
_KEY = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$"
_CONTEXT = r"^[^\u0000-\u001f\u007f-][^\u0000-\u001f\u007f]*$"


def _obj(properties: dict[str, Any], required: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        **more,
    }
    if required:
        schema["required"] = list(required)
    return schema


def _one_of(keys: tuple[str, ...]) -> dict[str, Any]:
    """That an object has exactly one of these keys."""
    return {"oneOf": [{"required": [key]} for key in keys]}


def _text(description: str, pattern: str | None = None, **more: Any) -> dict[str, Any]:
    schema = {"type": "string", "description": description, **more}
    if pattern:
        schema["pattern"] = pattern
    else:
        schema["minLength"] = 1
    return schema


def _map(description: str, keys: str, values: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "propertyNames": {"pattern": keys},
        "additionalProperties": values,
        "default": {},
    }


def _paths(description: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "array",
        "description": description,
        "items": {"type": "string", "pattern": _PATH},
        **more,
    }


def _keys(description: str) -> dict[str, Any]:
    return {
        "type": "array",
        "description": description,
        "items": {"type": "string", "pattern": _KEY},
        "uniqueItems": True,
        "default": [],
    }


def _seconds(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "number", "description": description, "maximum": 86400, **more}


def _caches(description: str) -> dict[str, Any]:
    items = {"type": "string", "pattern": _CACHE}
    return {"type": "array", "description": description, "items": items, "default": []}


_BUILD: dict[str, Any] = {
    "dockerfile": _text(
        "The Dockerfile, relative to the project; it may lie outside the context.", _PATH
    ),
    "context": _text("The build context, relative to the project.", _PATH, default="."),
    "build_args": {"$ref": "#/$defs/build_args"},
    "unhashed_args": _map(
        "Build arguments that reach the builder but no fingerprint: a value, the output of a "
        "command, or an environment variable.",
        _ARG,
        {"$ref": "#/$defs/unhashed_arg"},
    ),
    "inputs": _paths(
        "What the build may see, as .dockerignore patterns relative to the context. Narrows the "
        "context too. Default: what the Dockerfile's COPY, ADD and bind mounts reach. Required "
        "beside build.",
        minItems=1,
    ),
    "cache_scope": _paths(
        "Files, relative to the project, whose change starts a new compiler cache (lock files).",
        default=[],
    ),
    "needs": {
        "type": "array",
        "description": "Images of this project that the Dockerfile uses by their name.",
        "items": {"type": "string", "pattern": NAME},
        "uniqueItems": True,
        "default": [],
    },
    "secrets": _map(
        "Secrets for RUN --mount=type=secret,id=NAME: a file or an environment variable.",
        _ID,
        _obj(
            {
                "file": _text("The file (absolute, ~/… or relative to the project).", _PATH),
                "env": _text("The environment variable.", _ARG),
            },
            minProperties=1,
            maxProperties=1,
        ),
    ),
    "ssh": {
        "type": "array",
        "description": "Ids for RUN --mount=type=ssh; each is the agent of SSH_AUTH_SOCK.",
        "items": {"type": "string", "pattern": _ID},
        "uniqueItems": True,
        "default": [],
    },
    "cache_from": _caches("Where BuildKit may take layers from, as buildx's --cache-from."),
    "cache_to": _caches("Where BuildKit leaves its layers, as buildx's --cache-to."),
    "platform": _text("os/arch to build for. Default: the cluster's nodes'.", _PLATFORM),
}

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "localloop.yml",
    "description": "A project and its local deploy loop.",
    **_obj(
        {
            "version": {"const": 1, "description": "The version of this file's language."},
            "project": _text("The project's name: of its record and its repositories.", NAME),
            "profiles": _map(
                "Named sets of build arguments and of charts' values.",
                _PROFILE,
                _obj(
                    {
                        "build_args": {"$ref": "#/$defs/build_args"},
                        "values": _map("Per chart, values over its own.", NAME, {"type": "object"}),
                    }
                ),
            ),
            "default_profile": _text("The profile where nothing else chooses one.", _PROFILE),
            "ci_profile": _text(
                "The profile where the environment variable CI is set and not 0 or false.", _PROFILE
            ),
            "builder": _text("The buildx builder. Default: the current one.", _PROFILE),
            "cluster": {"$ref": "#/$defs/cluster"},
            "registry": {"$ref": "#/$defs/registry"},
            "images": _map(
                "Images: built, published, consumed by charts.", NAME, {"$ref": "#/$defs/image"}
            ),
            "node_files": _map(
                "Files built in an export stage and put on every node.",
                NAME,
                {"$ref": "#/$defs/node_file"},
            ),
            "charts": _map("Helm releases.", NAME, {"$ref": "#/$defs/chart"}),
            "readiness": {"$ref": "#/$defs/readiness"},
            "hooks": _obj(
                {
                    "before_deploy": {
                        "type": "array",
                        "description": "Run once everything is built, before the first release.",
                        "items": {"$ref": "#/$defs/hook"},
                        "default": [],
                    },
                    "after_deploy": {
                        "type": "array",
                        "description": "Run once everything is ready.",
                        "items": {"$ref": "#/$defs/hook"},
                        "default": [],
                    },
                },
                description="Commands of the project around a deploy that changes something.",
            ),
            "on_failure": {
                "enum": ["keep", "rollback"],
                "description": "What a deploy that fails leaves: what it has released, for a look "
                "at it, or what was last ready.",
                "default": "keep",
            },
            "baseline": {"$ref": "#/$defs/baseline"},
        },
        ("version", "project"),
    ),
    "$defs": {
        "build_args": _map(
            "Build arguments; numbers and booleans reach the builder as written.",
            _ARG,
            {"type": ["string", "integer", "number", "boolean"]},
        ),
        "unhashed_arg": {
            "anyOf": [
                {"type": ["string", "integer", "number", "boolean"]},
                _obj(
                    {
                        "command": {
                            "type": "array",
                            "description": "Words of a command, run in the project's directory; "
                            "its output is the value. No shell.",
                            "items": {"type": "string"},
                            "minItems": 1,
                        },
                        "env": _text("The environment variable to pass on, if it is set.", _ARG),
                    },
                    minProperties=1,
                    maxProperties=1,
                ),
            ]
        },
        "image": _obj(
            {
                **_BUILD,
                "target": _text("The stage to build. Default: the last one.", _PROFILE),
                "build": {"$ref": "#/$defs/build_command"},
            },
            **_one_of(("dockerfile", "build")),
        ),
        "build_command": _obj(
            {
                "command": {
                    "type": "array",
                    "description": "Words of a command, run in the project's directory, that "
                    "leaves the image named by $LOCALLOOP_IMAGE. No shell.",
                    "items": {"type": "string"},
                    "minItems": 1,
                },
                "timeout": _seconds("Seconds for it.", default=3600, exclusiveMinimum=0),
            },
            ("command",),
            description="Builds an image that no Dockerfile makes; instead of `dockerfile`.",
        ),
        "node_file": _obj(
            {
                **_BUILD,
                "target": _text("The export stage. Default: the last one.", _PROFILE),
                "file": _text("The file's path in the export stage.", _PATH),
                "dest": _text("Its absolute path on the node.", _DEST),
                "owner": {
                    "type": ["string", "integer"],
                    "description": "Numeric owner on the node, UID or UID:GID.",
                    "pattern": _OWNER,
                    "default": "0:0",
                },
                "mode": {
                    "type": ["string", "integer"],
                    "description": "Octal permissions on the node.",
                    "pattern": r"^0?[0-7]{3}$",
                    "default": "0755",
                },
                "reconcile": {"$ref": "#/$defs/reconcile"},
            },
            ("dockerfile", "file", "dest"),
        ),
        "reconcile": _obj(
            {
                "namespace": _text("The namespace of the pods that use the file.", NAME),
                "selector": _text("Their label selector.", _SELECTOR),
                "mode": {
                    "enum": ["rolling-delete", "none"],
                    "description": "Delete those pods one by one after a put, or leave them.",
                    "default": "rolling-delete",
                },
                "timeout": _seconds("Seconds for each pod.", default=90, exclusiveMinimum=0),
            },
            ("namespace", "selector"),
            description="What happens to pods that still use the previous file. Default: nothing.",
        ),
        "chart": _obj(
            {
                "path": _text("The chart's directory, relative to the project.", _PATH),
                "chart": _text(
                    "Instead of a path: a chart as oci://…, or its name in `repo`.", _CHART
                ),
                "repo": _text("The URL of that chart's repository.", _REPO),
                "version": _text("That chart's version, exactly.", _VERSION),
                "manifests": _paths(
                    "Instead of a chart: files and directories of manifests.", minItems=1
                ),
                "kustomize": _text("Instead of a chart: a directory for kustomize.", _PATH),
                "images": {
                    "type": "array",
                    "description": "Images whose names in the manifests stand for what was built. "
                    "Default: all.",
                    "items": {"type": "string", "pattern": NAME},
                    "uniqueItems": True,
                },
                "needs": {
                    "type": "array",
                    "description": "Charts that have to be ready before this one is released.",
                    "items": {"type": "string", "pattern": NAME},
                    "uniqueItems": True,
                    "default": [],
                },
                "keep_values": _keys(
                    "Dotted paths of values that a release keeps once it has them."
                ),
                "generate": _keys(
                    "Dotted paths of values that are made up at random once, and then kept."
                ),
                "release": _text("The release's name. Default: the component's.", _RELEASE),
                "namespace": _text("The release's namespace.", NAME),
                "values": {
                    "type": "object",
                    "description": "Values; $NAME.repository, .tag, .ref, .registry and .digest "
                    "stand for an image's, $$ for a dollar sign.",
                    "default": {},
                },
                "values_files": _paths(
                    "Values files, relative to the project; values above win.", default=[]
                ),
                "adopt": {
                    "type": "boolean",
                    "description": "Take over an existing release of that name without our label.",
                    "default": False,
                },
            },
            ("namespace",),
            description="A Helm release, from path, chart, manifests or kustomize.",
            **_one_of(("path", "chart", "manifests", "kustomize")),
        ),
        "hook": _obj(
            {
                "command": {
                    "type": "array",
                    "description": "Words of a command, run in the project's directory. No shell.",
                    "items": {"type": "string"},
                    "minItems": 1,
                },
                "timeout": _seconds("Seconds for the command.", default=60, exclusiveMinimum=0),
            },
            ("command",),
        ),
        "cluster": _obj(
            {
                "provider": {
                    "enum": ["auto", "existing", "k3d", "kind", "bundled"],
                    "description": "Where the cluster comes from.",
                    "default": "auto",
                },
                "name": _text(
                    "The cluster's name. Default: the project's. CLUSTER_NAME overrides it.", NAME
                ),
                "context": _text("The kubeconfig context (needed for existing).", _CONTEXT),
                "kubeconfig": _text(
                    "The kubeconfig file (absolute, ~/… or relative to the project). "
                    "Default: KUBECONFIG or ~/.kube/config.",
                    _PATH,
                ),
                "inputs": _paths(
                    "Files that a bootstrap depends on, as .dockerignore patterns relative to the "
                    "project.",
                    default=[],
                ),
            },
            description="The cluster.",
        ),
        "registry": _obj(
            {
                "port": {
                    "type": ["integer", "null"],
                    "description": "The port on 127.0.0.1. Default: chosen once, then kept.",
                    "minimum": 1024,
                    "maximum": 65535,
                    "default": None,
                }
            },
            description="The local registry.",
        ),
        "readiness": _obj(
            {
                "timeout": _seconds("Seconds for the whole gate.", default=90, exclusiveMinimum=0),
                "stable_for": {
                    "type": ["number", "null"],
                    "description": "Seconds that readiness must hold. Default: 0 where every "
                    "container has a readiness probe, else 2.",
                    "minimum": 0,
                    "maximum": 86400,
                    "default": None,
                },
                "also": {
                    "type": "array",
                    "description": "Pods to gate that no release contains.",
                    "items": _obj(
                        {
                            "namespace": _text("Their namespace.", NAME),
                            "selector": _text("Their label selector.", _SELECTOR),
                            "optional": {
                                "type": "boolean",
                                "description": "Whether finding none is no error.",
                                "default": False,
                            },
                        },
                        ("namespace", "selector"),
                    ),
                    "default": [],
                },
                "http": _map(
                    "HTTP requests that have to succeed once everything is ready.",
                    NAME,
                    {"$ref": "#/$defs/http_check"},
                ),
                "max_restarts": {
                    "type": "integer",
                    "description": "Restarts of a container in this gate that make it a crash "
                    "loop.",
                    "minimum": 1,
                    "maximum": 1000,
                    "default": 3,
                },
                "load_balancers": {
                    "type": "boolean",
                    "description": "Whether Services of type LoadBalancer need their address.",
                    "default": False,
                },
            },
            description="The gate that ends every run.",
        ),
        "http_check": _obj(
            {
                "service": _text(
                    "NAMESPACE/NAME:PORT of a Service, asked through the API server.", _SERVICE
                ),
                "path": _text("The path, for a service.", _URL_PATH, default="/"),
                "url": _text("Instead of a service: a URL on this machine's loopback.", _LOOPBACK),
                "status": {
                    "type": "integer",
                    "description": "The status that it has to answer with.",
                    "minimum": 100,
                    "maximum": 599,
                    "default": 200,
                },
                "contains": {
                    "type": "string",
                    "description": "Text that has to be in its answer.",
                    "default": "",
                },
            },
            description="One GET request; redirects are not followed.",
        ),
        "baseline": _obj(
            {
                "steps": {
                    "type": "array",
                    "description": "Commands to measure before the builds.",
                    "items": {"$ref": "#/$defs/baseline_step"},
                    "default": [],
                }
            },
            description="What `localloop baseline` measures beside the builds.",
        ),
        "baseline_step": _obj(
            {
                "name": _text("The step's name in the table.", _STEP),
                "category": _text("Its group in the table.", _STEP, default="command"),
                "command": {
                    "type": "array",
                    "description": "Words of a command, run in the project's directory. No shell.",
                    "items": {"type": "string"},
                    "minItems": 1,
                },
                "env": _map(
                    "Environment variables of the command.",
                    _ARG,
                    {"type": ["string", "integer", "number", "boolean"]},
                ),
                "timeout": _seconds("Seconds for the command.", default=3600, exclusiveMinimum=0),
            },
            ("name", "command"),
        ),
    },
}


def schema_json() -> str:
    """The schema as ``localloop schema`` prints it."""
    import json

    return json.dumps(SCHEMA, indent=2, ensure_ascii=False) + "\n"


def default(definition: str, key: str) -> Any:
    """The default that the schema gives for a key of a definition."""
    return SCHEMA["$defs"][definition]["properties"][key].get("default")
