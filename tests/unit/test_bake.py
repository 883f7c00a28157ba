"""The bake file as literals, and what is made of BuildKit's output, captured once."""

from __future__ import annotations

import json
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from localloop.build.bake import LOG, LOST, TAKEN, Target, bake_file, run_bake
from localloop.build.progress import BuildProgress
from localloop.errors import LocalloopError
from localloop.registry.published import PublishedImage
from localloop.system.host import BUILDX_MINIMUM
from localloop.system.redact import Redactor

# Standard error of real builds on Docker 26.1.5, by buildx's version: the oldest that is supported,
# Debian's, and a recent one.
CAPTURED = Path(__file__).parent / "fixtures" / "buildkit"
VERSIONS = [path.name for path in sorted(CAPTURED.iterdir())]

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


needs_bake = pytest.mark.skipif(
    not has_bake(),
    reason="docker buildx is not installed, and it is what reads the file: `make tools` brings it",
)


@pytest.mark.docker
@needs_bake
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


@pytest.mark.docker
@needs_bake
def test_a_real_build_and_a_real_failure(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n\nCOPY page /\n")
    (tmp_path / "page").write_text(str(tmp_path))
    target = replace(
        WEB, context=tmp_path, dockerfile=tmp_path / "Dockerfile", reference=None, source="D"
    )
    said: list[str] = []

    def build() -> None:
        run_bake(
            [target, replace(target, component="api", contexts={"x": "target:web"})],
            work=tmp_path / "work",
            on_step=lambda name, text: said.append(f"{name}: {text}"),
            redact=Redactor(),
        )

    build()
    # Both builds have the same step, which BuildKit does once and reports as that of one of them.
    assert any(": 1 step, 0 cached, " in each for each in said)
    assert " 1/1] COPY page /" in (tmp_path / "work" / LOG).read_text()
    (tmp_path / "page").unlink()
    with pytest.raises(LocalloopError) as caught:
        build()
    assert caught.value.reason in ("build_failed:web", "build_failed:api")
    assert caught.value.where == "D:3"
    assert "1/1] COPY page /" in caught.value.message
    assert '"/page": not found' in caught.value.message


# -- BuildKit's progress --------------------------------------------------------------------------


@pytest.fixture(params=VERSIONS)
def captured(request: pytest.FixtureRequest) -> Path:
    """What one version of buildx wrote."""
    return CAPTURED / str(request.param)


def test_the_oldest_captured_is_the_oldest_supported() -> None:
    assert VERSIONS[0] == "buildx-" + ".".join(map(str, (*BUILDX_MINIMUM, 0)))


def progress_of(file: Path) -> tuple[BuildProgress, list[str]]:
    said: list[str] = []
    progress = BuildProgress(said.append, clock=lambda: 0.0)
    for line in file.read_text().splitlines():
        progress.feed(line)
        progress.tick()
    return progress, said


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (
            "built",
            [
                "[base 2/3] COPY index.html /index.html",
                "[base 3/3] RUN echo compiling; sleep 0.3; echo linked",
                "[stage-1 1/1] COPY --from=base /index.html /index.html",
            ],
        ),
        (
            "two-targets",
            [
                '[api 2/2] RUN for n in $(seq 1 20); do echo "line $n"; done;'
                ' echo "error: no such crate" >&2; exit 3',
                "[web base 2/3] COPY index.html /index.html",
                "[web base 3/3] RUN echo compiling; sleep 0.3; echo linked",
            ],
        ),
    ],
)
def test_steps_are_said_without_buildkits_own(captured: Path, name: str, wanted: list[str]) -> None:
    said = progress_of(captured / f"{name}.txt")[1]
    # A base image's step is seen while it runs, or not; so is what a canceled build began last.
    shown = [each for each in said if " FROM " not in each and "web stage-1" not in each]
    assert sorted(shown) == wanted
    assert len(said) == len(set(said))


@pytest.mark.parametrize("name", ["built", "cached", "bad-dockerfile"])
def test_no_step_failed(captured: Path, name: str) -> None:
    assert progress_of(captured / f"{name}.txt")[0].failure() == ("", [])


@pytest.mark.parametrize(
    ("name", "step"), [("failed", "[2/2] RUN for n"), ("two-targets", "[api 2/2] RUN for n")]
)
def test_failing_step_and_its_last_lines(captured: Path, name: str, step: str) -> None:
    """The step that a failure canceled is not the one."""
    progress = progress_of(captured / f"{name}.txt")[0]
    found, lines = progress.failure()
    assert found.startswith(step)
    assert "line 20" in lines
    assert lines[-1].endswith("did not complete successfully: exit code: 3")
    assert len(lines) == 15
    assert progress.failing_line == 2


def test_what_is_text_is_kept_apart(captured: Path) -> None:
    progress = progress_of(captured / "bad-dockerfile.txt")[0]
    assert progress.text()[-1].startswith(
        "ERROR: failed to solve: dockerfile parse error on line 2"
    )
    assert all("vertex" not in line for line in progress.text())
    assert progress.failing_line == 2


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
def fake_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, captured: Path) -> FakeDocker:
    def make(name: str, status: int, metadata: object = None) -> None:
        script = tmp_path / "docker"
        script.write_text(
            FAKE_DOCKER.format(captured=captured / f"{name}.txt", here=tmp_path, status=status)
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
    assert run_bake([WEB, API], work=work, on_step=no_step, redact=Redactor()) == {
        "web": PublishedImage(WEB.repository, "sha256:aa", {"linux/amd64": "sha256:cc"}),
        "api": PublishedImage(API.repository, "sha256:bb"),
    }
    assert json.loads((work / "bake.json").read_text()) == bake_file([WEB, API])
    log = (work / "bake.log").read_text().splitlines()
    assert "[base 3/3] RUN echo compiling; sleep 0.3; echo linked" in log
    assert "[base 3/3] linked" in log
    assert any(line.startswith("[base 3/3] done, ") for line in log)
    assert all("{" not in line for line in log)
    assert (tmp_path / "argv").read_text().splitlines() == [
        "buildx",
        "bake",
        "--file",
        str(work / "bake.json"),
        "--metadata-file",
        str(work / "metadata.json"),
        "--progress=rawjson",
        "--provenance=false",
        "--sbom=false",
    ]


def test_builder_of_the_users_choice(tmp_path: Path, work: Path, fake_docker: FakeDocker) -> None:
    fake_docker("built", 0, METADATA)
    run_bake([WEB], work=work, builder="remote", on_step=no_step, redact=Redactor())
    assert (tmp_path / "argv").read_text().splitlines()[-2:] == ["--builder", "remote"]


def test_success_without_a_digest_is_none(work: Path, fake_docker: FakeDocker) -> None:
    fake_docker("built", 0, {"web": METADATA["web"]})
    with pytest.raises(LocalloopError) as caught:
        run_bake([WEB, API], work=work, on_step=no_step, redact=Redactor())
    assert (caught.value.reason, caught.value.component) == ("build_without_digest", "api")


def test_metadata_of_an_earlier_run_is_not_read(work: Path, fake_docker: FakeDocker) -> None:
    fake_docker("built", 0)
    work.mkdir()
    (work / "metadata.json").write_text(json.dumps(METADATA))
    with pytest.raises(LocalloopError) as caught:
        run_bake([WEB], work=work, on_step=no_step, redact=Redactor())
    assert caught.value.reason == "build_without_digest"


def test_the_failing_line_of_the_project_s_dockerfile(work: Path, fake_docker: FakeDocker) -> None:
    fake_docker("two-targets", 1)
    with pytest.raises(LocalloopError) as caught:
        run_bake([WEB, API], work=work, on_step=no_step, redact=Redactor())
    assert caught.value.where == "docker/Dockerfile.api:2"
    assert str(caught.value).startswith("docker/Dockerfile.api:2: api: the build failed at [api 2/")


@pytest.mark.parametrize(
    ("name", "said"), [("built", "4 steps, "), ("cached", "4 steps, 3 cached, 0.")]
)
def test_steps_are_counted_at_the_end(
    work: Path, fake_docker: FakeDocker, name: str, said: str
) -> None:
    found: list[tuple[str, str]] = []
    fake_docker(name, 0, METADATA)
    run_bake([WEB], work=work, on_step=lambda *words: found.append(words), redact=Redactor())
    assert found[-1][0] == "web"
    assert found[-1][1].startswith(said)


def test_secrets_are_hidden_in_log_steps_and_failure(
    work: Path, fake_docker: FakeDocker, captured: Path
) -> None:
    said: list[str] = []
    fake_docker("failed", 1)
    with pytest.raises(LocalloopError) as caught:
        run_bake(
            [WEB],
            work=work,
            on_step=lambda _, text: said.append(text),
            redact=Redactor(["no such crate"]),
        )
    whole = f"{caught.value} {caught.value.as_dict()} {said} {(work / 'bake.log').read_text()}"
    # Within the output of a step it was base64, which no form of the secret appears in.
    assert b64encode(b"error: no such crate\n").decode() in (captured / "failed.txt").read_text()
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
        run_bake(targets, work=work, on_step=no_step, redact=Redactor())
    assert (caught.value.reason, caught.value.component) == error
    said = "unknown instruction: BOGUS" if name == "bad-dockerfile" else "exit code: 3"
    assert said in caught.value.message


def test_a_push_that_nothing_answers_is_bad_luck(work: Path, fake_docker: FakeDocker) -> None:
    fake_docker("push-refused", 1)
    with pytest.raises(LocalloopError, match="connection refused") as caught:
        run_bake([WEB], work=work, on_step=no_step, redact=Redactor())
    assert caught.value.reason == LOST


@pytest.mark.parametrize("status", [0, 1])
@pytest.mark.parametrize(("version", "refused"), [("v0.11.2", True), ("v0.12.0", False)])
def test_a_buildx_without_structured_progress_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, refused: bool, status: int
) -> None:
    """buildx 0.11.2 writes plain text, as here, and builds."""
    script = tmp_path / "docker"
    script.write_text(
        f"#!/bin/sh\n[ $2 = version ] && echo github.com/docker/buildx {version} abc && exit 0\n"
        f"echo '#8 [base 3/3] RUN make' >&2; exit {status}\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(LocalloopError) as caught:
        run_bake([WEB], work=tmp_path / "work", on_step=no_step, redact=Redactor())
    other = "build_failed" if status else "build_without_digest"
    assert caught.value.reason == ("tool_too_old:buildx" if refused else other)
    if refused:
        assert caught.value.exit_code == 2
        assert "docker buildx is 0.11.2\n  Install buildx 0.12 or newer" in str(caught.value)


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
        run_bake([WEB], work=tmp_path / "work", on_step=no_step, redact=Redactor())
    assert caught.value.reason == reason


def vertex(name: str, error: str) -> str:
    """A vertex that ended, as buildx reports it."""
    at = "2026-11-29T13:40:50.655697041Z"
    return json.dumps(
        {
            "vertexes": [
                {"digest": name, "name": name, "started": at, "completed": at, "error": error}
            ]
        }
    )


def failed_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *said: str) -> LocalloopError:
    """The error of a bake of ``web`` and ``api`` where buildx says this."""
    script = tmp_path / "docker"
    (tmp_path / "said").write_text("\n".join(said) + "\n")
    script.write_text(f"#!/bin/sh\ncat {tmp_path}/said >&2\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(LocalloopError) as caught:
        run_bake([WEB, API], work=tmp_path / "work", on_step=no_step, redact=Redactor())
    return caught.value


REFUSED = "dial tcp 127.0.0.1:9: connect: connection refused"


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("[web 2/2] ADD http://127.0.0.1:9/x /x", f'Get "http://127.0.0.1:9/x": {REFUSED}'),
        ("[web] http://127.0.0.1:9/x", f'failed to load cache key: Get "http://x": {REFUSED}'),
        ("[web 2/3] ADD cut.tar.gz /", "failed to copy files: Error processing tar file(exit"),
        ("[web 2/3] ADD cut.tar /", "Error processing tar file: unexpected EOF"),
        (
            "[web] resolve image config for docker-image://127.0.0.1:9/docker/dockerfile:1",
            f'failed to do request: Head "http://127.0.0.1:9/v2/": {REFUSED}',
        ),
        (
            "[web internal] load metadata for registry.example.com/base:1",
            'failed to do request: Head "https://registry.example.com/v2/": i/o timeout',
        ),
        ("[web 2/2] ADD https://git.example.com/x.git /x", "read: connection reset by peer"),
        (
            "[web 2/2] RUN fetch",
            'process "fetch" did not complete successfully: code = Unavailable, broken pipe',
        ),
        ("[web 2/2] ADD http://h/x /x", "first: unexpected EOF\nsecond line"),
    ],
)
@pytest.mark.parametrize("head", ["", "target web: "])
def test_what_a_build_step_says_is_the_build_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, said: str, head: str
) -> None:
    push = "[api] pushing 127.0.0.1:5001/hello/api:tx-1 with docker"
    error = failed_with(
        tmp_path,
        monkeypatch,
        vertex(push, f"failed to solve: {said}"),
        vertex(step, said),
        f"ERROR: {head}failed to solve: {said}",
    )
    assert (error.reason, error.component) == ("build_failed:web", "web")
    assert said.partition("\n")[0] in str(error)


@pytest.mark.parametrize(
    "last",
    [
        "failed to receive status: rpc error: code = Unavailable desc = error reading from server",
        "target web: failed to solve: Unavailable: error reading from server: EOF",
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.",
    ],
)
def test_docker_that_dies_during_a_step_is_bad_luck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    """It kills the step first."""
    killed = 'process "/bin/sh -c make" did not complete successfully: exit code: 137'
    error = failed_with(
        tmp_path, monkeypatch, vertex("[web 2/2] RUN make", killed), f"ERROR: {last}"
    )
    assert error.reason == LOST


@pytest.mark.parametrize("name", ["[web] pushing r with docker", "[web] exporting to image"])
def test_a_push_that_is_cut_off_is_bad_luck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    said = f'failed to push r: failed to do request: Head "http://127.0.0.1:9/": {REFUSED}'
    error = failed_with(
        tmp_path, monkeypatch, vertex(name, said), f"ERROR: target web: failed to solve: {said}"
    )
    assert error.reason == LOST


def test_a_step_of_another_platform_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("ARG P=linux/arm64\nFROM --platform=$P debian AS tools\nRUN true\n")
    monkeypatch.setitem(globals(), "WEB", replace(WEB, dockerfile=dockerfile))
    said = 'process "/bin/sh -c true" did not complete successfully: exit code: 255'
    error = failed_with(
        tmp_path,
        monkeypatch,
        vertex("[web tools 2/2] RUN true", f"exec /bin/sh: exec format error\n{said}"),
        "Dockerfile:3",
        "--------------------",
        f"ERROR: target web: failed to solve: {said}",
    )
    assert error.reason == "build_failed:web"
    assert "`FROM --platform=linux/arm64` is a platform that the builder cannot run" in str(error)
