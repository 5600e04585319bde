"""Files that are written whole or not at all, and score files."""

import os
import pickle
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest

from helpers import ROOT
from osmn.errors import InputError
from osmn.files.atomic import UNFINISHED, named_write_errors, remove_unfinished, replacing
from osmn.files.images import read_labels
from osmn.files.scores import read_scores

# -- Whole or not at all ----------------------------------------------------------------------------------------------


def test_a_file_appears_under_its_name_when_it_is_whole(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
        assert temporary.suffix == ".txt"
        assert (tmp_path / "a.txt").read_text() == "old"
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "new")]


def test_a_file_that_could_not_be_written_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("named", [True, False])
def test_a_failure_to_write_names_the_file_and_not_the_temporary_one(tmp_path, named):
    def fail(temporary):
        raise OSError(28, "No space left on device", *[str(temporary)] * named)

    refused = pytest.raises(InputError, match=f"^{tmp_path / 'a.txt'} cannot be written .No space left on device.; ")
    with refused, replacing(tmp_path / "a.txt") as temporary:
        fail(temporary)
    with pytest.raises(FileNotFoundError, match="missing"), replacing(tmp_path / "a.txt"):
        (tmp_path / "missing").read_text()
    assert not list(tmp_path.iterdir())


def test_a_place_that_is_a_link_to_nowhere_is_called_that(tmp_path):
    (tmp_path / "results").symlink_to(tmp_path / "gone")
    refused = pytest.raises(
        InputError, match=r"results is a link that leads nowhere; remove it, or make what it leads to$"
    )
    with refused, named_write_errors(tmp_path / "results"):
        (tmp_path / "results").mkdir(exist_ok=True)


def test_files_have_the_permissions_that_the_umask_gives_and_it_is_never_changed(tmp_path, monkeypatch):
    before = os.umask(0o027)
    try:
        with monkeypatch.context() as patched:
            patched.delattr(os, "umask")  # Other threads write files at the same time.
            with replacing(tmp_path / "a.txt") as temporary:
                temporary.write_text("text")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


def test_of_hidden_files_only_those_that_a_killed_write_left_are_removed(tmp_path):
    code = "import os, signal, sys; from osmn.files.atomic import replacing\n"
    code += "with replacing(sys.argv[1]) as path: path.write_bytes(b'half'); os.kill(os.getpid(), signal.SIGKILL)"
    for name in ("00001.png", "video/00001.png"):
        assert subprocess.run([sys.executable, "-c", code, tmp_path / name], cwd=ROOT).returncode == -9
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(left) == 2
    names = (".my-notes.txt", "video/.cache-2/a.png", "video/.00001-abc123.png", ".osmn-writing-notes.txt")
    names += (f"{UNFINISHED}0123456789abcdef/a.png", f"{UNFINISHED}0123456789abcdef.png.txt")  # A folder; two suffixes.
    users = [tmp_path / name for name in names]
    for path in users:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"mine")
    (tmp_path / f"video/{UNFINISHED}0123456789abcdef.folder").mkdir()
    (tmp_path / f"video/{UNFINISHED}0123456789abcdef.folder/half.png").write_bytes(b"half")
    remove_unfinished(tmp_path, deep=False)
    assert len(list(tmp_path.rglob(f"{UNFINISHED}*"))) == 5  # Those in `video` are still there.
    remove_unfinished(tmp_path)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(users)


# -- Score files ------------------------------------------------------------------------------------------------------


def saved(path, array):
    np.save(path, array)
    return path.read_bytes()


GRID = np.full((4, 6), 0.5, np.float32)


@pytest.mark.parametrize(
    "array",
    [
        np.where(GRID > 0, np.float32(np.nan), GRID),
        np.where(GRID > 0, np.float32(np.inf), GRID),
        GRID - 0.6,
        GRID + 0.6,
        GRID * 1j,
        (GRID * 510).astype(np.uint8),
        GRID > 0,
        GRID.astype("datetime64[s]"),
        GRID.astype("U3"),
        np.zeros((4, 6), [("a", "f4")]),
        np.zeros((4, 0), np.float32),
        np.zeros((4, 6, 1), np.float32),
        np.float32(0.5),
        np.array([[None]]),
    ],
)
def test_what_is_no_map_of_probabilities_is_refused_and_named(tmp_path, array):
    np.save(tmp_path / "00001.npy", array)
    with pytest.raises(InputError, match=r"^\S+00001\.npy .*; run the evaluation again$"):
        read_scores(tmp_path / "00001.npy")


def test_an_archive_and_other_files_under_the_name_of_scores_are_refused_and_named(tmp_path):
    path = tmp_path / "00001.npy"
    np.savez(tmp_path / "a.npz", GRID)
    for content in ((tmp_path / "a.npz").read_bytes(), b"", b"text", pickle.dumps([1]), b"\x93NUMPY"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"^\S+00001\.npy is not a score file"):
            read_scores(path)


def test_a_score_file_with_any_bit_flipped_is_read_or_named(tmp_path):
    path = tmp_path / "00001.npy"
    whole = bytearray(saved(path, GRID))
    for bit in np.random.default_rng(0).choice(8 * len(whole), 200, replace=False):
        flipped = whole.copy()
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        try:
            scores = read_scores(path)
        except InputError as error:
            assert str(path) in str(error)
        else:
            assert scores.dtype == np.float32 and scores.min() >= 0 and scores.max() <= 1


def test_scores_of_another_float_type_are_read_as_float32(tmp_path):
    for kind in (np.float16, np.float64):
        np.save(tmp_path / "00001.npy", GRID.astype(kind))
        np.testing.assert_array_equal(read_scores(tmp_path / "00001.npy"), GRID)


def grey(path, bits, rows):
    """Write labels as a grey PNG of 1, 2, 4 or 8 bits, which Pillow does not write."""
    height, width = rows.shape
    parts = [("IHDR", struct.pack(">2I5B", width, height, bits, 0, 0, 0, 0))]
    places = rows[..., None] >> np.arange(bits)[::-1] & 1
    packed = np.packbits(places.reshape(height, -1).astype(np.uint8), axis=1)
    parts += [("IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in packed))), ("IEND", b"")]
    chunks = [(name.encode() + content, len(content)) for name, content in parts]
    content = b"".join(struct.pack(">I", size) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk, size in chunks)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_labels_in_grey_are_as_they_are_or_refused_where_bits_make_them_ambiguous(tmp_path, bits):
    rows = np.array([[0, 1, 0, 1], [1, 1, 0, 0]], np.uint8)
    grey(tmp_path / "mask.png", bits, rows)
    if bits in (2, 4):
        with pytest.raises(InputError, match=rf"mask\.png is a grey image of {bits} bits, .*; save it in 8 bits"):
            read_labels(tmp_path / "mask.png")
    else:
        np.testing.assert_array_equal(read_labels(tmp_path / "mask.png"), rows * (255 if bits == 1 else 1))
