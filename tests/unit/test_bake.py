"""The bake file as literals, and what is made of BuildKit's output, captured once."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from localloop.build.bake import LOST, TAKEN, Target, bake_file, run_bake
from localloop.build.progress import BuildProgress
from localloop.errors import LocalloopError
from localloop.registry.published import PublishedImage
from localloop.system.redact import Redactor

CAPTURED = Path(__file__).parent / "fixtures" / "buildkit"  # buildx 0.13.1, Docker 26.1.5

WEB = Target(
    component="web",
    context=Path("/project/web"),
    dockerfile=Path("/project/.cache/localloop/web.Dockerfile"),
    reference="127.0.0.1:5001/hello/web:tx-1",
    platform="linux/amd64",
)
API = Target(
    component="api",
    context=Path("/project"),
    dockerfile=Path("/project/Dockerfile"),
    reference="127.0.0.1:5001/hello/api:tx-1",
    platform="linux/arm64",
    arguments={"PROFILE": "local-fast", "VERSION": "1.0"},
    stage="export",
    source="docker/Dockerfile.api",
    contexts={"base": "target:web", "tools": "docker-image://127.0.0.1:5001/hello/t@sha256:00"},
)


def test_bake_file() -> None:
    assert bake_file([WEB, API]) == {
        "group": {"default": {"targets": ["web", "api"]}},
        "target": {
            "web": {
                "context": "/project/web",
                "dockerfile": "/project/.cache/localloop/web.Dockerfile",
                "args": {},
                "platforms": ["linux/amd64"],
                "tags": ["127.0.0.1:5001/hello/web:tx-1"],
                "output": ["type=registry"],
            },
            "api": {
                "context": "/project",
                "dockerfile": "/project/Dockerfile",
                "args": {"PROFILE": "local-fast", "VERSION": "1.0"},
                "platforms": ["linux/arm64"],
                "tags": ["127.0.0.1:5001/hello/api:tx-1"],
                "output": ["type=registry"],
                "contexts": {
                    "base": "target:web",
                    "tools": "docker-image://127.0.0.1:5001/hello/t@sha256:00",
                },
                "target": "export",
            },
        },
    }


def test_bake_file_of_a_build_that_is_only_measured() -> None:
    target = replace(WEB, reference=None)
    assert bake_file([target])["target"]["web"] == {
        "context": "/project/web",
        "dockerfile": "/project/.cache/localloop/web.Dockerfile",
        "args": {},
        "platforms": ["linux/amd64"],
        "output": ["type=cacheonly"],
    }


def test_bake_file_with_secrets_and_caches() -> None:
    target = replace(
        WEB,
        secrets=("id=token,env=TOKEN", "id=netrc,src=/home/${x}/.netrc"),
        ssh=("default",),
        cache_from=("type=registry,ref=127.0.0.1:5001/c",),
        cache_to=("type=inline",),
    )
    found = bake_file([target])["target"]["web"]
    assert found["secret"] == ["id=token,env=TOKEN", "id=netrc,src=/home/$${x}/.netrc"]
    assert found["ssh"] == ["default"]
    assert found["cache-from"] == ["type=registry,ref=127.0.0.1:5001/c"]
    assert found["cache-to"] == ["type=inline"]


LITERALS = {
    "plain $HOME `id` $(id) {{ x }} a;b": "plain $HOME `id` $(id) {{ x }} a;b",
    "${HOME}": "$${HOME}",
    "%{ if true }x%{ endif }": "%%{ if true }x%%{ endif }",
    "$${x}": "$$${x}",
    "$$$${x} %%{y}": "$$$$${x} %%%{y}",
    "line\n${two}\t\"'\\": "line\n$${two}\t\"'\\",
    "${": "$${",
    "": "",
}


@pytest.mark.parametrize("value", LITERALS)
def test_values_are_no_templates(value: str) -> None:
    path = Path("/p") / value
    target = Target("web", path, path, "r", "linux/amd64", {"X": value})
    found = bake_file([target])["target"]["web"]
    assert found["args"] == {"X": LITERALS[value]}
    assert found["context"] == found["dockerfile"] == str(Path("/p") / LITERALS[value])


def has_bake() -> bool:
    if shutil.which("docker") is None:
        return False
    argv = ["docker", "buildx", "version"]
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0


@pytest.mark.docker
@pytest.mark.skipif(not has_bake(), reason="docker buildx is not installed: `make tools` brings it")
def test_bake_reads_the_values_as_they_were_meant(tmp_path: Path) -> None:
    values = {f"A{n}": value for n, value in enumerate(LITERALS)}
    target = Target("web", tmp_path, tmp_path / "Dockerfile", "x:1", "linux/amd64", values)
    file = tmp_path / "bake.json"
    file.write_text(json.dumps(bake_file([target])))
    done = subprocess.run(
        ["docker", "buildx", "bake", "--file", str(file), "--print"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(done.stdout)["target"]["web"]["args"] == values


# -- BuildKit's progress --------------------------------------------------------------------------


def progress_of(name: str) -> tuple[BuildProgress, list[str]]:
    said: list[str] = []
    progress = BuildProgress(said.append, clock=lambda: 0.0)
    for line in (CAPTURED / f"{name}.txt").read_text().splitlines():
        progress.feed(line)
        progress.tick()
    return progress, said


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (
            "built",
            [
                "[base 1/3] FROM docker.io/library/debian:bookworm-slim",
                "[base 2/3] COPY index.html /index.html",
                "[base 3/3] RUN echo compiling; sleep 0.3; echo linked",
                "[stage-1 1/1] COPY --from=base /index.html /index.html",
            ],
        ),
        (
            "two-targets",
            [
                "[api base 1/3] FROM docker.io/library/debian:bookworm-slim",
                "[web base 2/3] COPY index.html /index.html",
                "[web base 3/3] RUN echo compiling; sleep 0.3; echo linked",
                '[api 2/2] RUN for n in $(seq 1 20); do echo "line $n"; done;'
                ' echo "error: no such crate" >&2; exit 3',
            ],
        ),
    ],
)
def test_steps_are_said_without_buildkits_own(name: str, wanted: list[str]) -> None:
    assert progress_of(name)[1] == wanted


@pytest.mark.parametrize("name", ["built", "cached", "bad-dockerfile"])
def test_no_step_failed(name: str) -> None:
    assert progress_of(name)[0].failure() == ("", [])


@pytest.mark.parametrize(
    ("name", "step"), [("failed", "[2/2] RUN for n"), ("two-targets", "[api 2/2] RUN for n")]
)
def test_failing_step_and_its_last_lines(name: str, step: str) -> None:
    found, lines = progress_of(name)[0].failure()
    assert found.startswith(step)
    assert lines[0] == "line 8"
    assert lines[-2] == "error: no such crate"
    assert lines[-1].endswith("did not complete successfully: exit code: 3")
    assert len(lines) == 15


# -- the run --------------------------------------------------------------------------------------

FakeDocker = Callable[..., None]
FAKE_DOCKER = """#!/bin/sh
# A fake docker: says what was captured and leaves the given metadata.
cat {captured} >&2
for argument in "$@"; do echo "$argument"; done >{here}/argv
while [ $# -gt 0 ]; do
  [ "$1" = --metadata-file ] && [ -f {here}/given.json ] && cp {here}/given.json "$2"
  shift
done
exit {status}
"""


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "work"


@pytest.fixture
def fake_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    def make(name: str, status: int, metadata: object = None) -> None:
        script = tmp_path / "docker"
        script.write_text(
            FAKE_DOCKER.format(captured=CAPTURED / f"{name}.txt", here=tmp_path, status=status)
        )
        script.chmod(0o755)
        if metadata is not None:
            (tmp_path / "given.json").write_text(json.dumps(metadata))
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return make


def no_step(component: str, text: str) -> None:
    return


METADATA = {
    "buildx.build.ref": "default/default/x",
    "web": {"containerimage.digest": "sha256:aa", "containerimage.config.digest": "sha256:cc"},
    "api": {"containerimage.digest": "sha256:bb"},
}


def test_digests(tmp_path: Path, work: Path, fake_docker: FakeDocker) -> None:
    fake_docker("built", 0, METADATA)
    assert run_bake([WEB, API], work=work, on_step=no_step, hide=Redactor()) == {
        "web": PublishedImage(WEB.repository, "sha256:aa", {"linux/amd64": "sha256:cc"}),
        "api": PublishedImage(API.repository, "sha256:bb"),
    }
    assert json.loads((work / "bake.json").read_text()) == bake_file([WEB, API])
    assert (work / "bake.log").read_text() == (CAPTURED / "built.txt").read_text()
    assert (tmp_path / "argv").read_text().splitlines() == [
        "buildx",
        "bake",
        "--file",
        str(work / "bake.json"),
        "--metadata-file",
        str(work / "metadata.json"),
        "--progress=plain",
        "--provenance=false",
        "--sbom=false",
    ]


def test_builder_of_the_users_choice(tmp_path: Path, work: Path, fake_docker: FakeDocker) -> None:
    fake_docker("built", 0, METADATA)
    run_bake([WEB], work=work, builder="remote", on_step=no_step, hide=Redactor())
    assert (tmp_path / "argv").read_text().splitlines()[-2:] == ["--builder", "remote"]


def test_success_without_a_digest_is_none(work: Path, fake_docker: FakeDocker) -> None:
    fake_docker("built", 0, {"web": METADATA["web"]})
    with pytest.raises(LocalloopError) as caught:
        run_bake([WEB, API], work=work, on_step=no_step, hide=Redactor())
    assert (caught.value.reason, caught.value.component) == ("build_without_digest", "api")


def test_metadata_of_an_earlier_run_is_not_read(work: Path, fake_docker: FakeDocker) -> None:
    fake_docker("built", 0)
    work.mkdir()
    (work / "metadata.json").write_text(json.dumps(METADATA))
    with pytest.raises(LocalloopError) as caught:
        run_bake([WEB], work=work, on_step=no_step, hide=Redactor())
    assert caught.value.reason == "build_without_digest"


def test_the_failing_line_of_the_project_s_dockerfile(work: Path, fake_docker: FakeDocker) -> None:
    fake_docker("two-targets", 1)
    with pytest.raises(LocalloopError) as caught:
        run_bake([WEB, API], work=work, on_step=no_step, hide=Redactor())
    assert caught.value.where == "docker/Dockerfile.api:2"
    assert str(caught.value).startswith("docker/Dockerfile.api:2: api: the build failed at [api 2/")


@pytest.mark.parametrize(
    ("name", "said"), [("built", "4 steps, 1 cached"), ("cached", "4 steps, 3 cached")]
)
def test_steps_are_counted_at_the_end(
    work: Path, fake_docker: FakeDocker, name: str, said: str
) -> None:
    found: list[tuple[str, str]] = []
    fake_docker(name, 0, METADATA)
    run_bake([WEB], work=work, on_step=lambda *words: found.append(words), hide=Redactor())
    assert found[-1][0] == "web"
    assert found[-1][1].startswith(f"{said}, 0.")


def test_secrets_are_hidden_in_log_steps_and_failure(work: Path, fake_docker: FakeDocker) -> None:
    said: list[str] = []
    fake_docker("failed", 1)
    with pytest.raises(LocalloopError) as caught:
        run_bake(
            [WEB],
            work=work,
            on_step=lambda _, text: said.append(text),
            hide=Redactor(["no such crate"]),
        )
    whole = f"{caught.value} {caught.value.as_dict()} {said} {(work / 'bake.log').read_text()}"
    assert "no such crate" in (CAPTURED / "failed.txt").read_text()
    assert "no such crate" not in whole
    assert "error: ***" in whole


@pytest.mark.parametrize(
    ("name", "targets", "error"),
    [
        ("failed", [WEB], ("build_failed:web", "web")),
        ("two-targets", [WEB, API], ("build_failed:api", "api")),
        ("failed", [WEB, API], ("build_failed", None)),
        ("bad-dockerfile", [API], ("build_failed", None)),
    ],
)
def test_failure_is_named(
    work: Path,
    fake_docker: FakeDocker,
    name: str,
    targets: list[Target],
    error: tuple[str, str | None],
) -> None:
    fake_docker(name, 1)
    with pytest.raises(LocalloopError) as caught:
        run_bake(targets, work=work, on_step=no_step, hide=Redactor())
    assert (caught.value.reason, caught.value.component) == error
    said = "unknown instruction: BOGUS" if name == "bad-dockerfile" else "error: no such crate"
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        ("failed to receive status: rpc error: code = Unavailable desc = error reading", LOST),
        ('Get "http://127.0.0.1:9/v2/": dial tcp 127.0.0.1:9: connect: connection refused', LOST),
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", LOST),
        ("An image does not exist locally with the tag: 127.0.0.1:25999/r1", TAKEN),
        (
            "failed to solve: failed to get digest sha256:e8fb4d6ecec0: open /var/lib/docker/image"
            "/overlay2/imagedb/content/sha256/e8fb4d6ecec0: no such file or directory",
            TAKEN,
        ),
        (
            'failed to solve: process "curl: connection refused" did not complete successfully',
            "build_failed",
        ),
        (
            "failed to solve: dockerfile parse error on line 2: unknown instruction: BOGUS",
            "build_failed",
        ),
    ],
)
def test_bad_luck_is_no_build_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str, reason: str
) -> None:
    script = tmp_path / "docker"
    script.write_text(f"#!/bin/sh\ncat >&2 <<'END'\nERROR: {last}\nEND\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(LocalloopError) as caught:
        run_bake([WEB], work=tmp_path / "work", on_step=no_step, hide=Redactor())
    assert caught.value.reason == reason
