"""A stranger's own video, through `osmn_segment.py`: masks, overlay, corrections, mistakes."""

import os
import shutil

import av
import numpy as np
import pytest
from PIL import Image

import osmn_segment
from helpers.clips import LOSSLESS, TICK, UNEVEN, make_video, needs, pictures, sound_of, tone
from helpers.own_videos import FRAMES, GRABCUT, SIZE, mask, segment
from helpers.scripts import error, words
from helpers.trees import names
from osmn.files.images import read_labels
from osmn.files.scores import read_scores
from osmn.masks import overlay
from osmn.user_video import model_choice
from osmn.user_video.media.reader import open_frames

pytestmark = pytest.mark.usefixtures("follower")


def test_a_video_gives_indexed_masks_of_its_size_and_an_overlay_with_its_times(clip, tmp_path):
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30), 7: (36, 16, 56, 40)})
    segment(clip, tmp_path / "out", "--mask", first)
    masks = sorted((tmp_path / "out/masks").iterdir())
    assert len(masks) == FRAMES
    np.testing.assert_array_equal(read_labels(masks[0]), read_labels(first))
    for path in masks[1:]:
        labels = read_labels(path)
        assert labels.shape == SIZE[::-1]
        assert set(np.unique(labels)) <= {0, 1, 7}
    assert set(np.unique(read_labels(masks[1]))) == {0, 1, 7}
    with av.open(str(clip)) as ours, av.open(str(tmp_path / "out/overlay.mp4")) as theirs:
        times = [[frame.time for frame in container.decode(video=0)] for container in (ours, theirs)]
    np.testing.assert_allclose(times[1], times[0], atol=1e-3)


@pytest.mark.parametrize(
    ("name", "settings", "size", "count"),
    [
        ("turned, ünïcödé 影片.mp4", {"prepare": lambda stream: stream.set_display_rotation(90)}, (48, 64), 6),
        ("my clip.webm", {"codec": "libvpx-vp9", "sound": ("libopus", tone(0.24))}, SIZE, 6),
        ("clip.mov", {"codec": "libx265", "options": {"x265-params": "log-level=none"}}, SIZE, 6),
        ("100%d: part 2.AVI", {"codec": "mjpeg", "pixels": "yuvj420p"}, SIZE, 6),
        ("clip.gif", {"codec": "gif", "pixels": "rgb8"}, SIZE, 6),
        ("uneven.mp4", {"times": UNEVEN[:6], "time_base": TICK / 3600, "sound": ("aac", tone(0.7))}, SIZE, 6),
        ("odd.mkv", LOSSLESS, (853, 479), 3),
        ("one.mp4", {}, SIZE, 1),
    ],
)
def test_each_kind_of_video_gives_its_masks_and_an_overlay_with_its_times(tmp_path, name, settings, size, count):
    needs(settings.get("codec", "libx264"))
    turned = "prepare" in settings
    clip = make_video(tmp_path / name, pictures(count, *(size[::-1] if turned else size)), **settings)
    width, height = size
    boxes = {
        1: (width // 8, height // 6, width // 2, height * 5 // 8),
        2: (width * 5 // 9, 4, width * 5 // 6, height - 8),
    }
    first = mask(tmp_path / "first mask é.png", boxes, size)
    segment(clip, tmp_path / "out put", "--mask", first)
    masks = sorted((tmp_path / "out put/masks").iterdir())
    assert len(masks) == count
    for number, path in enumerate(masks):
        assert Image.open(path).mode == "P"
        labels = read_labels(path)
        assert labels.shape == size[::-1]
        assert set(np.unique(labels)) == {0, 1, 2}
        assert number or (labels == read_labels(first)).all()
    with open_frames(clip) as ours, open_frames(tmp_path / "out put/overlay.mp4") as theirs:
        assert theirs.size == tuple(side + side % 2 for side in size)
        assert [frame.seconds for frame in theirs] == [frame.seconds for frame in ours]
    if "sound" in settings:
        assert abs(sound_of(tmp_path / "out put/overlay.mp4")[2] - sound_of(clip)[2]) < 0.05


@pytest.mark.parametrize("size", [SIZE, (256, 192)])  # In the network's frames, a pixel wide and a quarter of one.
def test_an_object_a_pixel_wide_is_given_as_it_is(tmp_path, size):
    clip = make_video(tmp_path / "clip.mkv", pictures(3, *size), **LOSSLESS)
    first = mask(tmp_path / "first.png", {1: (21, 10, 22, 40), 2: (40, 8, 60, 30)}, size)
    segment(clip, tmp_path / "out", "--mask", first)
    labels = [read_labels(path) for path in sorted((tmp_path / "out/masks").iterdir())]
    np.testing.assert_array_equal(labels[0], read_labels(first))
    assert all((each == 2).any() for each in labels)
    if size == SIZE:
        assert all((each[:, 21] == 1).any() for each in labels)


def test_more_objects_than_a_png_can_tell_apart_are_refused(clip, tmp_path, capsys):
    ids = np.arange(64 * 48, dtype=np.uint16).reshape(48, 64) % 301
    Image.fromarray(ids).save(tmp_path / "many.png")
    out = ["--result_path", tmp_path / "out", "--whole_model_path", "stand-in"]
    line = error(capsys, osmn_segment.main, clip, *out, "--mask", tmp_path / "many.png")
    assert "many.png is a photograph, or has 301 objects, and at most 255 can be told apart" in line
    boxes = [word for _ in range(300) for word in ("--box", 8, 8, 20, 20)]
    assert "255" in error(capsys, osmn_segment.main, clip, *out, *boxes, *GRABCUT)
    assert not (tmp_path / "out/masks").exists() and not (tmp_path / "out/overlay.mp4").exists()


def test_a_folder_of_frames_is_a_video(tmp_path):
    for number in range(3):
        Image.new("RGB", SIZE).save(tmp_path / f"{number + 9}.JPG", "JPEG")
    first = mask(tmp_path / "first.bmp.png", {1: (8, 8, 30, 30)})
    first.rename(tmp_path / "out_first")
    folder = tmp_path / "frames"
    folder.mkdir()
    for path in tmp_path.glob("*.JPG"):
        path.rename(folder / path.name)
    segment(folder, tmp_path / "out", "--mask", tmp_path / "out_first")
    assert names(tmp_path / "out/masks") == ["10.png", "11.png", "9.png"]


def test_an_object_is_corrected_from_a_frame_on_and_frames_before_it_are_as_without(clip, tmp_path):
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30)})
    again = mask(tmp_path / "again.png", {1: (34, 16, 60, 44)})
    segment(clip, tmp_path / "plain", "--mask", first)
    segment(clip, tmp_path / "corrected", "--mask", first, "--mask", f"3:{again}")
    masks = [sorted((tmp_path / folder / "masks").iterdir()) for folder in ("plain", "corrected")]
    for number in range(3):
        assert masks[0][number].read_bytes() == masks[1][number].read_bytes()
    np.testing.assert_array_equal(read_labels(masks[1][3]), read_labels(again))
    after = read_labels(masks[1][4]) == 1
    assert after[20:40, 40:54].all() and not after[:, :30].any()


def test_an_object_may_be_given_at_a_later_time(clip, tmp_path):
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30)})
    later = mask(tmp_path / "later.png", {2: (36, 16, 60, 44)})
    segment(clip, tmp_path / "out", "--mask", first, "--mask", f"0.1s:{later}")
    seen = [set(np.unique(read_labels(path))) - {0} for path in sorted((tmp_path / "out/masks").iterdir())]
    assert seen[:2] == [{1}, {1}]  # Times are 0, 0.04, 0.16, ...
    assert seen[2] == {1, 2}


def test_a_grey_mask_of_0_and_255_is_one_object_and_one_of_the_same_shape_is_resized(clip, tmp_path, capsys):
    labels = np.zeros((96, 128), np.uint8)
    labels[16:60, 16:60] = 255
    Image.fromarray(labels).save(tmp_path / "first.png")
    segment(clip, tmp_path / "out", "--mask", tmp_path / "first.png")
    assert "first.png is resized to the video's size, 64x48" in capsys.readouterr().out
    expected = np.zeros(SIZE[::-1], np.uint8)
    expected[8:30, 8:30] = 1
    np.testing.assert_array_equal(read_labels(min((tmp_path / "out/masks").iterdir())), expected)


def test_part_of_a_video_and_its_scores(clip, tmp_path):
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30)})
    segment(clip, tmp_path / "out", "--mask", first, "--start", 1, "--end", 5, "--stride", 2, "--save_score")
    assert len(names(tmp_path / "out/masks")) == 2
    (scores,) = (tmp_path / "out/scores/1").iterdir()
    assert read_scores(scores).shape == SIZE[::-1]


def test_boxes_become_masks_to_look_at(clip, tmp_path):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 40, (*SIZE[::-1], 3), np.uint8)
    image[12:36, 16:44] = rng.integers(180, 220, (24, 28, 3), np.uint8)
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(2):
        Image.fromarray(image).save(folder / f"{number}.png")
    segment(folder, tmp_path / "out", "--box", 10, 8, 40, 32, *GRABCUT)
    found = read_labels(tmp_path / "out/first_mask.png")
    truth = np.zeros(SIZE[::-1], bool)
    truth[12:36, 16:44] = True
    assert ((found == 1) & truth).sum() / ((found == 1) | truth).sum() > 0.9
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out/first_frame.png")), image)
    np.testing.assert_array_equal(read_labels(tmp_path / "out/masks/0.png"), found)
    (tmp_path / "out/first_mask.png").unlink()
    segment(folder, tmp_path / "out", "--box", 10, 8, 40, 32, *GRABCUT)
    np.testing.assert_array_equal(read_labels(tmp_path / "out/first_mask.png"), found)


def test_a_share_without_videos_says_so(clip, tmp_path, capsys):
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30)})
    segment(clip, tmp_path / "out", "--mask", first, "--shard", "1/2")
    assert capsys.readouterr().out == "share 1/2 of 1 videos has none: there is nothing to do\n"


def test_mistakes_are_one_clear_line(clip, tmp_path, capsys):
    good = mask(tmp_path / "good.png", {1: (8, 8, 30, 30)})
    wide = mask(tmp_path / "wide.png", {1: (8, 8, 30, 30)}, (96, 48))
    empty = mask(tmp_path / "empty.png", {})
    out = ["--result_path", tmp_path / "out", "--whole_model_path", "stand-in"]
    assert "wide.png is 96x48, the video 64x48" in error(capsys, osmn_segment.main, clip, *out, "--mask", wide)
    assert "empty.png shows no object" in error(capsys, osmn_segment.main, clip, *out, "--mask", empty)
    assert "nothing.png does not exist" in error(
        capsys, osmn_segment.main, clip, *out, "--mask", tmp_path / "nothing.png"
    )
    assert "soon is neither a frame" in error(capsys, osmn_segment.main, clip, *out, "--mask", f"soon:{good}")
    assert "give --mask FILE, or --box" in error(capsys, osmn_segment.main, clip, *out)
    assert "gone.mp4" in error(capsys, osmn_segment.main, tmp_path / "gone.mp4", *out, "--mask", good)
    assert "--result_path must be given" in error(capsys, osmn_segment.main, clip, "--mask", good)
    assert "the box 90 0 5 5 is outside the frame, 64x48" in error(
        capsys, osmn_segment.main, clip, *out, "--box", 90, 0, 5, 5, *GRABCUT
    )
    for whole in ((0, 0, 64, 48), (0, 0, 2**31 - 1, 2**31 - 1)):
        assert f"the box {' '.join(map(str, whole))} is the whole frame" in error(
            capsys, osmn_segment.main, clip, *out, "--box", *whole, *GRABCUT
        )
    line = error(capsys, osmn_segment.main, clip, *out, "--mask", good, "--learning_rate", "1e-4")
    assert line == "error: --learning_rate does nothing without --finetune; give it too, or leave it out"
    assert not list((tmp_path / "out").glob("*.mp4"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--im_size", 16384, 16384], "an image of 16384x16384 pixels needs over 32 GiB"),
        (["--aligned_size", 16384, 16384], "an image of 16384x16384 pixels needs over 32 GiB"),
        (["--aligned_size", 32, 48], "images of 64x48 do not fit into the model's aligned size, 32x48"),
    ],
)
def test_what_cannot_fit_into_memory_is_refused_before_anything_is_written(
    clip, tmp_path, monkeypatch, capsys, options, message
):
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 2**22, "SC_PAGE_SIZE": 4096}.get)  # 16 GiB
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30)})
    fixed = ["--mask", first, "--result_path", tmp_path / "out", "--whole_model_path", "stand-in"]
    assert message in error(capsys, osmn_segment.main, clip, *fixed, *options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("place", "said"), [("99", "frame 99"), ("40s", "40s")])
def test_a_place_after_the_last_frame_is_named_at_once_and_what_was_segmented_stays(
    clip, tmp_path, capsys, place, said
):
    good = mask(tmp_path / "good.png", {1: (8, 8, 30, 30)})
    out = ["--result_path", tmp_path / "out", "--whole_model_path", "stand-in", "--im_size", *SIZE]
    with pytest.raises(SystemExit):
        osmn_segment.main(words(clip, *out, "--mask", good, "--mask", f"{place}:{good}"))
    first, *_, last = capsys.readouterr().err.splitlines()
    assert f"good.png at {said} seems to be for a place after the video's last frame; check its time or frame" in first
    assert f"good.png at {said} is for a place after the video's last frame" in last
    assert len(names(tmp_path / "out/masks")) == FRAMES
    assert (tmp_path / "out/overlay.mp4").is_file()


def test_without_a_shipped_model_a_line_says_what_to_give(clip, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(model_choice, "SHIPPED", tmp_path / "models/osmn_lite")
    good = mask(tmp_path / "good.png", {1: (8, 8, 30, 30)})
    line = error(capsys, osmn_segment.main, clip, "--result_path", tmp_path / "out", "--mask", good)
    assert "models/osmn_lite is not there; give a model, --whole_model_path MODEL" in line


def test_the_overlay_shows_the_masks(clip, tmp_path):
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30)})
    segment(clip, tmp_path / "out", "--mask", first)
    with av.open(str(tmp_path / "out/overlay.mp4")) as container:
        shown = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    expected = overlay(np.full((*SIZE[::-1], 3), 10, np.uint8), read_labels(first)).astype(int)
    assert np.abs(shown[12:26, 12:26].mean(axis=(0, 1)) - expected[12:26, 12:26].mean(axis=(0, 1))).max() < 12


@pytest.fixture
def clips(clip, tmp_path):
    """Return two clips and the folder of their masks."""
    other = tmp_path / "other.mkv"
    shutil.copy(clip, other)
    masks = tmp_path / "masks of mine"
    masks.mkdir()
    mask(masks / f"{clip.stem}.png", {1: (8, 8, 30, 30)})
    mask(masks / "other.png", {2: (36, 16, 60, 44)})
    return [clip, other], masks


def test_several_videos_have_a_folder_each_and_masks_of_their_names(clips, tmp_path):
    paths, masks = clips
    segment(paths, tmp_path / "out", "--mask", masks)
    for path in paths:
        first = min((tmp_path / "out" / path.stem / "masks").iterdir())
        np.testing.assert_array_equal(read_labels(first), read_labels(masks / f"{path.stem}.png"))


def test_shares_of_several_videos_make_the_files_of_one_run(clips, tmp_path):
    paths, masks = clips
    segment(paths, tmp_path / "whole", "--mask", masks)
    segment(paths, tmp_path / "shares", "--mask", masks, "--shard", "0/2")
    assert names(tmp_path / "shares") == [paths[0].stem]
    segment(paths, tmp_path / "shares", "--mask", masks, "--shard", "1/2")
    for path in (tmp_path / "whole").rglob("*.png"):
        assert path.read_bytes() == (tmp_path / "shares" / path.relative_to(tmp_path / "whole")).read_bytes()


def test_a_mask_that_is_missing_is_named_before_any_video_is_segmented(clips, tmp_path, capsys):
    paths, masks = clips
    (masks / "other.png").unlink()
    out = ["--result_path", tmp_path / "out", "--whole_model_path", "stand-in", "--mask", masks]
    assert "other.png does not exist; give a mask" in error(capsys, osmn_segment.main, *paths, *out)
    assert not (tmp_path / "out").exists()


def test_videos_of_one_name_are_refused(clip, tmp_path, capsys):
    (tmp_path / "there").mkdir()
    other = tmp_path / "there" / clip.with_suffix(".mp4").name
    shutil.copy(clip, other)
    good = mask(tmp_path / "good.png", {1: (8, 8, 30, 30)})
    out = ["--result_path", tmp_path / "out", "--whole_model_path", "stand-in"]
    assert f"would have one folder of results, {clip.stem}; rename one" in error(
        capsys, osmn_segment.main, clip, other, *out, "--mask", good
    )


def test_a_cutout_is_transparent_around_its_object(clip, tmp_path):
    first = mask(tmp_path / "first.png", {1: (8, 8, 30, 30), 7: (36, 16, 56, 40)})
    segment(clip, tmp_path / "out", "--mask", first, "--cutout")
    assert names(tmp_path / "out") == [
        ".osmn-finished", "cutout_1.webm", "cutout_7.webm", "masks", "overlay.mp4", "run.json"
    ]  # fmt: skip
    for object_id in (1, 7):
        path = tmp_path / f"out/cutout_{object_id}.webm"
        with av.open(str(path)) as container:
            decoder = av.CodecContext.create("libvpx-vp9", "r")  # FFmpeg's own VP9 decoder drops alpha.
            decoded = [f for packet in container.demux(video=0) for f in decoder.decode(packet)]
        assert len(decoded) == FRAMES
        alpha = decoded[0].to_ndarray(format="rgba")[..., 3]
        np.testing.assert_array_equal(alpha > 127, read_labels(first) == object_id)
