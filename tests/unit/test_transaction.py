"""Transactions: ids, a journal that processes share, and what becomes of a killed run."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from localloop.errors import BusyError, LocalloopError, UsageError
from localloop.report.journal import Journal, attach, attach_or_refuse, read_events
from localloop.system.locks import Lock, holder_of, is_held, lock_path
from localloop.transaction.transaction import Transaction, new_id, open_transaction


@pytest.fixture
def root(tmp_path: Path) -> Path:
    found = tmp_path / "project"
    found.mkdir()
    return found


def begin(root: Path, environ: Mapping[str, str] | None = None, **changes: Any) -> Transaction:
    known: dict[str, Any] = {
        "command": "deploy",
        "project": "hello",
        "cluster": "kind/hello",
        "details": {"mode": "auto", "targets": ["web"]},
    }
    return open_transaction(root, **{**known, **changes}, environ=environ or {})


def reports(root: Path) -> Path:
    return root / ".cache" / "deploy-reports"


# -- ids ------------------------------------------------------------------------------------------


def test_new_id() -> None:
    first, second = new_id({}), new_id({"DEPLOY_TX_ID": ""})
    assert re.fullmatch(r"tx-\d{8}-\d{6}-[0-9a-f]{6}", first)
    assert first != second


@pytest.mark.parametrize("given", ["a", "7", "CI-1234.5_x", "a" * 63, "tx-20260101-000000-abcdef"])
def test_given_id(given: str) -> None:
    assert new_id({"DEPLOY_TX_ID": given}) == given


@pytest.mark.parametrize(
    "given",
    [
        "a" * 64, "-a", "a-", ".hidden", "..", "../x", "a/b", "a b", " ", "a\n", "\n", "ä", "a\x00",
        "$(id)", "{{ x }}", "--help",
    ],
)  # fmt: skip
def test_bad_id_is_refused(given: str) -> None:
    with pytest.raises(UsageError) as caught:
        new_id({"DEPLOY_TX_ID": given})
    assert caught.value.reason == "bad_transaction_id"
    assert "\n" not in caught.value.message


def test_id_is_used_once(root: Path) -> None:
    environ = {"DEPLOY_TX_ID": "ci-1"}
    begin(root, environ).close()
    with pytest.raises(UsageError, match="already has a report of ci-1") as caught:
        begin(root, environ)
    assert caught.value.reason == "transaction_exists"


# -- journal --------------------------------------------------------------------------------------


def test_opened_tells_who_and_where(root: Path) -> None:
    transaction = begin(root)
    (opened,) = transaction.events()
    assert {
        key: opened[key] for key in opened if key not in ("at", "mono", "since", "started")
    } == {
        "event": "opened",
        "pid": os.getpid(),
        "transaction": transaction.id,
        "command": "deploy",
        "root": str(root),
        "project": "hello",
        "project_lock": str(transaction.project_lock),
        "mode": "auto",
        "targets": ["web"],
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", opened["at"])
    assert isinstance(opened["mono"], float)
    assert transaction.path == reports(root) / f"{transaction.id}.jsonl"
    assert transaction.path.stat().st_mode & 0o777 == 0o600
    transaction.close()


WRITER = """
import os, sys
from localloop.report.journal import attach
journal = attach(os.environ)
assert journal is not None
journal.require_lock()
for number in range(200):
    journal.emit({"event": "progress", "who": sys.argv[1], "number": number, "text": "x" * 3000})
"""


def test_processes_share_the_journal_line_by_line(root: Path) -> None:
    transaction = begin(root)
    environ = {**os.environ, **transaction.environment()}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, who], env=environ) for who in ("a", "b")
    ]
    for number in range(200):
        transaction.emit({"event": "progress", "who": "me", "number": number, "text": "y" * 3000})
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    lines = transaction.path.read_bytes().splitlines()
    assert len(lines) == 601
    events = [json.loads(line) for line in lines]
    for who in ("me", "a", "b"):
        assert [event["number"] for event in events if event.get("who") == who] == list(range(200))
    transaction.close()


def test_event_with_anything_in_it(root: Path) -> None:
    transaction = begin(root)
    hostile = 'a\nb\r\u2028\x00\udcff"}{'
    transaction.emit({"event": "x", "text": hostile, "path": Path("/p")})
    assert transaction.events()[-1]["text"] == hostile
    assert transaction.events()[-1]["path"] == "/p"
    transaction.close()


def test_cut_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "tx.jsonl"
    path.write_bytes(b'{"event": "a"}\n\n[]\n7\n\xff\n{"event": "b"}\n{"event": "c", "te')
    assert [event["event"] for event in read_events(path)] == ["a", "b"]


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from localloop.errors import LocalloopError
from localloop.transaction.transaction import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
journal = Journal("tx", Path(sys.argv[1]), Path("/none"))
journal.emit({"event": "x", "text": "x" * 600})
try:
    journal.emit({"event": "y", "text": "y" * 600})
except LocalloopError as error:
    print(error.reason, error)
"""


def test_line_that_does_not_fit_is_no_success(tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)  # the limit stands for a full disk
    path = tmp_path / "tx.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], check=True, capture_output=True, text=True
    )
    assert done.stdout.startswith(f"journal_unwritable cannot write {path}: File too large (errno")
    assert [event["event"] for event in read_events(path)] == ["x"]


# -- attach ---------------------------------------------------------------------------------------


def test_attach(root: Path) -> None:
    transaction = begin(root)
    journal = attach(transaction.environment())
    assert journal is not None
    assert (journal.id, journal.path) == (transaction.id, transaction.path)
    assert attach_or_refuse(transaction.environment()).id == transaction.id
    journal.require_lock()
    transaction.close()
    with pytest.raises(BusyError, match=f"the command that opened {journal.id} is gone"):
        journal.require_lock()


def test_attach_needs_all_three(root: Path) -> None:
    transaction = begin(root)
    for name in transaction.environment():
        assert attach({**transaction.environment(), name: ""}) is None
    with pytest.raises(UsageError) as caught:
        attach_or_refuse({})
    assert caught.value.reason == "no_transaction"
    transaction.close()


def test_another_run_holds_the_lock_now(root: Path) -> None:
    first = begin(root)
    journal = Journal(first.id, first.path, first.project_lock)
    first.close()
    second = begin(root)
    with pytest.raises(BusyError) as caught:
        journal.require_lock()
    assert (caught.value.reason, caught.value.exit_code) == ("run_gone", 75)
    second.close()


# -- locks ----------------------------------------------------------------------------------------


def test_second_run_is_refused_and_writes_nothing(root: Path) -> None:
    first = begin(root)
    before = sorted(reports(root).iterdir())
    with pytest.raises(BusyError, match=first.id):
        begin(root)
    assert sorted(reports(root).iterdir()) == before
    first.close()
    begin(root).close()


def test_two_projects_share_a_cluster_until_one_repairs_it(root: Path) -> None:
    first, second = begin(root), begin(root, project="other")
    with pytest.raises(BusyError):
        first.require_exclusive()
    second.close()
    first.require_exclusive()
    with pytest.raises(BusyError):
        begin(root, project="other")
    first.close()


def test_busy_cluster_leaves_the_project_free(root: Path) -> None:
    cluster = Lock(lock_path("cluster", "kind/hello"))
    cluster.acquire({"transaction": "tx-bootstrap"}, exclusive=True)
    with pytest.raises(BusyError, match="tx-bootstrap"):
        begin(root)
    assert not is_held(lock_path("project", "kind/hello", "hello"))
    assert not reports(root).exists()


def test_failure_to_open_leaves_the_locks_free(root: Path) -> None:
    (root / ".cache").write_text("a file")
    with pytest.raises(LocalloopError) as caught:
        begin(root)
    assert caught.value.reason == "reports_unwritable"
    assert f"cannot make {reports(root)}: Not a directory (errno 20)" in str(caught.value)
    assert not is_held(lock_path("project", "kind/hello", "hello"))
    assert not is_held(lock_path("cluster", "kind/hello"))


# -- ends -----------------------------------------------------------------------------------------


def test_close_writes_the_report_and_lets_go(root: Path) -> None:
    transaction = begin(root)
    transaction.emit({"event": "gate", "status": "ready"})
    path = transaction.close()
    assert path == reports(root) / f"{transaction.id}.md"
    assert sorted(entry.name for entry in reports(root).iterdir()) == [
        f"{transaction.id}.json",
        f"{transaction.id}.md",
    ]
    assert json.loads(path.with_suffix(".json").read_text())["outcome"] == "unchanged"
    assert not is_held(transaction.project_lock)
    assert holder_of(transaction.project_lock)["transaction"] == transaction.id


def test_close_with_an_error(root: Path) -> None:
    path = begin(root).close(error=BusyError("record_moved", "another run was faster"))
    report = json.loads(path.with_suffix(".json").read_text())
    assert (report["outcome"], report["exit_code"]) == ("busy", 75)
    assert report["error"]["message"] == "another run was faster"


def test_report_that_cannot_be_written_goes_to_stderr(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    transaction = begin(root)
    (reports(root) / f"{transaction.id}.md").mkdir()
    with pytest.raises(LocalloopError) as caught:
        transaction.close(error=LocalloopError("build_failed", "it broke"))
    assert caught.value.reason == "report_unwritable"
    assert re.search(r"cannot write \S+\.md: .* \(errno \d+\)", str(caught.value))
    assert "it broke" in capsys.readouterr().err
    assert not is_held(transaction.project_lock)
    # The next run writes it, under the outcome that the run had.
    (reports(root) / f"{transaction.id}.md").rmdir()
    begin(root).close()
    report = json.loads((reports(root) / f"{transaction.id}.json").read_text())
    assert (report["outcome"], report["exit_code"]) == ("failed", 1)


KILLED = """
import os, sys, time
from pathlib import Path
from localloop.transaction.transaction import open_transaction
transaction = open_transaction(
    Path(sys.argv[1]), command="deploy", project=sys.argv[2], cluster="kind/hello",
    details={"mode": "auto", "targets": []}, environ={},
)
transaction.emit({"event": "span", "name": "builds_total", "duration_s": 1.5})
os.write(os.open(transaction.path, os.O_WRONLY | os.O_APPEND), b'{"event": "gate", "sta')
print(transaction.id, flush=True)
time.sleep(60)
"""


def killed(root: Path, project: str = "hello") -> tuple[str, subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(root), project], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process.stdout.readline().strip(), process


def end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=5)


def test_killed_run_gets_its_report_from_the_next(root: Path) -> None:
    transaction, process = killed(root)
    end(process)
    journal = reports(root) / f"{transaction}.jsonl"
    assert journal.exists()
    following = begin(root)
    assert not journal.exists()
    report = json.loads(journal.with_suffix(".json").read_text())
    assert (report["outcome"], report["exit_code"]) == ("killed", 137)
    assert report["header"]["transaction_id"] == transaction
    assert report["durations_ms"]["builds_total"] == 1500
    assert "- outcome: killed\n" in journal.with_suffix(".md").read_text()
    following.close()


def test_running_run_keeps_its_journal(root: Path) -> None:
    # Another project of the same tree: its reports lie in the same directory.
    transaction, process = killed(root, "other")
    try:
        begin(root).close()
        assert (reports(root) / f"{transaction}.jsonl").exists()
        assert not (reports(root) / f"{transaction}.md").exists()
    finally:
        end(process)


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "opened"}',
        '{"event": "opened", "project_lock": 7}',
        '{"event": "opened", "project_lock": "/none"}\n{"event": "plan", "plan": {"x": 1}}',
        '{"event": "opened", "project_lock": "/none"}\n{"event": "plan", "plan": 7}',
        '{"event": "opened", "project_lock": "/none"}\n{"event": "span"}',
        '{"event": "opened", "project_lock": "/none"}\n{"event": "failed", "error": 7}',
    ],
)
def test_damaged_journal_blocks_nobody(root: Path, line: str) -> None:
    reports(root).mkdir(parents=True)
    journal = reports(root) / "tx-old.jsonl"
    journal.write_text(line + "\n")
    begin(root).close()
    assert not journal.exists()
    assert (reports(root) / "tx-old.jsonl.damaged").read_text() == line + "\n"


def test_report_directory_of_the_environment(root: Path) -> None:
    path = begin(root, {"DEPLOY_REPORT_DIR": "out/reports", "DEPLOY_TX_ID": "ci-9"}).close()
    assert path == root / "out" / "reports" / "ci-9.md"
