"""Propagation through videos and the files it writes; the masks of the published program."""

import argparse
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from osmn import checkpoints, crf, inference, networks, samples
from osmn.data import davis as davis_data
from osmn.data.types import Reference, Video
from osmn.errors import InputError
from osmn.files import read_image, read_labels, read_scores, write_labels
from osmn.inference import FirstView, Propagator, WriteBehind, read_ahead, segment_video
from osmn.masks import davis_palette
from osmn.samples import SampleOptions

PLAIN = SampleOptions(mean_value=(0, 0, 0))
LITE = SampleOptions(mean_value=(127.5, 127.5, 127.5), scale_value=0.00787)


class Follower:
    """A stand-in for a network: an object is where the spatial guide is high, unless the frame is bright.

    An object has one gamma, its guide's mean, which scales the logits.
    """

    options = networks.NetworkOptions()

    def gammas(self, guide, execution):
        return [tf.reduce_mean(guide, axis=[1, 2, 3], keepdims=True)]

    def segment(self, image, spatial, gammas, execution):
        logits = 8 * (spatial - 0.5) - tf.reduce_max(image)
        return logits * gammas[0] if gammas else logits


class BlindFollower(Follower):
    options = networks.NetworkOptions(visual_modulator=False)


def dark(count, shape=(24, 32)):
    return [np.zeros((*shape, 3), np.uint8) for _ in range(count)]


def box(left, top, right, bottom, shape=(24, 32)):
    mask = np.zeros(shape, bool)
    mask[top:bottom, left:right] = True
    return mask


def view(mask):
    return FirstView(np.full((*mask.shape, 3), 200, np.uint8), mask)


def propagate(network, frames, starts, options=PLAIN, refine=None):
    return list(Propagator(network, options, refine).run(frames, starts))


def followed(mask):
    """Return what `BlindFollower` makes of a dark frame after one with this mask."""
    return tf.sigmoid(8 * (samples.spatial_guide(mask[None], PLAIN)[0, ..., 0] - 0.5)).numpy()


# -- Propagation ------------------------------------------------------------------------------------------------------


def test_frame_1_is_guided_by_the_given_mask_and_later_frames_by_the_predicted_one():
    given = box(8, 6, 22, 18)
    _, first, second = propagate(BlindFollower(), dark(3), {0: {1: view(given)}})
    np.testing.assert_allclose(first.probabilities[0], followed(given), atol=1e-6)
    np.testing.assert_array_equal(first.masks, first.probabilities > 0.5)
    assert not np.array_equal(first.masks[0], given)
    np.testing.assert_allclose(second.probabilities[0], followed(first.masks[0]), atol=1e-6)


def test_spatial_guides_are_not_perturbed():
    starts = {0: {1: view(box(8, 6, 22, 18))}}
    runs = [propagate(BlindFollower(), dark(3), starts)[-1].probabilities for _ in range(2)]
    np.testing.assert_array_equal(*runs)


def test_results_are_numpy_arrays_in_the_order_of_the_objects():
    masks = {7: box(0, 0, 10, 10), 2: box(12, 8, 26, 20)}
    nothing, first = propagate(BlindFollower(), dark(2), {0: {i: view(mask) for i, mask in masks.items()}})
    assert nothing.object_ids == ()
    assert nothing.probabilities.shape == nothing.masks.shape == (0, 24, 32)
    assert first.object_ids == (7, 2)
    assert isinstance(first.probabilities, np.ndarray) and first.probabilities.dtype == np.float32
    assert isinstance(first.masks, np.ndarray) and first.masks.dtype == bool
    for object_id, probability in zip(first.object_ids, first.probabilities, strict=True):
        np.testing.assert_allclose(probability, followed(masks[object_id]), atol=1e-6)


def test_an_object_that_starts_late_joins_the_results_in_the_next_frame_guided_by_its_given_mask():
    early, late = box(2, 2, 12, 12), box(14, 8, 30, 20)
    results = propagate(BlindFollower(), dark(5), {0: {1: view(early)}, 2: {5: view(late)}})
    assert [result.object_ids for result in results] == [(), (1,), (1,), (1, 5), (1, 5)]
    np.testing.assert_allclose(results[3].probabilities[1], followed(late), atol=1e-6)
    alone = propagate(BlindFollower(), dark(5), {0: {1: view(early)}})
    for result, expected in zip(results[1:], alone[1:], strict=True):
        np.testing.assert_allclose(result.probabilities[0], expected.probabilities[0], atol=1e-6)


def test_a_video_may_start_without_objects():
    results = propagate(BlindFollower(), dark(3), {1: {1: view(box(2, 2, 12, 12))}})
    assert [result.object_ids for result in results] == [(), (), (1,)]


def test_an_object_that_is_absent_where_it_starts_stays_blank_guided():
    present = box(8, 6, 22, 18)
    starts = {0: {1: view(box(0, 0, 0, 0)), 2: view(present)}}
    results = propagate(BlindFollower(), dark(3), starts)
    for result in results[1:]:
        np.testing.assert_allclose(result.probabilities[0], 1 / (1 + np.exp(4)), atol=1e-6)
        assert not result.masks[0].any()
    np.testing.assert_allclose(results[1].probabilities[1], followed(present), atol=1e-6)


def test_after_an_empty_prediction_the_guide_is_all_zero():
    frames = dark(4)
    frames[1] += 255
    _, blinded, after, last = propagate(BlindFollower(), frames, {0: {1: view(box(8, 6, 22, 18))}})
    assert not blinded.masks.any()
    for result in (after, last):
        np.testing.assert_allclose(result.probabilities, 1 / (1 + np.exp(4)), atol=1e-6)


def test_visual_parameters_are_computed_once_per_object_from_its_own_first_view():
    calls = []

    class Counting(Follower):
        def gammas(self, guide, execution):
            tf.py_function(lambda g: calls.append(float(tf.reduce_mean(g))), [guide], [])
            return super().gammas(guide, execution)

    views = {i: FirstView(np.full((24, 32, 3), i, np.uint8), box(4, 4, 20, 20)) for i in (1, 3)}
    results = propagate(Counting(), dark(4), {0: {1: views[1]}, 1: {3: views[3]}})
    assert len(calls) == 2
    assert calls[1] == pytest.approx(3 * calls[0])
    # Logits are 8 (guide - 0.5) times the gamma: object 3's are that of its own view.
    guide = samples.visual_guide(views[3].frame, views[3].mask, PLAIN)
    expected = 8 * (samples.spatial_guide(views[3].mask[None], PLAIN)[0, ..., 0] - 0.5) * tf.reduce_mean(guide)
    np.testing.assert_allclose(results[2].probabilities[1], tf.sigmoid(expected), atol=1e-5)


def test_first_views_may_have_another_size_than_the_frames():
    given = box(16, 12, 44, 36, (48, 64))
    _, first = propagate(BlindFollower(), dark(2), {0: {1: view(given)}})
    np.testing.assert_allclose(first.probabilities[0], followed(given[::2, ::2]), atol=1e-6)


def test_refined_masks_are_returned_and_propagated():
    small = box(1, 1, 9, 9)
    refined = []

    def refine(frame, mask):
        refined.append((frame, mask))
        return small

    frames = dark(3)
    results = propagate(BlindFollower(), frames, {0: {1: view(box(8, 6, 22, 18))}}, refine=refine)
    assert len(refined) == 2
    assert refined[0][0] is frames[1]
    np.testing.assert_array_equal(refined[0][1], results[1].probabilities[0] > 0.5)
    np.testing.assert_array_equal(results[1].masks[0], small)
    np.testing.assert_allclose(results[2].probabilities[0], followed(small), atol=1e-6)


def test_frames_are_taken_one_at_a_time():
    taken = []

    def frames():
        for number, frame in enumerate(dark(6)):
            taken.append(number)
            yield frame

    results = Propagator(BlindFollower(), PLAIN).run(frames(), {0: {1: view(box(2, 2, 12, 12))}})
    for count in range(1, 7):
        next(results)
        assert len(taken) == count


@pytest.fixture(scope="module")
def lite():
    """Return `lite` with random weights under which masks are neither empty nor full, and differ."""
    network = networks.build(networks.NetworkOptions(base_model="lite"))
    rng = np.random.default_rng(0)
    for name, variable in network.tf1_variables().items():
        if name.endswith("weights"):
            fan_in = np.prod(variable.shape[: 2 if "depthwise" in name else 3])
            variable.assign(rng.normal(0, np.sqrt(2 / fan_in), variable.shape))
    return network


def one_at_a_time(network, frames, first):
    """Return an object's probabilities (T - 1, H, W) by whole calls of the network, nothing shared, nothing kept."""
    guide = samples.visual_guide(first.frame, first.mask, LITE)[None]
    mask, probabilities = first.mask, []
    for frame in frames[1:]:
        logits = network(guide, samples.spatial_guide(mask[None], LITE), samples.normalize(frame, LITE)[None])
        probabilities.append(tf.sigmoid(logits)[0, ..., 0].numpy())
        mask = probabilities[-1] > 0.5
    return np.stack(probabilities)


def test_objects_together_equal_one_at_a_time(lite):
    rng = np.random.default_rng(1)
    frames = list(rng.integers(0, 256, (4, 64, 96, 3), np.uint8))
    masks = [box(10, 10, 40, 30, (64, 96)), box(50, 5, 90, 60, (64, 96)), box(30, 40, 60, 62, (64, 96))]
    views = {i: FirstView(frames[0], mask) for i, mask in enumerate(masks, 1)}
    together = propagate(lite, frames, {0: views}, LITE)
    apart = np.stack([one_at_a_time(lite, frames, first) for first in views.values()], axis=1)
    assert 0.02 < (apart > 0.5).mean() < 0.98
    assert np.abs(apart[:, 0] - apart[:, 1]).max() > 0.1
    np.testing.assert_allclose([result.probabilities for result in together[1:]], apart, atol=1e-4)


def test_network_for_inference_has_the_same_weights_in_the_precision_asked_for(lite):
    assert inference.for_inference(lite, "float32") is lite
    copy = inference.for_inference(lite, "bfloat16")
    assert copy.compute_dtype == "bfloat16"
    for name, variable in copy.tf1_variables().items():
        np.testing.assert_allclose(
            tf.cast(variable.value, tf.float32), lite.tf1_variables()[name].value, rtol=2**-8, err_msg=name
        )


# -- Reading ahead, writing behind ------------------------------------------------------------------------------------


def test_read_ahead_keeps_the_order_and_takes_only_some_paths_ahead():
    taken = []

    def paths():
        for number in range(12):
            taken.append(number)
            yield number

    def read(path):
        time.sleep(0.001 * (path % 3))
        return -path

    for count, value in enumerate(read_ahead(read, paths(), ahead=3)):
        assert value == -count
        assert len(taken) == min(count + 4, 12)


def test_read_ahead_of_fewer_paths_than_it_may_read():
    assert list(read_ahead(str, [1, 2], ahead=4)) == ["1", "2"]
    assert list(read_ahead(str, [])) == []


def test_read_ahead_passes_an_error_on_where_its_path_comes(tmp_path):
    for number in (0, 2):
        Image.new("RGB", (4, 4)).save(tmp_path / f"{number}.jpg")
    frames = read_ahead(read_image, [tmp_path / f"{number}.jpg" for number in range(3)])
    next(frames)
    with pytest.raises(InputError, match=r"1\.jpg does not exist"):
        next(frames)


def test_writes_are_done_in_order_by_the_end_of_the_block():
    done = []
    with WriteBehind() as write:
        for number in range(100):
            write(done.append, number)
    assert done == list(range(100))


def test_at_most_a_limit_of_writes_is_pending():
    go, done = threading.Event(), []

    def slow(number):
        go.wait(10)
        done.append(number)

    with WriteBehind(limit=3) as write:
        for number in range(3):
            write(slow, number)
        assert not done
        threading.Timer(0.05, go.set).start()
        for number in range(3, 20):
            write(slow, number)
            assert number + 1 - len(done) <= 3


def fail():
    raise OSError("disk full")


def test_a_write_error_comes_out_at_the_end_of_the_block():
    with pytest.raises(OSError, match="disk full"), WriteBehind() as write:
        write(fail)


def test_a_write_error_comes_out_at_a_later_call():
    calls = 0
    with pytest.raises(OSError, match="disk full"), WriteBehind(limit=2) as write:
        write(fail)
        for _ in range(10):
            write(str)
            calls += 1
    assert calls == 1  # The next but one waits for the failed write.


def test_an_error_in_the_block_is_not_hidden_by_one_in_a_write():
    with pytest.raises(KeyError), WriteBehind() as write:
        write(fail)
        raise KeyError


# -- Result files -----------------------------------------------------------------------------------------------------

DARKENED = SampleOptions(scale_value=0)  # For `BlindFollower`: only the guide counts.
SMALL = (32, 24)  # The network's size; the annotations of the fixture are 64x48.


@pytest.fixture
def video(davis):
    """Return the video of the fixture that has two objects."""
    return davis_data.videos(davis, 2017, "val")[1]


def segment(video, folder, propagator=None, **options):
    segment_video(
        propagator or Propagator(BlindFollower(), SampleOptions(scale_value=0)), video, folder, SMALL, **options
    )


def listed(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def expected_results(video):
    """Return the results of `segment`, computed in memory."""
    frames = [read_image(path, SMALL) for path in video.frames]
    return propagate(BlindFollower(), frames, inference.first_views(video), DARKENED)


FRAMES = [f"{number:05d}" for number in range(5)]


def test_results_of_a_video_with_ids_are_masks_per_object_and_merged_frames(video, tmp_path):
    segment(video, tmp_path)
    assert listed(tmp_path) == sorted(f"{folder}{frame}.png" for folder in ("", "1/", "2/") for frame in FRAMES)
    results = expected_results(video)
    assert any(mask.any() for mask in results[1].masks)
    for object_id in (1, 2):
        for frame, result in zip(FRAMES, results, strict=True):
            with Image.open(tmp_path / str(object_id) / f"{frame}.png") as image:
                assert (image.mode, image.size) == ("L", SMALL)
                mask = np.asarray(image)
            if frame == "00000":
                assert not mask.any()
            else:
                np.testing.assert_array_equal(mask, 255 * result.masks[object_id - 1].astype(np.uint8))


def test_merged_frames_have_the_annotations_size_and_palette_and_the_first_is_the_annotation(video, tmp_path):
    segment(video, tmp_path)
    annotation = read_labels(video.references[0].mask)
    np.testing.assert_array_equal(read_labels(tmp_path / "00000.png"), annotation)
    for frame, result in zip(FRAMES[1:], expected_results(video)[1:], strict=True):
        with Image.open(tmp_path / f"{frame}.png") as image:
            assert (image.mode, image.size) == ("P", (64, 48))
            assert image.getpalette() == davis_palette()
            labels = np.asarray(image)
        first, second = result.probabilities
        merged = np.where(np.maximum(first, second) > 0.5, np.where(second > first, 2, 1), 0)
        np.testing.assert_array_equal(labels, merged.repeat(2, axis=0).repeat(2, axis=1))


def test_results_of_2016_lie_in_the_videos_folder_without_ids(davis, tmp_path):
    video = davis_data.videos(davis, 2016, "val")[1]
    segment(video, tmp_path, save_score=True)
    assert listed(tmp_path) == sorted([f"{f}.png" for f in FRAMES] + [f"{f}.npy" for f in FRAMES[1:]])
    for frame in FRAMES:
        with Image.open(tmp_path / f"{frame}.png") as image:
            assert (image.mode, image.size) == ("L", SMALL)
            assert np.any(image) == (frame != "00000")


def test_scores_are_saved_on_demand_at_the_networks_size_but_not_for_the_first_frame(video, tmp_path):
    segment(video, tmp_path, save_score=True)
    for number, result in enumerate(expected_results(video)):
        for object_id in (1, 2):
            path = tmp_path / f"{object_id}/{number:05d}.npy"
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
        assert not read_labels(tmp_path / f"results/2/{frame}.png").any()
    assert read_labels(tmp_path / "results/3/00001.png").any()


def test_an_interrupted_run_leaves_only_whole_files(video, tmp_path):
    ticks = iter(range(3))

    def interrupt():
        if next(ticks) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        segment(video, tmp_path, save_score=True, progress=interrupt)
    assert {Path(name).stem for name in listed(tmp_path)} == {"00000", "00001", "00002"}
    for path in tmp_path.rglob("*.png"):
        read_labels(path)
    for path in tmp_path.rglob("*.npy"):
        read_scores(path)


def test_a_killed_write_leaves_no_file_under_the_results_name(tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path; from osmn.files import replacing\n"
        "with replacing(Path(sys.argv[1])) as path:\n"
        "    path.write_bytes(b'half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    root = Path(inference.__file__).parent.parent
    killed = subprocess.run([sys.executable, "-c", code, tmp_path / "00001.png"], cwd=root)
    assert killed.returncode == -9
    assert [name for name in listed(tmp_path) if not name.startswith(".")] == []


# -- CRF --------------------------------------------------------------------------------------------------------------


def test_crf_turns_a_noisy_mask_into_the_square_in_the_frame():
    pytest.importorskip("pydensecrf")
    square = box(20, 15, 45, 40, (60, 70))
    frame = np.where(square[..., None], np.uint8([200, 40, 40]), np.uint8([30, 90, 160]))
    noisy = square ^ (np.random.default_rng(0).random(square.shape) < 0.1)
    refined = crf.refine(frame, noisy)
    assert refined.dtype == bool
    np.testing.assert_array_equal(refined, square)


def test_crf_refines_the_masks_of_a_video_before_they_are_saved_and_propagated(video, tmp_path):
    pytest.importorskip("pydensecrf")
    segment_video(Propagator(BlindFollower(), DARKENED, crf.refine), video, tmp_path, SMALL)
    frames = [read_image(path, SMALL) for path in video.frames]
    mask = samples.resize_mask(inference.first_views(video)[0][1].mask, SMALL).numpy()
    for path, frame in zip(video.frames[1:], frames[1:], strict=True):
        mask = crf.refine(frame, followed(mask) > 0.5)
        np.testing.assert_array_equal(read_labels(tmp_path / f"1/{path.stem}.png") > 0, mask)


def test_crf_accepts_an_empty_and_a_full_mask():
    pytest.importorskip("pydensecrf")
    frame = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    assert not crf.refine(frame, np.zeros((20, 30), bool)).any()
    assert crf.refine(frame, np.ones((20, 30), bool)).all()


def test_a_missing_crf_package_is_named_before_anything_is_computed(monkeypatch, video, tmp_path):
    monkeypatch.setitem(sys.modules, "pydensecrf", None)
    monkeypatch.setitem(sys.modules, "pydensecrf.densecrf", None)
    options = argparse.Namespace(crf_postprocessing=True, result_path=str(tmp_path))
    with pytest.raises(InputError, match=r"--crf_postprocessing needs pydensecrf: `pip install"):
        inference.segment_videos(None, [video], options, "float32")
    assert not list(tmp_path.iterdir())


# -- The published program's masks ------------------------------------------------------------------------------------


def intersection_over_union(ours, theirs):
    union = (ours | theirs).sum()
    return (ours & theirs).sum() / union if union else 1.0


@pytest.fixture(scope="module")
def released(shared):
    """Return the model that was trained with the published program."""
    network = networks.build(networks.NetworkOptions(base_model="lite"))
    unused = checkpoints.load_model(network, shared / "checkpoints/osmn_lite.ckpt")
    assert all("Adam" not in name for name in unused)
    return network


def published_masks(folder, video, object_id):
    folder = inference.object_folder(folder / video.name, object_id)
    return [read_labels(folder / f"{path.stem}.png") > 0 for path in video.frames]


def released_results(network, video, size):
    frames = read_ahead(lambda path: read_image(path, size), video.frames)
    return list(Propagator(network, LITE).run(frames, inference.first_views(video)))


@pytest.fixture(scope="module")
def dogs_jump(shared, released):
    """Return the first 11 frames of a video of three objects and our results for them."""
    (video,) = davis_data.videos(shared / "data/davis2017mini", 2017, "val")
    video = video._replace(frames=video.frames[:11])
    return video, released_results(released, video, (416, 224))


def test_first_masks_equal_those_of_the_published_program(shared, dogs_jump):
    video, results = dogs_jump
    agreement = []
    for index, object_id in enumerate((1, 2, 3)):
        theirs = published_masks(shared / "checkpoints/results/davis2017", video, object_id)
        pairs = zip(results[1:], theirs[1:], strict=True)
        agreement.append(np.mean([intersection_over_union(ours.masks[index], mask) for ours, mask in pairs]))
    assert np.mean(agreement) >= 0.99, agreement


def test_first_probabilities_equal_those_of_the_published_program(shared, dogs_jump):
    _, results = dogs_jump
    for index, object_id in enumerate((1, 2, 3)):
        path = shared / f"checkpoints/results/davis2017/dogs-jump/{object_id}/00001.npz"
        with np.load(path) as stored:
            np.testing.assert_allclose(results[1].probabilities[index], stored["score"], atol=0.02)


def test_objects_of_a_real_video_together_equal_separate_runs(released, dogs_jump):
    video, together = dogs_jump
    frames = [read_image(path, (416, 224)) for path in video.frames]
    for index, (object_id, first) in enumerate(inference.first_views(video)[0].items()):
        alone = propagate(released, frames, {0: {object_id: first}}, LITE)
        pairs = zip(together[1:], alone[1:], strict=True)
        assert min(intersection_over_union(ours.masks[index], theirs.masks[0]) for ours, theirs in pairs) >= 0.999


@pytest.mark.slow
def test_whole_videos_equal_those_of_the_published_program(shared, released):
    agreement = {}
    for version, data, size in ((2016, "davis2016", (448, 256)), (2017, "davis2017mini", (416, 224))):
        results = shared / f"checkpoints/results/davis{version}"
        for video in davis_data.videos(shared / "data" / data, version, "val"):
            if not (results / video.name).is_dir():
                continue
            ours = released_results(released, video, size)
            for index, object_id in enumerate(video.references[0].object_ids):
                theirs = published_masks(results, video, object_id)
                pairs = zip(ours[1:], theirs[1:], strict=True)
                ious = [intersection_over_union(result.masks[index], mask) for result, mask in pairs]
                agreement[video.name, object_id] = np.mean(ious[:10]), np.mean(ious)
    assert len(agreement) == 6  # Three videos of one object, one of three.
    first, whole = np.mean(list(agreement.values()), axis=0)
    assert first >= 0.99, agreement
    assert whole >= 0.97, agreement
