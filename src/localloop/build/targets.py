"""Turn an image of the project into a bake target: its arguments, its secrets, its needs."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from ..config.model import Image, Secret, UnhashedArg
from ..errors import LocalloopError
from ..inputs.context import BuildContext, write_build_context
from ..plan.model import ComponentPlan, Plan
from ..session import Session
from ..system.ca_bundle import host_ca_bundle
from ..system.redact import Redactor
from .bake import BUILD_TIMEOUT_SECONDS, Target
from .cache_scope import cache_scope

# BuildKit refuses larger secrets.
SECRET_BYTES = 500 * 1024


def build_target(
    session: Session,
    image: Image,
    made: BuildContext,
    *,
    reference: str | None,
    contexts: Mapping[str, str],
    arguments: Mapping[str, str] | None = None,
) -> Target:
    """The bake target of an image; ``arguments`` are added to its own."""
    return Target(
        component=image.name,
        context=made.context,
        dockerfile=made.dockerfile,
        reference=reference,
        platform=image.platform or session.platform,
        arguments={**build_arguments(session, image), **(arguments or {})},
        stage=image.target,
        contexts=contexts,
        secrets=tuple(_source(session, *each) for each in image.secrets.items()),
        ssh=image.ssh,
        cache_from=image.cache_from,
        cache_to=image.cache_to,
        source=image.dockerfile,
        command=image.build.command if image.build else (),
        timeout=image.build.timeout if image.build else BUILD_TIMEOUT_SECONDS,
    )


def context_of(session: Session, needed: ComponentPlan) -> str:
    """The build context by which another image of the plan uses this one.

    Raises ``need_not_published`` if the plan does not build it and the registry does not hold it.
    """
    if "build" in needed.steps:
        return f"target:{needed.name}"
    if needed.image is None:
        raise LocalloopError(
            "need_not_published",
            "another image needs it, but the registry does not hold it",
            component=needed.name,
            hint=f"Name {needed.name} as a target too, or deploy without targets.",
        )
    return f"docker-image://{session.push_repository(needed.name)}@{needed.image.digest}"


def contexts_of(session: Session, image: Image, plan: Plan) -> dict[str, str]:
    """The build contexts of everything that an image needs."""
    return {name: context_of(session, plan.components[name]) for name in image.needs}


def build_arguments(session: Session, image: Image) -> dict[str, str]:
    """All arguments of a build: the profile's, its own, and the unhashed ones.

    Raises ``unhashed_arg_failed`` if the command of one fails.
    """
    return {
        **session.project.profile_args,
        **image.build_args,
        **_scope(session, image),
        **_unhashed(session, image),
    }


def _scope(session: Session, image: Image) -> dict[str, str]:
    """The scope of the compiler caches, if the Dockerfile declares the argument."""
    name = image.cache_scope_arg
    if name not in session.fingerprints.analysis(image).effective_args({name: ""}):
        return {}
    scope = cache_scope(session.project, image, session.environ, platform=session.platform)
    return {name: scope}


def _unhashed(session: Session, image: Image) -> dict[str, str]:
    found = {}
    for name, source in image.unhashed_args.items():
        value = _unhashed_value(session, image.name, name, source)
        if value is not None:
            found[name] = value
    return found


def _unhashed_value(session: Session, component: str, name: str, source: UnhashedArg) -> str | None:
    if source.env is not None:
        return session.environ.get(source.env)
    if source.command is None:
        return source.value
    from ..system.outputs import CommandError, output_of

    root = session.project.root
    try:
        return output_of(source.command, timeout=source.timeout, root=root).strip()
    except CommandError as error:
        raise LocalloopError(
            "unhashed_arg_failed",
            f"the command of unhashed_args.{name}, {error}",
            component=component,
            hint=f"Run it in {root}; if it only takes long, give it a `timeout`"
            f" (default {UnhashedArg.timeout:g} s).",
        ) from error


def _source(session: Session, name: str, secret: Secret) -> str:
    """A secret as buildx takes it: one line of CSV."""
    file = host_ca_bundle(session.environ) if secret.ca_bundle else secret.file
    fields = [f"id={name}", f"env={secret.env}" if secret.env else f"src={file}"]
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(fields)
    return text.getvalue()


def redactor(session: Session, images: Iterable[Image]) -> Redactor:
    """A redactor for the values of the images' secrets; CA certificates are none.

    Raises ``secret_missing`` and ``ssh_agent_missing``.
    """
    found = []
    for image in images:
        if image.ssh and not session.environ.get("SSH_AUTH_SOCK"):
            raise LocalloopError(
                "ssh_agent_missing",
                "its build needs ssh, but SSH_AUTH_SOCK is not set",
                component=image.name,
                hint="Start an agent (eval $(ssh-agent); ssh-add), or remove `ssh:`.",
            )
        for name, secret in image.secrets.items():
            value = _value(session, image, name, secret)
            found += [] if secret.ca_bundle else [value]
    return Redactor(found)


def _value(session: Session, image: Image, name: str, secret: Secret) -> str:
    if secret.env:
        value = session.environ.get(secret.env)
        if value is None:
            raise _missing(image, name, f"{secret.env} is not set", f"Set {secret.env}")
        return value
    path = host_ca_bundle(session.environ) if secret.ca_bundle else secret.file
    if not path:
        said = "this machine has no file of CA certificates in the usual places"
        raise _missing(image, name, said, "Set SSL_CERT_FILE to one")
    try:
        with Path(path).open("rb") as file:
            data = file.read(SECRET_BYTES + 1)
    except OSError as error:
        said = f"{path} cannot be read: {error.strerror}"
        raise _missing(image, name, said, "Make it readable") from error
    if len(data) > SECRET_BYTES:
        said = f"{path} has more than {SECRET_BYTES} bytes"
        raise _missing(image, name, said, "BuildKit takes no larger one; shorten it")
    return data.decode(errors="replace")


def _missing(image: Image, name: str, said: str, hint: str) -> LocalloopError:
    return LocalloopError(
        "secret_missing",
        f"the secret {name} of its build: {said}",
        component=image.name,
        hint=f"{hint}, or remove it from `secrets:`.",
    )


def bake_targets(
    session: Session,
    plan: Plan,
    tag: str,
    *,
    make: Callable[..., BuildContext] = write_build_context,
) -> list[Target]:
    """The targets of what the plan builds, pushed under ``tag``; ``make`` prepares a context."""
    images = [session.project.builds[part.name] for part in plan.with_step("build")]
    return [
        build_target(
            session,
            image,
            make(session.project, image, copy=session.fingerprints.copy_name(image)),
            reference=f"{session.push_repository(image.name)}:{tag}",
            contexts=contexts_of(session, image, plan),
        )
        for image in images
    ]
