"""What is finished is there, whole, as it was; anything else is made again by the same command."""

import shutil

import commands
import numpy as np
import pytest

import ytvos_merge_result
from helpers.cases import case
from helpers.scripts import words

NAMES = ("testing", "testing ytvos", "testing youtube-objects", "online")
NAMES += tuple(pytest.param(name, marks=pytest.mark.slow) for name in ("online ytvos", "segmenting"))
ENDINGS = (".png", ".npy", ".mp4")


@pytest.fixture(scope="module", params=NAMES)
def finished(request, data, tmp_path_factory):
    """Return a command's name and the folder of its finished results. Not to be written to: copy it."""
    out = tmp_path_factory.mktemp("finished") / "out"
    commands.begin(request.param, data, out)
    with pytest.MonkeyPatch.context() as monkeypatch:
        run(request.param, data, out, monkeypatch)
    return request.param, out


def run(name, data, out, monkeypatch):
    command = commands.COMMANDS[name]
    commands.with_stand_in(monkeypatch, command.network)
    command.main()(command.argv(data, out))


def delete(path):
    path.unlink()


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


def visible(out):
    """Return the result files that are noted as finished, {path: time of its last change}."""
    paths = (path for path in (out / "results").rglob("*") if path.suffix in ENDINGS and "finetuned" not in path.parts)
    return {path: path.stat().st_mtime_ns for path in paths}


@pytest.mark.parametrize("spoil", [delete, cut, flip, empty])
def test_a_spoilt_file_of_any_kind_is_made_again_by_the_same_command(finished, data, tmp_path, monkeypatch, spoil):
    name, out = finished
    drawn = np.random.default_rng(0)
    for ending in ENDINGS:
        paths = sorted(path for path in visible(out) if path.suffix == ending)
        if not paths:
            continue
        copied = tmp_path / ending / "out"
        shutil.copytree(out, copied)
        spoilt = copied / paths[drawn.integers(len(paths))].relative_to(out)
        before = spoilt.read_bytes()
        spoil(spoilt)
        assert not spoilt.exists() or spoilt.read_bytes() != before
        with case("spoilt results"):
            run(name, data, copied, monkeypatch)
            assert commands.results(copied) == commands.results(out)


def test_what_is_whole_is_left_alone(finished, data, tmp_path, monkeypatch):
    name, out = finished
    shutil.copytree(out, tmp_path / "out")
    before = visible(tmp_path / "out")
    run(name, data, tmp_path / "out", monkeypatch)
    assert visible(tmp_path / "out") == before


@pytest.mark.parametrize("spoil", [delete, cut, flip, empty])
@pytest.mark.parametrize("save_score", [True, False])
def test_merging_after_the_evaluation_that_it_asks_for_succeeds(data, tmp_path, monkeypatch, capsys, spoil, save_score):
    command = commands.COMMANDS["testing ytvos"]
    commands.with_stand_in(monkeypatch, command.network)
    argv = [word for word in command.argv(data, tmp_path) if save_score or word != "--save_score"]

    def merge(out):
        ytvos_merge_result.main(words(data / "ytvos", tmp_path / "results", tmp_path / out, "valid"))
        return commands.results(tmp_path / out)

    command.main()(argv)
    expected = merge("whole")
    spoilt = tmp_path / "results/crowd" / ("2/00010.npy" if save_score else "00010.png")
    spoil(spoilt)
    if spoil is not flip:  # A flipped bit of a number is another number.
        with pytest.raises(SystemExit):
            merge("spoilt")
        assert str(spoilt) in capsys.readouterr().err.splitlines()[-1]
    command.main()(argv)
    assert merge("mended") == expected


@pytest.mark.parametrize("name", ["notes.npy", "00003.npy"])
def test_arrays_of_the_users_in_a_result_folder_stay_and_do_not_count(data, tmp_path, monkeypatch, name):
    command = commands.COMMANDS["testing ytvos"]
    commands.with_stand_in(monkeypatch, command.network)
    mine = tmp_path / "results/crowd/2" / name
    mine.parent.mkdir(parents=True)
    np.save(mine, np.zeros(3))
    before = mine.read_bytes()
    command.main()([word for word in command.argv(data, tmp_path) if word != "--save_score"])
    ytvos_merge_result.main(words(data / "ytvos", tmp_path / "results", tmp_path / "merged", "valid"))
    assert mine.read_bytes() == before
    merged = commands.results(tmp_path / "merged/valid/Annotations")
    assert merged == {file: (tmp_path / "results" / file).read_bytes() for file in merged}
