"""Directories that are named by a variable or an option."""

from __future__ import annotations

from pathlib import Path

import pytest

from localloop.errors import UsageError
from localloop.system.paths import perf_dir, report_dir

# Where the name comes from, and what the error calls it.
GIVEN = {
    "DEPLOY_REPORT_DIR": lambda root, name: report_dir(root, {"DEPLOY_REPORT_DIR": name}),
    "LOCALLOOP_PERF_DIR": lambda root, name: perf_dir(root, {"LOCALLOOP_PERF_DIR": name}),
    "--output-dir": lambda root, name: perf_dir(root, {"LOCALLOOP_PERF_DIR": "x"}, name),
}


@pytest.mark.parametrize("where", GIVEN)
def test_a_directory_is_accepted(where: str, tmp_path: Path) -> None:
    assert GIVEN[where](tmp_path, "sub/dir") == tmp_path / "sub/dir"
    assert GIVEN[where](tmp_path, "/elsewhere") == Path("/elsewhere")


@pytest.mark.parametrize("name", ["../up", "a/../../b", "~/x", "a\nb", "file", "link/x"])
@pytest.mark.parametrize("where", GIVEN)
def test_a_directory_is_refused(where: str, name: str, tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "file").write_text("")
    (root / "link").symlink_to(tmp_path)
    with pytest.raises(UsageError) as caught:
        GIVEN[where](root, name)
    assert caught.value.where == where
    assert list(tmp_path.iterdir()) == [root]


def test_defaults(tmp_path: Path) -> None:
    for empty in ({}, {"DEPLOY_REPORT_DIR": "", "LOCALLOOP_PERF_DIR": ""}):
        assert report_dir(tmp_path, empty) == tmp_path / ".cache/deploy-reports"
        assert perf_dir(tmp_path, empty) == tmp_path / ".cache/perf"
