"""What a network is quantised by: frames with the true mask of the frame before."""

import numpy as np

from osmn.config import ModelConfig
from osmn.data import davis as dataset
from osmn.files.images import read_labels, write_mask
from osmn.inputs.guides_numpy import spatial_guide
from osmn.masks import resized
from osmn.models import quantize


class Engine:
    def gammas(self, frame, mask):
        return [np.full((1, 1, 1, 2), mask.sum(), np.float32)]


class Model:
    config = ModelConfig("lite", mean_value=(127.5, 127.5, 127.5), scale_value=0.00787)

    def start_engine(self):
        return Engine()


def test_samples_are_of_all_videos_alike_and_masks_of_0_and_255_are_one_object(davis, tmp_path):
    for name in ("ImageSets", "JPEGImages"):
        (tmp_path / name).symlink_to(davis / name)
    for path in davis.glob("Annotations/480p/*/*.png"):
        write_mask(tmp_path / path.relative_to(davis), read_labels(path) > 0)
    found = quantize.samples(Model(), tmp_path, "val", 4, (32, 24))
    assert len(found) == 4
    for sample, video in zip(found[::2], dataset.videos(tmp_path, 2016, "val"), strict=True):
        first = read_labels(video.references[0].mask) > 0
        assert sample["image"].shape == (1, 24, 32, 3)
        assert (sample["gamma_1"] == first.sum()).all()
        small = resized(first, (32, 24))
        np.testing.assert_array_equal(sample["spatial_guide"], spatial_guide(small[None], Model.config))
