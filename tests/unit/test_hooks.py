"""The project's own commands around a deploy: real processes, a session that only names places."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from localloop.config.model import Hook
from localloop.errors import LocalloopError
from localloop.release.hooks import run_hooks


def session(root: Path, *hooks: Hook) -> Any:
    """A stand-in with what hooks ask of a session."""
    project = SimpleNamespace(root=root, before_deploy=hooks, after_deploy=())
    return SimpleNamespace(
        project=project, kubeconfig=Path("/state/kubeconfig"), direct_hosts=("10.1.2.3",)
    )


def shell(script: str, timeout: float = 20) -> Hook:
    return Hook(command=("sh", "-c", script), timeout=timeout)


def test_words_directory_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALLOOP_LOCK", "x")
    monkeypatch.setenv("ANSIBLE_CONFIG", "x")
    monkeypatch.setenv("MINE", "x")
    monkeypatch.setenv("HTTPS_PROXY", "kept")
    events: list[dict[str, Any]] = []
    shown = "$KUBECONFIG $HTTPS_PROXY ${MINE:-no} ${LOCALLOOP_LOCK:-no} ${ANSIBLE_CONFIG:-no}"
    script = f'pwd; echo "{shown}" >&2'
    plain = Hook(command=("echo", "$HOME; touch p"))
    found = run_hooks(session(tmp_path, shell(script), plain), "before_deploy", events.append)
    assert found[0]["lines"] == [str(tmp_path), "/state/kubeconfig kept no no no"]
    assert (found[1]["command"], found[1]["lines"]) == ("echo '$HOME; touch p'", ["$HOME; touch p"])
    assert list(tmp_path.iterdir()) == []
    assert [event["event"] for event in events] == ["progress", "hook", "span"] * 2
    assert run_hooks(session(tmp_path, plain), "after_deploy", events.append) == []


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        (shell("echo why; exit 4"), "exit 4\n  why"),
        (shell("sleep 30", timeout=0.2), "did not end within 0.2 s"),
        (Hook(command=("no-such-command",)), "No such file"),
    ],
)
def test_the_first_that_fails_ends_it(tmp_path: Path, hook: Hook, said: str) -> None:
    never = shell("touch never")
    with pytest.raises(LocalloopError) as caught:
        run_hooks(session(tmp_path, hook, never), "before_deploy", lambda _event: None)
    assert caught.value.reason == "deploy_hook_failed:before_deploy"
    assert said in caught.value.message
    assert list(tmp_path.iterdir()) == []
