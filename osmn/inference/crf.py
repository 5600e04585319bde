"""Refinement of a mask by a fully connected CRF (Kraehenbuehl and Koltun, 2011)."""

from collections.abc import Callable
from types import ModuleType

import numpy as np

from osmn.errors import InputError, argument, argument_kind

CONFIDENCE = 0.9  # of the hard labels; this and what follows as published
GAUSSIAN = {"sxy": 3, "compat": 3}
BILATERAL = {"sxy": 40, "srgb": 5, "compat": 10}
ITERATIONS = 5


def load() -> tuple[ModuleType, ModuleType]:
    """Return pydensecrf's modules `densecrf` and `utils`; InputError, with how to install them, if they are missing."""
    try:
        import pydensecrf.densecrf
        import pydensecrf.utils
    except ImportError:
        needing = argument("crf_postprocessing") if argument_kind() == "option" else "the dense CRF"
        raise InputError(
            f"{needing} needs pydensecrf: `pip install -r requirements-crf.txt` (with a C++ compiler), or leave it out"
        ) from None
    return pydensecrf.densecrf, pydensecrf.utils


def refine(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the refined bool (H, W) mask, given the frame, uint8 RGB (H, W, 3), and the mask, bool (H, W)."""
    densecrf, utils = load()
    height, width = mask.shape
    field = densecrf.DenseCRF2D(width, height, 2)
    field.setUnaryEnergy(utils.unary_from_labels(mask.astype(np.int32), 2, gt_prob=CONFIDENCE, zero_unsure=False))
    field.addPairwiseGaussian(**GAUSSIAN)
    field.addPairwiseBilateral(
        rgbim=np.array(frame, order="C"), **BILATERAL
    )  # A copy: pydensecrf takes no read-only array.
    labels = np.argmax(field.inference(ITERATIONS), axis=0)
    return labels.reshape(height, width).astype(bool)


def refiner() -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Return `refine` after a check that its packages are installed; InputError if they are not."""
    load()
    return refine
