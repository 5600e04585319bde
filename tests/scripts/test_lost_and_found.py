"""The clips of `benchmarks.lost_and_found`: an object that is hidden for some frames; what such benchmarks refuse."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import guides, look_alikes
from benchmarks.lost_and_found import COMES, HIDDEN, LAST, Hiding, draw_hiding, hidden, pasted, scores, summary
from helpers.davis_sequences import BOX, write_sequence
from helpers.scripts import error
from osmn.data.davis import complete_annotations, videos
from osmn.files.images import read_image, write_image
from osmn.inference.predictor import Predictor

COUNT, HEIGHT, WIDTH = 30, 40, 80
SIZE = (64, 48)  # (width, height).
PICTURE = np.full((4, 4, 3), 200, np.uint8)
FRAMES = [np.zeros((HEIGHT, WIDTH, 3), np.uint8) for _ in range(COUNT)]


def square(left, top=14, side=10):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[top : top + side, left : left + side] = True
    return mask


MASKS = [square(20 + number) for number in range(COUNT)]


@pytest.mark.parametrize("side", [-1, 1])
def test_the_object_is_covered_from_the_first_frame_to_the_last_and_seen_before_and_after(side):
    hiding = Hiding(8, 15, side)
    clip = hidden(FRAMES, MASKS, PICTURE, hiding)
    seen = np.array([truth.sum() for truth in clip.truths])
    assert np.flatnonzero(seen == 0).tolist() == list(range(8, 15))
    touched = np.flatnonzero(seen < 100)
    assert touched[0] > 8 - COMES and touched[-1] < 15 + COMES - 1
    for frame, truth, mask in zip(clip.frames, clip.truths, MASKS, strict=True):
        np.testing.assert_array_equal(truth, mask & (frame[..., 0] == 0))
    # It comes from one side and leaves at the other.
    before, after = (np.flatnonzero((clip.frames[n] > 0).any((0, 2))).mean() - 25 - n for n in (7, 15))
    assert np.sign(before) == -side and np.sign(after) == side


def test_an_object_that_has_left_is_hidden_where_it_was_last_seen():
    masks = [*MASKS[:9], *[np.zeros_like(MASKS[0])] * (COUNT - 9)]
    clip = hidden(FRAMES, masks, PICTURE, Hiding(8, 15, 1))
    np.testing.assert_array_equal(clip.frames[14], clip.frames[8])
    assert not any(truth.any() for truth in clip.truths[9:])


def test_a_picture_that_is_beside_the_frame_changes_nothing():
    frame, covered = pasted(FRAMES[0], PICTURE, (-20, 5, -3, 25))
    assert not covered.any() and not frame.any()
    frame, covered = pasted(FRAMES[0], PICTURE, (-5, 30, 5, 50))
    np.testing.assert_array_equal(covered, (frame > 0).all(-1))
    assert covered.sum() == 5 * 10 and covered[30:, :5].all()


def test_an_object_is_hidden_for_five_to_ten_frames_and_seen_in_enough_frames_afterwards():
    drawn = [draw_hiding(np.random.default_rng(seed), 40) for seed in range(200)]
    assert {each.end - each.start for each in drawn} == set(range(HIDDEN[0], HIDDEN[1] + 1))
    assert {each.side for each in drawn} == {-1, 1}
    assert min(each.start for each in drawn) - COMES >= 2
    assert max(each.end for each in drawn) + COMES + LAST < 40
    shortest = 2 + 2 * COMES + LAST + 1 + HIDDEN[0]
    assert draw_hiding(np.random.default_rng(0), shortest) and not draw_hiding(np.random.default_rng(0), shortest - 1)


class Still:
    """An engine whose objects stay where they are."""

    def gammas(self, frame, mask):
        return []

    def segment(self, frame, masks, gammas):
        return masks.astype(np.float32), masks


def test_j_before_and_after_are_those_of_the_frames_in_which_nothing_touches_the_object():
    clip = hidden(FRAMES, [MASKS[0]] * COUNT, PICTURE, Hiding(8, 15, 1))
    j = scores(Predictor(Still()), clip)
    assert len(j) == COUNT - 1 and j[7] == 0  # Of frame 8; the first score is that of frame 1.
    assert summary(j, clip.hiding) == (1, 1, 1)
    lost = np.where(np.arange(1, COUNT) < 8, 1.0, 0.0)
    lost[-LAST - 1 : -1] = 0.75
    before, after, last = summary(lost, clip.hiding)
    counted = COUNT - 1 - (15 + COMES)
    assert (before, last) == (1, 0.75) and after == pytest.approx(0.75 * LAST / counted)


@pytest.mark.parametrize(
    ("benchmark", "option"),
    [(guides, "boundaries"), (guides, "window"), (look_alikes, "crf_postprocessing"), (look_alikes, "target_model")],
)
def test_a_benchmark_refuses_an_option_that_it_would_not_heed(benchmark, option, capsys):
    line = f"--{option} has no part in what is measured here; leave it out"
    assert error(capsys, benchmark.main, "--whole_model_path", "none", f"--{option}") == f"error: {line}"


class Guided(Still):
    """An engine whose objects stay where they are if their gammas are 1, and are lost if they are not."""

    def gammas(self, frame, mask):
        return [np.ones((1, 1, 1, 1), np.float32)]

    def segment(self, frame, masks, gammas):
        masks = masks & (gammas[0] == 1)[..., 0]
        return masks.astype(np.float32), masks


def test_with_others_gammas_an_object_is_lost_in_a_video_and_in_single_steps(video, davis):
    annotations = complete_annotations(davis, [video])[video.name]
    args = SimpleNamespace(im_size=SIZE, target_model=False, every=None)
    for measure, count in ((guides.in_video, len(video.frames) - 2), (guides.in_steps, 1)):
        own = measure(Guided(), video, annotations, args)
        others = measure(Guided(), video, annotations, args, [np.zeros((1, 1, 1, 1), np.float32)])
        assert own.shape == others.shape == (count, len(video.object_ids), 2)
        assert own[..., 0].mean() > 0.3 and not others.any()
    args.every = 2
    assert len(guides.in_video(Guided(), video, annotations, args)) == (len(video.frames) + 1) // 2 - 2


class Named(Still):
    """An engine whose gammas are the color of the object's frame; an object is lost with others than its own."""

    def gammas(self, frame, mask):
        return [np.full((1, 1, 1, 1), frame[0, 0, 0], np.float32)]

    def segment(self, frame, masks, gammas):
        masks = masks & (np.abs(gammas[0] - frame[0, 0, 0]) < 3)[..., 0]
        return masks.astype(np.float32), masks


@pytest.mark.parametrize("more", [(), ("--videos",)], ids=str)
def test_the_table_of_guides_has_what_the_mean_and_what_another_objects_guide_cost(tmp_path, monkeypatch, capsys, more):
    for name, color in (("dark", 20), ("bright", 200)):
        write_sequence(tmp_path, name, {1: [BOX] * 4})
        for path in (tmp_path / "JPEGImages/480p" / name).iterdir():
            write_image(path, np.full_like(read_image(path), color))
    model = SimpleNamespace(start_engine=lambda pad: Named())
    found = videos(tmp_path, 2016, "train")
    args = SimpleNamespace(data_path=tmp_path, data_version=2016, vg_pad_ratio=0, im_size=SIZE, target_model=False)
    args.every, args.videos = 1, bool(more)
    monkeypatch.setattr(guides, "begin", lambda *_: (args, model, found, complete_annotations(tmp_path, found)))
    guides.main([])
    header, *_, mean = capsys.readouterr().out.splitlines()
    assert " ".join(header.split()) == "object IoU area other IoU other area another's IoU another's area"
    own, _, other, _, anothers, _ = map(float, mean.split()[1:])
    assert own > 0.9 and other == anothers == 0
