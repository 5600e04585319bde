"""Progress bars: in a terminal they say what is prepared; elsewhere they are a line every half minute."""

import ast
import io
import logging
import sys
from pathlib import Path

import pytest

from osmn import progress
from osmn.cli import messages
from osmn.progress import progress_bar

ROOT = Path(__file__).resolve().parents[2]


class Terminal(io.StringIO):
    """Text that is taken for a terminal."""

    def isatty(self):
        return True


def open_terminal(monkeypatch):
    """Have stderr be a terminal from now on; return what is shown there."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


@pytest.fixture
def clock(monkeypatch):
    """Return a list of one number, the time in seconds that bars which are lines go by."""
    now = [100.0]
    monkeypatch.setattr(progress._Lines, "_clock", staticmethod(lambda: now[0]))
    return now


def lines(capsys):
    printed = capsys.readouterr()
    assert printed.out == "" and "\r" not in printed.err
    return printed.err.splitlines()


def test_without_a_terminal_work_of_100_seconds_has_a_line_every_half_minute_and_a_last_one(clock, capsys):
    with progress_bar(total=100, unit="step") as bar:
        for step in range(100):
            clock[0] += 1
            bar.set_postfix_str(f"loss {step}")
            bar.update()
    shown = lines(capsys)
    assert [line.split("[")[0].split("|")[-1].strip() for line in shown] == ["29/100", "59/100", "89/100", "100/100"]
    assert shown[-1].endswith("loss 99]")


def test_without_a_terminal_the_network_is_said_to_be_prepared_before_the_first_step(clock, capsys):
    bar = progress_bar(total=3, prepared_after=1, unit="step", mininterval=0)
    assert lines(capsys) == ["preparing the network"]
    bar.update()
    clock[0] += 30
    bar.update()
    (line,) = lines(capsys)
    assert "2/3" in line and "preparing" not in line
    bar.close()
    assert len(lines(capsys)) == 1


def test_without_a_terminal_work_that_never_gets_to_its_first_step_is_still_preparing_after_half_a_minute(
    clock, capsys
):
    bar = progress_bar(total=3, prepared_after=1)
    clock[0] += 31
    bar.refresh()
    bar.close()
    assert all(line.startswith("preparing the network") for line in lines(capsys))


def test_brief_work_has_lines_only_if_it_takes_longer(clock, capsys):
    for _ in progress_bar(range(5), brief=True, desc="scoring"):
        clock[0] += 1
    assert lines(capsys) == []
    with progress_bar(total=2, brief=True, desc="scoring") as bar:
        clock[0] += 31
        bar.refresh()
        bar.update(2)
    assert [line.split(":")[0] for line in lines(capsys)] == ["scoring", "scoring"]


def test_a_disabled_bar_shows_nothing(clock, capsys):
    with progress_bar(total=2, prepared_after=1, disable=True) as bar:
        clock[0] += 31
        bar.update(2)
    assert lines(capsys) == []


def test_where_nothing_is_left_to_do_nothing_is_prepared(capsys):
    progress_bar(total=0, prepared_after=2, unit="frame").close()
    assert "preparing" not in "".join(lines(capsys))


@pytest.mark.parametrize(("initial", "prepared_after"), [(0, 1), (7, 1), (0, 2)])
def test_a_terminal_shows_that_the_network_is_prepared_until_the_first_units_are_done(
    monkeypatch, initial, prepared_after
):
    terminal = open_terminal(monkeypatch)
    bar = progress_bar(total=10, initial=initial, prepared_after=prepared_after, mininterval=0)
    for _ in range(prepared_after):
        assert terminal.getvalue().split("\r")[-1].startswith("preparing the network: ")
        bar.update()
    assert "preparing" not in terminal.getvalue().split("\r")[-1]
    bar.close()


@pytest.mark.parametrize("terminal", [True, False])
def test_the_rest_is_estimated_from_the_units_after_the_start(monkeypatch, clock, terminal):
    if terminal:
        open_terminal(monkeypatch)
    bar = progress_bar(total=102, prepared_after=2, unit="frame", mininterval=0)
    now = [bar.start_t]
    monkeypatch.setattr(bar, "_time", lambda: now[0])
    for seconds in (40, 10):  # The start.
        assert "?frame/s]" in str(bar) and "<?" in str(bar)
        now[0] += seconds
        bar.update()
    assert "?frame/s]" in str(bar) and "<?" in str(bar)
    for _ in range(20):
        now[0] += 0.5
        bar.update()
    assert "22/102 [01:00<00:40,  2.00frame/s]" in str(bar)
    monkeypatch.undo()
    bar.close()


def test_a_message_in_the_middle_of_a_terminals_bar_has_a_line_of_its_own(monkeypatch):
    terminal = open_terminal(monkeypatch)
    with messages.shown(), progress_bar(total=2, mininterval=0) as bar:
        bar.update()
        logging.getLogger("osmn").warning("a.png does not show object 1")
    assert "\ra.png does not show object 1\n" in terminal.getvalue()


def test_a_message_between_lines_does_not_repeat_them(clock, capsys):
    with messages.shown(), progress_bar(total=2, brief=True) as bar:
        for _ in range(2):
            bar.update()
            logging.getLogger("osmn").warning("a.png does not show object 1")
            bar.write("step 1: J 0.5")
    printed = capsys.readouterr()
    assert printed.err == "a.png does not show object 1\n" * 2
    assert printed.out == "step 1: J 0.5\n" * 2


def test_all_bars_are_made_in_one_place():
    files = [*(ROOT / "osmn").rglob("*.py"), *ROOT.glob("*.py"), *(ROOT / "preprocessing").glob("*.py")]
    calls = {path: [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)] for path in files}
    called = {
        path: {getattr(n.func, "id", getattr(n.func, "attr", "")) for n in found} for path, found in calls.items()
    }
    assert [path for path, names in called.items() if names & {"tqdm", "trange"}] == []
    assert sum("progress_bar" in names for names in called.values()) > 5
