"""Images in this Docker's own store: pulled by digest, tagged, and looked at before a release."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from localloop.cluster.daemon_store import DaemonStore
from localloop.errors import LocalloopError
from localloop.publish import load
from localloop.publish.load import load_images
from localloop.registry.published import PublishedImage

REPOSITORY = "127.0.0.1:5000/demo/web"
DIGEST, CONFIG = "sha256:" + "a" * 64, "sha256:" + "b" * 64
IMAGE = PublishedImage(REPOSITORY, DIGEST, {"linux/amd64": CONFIG})
OTHER = "sha256:" + "c" * 64


class FakeDocker:
    """Docker's store. ``fails``: how many pulls end with an error; ``gets``: the id that it gets.

    ``drops``: how many pulls seem to succeed.
    """

    def __init__(self, *, fails: int = 0, drops: int = 0, gets: str = CONFIG) -> None:
        self.names: dict[str, str] = {}
        self.pulls: list[str] = []
        self.fails, self.drops, self.gets = fails, drops, gets
        self.asked = 0
        self.engine = self

    def inspect_image(self, reference: str) -> dict[str, Any] | None:
        self.asked += 1
        found = self.names.get(reference)
        tags = [name for name, each in self.names.items() if each == found and "@" not in name]
        return {"Id": found, "RepoTags": tags} if found else None

    def pull(self, reference: str, *, timeout: float, anonymous: bool) -> None:
        assert timeout > 0 and anonymous
        self.pulls.append(reference)
        if self.fails:
            self.fails -= 1
            raise LocalloopError("docker_error", "Docker refused to pull it: connection refused")
        if self.drops:
            self.drops -= 1
        else:
            self.names[reference] = self.gets

    def tag(self, reference: str, repository: str, tag: str) -> None:
        if reference in self.names:
            self.names[f"{repository}:{tag}"] = self.names[reference]


def run(docker: FakeDocker) -> list[str]:
    session: Any = SimpleNamespace(stores=DaemonStore(docker))  # type: ignore[arg-type]
    return load_images(session, {"web": IMAGE}, lambda _event: None)


def holds(docker: FakeDocker) -> bool:
    return DaemonStore(docker).holds("this Docker", IMAGE)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "KNOWN_SECONDS", 0.0)
    monkeypatch.setattr(load, "_POLL_SECONDS", 0.0)


@pytest.mark.parametrize("identity", [CONFIG, DIGEST], ids=["Docker's own store", "containerd"])
def test_it_is_pulled_once_by_its_digest_and_has_all_its_names(identity: str) -> None:
    docker = FakeDocker(gets=identity)
    assert not holds(docker)
    assert run(docker) == ["this Docker"]
    assert docker.pulls == [IMAGE.ref]
    assert set(docker.names) == {IMAGE.ref, *(f"{REPOSITORY}:{tag}" for tag in IMAGE.tags)}
    assert run(docker) == []
    assert docker.pulls == [IMAGE.ref]


def test_that_it_is_there_is_proven_by_one_request() -> None:
    docker = FakeDocker()
    run(docker)
    docker.asked = 0
    assert holds(docker)
    assert docker.asked == 1


@pytest.mark.parametrize("lost", [IMAGE.ref, *(f"{REPOSITORY}:{tag}" for tag in IMAGE.tags)])
def test_one_that_lost_a_name_is_pulled_again(lost: str) -> None:
    docker = FakeDocker()
    run(docker)
    del docker.names[lost]
    assert not holds(docker)
    assert run(docker) == ["this Docker"]
    assert holds(docker)


def test_a_tag_that_names_another_image_is_given_back() -> None:
    docker = FakeDocker()
    run(docker)
    docker.names[f"{REPOSITORY}:{IMAGE.tag}"] = OTHER
    assert not holds(docker)
    assert run(docker) == ["this Docker"]
    assert docker.names[f"{REPOSITORY}:{IMAGE.tag}"] == CONFIG


@pytest.mark.parametrize(
    ("kind", "says"),
    [("fails", "connection refused"), ("drops", f"has nothing under {IMAGE.ref}")],
)
def test_it_is_tried_twice(kind: str, says: str) -> None:
    docker = FakeDocker(**{kind: 1})  # type: ignore[arg-type]
    assert run(docker) == ["this Docker"]
    assert len(docker.pulls) == 2
    docker = FakeDocker(**{kind: 2})  # type: ignore[arg-type]
    with pytest.raises(LocalloopError) as caught:
        run(docker)
    assert caught.value.reason == "image_not_loaded:web"
    assert "this Docker did not take the image in two tries" in caught.value.message
    assert says in caught.value.message
    assert caught.value.hint and "docker system df" in caught.value.hint
    assert "Nothing was released" in caught.value.hint


def test_other_bytes_are_not_taken() -> None:
    with pytest.raises(LocalloopError, match=OTHER):
        run(FakeDocker(gets=OTHER))
