"""SIGKILL at random moments: the same command again gives every result byte for byte, and leaves nothing over.

`OSMN_KILLS` is the number of kills, 200 by default, over all commands; `OSMN_KILL_SEED` draws other moments. Each
command is killed a few times in a row, as it goes on, before it may finish.
"""

import os
import random
import time

import children
import commands
import pytest

from helpers.cases import case

KILLS, SEED = (int(os.environ.get(name, default)) for name, default in (("OSMN_KILLS", 200), ("OSMN_KILL_SEED", 0)))
NAMES = list(commands.COMMANDS)
MOST_IN_A_ROW = 4


def kills_of(name):
    """Return how many of all kills are a command's: equal shares, the first ones one more."""
    return KILLS // len(NAMES) + (NAMES.index(name) < KILLS % len(NAMES))


def kill(name, data, out, seconds):
    """Start a command and kill it after a time; tell whether it was still running."""
    child = children.Child(name, data, out)
    time.sleep(seconds)
    running = child.is_running()
    if running:
        child.kill()
    else:
        assert child.wait()[0] == 0, child.printed[-3000:]
    assert child.processes_left() == 0
    return running


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_command_killed_at_random_moments_and_run_again_gives_the_same_results(name, data, whole, tmp_path):
    drawn, expected, left, killed, round_number = random.Random(f"{SEED} {name}"), whole(name), kills_of(name), 0, 0
    if not left:
        pytest.skip(f"OSMN_KILLS={KILLS} is less than the number of commands")
    while killed < left:
        out = tmp_path / str(round_number)
        commands.begin(name, data, out)
        for _ in range(min(left - killed, drawn.randint(1, MOST_IN_A_ROW))):
            with case("kills"):
                was_running = kill(name, data, out, drawn.uniform(0, whole.seconds(name)))
            killed += was_running
        child = children.Child(name, data, out)
        with case("runs after kills"):
            status, printed = child.wait()
            assert status == 0, printed[-3000:]
            assert commands.results(out) == expected
            assert not commands.leftovers(out) and not commands.leftovers(data)
            assert child.processes_left() == 0
        round_number += 1
