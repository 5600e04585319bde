"""What the four networks have in common: the options, the call, and the TF1 names of their variables."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from osmn.config import ModelConfig
from osmn.networks.backend import keras
from osmn.networks.execution import INFERENCE, Execution
from osmn.networks.layers import BatchNormalization

LEAVES = {
    keras.layers.Conv2D: {"kernel": "weights", "bias": "biases"},
    keras.layers.DepthwiseConv2D: {"kernel": "depthwise_weights", "bias": "biases"},
    BatchNormalization: {name: name for name in ("gamma", "beta", "moving_mean", "moving_variance")},
}


def gamma_dtype(dtype: str) -> str:
    """Return the dtype policy of the visual modulator in a network of policy `dtype`: no half precision for inference.

    The visual modulator runs once per object, and its rounding errors would stay for the whole video.
    """
    return "float32" if dtype in ("bfloat16", "float16") else dtype


class Osmn(keras.Model):
    """A visual modulator, a spatial modulator and a segmentation net.

    Subclasses provide `visual`, `_logits`, `freeze_segmentation`, `output_bias`, `constants` and `l2_weight`.

    Attributes:
        visual: the visual modulator; None for a network without a visual modulator.
        guide_maps: how many maps a spatial guide has.

    Args:
        config: ModelConfig.
        dtype: Keras dtype policy.
        modulated_channels: the number of channels of each modulated layer, in their order.
    """

    visual: keras.layers.Layer | None
    guide_maps = 1

    def __init__(self, config: ModelConfig, dtype: str, modulated_channels: Sequence[int]) -> None:
        super().__init__(name="osmn", dtype=dtype, autocast=False)
        self.config = config
        self.modulated_channels = tuple(modulated_channels)

    @property
    def gamma_channels(self) -> tuple[int, ...]:
        """The number of channels of each gamma, a tuple; empty without a visual modulator."""
        return () if self.config.no_visual_modulator else self.modulated_channels

    def call(
        self, guide: tf.Tensor, spatial: tf.Tensor, image: tf.Tensor, execution: Execution = INFERENCE
    ) -> tf.Tensor:
        """Return the logits, float32 (B, H, W, 1), of a batch.

        Args:
            guide: normalized visual guides (B, 224, 224, 3).
            spatial: spatial guides (B, H, W, `guide_maps`), of any H and W.
            image: normalized images (B, H, W, 3).
            execution: how to compute the logits.
        """
        return self.segment(image, spatial, self.gammas(guide, execution), execution)

    def gammas(self, guide: tf.Tensor, execution: Execution = INFERENCE) -> list[tf.Tensor]:
        """Map visual guides (B, 224, 224, 3) to one gamma (B, 1, 1, C) per modulated layer, as a list.

        The list is empty without a visual modulator.
        """
        return self.visual(guide, execution=execution) if self.visual is not None else []

    def appearance(self, image: tf.Tensor, execution: Execution = INFERENCE) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the visual modulator's features of whole images, for `inference.target`.

        They are wide, (B, h, w, C), of the layers that have about an eighth and a 16th of the image's sides. `image` is
        normalized, (B, H, W, 3). Only for networks whose `NetworkKind` says so, with a visual modulator.
        """
        assert self.visual is not None
        return self.visual.features(image, execution=execution)

    def segment(
        self, image: tf.Tensor, spatial: tf.Tensor, gammas: Sequence[tf.Tensor], execution: Execution = INFERENCE
    ) -> tf.Tensor:
        """Return the logits, float32 (B, H, W, 1), given the result of `gammas`.

        `image` is (B, H, W, 3), or (1, H, W, 3) for B objects of one frame: then what comes before the first modulation
        is computed once. The other arguments are those of `call`.

        Raises:
            ValueError: unless there is one gamma for each channel of each modulated layer or, in a network without a
                visual modulator, no gamma at all.
        """
        wanted = self.gamma_channels
        given = tuple(gamma.shape[-1] for gamma in gammas)
        if given != wanted:
            raise ValueError(f"gammas of {wanted or 'no'} channels are wanted, not of {given or 'none'}")
        applied = gammas if wanted else [None] * len(self.modulated_channels)
        size, aligned_size = tf.shape(image)[1:3], self.config.aligned_size
        if aligned_size is None:
            logits = self._logits(image, spatial, applied, execution)
        else:
            whole = tf.constant(aligned_size[::-1])
            image, spatial = (_center(x, size, whole) for x in (image, spatial))
            logits = self._logits(image, spatial, applied, execution)
            top, left = tf.unstack((whole - size) // 2)
            logits = logits[:, top : top + size[0], left : left + size[1]]
        return tf.broadcast_to(logits, tf.concat([tf.shape(spatial)[:1], size, [1]], axis=0))

    def _logits(
        self, image: tf.Tensor, spatial: tf.Tensor, gammas: Sequence[tf.Tensor | None], execution: Execution
    ) -> tf.Tensor:
        """Return the logits, float32 (1 or B, H, W, 1), as `segment` does, for inputs of the aligned size.

        `gammas` has an entry for each modulated layer; without a visual modulator each entry is None.
        """
        raise NotImplementedError

    def freeze_segmentation(self) -> None:
        """Freeze the segmentation net but its last layer (`--fix_seg`)."""
        raise NotImplementedError

    @property
    def output_bias(self) -> keras.Variable:
        """The variable, (1,), that is added to every logit: the last layer's bias."""
        raise NotImplementedError

    def tf1_variables(self) -> dict[str, keras.Variable]:
        """Return the variables under their published names: TF1 name -> keras.Variable, sorted by name."""
        named = {}
        for layer in self._flatten_layers():
            for leaf, tf1_leaf in LEAVES.get(type(layer), {}).items():
                variable = getattr(layer, leaf, None)
                if variable is not None:
                    named[f"{layer.name.replace('.', '/')}/{tf1_leaf}"] = variable
        return dict(sorted(named.items()))

    def constants(self) -> dict[str, np.ndarray]:
        """Return the published graph's untrained kernels: TF1 name -> float32 array."""
        raise NotImplementedError

    def l2_weight(self, name: str) -> float:
        """Return the factor of `sum(w^2) / 2` in the loss for the variable with this TF1 name."""
        raise NotImplementedError


def _center(x: tf.Tensor, size: tf.Tensor, whole: tf.Tensor) -> tf.Tensor:
    """Pad (B, H, W, C) with zeros on all sides; `size` is (H, W), `whole` the height and width of the result."""
    before = (whole - size) // 2
    after = whole - size - before
    return tf.pad(x, [[0, 0], [before[0], after[0]], [before[1], after[1]], [0, 0]])
