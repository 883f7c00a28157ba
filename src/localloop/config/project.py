"""``localloop.yml`` and the environment → ``Project``."""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..system.environ import in_ci
from .builds import read_builds
from .charts import read_charts
from .environment import builder, overrides
from .loader import Node, error, load
from .model import (
    BaselineStep,
    ClusterConfig,
    Hook,
    HttpCheck,
    PodScope,
    Project,
    Readiness,
    RegistryConfig,
)
from .schema import default
from .validate import near, validate

CONFIG_NAME = "localloop.yml"
KINDS = ("images", "node_files", "charts")
# Words that mean something else as a target or as a host of the inventory.
_RESERVED = {"all", "ungrouped", "localhost", *KINDS}
# What the builds and the deploy of a baseline are called.
_CATEGORIES = {"image", "node_file", "deploy"}


def find_config(start: Path) -> Path:
    """``localloop.yml`` of ``start`` or the nearest directory above it."""
    start = Path(os.path.abspath(start))  # noqa: PTH100 (keeps symlinks, unlike resolve)
    for directory in (start, *start.parents):
        candidate = directory / CONFIG_NAME
        if candidate.is_file():
            return candidate
    raise UsageError(
        "config_missing",
        f"no {CONFIG_NAME} in {start} or any directory above it",
        hint="Write one (docs/configuration.md), or name another directory with --project DIR.",
    )


def load_project(
    root: Path, *, profile: str | None = None, environ: Mapping[str, str] = os.environ
) -> Project:
    """The project that ``root`` belongs to, checked; ``profile`` is the command line's choice."""
    path = find_config(root)
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise UsageError(
            "config_unreadable", f"cannot be read: {exc.strerror}", where=str(path)
        ) from exc
    node = load(data, path.name)
    validate(node, path.name)
    return Reader(node, path, data).project(profile, environ)


class Reader:
    """Checks what a schema cannot say, then builds the dataclasses."""

    def __init__(self, root: Node, path: Path, data: bytes) -> None:
        self.node = root
        self.path = path
        self.data = data

    def fail(self, node: Node, message: str, hint: str | None = None) -> UsageError:
        return error(self.path.name, node.line, node.column, message, hint)

    def fail_key(self, parent: Node, key: str, message: str, hint: str | None = None) -> UsageError:
        return error(self.path.name, *parent.keys[key], message, hint)

    def items(self, *path: str) -> dict[str, Node]:
        node = self.node.get(*path)
        return node.value if node is not None else {}

    # -- the whole

    def project(self, flag: str | None, environ: Mapping[str, str]) -> Project:
        self.check_names()
        name = self.items()["project"].value
        profile, source = self.profile(flag, environ)
        args = self.args(self.node.get("profiles", profile, "build_args")) if profile else {}
        images, node_files = read_builds(self, environ)
        charts = read_charts(self, profile)
        given = self.items().get("builder")
        on_failure = self.items().get("on_failure")
        return Project(
            root=self.path.parent,
            name=name,
            profile=profile,
            profile_source=source,
            profile_args=args,
            images=images,
            node_files=node_files,
            charts=charts,
            cluster=self.cluster(name, environ),
            registry=RegistryConfig(**self.plain(self.node.get("registry"))),
            readiness=self.readiness(environ),
            baseline=self.baseline(),
            builder=builder(environ) or (given.value if given else None),
            config_sha256=hashlib.sha256(self.data).hexdigest(),
            config_path=self.path,
            on_failure=on_failure.value if on_failure else "keep",
            before_deploy=self.hooks("before_deploy"),
            after_deploy=self.hooks("after_deploy"),
        )

    @staticmethod
    def plain(node: Node | None) -> dict[str, Any]:
        return node.plain() if node is not None else {}

    def check_names(self) -> None:
        seen: dict[str, str] = {}
        for kind in KINDS:
            parent = self.node.get(kind)
            if parent is None:
                continue
            for key in parent.value:
                if key in seen:
                    message = f"{key!r} is already the name of one of the {seen[key]}"
                    raise self.fail_key(parent, key, message, "names are unique over all kinds")
                if key in _RESERVED:
                    raise self.fail_key(parent, key, f"{key!r} is a reserved word")
                seen[key] = kind

    # -- profiles

    def profile(
        self, flag: str | None, environ: Mapping[str, str]
    ) -> tuple[str | None, str | None]:
        profiles = list(self.items("profiles"))
        for key in ("default_profile", "ci_profile"):
            node = self.items().get(key)
            if node is not None and node.value not in profiles:
                raise self.fail(node, f"unknown profile {node.value!r}", near(node.value, profiles))
        variable = environ.get("LOCALLOOP_PROFILE")
        for word, source in ((flag, "--profile"), (variable, "LOCALLOOP_PROFILE")):
            if not word:
                continue
            if word not in profiles:
                message = f"unknown profile {word!r}"
                raise UsageError(
                    "profile_unknown", message, where=source, hint=near(word, profiles)
                )
            return word, source
        for key in ("ci_profile", "default_profile"):
            node = self.items().get(key)
            if node is not None and (in_ci(environ) or key == "default_profile"):
                return node.value, key
        return None, None

    # -- components

    @staticmethod
    def args(node: Node | None) -> dict[str, str]:
        return {key: item.raw or "" for key, item in node.value.items()} if node else {}

    def relative(self, node: Node, *, patterns: bool = False) -> str:
        """A path inside the project, normalised."""
        text: str = node.value
        body = text.removeprefix("!") if patterns else text
        if body.startswith(("/", "~")):
            raise self.fail(node, f"{text!r} must be relative to the project")
        if ".." in body.split("/"):
            raise self.fail(node, f"{text!r} must stay inside: '..' is not allowed")
        if not body.strip():
            raise self.fail(node, f"{text!r} names nothing")
        return text if patterns else posixpath.normpath(text)

    def paths(self, node: Node | None, *, patterns: bool = False) -> tuple[str, ...]:
        if node is None:
            return ()
        return tuple(self.relative(item, patterns=patterns) for item in node.value)

    # -- the rest

    def cluster(self, project: str, environ: Mapping[str, str]) -> ClusterConfig:
        node = self.node.get("cluster")
        items: dict[str, Node] = node.value if node else {}
        fields: dict[str, Any] = {
            key: items[key].value for key in ("provider", "name", "context") if key in items
        }
        fields |= overrides("cluster", environ, name="CLUSTER_NAME")
        fields.setdefault("name", project)
        if "kubeconfig" in items:
            fields["kubeconfig"] = self.path.parent / Path(items["kubeconfig"].value).expanduser()
        return ClusterConfig(**fields, inputs=self.paths(items.get("inputs"), patterns=True))

    def readiness(self, environ: Mapping[str, str]) -> Readiness:
        node = self.node.get("readiness")
        fields = self.plain(node)
        fields["timeout"] = float(fields.get("timeout", default("readiness", "timeout")))
        fields |= overrides("readiness", environ, timeout="LOCALLOOP_READINESS_TIMEOUT")
        if fields.get("stable_for") is not None:
            fields["stable_for"] = float(fields["stable_for"])
            if node is not None and fields["stable_for"] >= fields["timeout"]:
                message = f"stable_for cannot be over within timeout ({fields['timeout']:g} s)"
                raise self.fail(node.value["stable_for"], message)
        fields["also"] = tuple(PodScope(**scope) for scope in fields.get("also", []))
        fields["http"] = tuple(
            HttpCheck(name=name, **self.http_check(name)) for name in fields.get("http", {})
        )
        return Readiness(**fields)

    def http_check(self, name: str) -> dict[str, Any]:
        node = self.node.get("readiness", "http", name) or self.node
        fields = self.plain(node)
        if ("service" in fields) == ("url" in fields):
            raise self.fail(node, f"readiness.http.{name} needs either a service or a url")
        if "url" in fields and "path" in fields:
            raise self.fail(node.value["path"], "a url has its path in it", "remove `path`")
        return fields

    def hooks(self, when: str) -> tuple[Hook, ...]:
        node = self.node.get("hooks", when)
        return tuple(
            Hook(
                command=tuple(word.value for word in item.value["command"].value),
                timeout=float(item.plain().get("timeout", default("hook", "timeout"))),
            )
            for item in (node.value if node is not None else ())
        )

    def baseline(self) -> tuple[BaselineStep, ...]:
        node = self.node.get("baseline", "steps")
        found: dict[tuple[str, str], BaselineStep] = {}
        for item in node.value if node is not None else ():
            items: dict[str, Node] = item.value
            step = BaselineStep(
                name=items["name"].value,
                category=item.plain().get("category", default("baseline_step", "category")),
                command=tuple(word.value for word in items["command"].value),
                env=self.args(items.get("env")),
                timeout=float(item.plain().get("timeout", default("baseline_step", "timeout"))),
            )
            if step.category in _CATEGORIES:
                message = f"the category {step.category!r} is localloop's own"
                raise self.fail(items["category"], message, "choose another")
            if (step.category, step.name) in found:
                message = f"{step.category} already has a step {step.name!r}"
                raise self.fail(items["name"], message)
            found[step.category, step.name] = step
        return tuple(found.values())
