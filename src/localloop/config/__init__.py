"""``localloop.yml`` → ``Project``.

The module names of this package are private to it: everything that others need is here.
"""

from __future__ import annotations

from .environment import deploy_mode, deploy_targets
from .model import (
    BaselineStep,
    Chart,
    ClusterConfig,
    Hook,
    HttpCheck,
    Image,
    NodeFile,
    PodScope,
    Project,
    Readiness,
    Reconcile,
    RegistryConfig,
    Secret,
    UnhashedArg,
)
from .placeholders import ImageRef, consumed_images, resolve_values
from .project import CONFIG_NAME, find_config, load_project
from .schema import SCHEMA, schema_json

__all__ = [
    "CONFIG_NAME",
    "SCHEMA",
    "BaselineStep",
    "Chart",
    "ClusterConfig",
    "Hook",
    "HttpCheck",
    "Image",
    "ImageRef",
    "NodeFile",
    "PodScope",
    "Project",
    "Readiness",
    "Reconcile",
    "RegistryConfig",
    "Secret",
    "UnhashedArg",
    "consumed_images",
    "deploy_mode",
    "deploy_targets",
    "find_config",
    "load_project",
    "resolve_values",
    "schema_json",
]
