"""The JSON Schema of ``localloop.yml``: the single source of its keys and defaults."""

from __future__ import annotations

from typing import Any

from .schema_builds import BUILD_DEFS
from .schema_words import (
    ARG,
    CHART,
    CONTEXT,
    LOOPBACK,
    MINOR,
    MOUNT,
    NAME,
    PATH,
    PORT,
    PROFILE,
    REFERENCE,
    REGISTRY_HOST,
    RELEASE,
    REPO,
    SELECTOR,
    SERVER,
    SERVICE,
    STEP,
    URL_PATH,
    VERSION,
    keys,
    mapping,
    obj,
    one_of,
    paths,
    seconds,
    text,
)

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "localloop.yml",
    "description": "A project and its local deploy loop.",
    **obj(
        {
            "version": {"const": 1, "description": "The version of this file's language."},
            "project": text(
                "The project's name. Its record and its image repositories have it too.", NAME
            ),
            "profiles": mapping(
                "Named sets of build arguments and chart values.",
                PROFILE,
                obj(
                    {
                        "build_args": {"$ref": "#/$defs/build_args"},
                        "values": mapping(
                            "Values of a chart that override its own.", NAME, {"type": "object"}
                        ),
                    }
                ),
            ),
            "default_profile": text("The profile to use if nothing else chooses one.", PROFILE),
            "ci_profile": text(
                "The profile to use in CI: if the variable CI is set, and not to 0 or false.",
                PROFILE,
            ),
            "builder": text("The buildx builder. Default: the current one.", PROFILE),
            "cluster": {"$ref": "#/$defs/cluster"},
            "registry": {"$ref": "#/$defs/registry"},
            "images": mapping(
                "Images: built, published, consumed by charts.", NAME, {"$ref": "#/$defs/image"}
            ),
            "node_files": mapping(
                "Files built in an export stage and put on every node.",
                NAME,
                {"$ref": "#/$defs/node_file"},
            ),
            "charts": mapping("Helm releases.", NAME, {"$ref": "#/$defs/chart"}),
            "readiness": {"$ref": "#/$defs/readiness"},
            "hooks": obj(
                {
                    "before_deploy": {
                        "type": "array",
                        "description": "Run when everything is built, before the first release.",
                        "items": {"$ref": "#/$defs/hook"},
                        "default": [],
                    },
                    "after_deploy": {
                        "type": "array",
                        "description": "Run when everything is ready.",
                        "items": {"$ref": "#/$defs/hook"},
                        "default": [],
                    },
                },
                description="Commands to run before and after a deploy that changes something.",
            ),
            "on_failure": {
                "enum": ["keep", "rollback"],
                "description": "After a failed deploy: keep what it released, to look at it, or "
                "roll back to what was last ready.",
                "default": "keep",
            },
            "baseline": {"$ref": "#/$defs/baseline"},
        },
        ("version", "project"),
    ),
    "$defs": {
        "build_args": mapping(
            "Build arguments; numbers and booleans reach the builder as written.",
            ARG,
            {"type": ["string", "integer", "number", "boolean"]},
        ),
        **BUILD_DEFS,
        "chart": obj(
            {
                "path": text("The chart's directory, relative to the project.", PATH),
                "chart": text(
                    "Instead of a path: a chart as oci://…, or its name in `repo`.", CHART
                ),
                "repo": text("The URL of that chart's repository.", REPO),
                "version": text("The exact version of that chart.", VERSION),
                "manifests": paths(
                    "Instead of a chart: files and directories of manifests.", minItems=1
                ),
                "kustomize": text("Instead of a chart: a directory for kustomize.", PATH),
                "images": {
                    "type": "array",
                    "description": "Images whose names in the manifests are replaced by what was "
                    "built. Default: all.",
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
                "keep_values": keys(
                    "Dotted paths of values that a release keeps once it has them."
                ),
                "generate": keys(
                    "Dotted paths of values that are generated at random once and then kept."
                ),
                "release": text("The release's name. Default: the component's.", RELEASE),
                "namespace": text("The release's namespace.", NAME),
                "values": {
                    "type": "object",
                    "description": "Values; $NAME.repository, .tag, .semver, .ref, .registry and "
                    ".digest stand for an image's, $$ for a dollar sign.",
                    "default": {},
                },
                "values_files": paths(
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
            **one_of(("path", "chart", "manifests", "kustomize")),
        ),
        "hook": obj(
            {
                "command": {
                    "type": "array",
                    "description": "Words of a command, run in the project's directory. No shell.",
                    "items": {"type": "string"},
                    "minItems": 1,
                },
                "timeout": seconds("Seconds for the command.", default=60, exclusiveMinimum=0),
            },
            ("command",),
        ),
        "cluster": obj(
            {
                "provider": {
                    "enum": ["auto", "existing", "k3d", "kind", "bundled"],
                    "description": "Where the cluster comes from.",
                    "default": "auto",
                },
                "name": text(
                    "The cluster's name. Default: the project's. CLUSTER_NAME overrides it.", NAME
                ),
                "context": text(
                    "The kubeconfig context of a cluster that is there already. The current "
                    "context is never used.",
                    CONTEXT,
                ),
                "kubeconfig": text(
                    "The kubeconfig file that has the context (absolute, ~/… or relative to the "
                    "project). Default: KUBECONFIG or ~/.kube/config.",
                    PATH,
                ),
                "allow_server": {
                    "type": "array",
                    "description": "API servers, as their URLs in the kubeconfig, to which may be "
                    "deployed although they are not on this machine.",
                    "items": {"type": "string", "pattern": SERVER},
                    "default": [],
                },
                "allow_exec": {
                    "type": "array",
                    "description": "Programs, as `command` in the kubeconfig, that may be started "
                    "to get the context's credentials.",
                    "items": {"type": "string", "pattern": CONTEXT},
                    "default": [],
                },
                "inputs": paths(
                    "Files that the cluster is made from, as .dockerignore patterns relative to "
                    "the project.",
                    default=[],
                ),
                "nodes": {
                    "type": "integer",
                    "description": "How many nodes: one control plane, the rest workers. "
                    "Default: 1.",
                    "minimum": 1,
                    "maximum": 100,
                },
                "ports": {
                    "type": "array",
                    "description": "Ports of the control plane's node to publish on this machine, "
                    "as [ADDRESS:][HOST:]NODE[/PROTOCOL]. Default address: 127.0.0.1. Without "
                    "HOST, a free port is chosen once and kept.",
                    "items": {
                        "type": ["string", "integer"],
                        "pattern": PORT,
                        "examples": ["8080:30080", "30053/udp", "0.0.0.0:8443:30443"],
                    },
                    "default": [],
                },
                "mounts": {
                    "type": "array",
                    "description": "Files and folders of this machine to mount into every node, as "
                    "HOST:NODE[:ro]. HOST is absolute, ~/… or relative to the project.",
                    "items": {
                        "type": "string",
                        "pattern": MOUNT,
                        "examples": ["./data:/data", "~/models:/models:ro"],
                    },
                    "default": [],
                },
                "kubernetes": text(
                    "The minor version of Kubernetes, in quotes. Default: the newest that there "
                    "is a node image for.",
                    MINOR,
                    examples=["1.37"],
                ),
                "node_image": text(
                    "The nodes' image. Default: kindest/node of the wanted version, else "
                    "localloop's own.",
                    REFERENCE,
                ),
                "kind_config": text(
                    "Instead of all these: a configuration file of kind (absolute, ~/… or "
                    "relative to the project).",
                    PATH,
                ),
            },
            description="The cluster.",
        ),
        "registry": obj(
            {
                "port": {
                    "type": ["integer", "null"],
                    "description": "The port on 127.0.0.1. Default: chosen once, then kept.",
                    "minimum": 1024,
                    "maximum": 65535,
                    "default": None,
                },
                "host": text(
                    "A registry of your own on this machine that the nodes of cluster.context pull "
                    "from under the same name, as HOST:PORT.",
                    REGISTRY_HOST,
                    examples=["localhost:5001"],
                ),
                "route": {
                    "enum": ["auto", "advertised", "ours", "shared", "load"],
                    "description": "How images reach the nodes of cluster.context: through the "
                    "registry that the cluster advertises, through localloop's own, which the "
                    "nodes are told to pull from, by Docker's own store where the nodes share it, "
                    "or loaded into the nodes. auto: the first of these that there is, but for "
                    "localloop's own.",
                    "default": "auto",
                },
            },
            description="The registry.",
        ),
        "readiness": obj(
            {
                "timeout": seconds("Seconds for the whole gate.", default=90, exclusiveMinimum=0),
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
                    "description": "Pods to gate that belong to no release.",
                    "items": obj(
                        {
                            "namespace": text("Their namespace.", NAME),
                            "selector": text("Their label selector.", SELECTOR),
                            "optional": {
                                "type": "boolean",
                                "description": "Accept that there are no such pods.",
                                "default": False,
                            },
                        },
                        ("namespace", "selector"),
                    ),
                    "default": [],
                },
                "http": mapping(
                    "HTTP requests that have to succeed when everything is ready.",
                    NAME,
                    {"$ref": "#/$defs/http_check"},
                ),
                "max_restarts": {
                    "type": "integer",
                    "description": "Restarts of a container during the gate that count as a crash "
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
        "http_check": obj(
            {
                "service": text(
                    "NAMESPACE/NAME:PORT of a Service, asked through the API server.", SERVICE
                ),
                "path": text("The path to request from the service.", URL_PATH, default="/"),
                "url": text("Instead of a service: a URL on this machine's loopback.", LOOPBACK),
                "status": {
                    "type": "integer",
                    "description": "The expected status.",
                    "minimum": 100,
                    "maximum": 599,
                    "default": 200,
                },
                "contains": {
                    "type": "string",
                    "description": "Text that the response has to contain.",
                    "default": "",
                },
            },
            description="One GET request; redirects are not followed.",
        ),
        "baseline": obj(
            {
                "steps": {
                    "type": "array",
                    "description": "Commands to measure before the builds.",
                    "items": {"$ref": "#/$defs/baseline_step"},
                    "default": [],
                }
            },
            description="What `localloop baseline` measures besides the builds.",
        ),
        "baseline_step": obj(
            {
                "name": text("The step's name in the table.", STEP),
                "category": text("Its group in the table.", STEP, default="command"),
                "command": {
                    "type": "array",
                    "description": "Words of a command, run in the project's directory. No shell.",
                    "items": {"type": "string"},
                    "minItems": 1,
                },
                "env": mapping(
                    "Environment variables of the command.",
                    ARG,
                    {"type": ["string", "integer", "number", "boolean"]},
                ),
                "timeout": seconds("Seconds for the command.", default=3600, exclusiveMinimum=0),
            },
            ("name", "command"),
        ),
    },
}


def default(definition: str, key: str) -> Any:
    """The default that the schema gives for a key of a definition."""
    return SCHEMA["$defs"][definition]["properties"][key].get("default")
