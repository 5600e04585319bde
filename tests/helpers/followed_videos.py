"""Videos that are segmented by the network `Follower`, whose masks can be worked out."""

import tensorflow as tf

from helpers.stand_ins import Follower
from osmn.config import ModelConfig
from osmn.inference import segmenting
from osmn.inference.predictor import Predictor
from osmn.inputs import guides
from osmn.models.engines.tensorflow import TensorFlowEngine
from osmn.results import layout

SMALL = (32, 24)  # The network's size; the annotations of the fixture are 64x48.


def segment(video, folder, refine=None, progress=lambda: None, **output):
    """Write a video's results of the network `Follower`."""
    predictor = Predictor(TensorFlowEngine(Follower()), SMALL, refine=refine)
    segmenting.segment_video(predictor, video, folder, layout.Output(**output), progress)


def followed(mask):
    """Return the probabilities that `Follower` makes of a frame after one with this mask."""
    guide = guides.spatial_guide(mask[None], ModelConfig())[0, ..., 0]
    return tf.sigmoid(8 * (guide - 0.5)).numpy()
