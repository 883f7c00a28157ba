"""Secrets reach buildx by name, never by value; a missing one stops the build and is named."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from localloop.build.targets import build_arguments, build_target, redactor
from localloop.config.model import Image, Secret, UnhashedArg
from localloop.errors import LocalloopError
from localloop.inputs.context import BuildContext

MADE = BuildContext(context=Path("/p"), dockerfile=Path("/p/D"), dockerfile_bytes=b"", patterns=())


def image(**more: Any) -> Image:
    return Image(name="web", dockerfile="Dockerfile", platform="linux/amd64", **more)


def session(**environ: str) -> Any:
    analysis = SimpleNamespace(effective_args=lambda _: {})
    project = SimpleNamespace(profile_args={}, root=Path("/p"))
    fingerprints = SimpleNamespace(analysis=lambda _: analysis)
    return SimpleNamespace(environ=environ, project=project, fingerprints=fingerprints)


def test_secrets_in_the_words_of_buildx() -> None:
    odd = Secret(file='/p/a,b "c"')
    found = build_target(
        session(TOKEN="s3cret"),
        image(secrets={"token": Secret(env="TOKEN"), "odd": odd}, ssh=("default",)),
        MADE,
        reference=None,
        contexts={},
    )
    assert found.secrets[0] == "id=token,env=TOKEN"
    assert next(csv.reader([found.secrets[1]])) == ["id=odd", f"src={odd.file}"]
    assert "s3cret" not in repr(found)


def test_values_are_hidden_from_files_and_variables(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("from-a-file\n")
    secrets = {"a": Secret(file=str(file)), "b": Secret(env="TOKEN")}
    redact = redactor(session(TOKEN="from-a-variable"), [image(secrets=secrets)])
    assert redact("from-a-file from-a-variable") == "*** ***"


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        (Secret(ca_bundle=True), "/absent/ca.pem cannot be read"),
        (Secret(env="TOKEN"), "TOKEN is not set"),
        (Secret(file="/absent/token"), "/absent/token cannot be read"),
        (Secret(file="/"), "/ cannot be read"),
    ],
)
def test_a_missing_secret_is_named(secret: Secret, said: str) -> None:
    with pytest.raises(LocalloopError) as caught:
        redactor(session(SSL_CERT_FILE="/absent/ca.pem"), [image(secrets={"token": secret})])
    assert caught.value.reason == "secret_missing"
    assert caught.value.component == "web"
    assert said in caught.value.message


def test_this_machines_certificates_are_given_by_their_file_and_not_masked(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\n")
    wanted = image(secrets={"ca": Secret(ca_bundle=True)})
    here = session(SSL_CERT_FILE=str(file))
    assert redactor(here, [wanted])(file.read_text()) == file.read_text()
    assert build_target(here, wanted, MADE, reference=None, contexts={}).secrets == (
        f"id=ca,src={file}",
    )


def test_a_machine_without_certificates_is_told_what_to_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("localloop.build.targets.host_ca_bundle", lambda _: "")
    with pytest.raises(LocalloopError) as caught:
        redactor(session(), [image(secrets={"ca": Secret(ca_bundle=True)})])
    assert (caught.value.reason, "SSL_CERT_FILE" in str(caught.value.hint)) == (
        "secret_missing",
        True,
    )


def test_a_secret_that_buildkit_would_refuse(tmp_path: Path) -> None:
    file = tmp_path / "large"
    file.write_bytes(b"x" * (500 * 1024 + 1))
    with pytest.raises(LocalloopError, match="more than 512000 bytes"):
        redactor(session(), [image(secrets={"token": Secret(file=str(file))})])


def test_ssh_needs_an_agent() -> None:
    wanted = image(ssh=("default",))
    with pytest.raises(LocalloopError) as caught:
        redactor(session(), [wanted])
    assert caught.value.reason == "ssh_agent_missing"
    redactor(session(SSH_AUTH_SOCK="/run/agent"), [wanted])


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        (UnhashedArg(command=("no-such-program", "-x")), "`no-such-program -x` cannot be started"),
        (UnhashedArg(command=("sh", "-c", "echo no >&2; exit 3")), "ended with 3: no"),
        (UnhashedArg(command=("sleep", "60"), timeout=0.2), "did not end within 0.2 s"),
    ],
)
def test_the_command_of_an_argument_that_gives_nothing(
    tmp_path: Path, argument: UnhashedArg, said: str
) -> None:
    analysis = SimpleNamespace(effective_args=lambda _given: {})
    project = SimpleNamespace(root=tmp_path, profile_args={})
    found: Any = SimpleNamespace(
        project=project, fingerprints=SimpleNamespace(analysis=lambda _image: analysis)
    )
    with pytest.raises(LocalloopError, match=said) as caught:
        build_arguments(found, image(unhashed_args={"VERSION": argument}))
    assert caught.value.component == "web"
    assert "unhashed_args.VERSION" in caught.value.message
    assert "`timeout`" in str(caught.value.hint)
