"""Validation during training: figures of held-out videos, and the checkpoint that is best by these figures."""

import json
from pathlib import Path
from typing import cast

from osmn import networks
from osmn.config import ModelConfig
from osmn.data import davis
from osmn.errors import InputError
from osmn.evaluation import in_memory
from osmn.files.atomic import replacing
from osmn.files.sealed_json import read_json
from osmn.inference.predictor import Predictor
from osmn.models import checkpoint_files, tensorflow_model
from osmn.models.engines.tensorflow import TensorFlowEngine
from osmn.training.trainer import Trainer

# Of a propagation: the distance of its frames, and the most frames of a video. A video takes lite a fifth of a second.
STRIDE, FRAMES = 2, 50
EVERY = 10  # Frames from a single step to the next.


class Validator:
    """Computes figures of a training's network on the videos of a split of DAVIS, and keeps the best checkpoint.

    The figures are computed in float32, with the average of the weights where the training keeps an average:

    - J of propagation through every other frame of a video's first 50 frames, the mean over objects;
    - area: the size of the masks in the propagation, relative to the true masks, the median over objects;
    - gain: J of single steps with the object's own gammas, less J with the mean of the other objects' gammas. It is
      what the visual modulator knows of the object. Without visual modulator, or with a single object, there is no
      gain.

    Make a `Validator` in the scope in which the network is trained: it makes a copy of the network.

    Args:
        config: `ModelConfig` of the network; frames have its `im_size`.
        data_path: DAVIS folder.
        version: 2016 (all objects as a single object) or 2017 (each object).
        split: of `ImageSets/<version>`: annotated videos that training does not use.

    Raises:
        InputError: for videos of too few frames, or whose frames are not all annotated.
    """

    def __init__(self, config: ModelConfig, data_path: Path | str, version: int, split: str) -> None:
        self._videos = [video.shortened(FRAMES) for video in davis.videos(data_path, version, split)]
        self._annotations = davis.complete_annotations(data_path, self._videos)
        for video in self._videos:
            in_memory.propagated_frames(video, STRIDE)
        self._network = networks.build(config, "float32")
        self._engine = TensorFlowEngine(self._network)
        self._im_size = config.im_size

    def validate(self, trainer: Trainer, folder: Path) -> dict[str, float]:
        """Return {name: number} of the figures; if J is the highest so far, keep the weights in `<folder>/best`.

        The checkpoint there has no optimizer's state; `figures.json` beside it has the figures and the step.
        """
        tensorflow_model.set_weights(self._network, trainer.finished_weights())
        predictor = Predictor(self._engine, self._im_size)
        means = in_memory.figures(predictor, self._videos, self._annotations, STRIDE)
        im_size = cast(tuple[int, int], self._im_size)  # A training has one.
        gain = in_memory.gain(self._engine, self._videos, self._annotations, im_size, EVERY)
        found = {"J": means.j, "area": means.area} | ({} if gain is None else {"gain": gain})
        best = best_j(folder / checkpoint_files.BEST)
        if best is None or found["J"] > best:
            trainer.save(folder / checkpoint_files.BEST, max_to_keep=1, finished=True)
            with replacing(folder / checkpoint_files.BEST / checkpoint_files.FIGURES) as temporary:
                temporary.write_text(json.dumps({"step": int(trainer.step.numpy())} | found, indent=2) + "\n")
        return found


def best_j(folder: Path) -> float | None:
    """Return J of the best checkpoint, in `folder`; None without a checkpoint.

    Raises InputError for a damaged `figures.json`.
    """
    path = folder / checkpoint_files.FIGURES
    if not path.exists():
        return None
    try:
        found = read_json(path)
        step, j = found["step"], float(found["J"])
        if not 0 <= j <= 1:
            raise ValueError("J is no share")
    except (OSError, KeyError, TypeError, ValueError):
        raise InputError(f"{path} is damaged; delete {folder}") from None
    kept = (folder / f"{checkpoint_files.CHECKPOINT_NAME}-{step}.index").exists()
    return j if kept else None
