"""The project, and all sections of ``localloop.yml`` except builds and charts."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import UsageError
from ..system.environ import in_ci
from .builds import read_builds
from .charts import read_charts
from .cluster import check_node_files, read_cluster, read_registry
from .environment import builder, overrides
from .loader import Node
from .model import (
    BaselineStep,
    Hook,
    HttpCheck,
    PodScope,
    Project,
    Readiness,
)
from .reader import Reader
from .schema import default
from .validate import near

KINDS = ("images", "node_files", "charts")
# These mean something else as a target or as a host of the inventory.
_RESERVED = {"all", "ungrouped", "localhost", *KINDS}
# The categories under which a baseline measures the builds and the deploy.
_CATEGORIES = {"image", "node_file", "deploy"}


def read_project(
    reader: Reader, sha256: str, flag: str | None, environ: Mapping[str, str]
) -> Project:
    """The whole project; ``sha256`` is that of the file, ``flag`` the value of ``--profile``.

    Raises UsageError for what the schema cannot refuse.
    """
    _check_names(reader)
    items = reader.items()
    name = items["project"].value
    profile = read_profile(reader, flag, environ)
    args = reader.args(reader.node.get("profiles", profile, "build_args")) if profile else {}
    images, node_files = read_builds(reader, environ)
    charts = read_charts(reader, profile)
    cluster = read_cluster(reader, name, environ)
    check_node_files(reader, cluster)
    return Project(
        root=reader.path.parent,
        name=name,
        profile=profile,
        profile_args=args,
        images=images,
        node_files=node_files,
        charts=charts,
        cluster=cluster,
        registry=read_registry(reader, cluster),
        readiness=read_readiness(reader, environ),
        baseline=read_baseline(reader),
        builder=builder(environ) or (items["builder"].value if "builder" in items else None),
        config_sha256=sha256,
        config_path=reader.path,
        on_failure=items["on_failure"].value if "on_failure" in items else "keep",
        before_deploy=read_hooks(reader, "before_deploy"),
        after_deploy=read_hooks(reader, "after_deploy"),
    )


def _check_names(reader: Reader) -> None:
    """Names are unique over all kinds, and none is a reserved word."""
    seen: dict[str, str] = {}
    for kind in KINDS:
        parent = reader.node.get(kind)
        if parent is None:
            continue
        for key in parent.value:
            if key in seen:
                message = f"{key!r} is already the name of one of the {seen[key]}"
                raise reader.fail_key(parent, key, message, "names are unique over all kinds")
            if key in _RESERVED:
                raise reader.fail_key(parent, key, f"{key!r} is a reserved word")
            seen[key] = kind


def read_profile(reader: Reader, flag: str | None, environ: Mapping[str, str]) -> str | None:
    """The profile in use: by --profile, LOCALLOOP_PROFILE, ``ci_profile`` or ``default_profile``.

    None where nothing chooses one. Raises UsageError for a profile that the file does not have.
    """
    profiles = list(reader.items("profiles"))
    for key in ("default_profile", "ci_profile"):
        node = reader.items().get(key)
        if node is not None and node.value not in profiles:
            raise reader.fail(node, f"unknown profile {node.value!r}", near(node.value, profiles))
    variable = environ.get("LOCALLOOP_PROFILE")
    for word, source in ((flag, "--profile"), (variable, "LOCALLOOP_PROFILE")):
        if not word:
            continue
        if word not in profiles:
            message = f"unknown profile {word!r}"
            raise UsageError("profile_unknown", message, where=source, hint=near(word, profiles))
        return word
    for key in ("ci_profile", "default_profile"):
        node = reader.items().get(key)
        if node is not None and (in_ci(environ) or key == "default_profile"):
            return str(node.value)
    return None


def read_readiness(reader: Reader, environ: Mapping[str, str]) -> Readiness:
    """``readiness``: the gate's limits and what it looks at besides the releases."""
    node = reader.node.get("readiness")
    fields = reader.plain(node)
    fields["timeout"] = float(fields.get("timeout", default("readiness", "timeout")))
    fields |= overrides("readiness", environ, timeout="LOCALLOOP_READINESS_TIMEOUT")
    if fields.get("stable_for") is not None:
        fields["stable_for"] = float(fields["stable_for"])
        if node is not None and fields["stable_for"] >= fields["timeout"]:
            message = f"stable_for must be shorter than timeout ({fields['timeout']:g} s)"
            raise reader.fail(node.value["stable_for"], message)
    fields["also"] = tuple(PodScope(**scope) for scope in fields.get("also", []))
    fields["http"] = tuple(
        _http_check(reader, name, check)
        for name, check in reader.items("readiness", "http").items()
    )
    return Readiness(**fields)


def _http_check(reader: Reader, name: str, node: Node) -> HttpCheck:
    fields = reader.plain(node)
    if ("service" in fields) == ("url" in fields):
        raise reader.fail(node, f"readiness.http.{name} needs either a service or a url, not both")
    if "url" in fields and "path" in fields:
        raise reader.fail(node.value["path"], "the url already contains the path", "remove `path`")
    return HttpCheck(name=name, **fields)


def read_hooks(reader: Reader, when: str) -> tuple[Hook, ...]:
    """The hooks of ``before_deploy`` or ``after_deploy``, in the file's order."""
    node = reader.node.get("hooks", when)
    return tuple(
        Hook(
            command=tuple(word.value for word in item.value["command"].value),
            timeout=float(item.plain().get("timeout", default("hook", "timeout"))),
        )
        for item in (node.value if node is not None else ())
    )


def read_baseline(reader: Reader) -> tuple[BaselineStep, ...]:
    """The project's own steps of a baseline; (category, name) is unique."""
    node = reader.node.get("baseline", "steps")
    found: dict[tuple[str, str], BaselineStep] = {}
    for item in node.value if node is not None else ():
        items: dict[str, Node] = item.value
        step = BaselineStep(
            name=items["name"].value,
            category=item.plain().get("category", default("baseline_step", "category")),
            command=tuple(word.value for word in items["command"].value),
            env=reader.args(items.get("env")),
            timeout=float(item.plain().get("timeout", default("baseline_step", "timeout"))),
        )
        if step.category in _CATEGORIES:
            message = f"the category {step.category!r} is reserved"
            raise reader.fail(items["category"], message, "choose another")
        if (step.category, step.name) in found:
            message = f"{step.category} already has a step {step.name!r}"
            raise reader.fail(items["name"], message)
        found[step.category, step.name] = step
    return tuple(found.values())
