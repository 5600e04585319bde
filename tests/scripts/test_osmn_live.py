"""Live pictures through `osmn_live.py`: files in real time, streams, pipes; what is written, and how it ends."""

import csv
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import av
import numpy as np
import pytest

import osmn_live
import osmn_segment
from helpers import ROOT
from helpers.clips import LOSSLESS, TICK, make_video
from helpers.live_sessions import Client
from helpers.live_streams import PATIENCE, SIZE, jpeg, mjpeg, picture, until, y4m
from helpers.own_videos import mask
from helpers.processes import interruptible
from helpers.scripts import error, words
from osmn.files.images import read_labels
from osmn.user_video import boxes, model_choice
from osmn.user_video.media.reader import open_frames

FRAMES, EVERY = 6, 0.2
BOX = {1: (8, 8, 30, 30), 2: (36, 16, 56, 40)}
FIXED = ["--no_page", "--whole_model_path", "stand-in", "--im_size", *SIZE, "--precision", "float32"]


@pytest.fixture
def clip(tmp_path):
    times = [EVERY * number for number in range(FRAMES)]
    images = [picture(20 + 10 * number) for number in range(FRAMES)]
    return make_video(tmp_path / "clip.mkv", images, times=times, time_base=TICK / 40, **LOSSLESS)


@pytest.fixture
def first(tmp_path):
    return mask(tmp_path / "first.png", BOX)


def live(*arguments):
    osmn_live.main(words(*arguments, *FIXED))


def written(folder):
    """Return the names of the masks, the frames that frames.csv lists, and the times of the overlay."""
    masks = sorted(path.stem for path in (folder / "masks").iterdir())
    with (folder / "frames.csv").open() as file:
        rows = list(csv.DictReader(file))
    with open_frames(folder / "overlay.mp4") as frames:
        times = [float(frame.seconds) for frame in frames]
    return masks, rows, times


def test_a_file_in_real_time_gives_masks_an_overlay_and_the_frames_times(follower, clip, first, tmp_path, capsys):
    live(clip, "--mask", first, "--result_path", tmp_path / "out")
    masks, rows, times = written(tmp_path / "out")
    # A machine with much else to do may leave frames out, which it then counts.
    shown, dropped = map(int, re.search(r"(\d+) frames shown, (\d+) dropped", capsys.readouterr().out).groups())
    assert shown + dropped == FRAMES and len(masks) == shown >= FRAMES // 2
    assert masks == [row["name"] for row in rows] and masks[0] == "00000"
    assert [int(row["frame"]) for row in rows] == list(range(len(masks)))
    np.testing.assert_array_equal(read_labels(tmp_path / "out/masks/00000.png"), read_labels(first))
    for name in masks[1:]:
        assert set(np.unique(read_labels(tmp_path / f"out/masks/{name}.png"))) == {0, 1, 2}
    assert [float(row["seconds"]) for row in rows] == pytest.approx([EVERY * int(name) for name in masks], abs=1e-3)
    assert times == pytest.approx([EVERY * int(name) for name in masks], abs=1e-3)
    assert "live" in json.loads((tmp_path / "out/run.json").read_text())["options"]


@pytest.mark.parametrize("options", [[], ["--boundaries"]], ids=["not", "asked for"])
def test_boundaries_are_moved_where_it_is_asked_for(follower, clip, first, tmp_path, monkeypatch, options):
    monkeypatch.setattr(model_choice, "refiner", lambda: lambda frame, probabilities: 0 * probabilities)
    live(clip, "--mask", first, *options, "--result_path", tmp_path / "out")
    _, *later = written(tmp_path / "out")[0]
    assert later and [read_labels(tmp_path / f"out/masks/{name}.png").any() for name in later] == [not options] * len(
        later
    )
    assert json.loads((tmp_path / "out/run.json").read_text())["options"]["boundaries"] is bool(options)


def test_nothing_is_written_without_a_result_path(follower, clip, first, tmp_path, monkeypatch, capsys):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    live(clip, "--mask", first)
    assert list((tmp_path / "here").iterdir()) == []
    assert re.search(r"frames shown, \d+ dropped; masks after \d+ ms, 95 % within \d+ ms$", capsys.readouterr().out)


def test_a_box_gives_the_object_and_what_was_found_is_written(follower, tmp_path):
    image = picture(10)
    image[10:30, 10:40] = 220, 200, 40
    clip = make_video(tmp_path / "clip.mkv", [image] * 3, **LOSSLESS)
    live(clip, "--box", 6, 6, 40, 30, "--box_by", "grabcut", "--result_path", tmp_path / "out")
    found = read_labels(tmp_path / "out/first_mask.png")
    assert found[12:28, 12:38].all() and not found[:, 50:].any()
    np.testing.assert_array_equal(read_labels(tmp_path / "out/masks/00000.png"), found)


def test_clicks_give_the_object(follower, tmp_path, monkeypatch):
    class Yellow:
        def probabilities(self, image, maps):
            return (image[..., 0] > 150).astype(np.float32)

    monkeypatch.setattr(boxes, "load_click_engine", lambda path: Yellow())
    monkeypatch.setattr(boxes, "fingerprint", lambda path: "0123")
    image = picture(10)
    image[10:30, 10:40] = 220, 200, 40
    clip = make_video(tmp_path / "clip.mkv", [image] * 3, **LOSSLESS)
    live(clip, "--click", 20, 20, "--no-click", 60, 40, "--result_path", tmp_path / "out")
    found = read_labels(tmp_path / "out/first_mask.png")
    assert found[12:28, 12:38].all() and not found[:, 50:].any()


def test_results_of_another_run_stay_unless_the_user_says_so(follower, clip, first, tmp_path, capsys):
    live(clip, "--mask", first, "--result_path", tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    again = [clip, "--mask", first, "--result_path", tmp_path / "out", *FIXED]
    assert "holds results of another run (started was " in error(capsys, osmn_live.main, *again)
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before
    live(clip, "--mask", mask(tmp_path / "other.png", {5: BOX[1]}), "--result_path", tmp_path / "out", "--overwrite")
    assert set(np.unique(read_labels(tmp_path / "out/masks/00000.png"))) == {0, 5}


@pytest.mark.skipif(Path("/dev/video0").exists(), reason="this machine has a camera")
def test_a_run_that_has_written_nothing_is_in_nobodys_way(follower, clip, first, tmp_path, capsys):
    nothing = [0, "--mask", first, "--result_path", tmp_path / "out", *FIXED]
    for _ in range(2):
        assert "camera 0 cannot be opened" in error(capsys, osmn_live.main, *nothing)
    live(clip, "--mask", first, "--result_path", tmp_path / "out")
    assert written(tmp_path / "out")[0][0] == "00000"
    assert "holds results of another run" in error(capsys, osmn_live.main, *nothing)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "without a page, --mask FILE, --box X Y W H or --click X Y gives the object"),
        (["--mask", "{first}", "--box", 1, 1, 9, 9], "give --mask FILE, or --box X Y W H or --click X Y"),
        (["--mask", "3:{first}"], "--mask 3:{first}: live, a mask is of the first frame"),
        (["--click", "3:20", 20], "live, a click or a box is of the first frame; leave out its place"),
        (["--box", "0.5s:1", 1, 9, 9], "live, a click or a box is of the first frame"),
        (["--mask", "nope.png"], "nope.png does not exist; give a mask, --mask FILE"),
        (["--mask", "{first}", "--result_path", "{folder}"], "first.png is read"),
        (["--mask", "{first}", "--raw_size", 8, 8, "--raw_format", "gray"], "--raw_size does not go with"),
    ],
)
def test_what_does_not_go_together_is_one_line(follower, clip, tmp_path, capsys, options, said):
    folder = tmp_path / "out"
    given = mask((folder / "masks").mkdir(parents=True) or folder / "masks/first.png", BOX)
    named = [str(word).format(first=given, folder=folder) for word in options]
    line = error(capsys, osmn_live.main, clip, *named, *FIXED)
    assert said.format(first=given) in line


def test_the_camera_of_the_pages_browser_needs_the_page(follower, first, capsys):
    line = error(capsys, osmn_live.main, "browser", "--mask", first, *FIXED)
    assert "browser is the camera of the page's browser; leave out --no_page" in line


def start(*arguments, **how):
    """Start the program with the shipped model in a process of its own."""
    command = [sys.executable, "osmn_live.py", *words(*arguments, "--im_size", 64, 64)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with interruptible():
        return subprocess.Popen(command, cwd=ROOT, env=environment, **pipes, **how)


def ended(process):
    """Return the last line that a process prints, after a good end."""
    try:
        out, errors = (text.decode() for text in process.communicate(timeout=PATIENCE * 2))
    finally:
        process.kill()  # One that has not ended.
    assert process.returncode == 0 and "Traceback" not in errors, errors[-2000:]
    return out.splitlines()[-1]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_a_stream_cleanly_with_all_files_whole(first, tmp_path, how):
    with mjpeg([jpeg(20 + number % 100) for number in range(5000)]) as address:
        process = start(address, "--no_page", "--mask", first, "--result_path", tmp_path / "out")
        until(lambda: process.poll() is not None or len(list((tmp_path / "out").glob("masks/[0-9]*.png"))) > 10)
        process.send_signal(how)
        line = ended(process)
    masks, rows, times = written(tmp_path / "out")
    assert len(masks) == len(rows) == len(times) > 10 and times[0] == 0
    assert line.startswith(f"{len(masks)} frames shown, ")
    assert f"; {len(masks)} written: {tmp_path}/out/overlay.mp4, " in line
    np.testing.assert_array_equal(read_labels(tmp_path / f"out/masks/{masks[0]}.png"), read_labels(first))
    assert not list((tmp_path / "out").glob(".osmn-writing-*"))
    assert {"overlay.mp4", "frames.csv", f"masks/{masks[0]}.png"} <= set(
        json.loads((tmp_path / "out/.osmn-finished/live.json").read_text())["files"]
    )


def test_of_pictures_that_come_all_at_once_the_first_one_has_the_objects(first, tmp_path):
    process = start("-", "--no_page", "--mask", first, "--result_path", tmp_path / "out", stdin=subprocess.PIPE)
    process.stdin.write(b"".join(y4m(20 + number, first=not number) for number in range(40)))
    process.stdin.close()
    process.stdin = None
    ended(process)
    assert written(tmp_path / "out")[0][0] == "00000"


def test_ctrl_c_while_the_network_is_made_ready_leaves_whole_files(clip, first, tmp_path):
    process = start(clip, "--no_page", "--mask", first, "--result_path", tmp_path / "out")
    until(lambda: process.poll() is not None or list((tmp_path / "out").glob("masks/[0-9]*.png")))
    process.send_signal(signal.SIGINT)
    line = ended(process)
    masks, rows, _ = written(tmp_path / "out")
    assert len(masks) == len(rows) >= 1 and line.startswith(f"{len(masks)} frames shown, ")
    with av.open(str(tmp_path / "out/overlay.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == len(masks)


def test_ctrl_c_before_the_first_picture_is_an_end_too(first, tmp_path):
    process = start("-", "--no_page", "--mask", first, "--result_path", tmp_path / "out", stdin=subprocess.PIPE)
    until(lambda: (tmp_path / "out/run.json").exists())
    time.sleep(1)  # Until it waits for pictures.
    process.send_signal(signal.SIGINT)
    assert ended(process).startswith("0 frames shown, 0 dropped")
    assert not list((tmp_path / "out").glob("*.mp4")) and not (tmp_path / "out/masks").exists()


def test_what_is_piped_in_is_followed_and_its_end_is_the_end(first, tmp_path):
    process = start("-", "--no_page", "--mask", first, "--result_path", tmp_path / "out", stdin=subprocess.PIPE)

    def feed():
        for number in range(15):
            process.stdin.write(y4m(20 + number, first=not number))
            process.stdin.flush()
            time.sleep(0.05)
        process.stdin.close()
        process.stdin = None

    sending = threading.Thread(target=feed)
    sending.start()
    sending.join()
    line = ended(process)
    masks, rows, _ = written(tmp_path / "out")
    assert line.startswith(f"{len(masks)} frames shown") and masks[-1] == "00014"
    with av.open(str(tmp_path / "out/overlay.mp4")) as container:
        assert len(masks) == len(rows) == sum(1 for _ in container.decode(video=0))


def test_a_file_is_played_when_an_object_is_given_in_the_page_and_recorded_from_there(clip, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = start(clip, "--port", port, "--result_path", tmp_path / "out")
    lines = iter(process.stdout.readline, b"")
    assert any(f"open http://127.0.0.1:{port} in a browser".encode() in line for line in lines)
    page = Client(port)
    until(lambda: page.frame()[1])
    time.sleep(3 * EVERY)
    state, _ = page.frame()
    assert state["shown"] == 1 and state["waits"] and not (tmp_path / "out/masks").exists()
    _, still = page.told("still")
    labels = np.zeros(SIZE[::-1], np.uint8)
    labels[8:30, 8:30] = 4
    page.ask("POST", f"/paint?still={still['still']}", labels.tobytes(), {"X-Osmn-Token": page.token})
    assert page.told("give", still=still["still"])[0] == 200
    line = ended(process)
    masks, rows, times = written(tmp_path / "out")
    assert masks[0] == "00000" and len(masks) == len(rows) == len(times) and f"; {len(masks)} written: " in line
    np.testing.assert_array_equal(read_labels(tmp_path / "out/masks/00000.png"), labels)


def test_stop_in_the_page_ends_it(first, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with mjpeg([jpeg(20 + number % 100) for number in range(5000)]) as address:
        process = start(address, "--mask", first, "--port", port)
        lines = iter(process.stdout.readline, b"")
        assert any(b"open http://" in line for line in lines)
        page = Client(port)
        until(lambda: page.frame()[0]["shown"] > 3)
        assert page.told("stop")[0] == 200
        assert " frames shown, " in ended(process)


def test_live_results_in_the_folder_of_a_segmented_video_are_refused_by_what_differs_most(
    follower, clip, first, tmp_path, capsys
):
    given = [clip, "--mask", first, "--result_path", tmp_path / "out", *FIXED[1:]]
    osmn_segment.main(words(*given))
    assert "holds results of another run (live was null, is " in error(capsys, osmn_live.main, *given, "--no_page")
