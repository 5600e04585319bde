"""The masks of the published program, of a model that it trained."""

import numpy as np
import pytest

from osmn.data import davis as davis_data
from osmn.files.images import read_labels
from osmn.inference import segmenting
from osmn.inference.predictor import Predictor
from osmn.models import tensorflow_model
from osmn.models.engines.tensorflow import TensorFlowEngine
from osmn.results import layout

LITE = {"base_model": "lite", "mean_value": (127.5, 127.5, 127.5), "scale_value": 0.00787}


def intersection_over_union(ours, theirs):
    union = (ours | theirs).sum()
    return (ours & theirs).sum() / union if union else 1.0


@pytest.fixture(scope="module")
def released(shared):
    """Return the model that was trained with the published program."""
    return tensorflow_model.load(shared / "checkpoints/osmn_lite.ckpt", LITE, "float32").network


def published_masks(folder, video, object_id):
    folder = layout.object_folder(folder / video.name, object_id)
    return [read_labels(folder / f"{path.stem}.png") > 0 for path in video.frames]


def released_results(network, video, size):
    predictor = Predictor(TensorFlowEngine(network), size)
    return [segmentation for _, segmentation, _ in segmenting.follow(predictor, video)]


@pytest.fixture(scope="module")
def dogs_jump(shared, released):
    """Return the first 11 frames of a video of three objects and our results for them."""
    (video,) = davis_data.videos(shared / "data/davis2017mini", 2017, "val")
    video = video._replace(frames=video.frames[:11])
    return video, released_results(released, video, (416, 224))


def test_first_masks_equal_those_of_the_published_program(shared, dogs_jump):
    video, together = dogs_jump
    agreement = []
    for index, object_id in enumerate((1, 2, 3)):
        theirs = published_masks(shared / "checkpoints/results/davis2017", video, object_id)
        pairs = zip(together[1:], theirs[1:], strict=True)
        agreement.append(np.mean([intersection_over_union(ours.masks[index], mask) for ours, mask in pairs]))
    assert np.mean(agreement) >= 0.99, agreement


def test_first_probabilities_equal_those_of_the_published_program(shared, dogs_jump):
    _, ours = dogs_jump
    for index, object_id in enumerate((1, 2, 3)):
        path = shared / f"checkpoints/results/davis2017/dogs-jump/{object_id}/00001.npz"
        with np.load(path) as stored:
            np.testing.assert_allclose(ours[1].probabilities[index], stored["score"], atol=0.02)


def test_objects_of_a_real_video_together_equal_separate_runs(released, dogs_jump):
    video, together = dogs_jump
    for index, object_id in enumerate(video.object_ids):
        alone = released_results(released, video.of_object(object_id), (416, 224))
        pairs = zip(together[1:], alone[1:], strict=True)
        assert min(intersection_over_union(ours.masks[index], theirs.masks[0]) for ours, theirs in pairs) >= 0.999


@pytest.mark.slow
def test_whole_videos_equal_those_of_the_published_program(shared, released):
    agreement = {}
    for version, data, size in ((2016, "davis2016", (448, 256)), (2017, "davis2017mini", (416, 224))):
        published = shared / f"checkpoints/results/davis{version}"
        for video in davis_data.videos(shared / "data" / data, version, "val"):
            if not (published / video.name).is_dir():
                continue
            ours = released_results(released, video, size)
            for index, object_id in enumerate(video.object_ids):
                theirs = published_masks(published, video, object_id)
                pairs = zip(ours[1:], theirs[1:], strict=True)
                ious = [intersection_over_union(result.masks[index], mask) for result, mask in pairs]
                agreement[video.name, object_id] = np.mean(ious[:10]), np.mean(ious)
    assert len(agreement) == 6  # Three videos of one object, one of three.
    first, whole = np.mean(list(agreement.values()), axis=0)
    assert first >= 0.99, agreement
    assert whole >= 0.97, agreement
