"""What a terminal shows during a run, according to a terminal emulator."""

from __future__ import annotations

import io

import pyte
import pytest

from localloop.commands.console import Console
from localloop.commands.progress import Progress, redraws


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def screen(self, columns: int, rows: int) -> list[str]:
        """The lines that are on the screen at the end."""
        screen = pyte.Screen(columns, rows)
        screen.set_mode(
            pyte.modes.LNM
        )  # a newline also returns the carriage, as in a terminal's line discipline
        pyte.Stream(screen).feed(self.getvalue())
        return [line.rstrip() for line in screen.display if line.strip()]


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "10")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("CI", raising=False)


def test_a_subject_keeps_its_line_below_those_without_one() -> None:
    terminal = Terminal()
    progress = Progress(terminal)
    for line in ("web: [2/3] RUN one", "api: [1/2] RUN make", "web: [3/3] RUN two", "builder x"):
        progress.show(line)
    assert terminal.screen(40, 10) == ["builder x", "web: [3/3] RUN two", "api: [1/2] RUN make"]
    progress.show("web: published")
    assert terminal.screen(40, 10) == ["builder x", "web: published", "api: [1/2] RUN make"]


def test_a_line_is_no_wider_than_the_screen() -> None:
    terminal = Terminal()
    progress = Progress(terminal)
    for number in range(3):
        progress.show(f"web: {number}" + "x" * 100)
        progress.show(f"api: {number}")
    assert terminal.screen(40, 10) == ["web: 2" + "x" * 33, "api: 2"]


def test_more_subjects_than_fit_scroll_away() -> None:
    terminal = Terminal()
    progress = Progress(terminal)
    for number in range(25):
        progress.show(f"pod-{number}: waits")
    progress.show("pod-24: ready")
    expected = [f"pod-{number}: waits" for number in range(16, 24)]
    assert terminal.screen(40, 10) == [*expected, "pod-24: ready"]


def test_other_output_comes_below_and_ends_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    console = Console()
    console.progress = Progress(terminal)
    console.update("web: built")
    console.say("Deployed")
    console.update("web: again")
    assert terminal.screen(40, 10) == ["web: built", "web: again"]
    assert capsys.readouterr().out == "Deployed\n"


@pytest.mark.parametrize("variable", [("TERM", "dumb"), ("CI", "true"), ("CI", "1")])
def test_logs_are_plain(monkeypatch: pytest.MonkeyPatch, variable: tuple[str, str]) -> None:
    assert redraws(Terminal())
    assert not redraws(io.StringIO())
    monkeypatch.setenv(*variable)
    assert not redraws(Terminal())


def test_without_a_terminal_every_line_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.update("web: one")
    console.update("web: two")
    assert capsys.readouterr().out == "web: one\nweb: two\n"
