"""Videos to result files: which there are, what is in them, what an interrupted run leaves."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.followed_videos import SMALL, segment
from helpers.stand_ins import Follower
from helpers.trees import files
from osmn.config import ModelConfig
from osmn.data import davis as davis_data
from osmn.data.types import Reference, Video
from osmn.errors import InputError
from osmn.files.images import read_labels, write_labels
from osmn.files.scores import read_scores
from osmn.inference import segmenting
from osmn.inference.options import SegmentingOptions
from osmn.inference.predictor import Predictor
from osmn.inference.segmenting import segment_videos
from osmn.masks import davis_palette
from osmn.models.engines.tensorflow import TensorFlowEngine
from osmn.models.tensorflow_model import Model
from osmn.results import layout

FRAMES = [f"{number:05d}" for number in range(5)]


def expected_results(video):
    """Return the Segmentations of a video's frames, the first one's without objects."""
    predictor = Predictor(TensorFlowEngine(Follower()), SMALL)
    return [segmentation for _, segmentation, _ in segmenting.follow(predictor, video)]


def test_results_of_a_video_with_ids_are_masks_per_object_and_merged_frames(video, tmp_path):
    segment(video, tmp_path)
    assert files(tmp_path) == sorted(layout.video_files(video))
    names = [f"{folder}{frame}.png" for folder in ("", "1/", "2/") for frame in FRAMES]
    assert files(tmp_path / video.name) == sorted(names)
    segmentations = expected_results(video)
    assert any(mask.any() for mask in segmentations[1].masks)
    for object_id in (1, 2):
        for frame, result in zip(FRAMES, segmentations, strict=True):
            with Image.open(tmp_path / video.name / str(object_id) / f"{frame}.png") as image:
                assert (image.mode, image.size) == ("L", SMALL)
                mask = np.asarray(image)
            if frame == "00000":
                assert not mask.any()
            else:
                np.testing.assert_array_equal(mask, 255 * result.masks[object_id - 1].astype(np.uint8))


def test_merged_frames_have_the_annotations_size_and_palette_and_the_first_is_the_annotation(video, tmp_path):
    segment(video, tmp_path)
    annotation = read_labels(video.references[0].mask)
    np.testing.assert_array_equal(read_labels(tmp_path / video.name / "00000.png"), annotation)
    for frame, result in zip(FRAMES[1:], expected_results(video)[1:], strict=True):
        with Image.open(tmp_path / video.name / f"{frame}.png") as image:
            assert (image.mode, image.size) == ("P", (64, 48))
            assert tuple(image.getpalette()) == davis_palette()
            labels = np.asarray(image)
        first, second = result.probabilities
        merged = np.where(np.maximum(first, second) > 0.5, np.where(second > first, 2, 1), 0)
        np.testing.assert_array_equal(labels, merged.repeat(2, axis=0).repeat(2, axis=1))


def test_results_of_2016_lie_in_the_videos_folder_without_ids(davis, tmp_path):
    video = davis_data.videos(davis, 2016, "val")[1]
    segment(video, tmp_path, save_score=True)
    assert files(tmp_path / video.name) == sorted([f"{f}.png" for f in FRAMES] + [f"{f}.npy" for f in FRAMES[1:]])
    assert files(tmp_path) == sorted(layout.video_files(video, layout.Output(save_score=True)))
    for frame in FRAMES:
        with Image.open(tmp_path / video.name / f"{frame}.png") as image:
            assert (image.mode, image.size) == ("L", SMALL)
            assert np.any(image) == (frame != "00000")


def test_scores_are_saved_on_demand_at_the_networks_size_but_not_for_the_first_frame(video, tmp_path):
    segment(video, tmp_path, save_score=True)
    for number, result in enumerate(expected_results(video)):
        for object_id in (1, 2):
            path = tmp_path / video.name / f"{object_id}/{number:05d}.npy"
            assert path.exists() == (number > 0)
            if number:
                score = read_scores(path)
                assert score.dtype == np.float32
                np.testing.assert_allclose(score, result.probabilities[object_id - 1], atol=1e-6)


def test_scores_of_an_earlier_run_are_removed(video, tmp_path):
    segment(video, tmp_path, save_score=True)
    segment(video, tmp_path)
    assert not list(tmp_path.rglob("*.npy"))


def test_progress_is_told_of_every_frame(video, tmp_path):
    ticks = []
    segment(video, tmp_path, progress=lambda: ticks.append(1))
    assert len(ticks) == 5


def test_an_object_absent_from_the_first_frame_gets_its_files_too(davis, video, tmp_path):
    labels = read_labels(video.references[0].mask)
    write_labels(tmp_path / "first.png", np.where(labels == 2, 3, labels))
    absent = Video(video.name, video.frames, {0: Reference(tmp_path / "first.png", (1, 2, 3))})
    segment(absent, tmp_path / "results")
    for frame in FRAMES:
        assert not read_labels(tmp_path / "results" / video.name / f"2/{frame}.png").any()
    assert read_labels(tmp_path / "results" / video.name / "3/00001.png").any()


def test_an_object_that_its_reference_mask_does_not_show_is_said(video, tmp_path, messages, capsys):
    write_labels(tmp_path / "first.png", read_labels(video.references[0].mask) == 1)
    segment(video._replace(references={0: Reference(tmp_path / "first.png", (1, 2))}), tmp_path / "results")
    assert f"{tmp_path}/first.png does not show object 2: it starts empty\n" in capsys.readouterr().err


def test_an_interrupted_run_leaves_only_whole_files(video, tmp_path):
    ticks = iter(range(3))

    def interrupt():
        if next(ticks) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        segment(video, tmp_path, save_score=True, progress=interrupt)
    assert {Path(name).stem for name in files(tmp_path)} == {"00000", "00001", "00002"}
    for path in tmp_path.rglob("*.png"):
        read_labels(path)
    for path in tmp_path.rglob("*.npy"):
        read_scores(path)


# -- Several videos ---------------------------------------------------------------------------------------------------


def run(davis, folder, model=None, **changes):
    """Segment the fixture's videos of DAVIS 2017; return the Options."""
    options = dataclasses.replace(SegmentingOptions(str(folder), SMALL), **changes)
    videos = davis_data.videos(davis, 2017, "val")
    segment_videos(model or Model(Follower(), "float32"), videos, options, {"data_path": "davis"})


def times(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.png")}


def test_finished_videos_are_left_out_when_a_run_is_repeated(davis, tmp_path, messages, capsys):
    run(davis, tmp_path)
    before = times(tmp_path)
    run(davis, tmp_path)
    assert times(tmp_path) == before
    assert f"2 of 2 videos are finished in {tmp_path}: left out" in capsys.readouterr().out


def test_a_video_that_lacks_a_file_is_segmented_again(davis, video, tmp_path):
    run(davis, tmp_path, save_score=True)
    before, content = times(tmp_path), {p: p.read_bytes() for p in tmp_path.rglob("*.npy")}
    (tmp_path / video.name / "2/00003.npy").unlink()
    run(davis, tmp_path, save_score=True)
    changed = {path for path, time in times(tmp_path).items() if time != before[path]}
    assert changed == {path for path in before if video.name in path.parts}
    assert {p: p.read_bytes() for p in tmp_path.rglob("*.npy")} == content


def test_asking_for_scores_later_makes_them(davis, tmp_path):
    run(davis, tmp_path)
    run(davis, tmp_path, save_score=True)
    assert len(list(tmp_path.rglob("*.npy"))) == 3 * 4


def test_shards_together_write_the_files_of_one_run(davis, tmp_path):
    run(davis, tmp_path / "whole")
    for index in range(2):
        run(davis, tmp_path / "shards", shard=(index, 2))
    assert files(tmp_path / "shards") == files(tmp_path / "whole")
    for name in files(tmp_path / "whole"):
        assert (tmp_path / "shards" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_results_of_other_options_are_refused_and_replaced_on_demand(davis, tmp_path):
    run(davis, tmp_path)
    before = times(tmp_path)
    with pytest.raises(InputError, match=r"im_size was \[32, 24\], is \[64, 48\]"):
        run(davis, tmp_path, im_size=(64, 48))
    assert times(tmp_path) == before
    run(davis, tmp_path, im_size=(64, 48), overwrite=True)
    assert not set(times(tmp_path).items()) & set(before.items())


def test_a_model_that_has_just_been_trained_replaces_the_results_of_its_predecessor(davis, tmp_path):
    videos, options = davis_data.videos(davis, 2017, "val"), SegmentingOptions(str(tmp_path), SMALL)
    run(davis, tmp_path)
    other = Follower()
    other.config = ModelConfig(no_visual_modulator=True, scale_value=0.5)
    with pytest.raises(InputError, match=r"scale_value was 1\.0, is 0\.5"):
        segment_videos(Model(other, "float32"), videos, options, {"data_path": "davis"})
    segment_videos(Model(other, "float32"), videos, options, {"data_path": "davis"}, replace=True)
