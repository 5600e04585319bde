"""What a network sees of a frame and of an object, computed by NumPy, Pillow and OpenCV, as `guides` by TensorFlow.

For engines that do without TensorFlow, whose import alone takes seconds. `visual_guide` and `spatial_guide` have twins
of the same names in `guides`; `_profile` does what `guides.mask_ellipse` and `guides.gaussian_map` do.
"""

import numpy as np
from PIL import Image

from osmn.config import PAD_RATIO, ModelConfig
from osmn.inputs.published import GUIDE_SIDE, MAD_TO_SIGMA, MASK_DILATION, MIN_SIGMA
from osmn.masks import Size, resized


def visual_guide(frame: np.ndarray, mask: np.ndarray, config: ModelConfig, pad_ratio: float = PAD_RATIO) -> np.ndarray:
    """Make the visual modulator's input in testing: the object cut out of its reference frame, the background zero.

    Args:
        frame: uint8 (H, W, 3), RGB.
        mask: bool (h, w), the object; a mask of another size than the frame is resized to the frame.
        config: ModelConfig.
        pad_ratio: 0 or more: each side of the crop moves outward by this part of the crop's side; outside of the frame
            the crop is black.

    Returns:
        float32 (224, 224, 3), BGR, normalized; all zeros for an empty mask.
    """
    mask = resized(mask, Size.of(frame))
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if rows.size:
        # As released: the object's last row and column are lost; a single row or column is kept.
        frame, mask = (
            x[rows[0] : max(rows[-1], rows[0] + 1), columns[0] : max(columns[-1], columns[0] + 1)]
            for x in (frame, mask)
        )
    margins = [2 * (int(pad_ratio * side),) for side in mask.shape]
    frame, mask = np.pad(frame, [*margins, (0, 0)]), np.pad(mask, margins)
    frame, mask = _to_square(frame, mask, config.vg_keep_aspect_ratio)
    visible = bool(rows.size) if config.bbox_sup else mask[..., None]
    mean = np.array(config.mean_value, np.float32)
    return np.where(visible, (frame[..., ::-1] - mean) * np.float32(config.scale_value), np.float32(0))


def _to_square(frame: np.ndarray, mask: np.ndarray, keep_aspect_ratio: bool) -> tuple[np.ndarray, np.ndarray]:
    """Resize a crop to (224, 224): stretched, or fitted inside and padded equally with zeros."""
    width, height = GUIDE_SIDE, GUIDE_SIDE
    if keep_aspect_ratio:
        width, height = (max(GUIDE_SIDE * side // max(mask.shape), 1) for side in Size.of(mask))
    frame = np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BILINEAR))
    left, top = (GUIDE_SIDE - width) // 2, (GUIDE_SIDE - height) // 2
    margins = (top, GUIDE_SIDE - height - top), (left, GUIDE_SIDE - width - left)
    return np.pad(frame, [*margins, (0, 0)]), np.pad(resized(mask, (width, height)), margins)


def spatial_guide(masks: np.ndarray, config: ModelConfig) -> np.ndarray:
    """Make the spatial modulator's input from masks, bool (N, H, W): where the objects were in the previous frame.

    A Gaussian of values 0 to 1 around each object or, with `use_original_mask` (MaskTrack), the object dilated by 5
    pixels, 0 or 255. An empty mask gives zeros.

    Returns:
        float32 (N, H, W, 1).
    """
    make = _dilated if config.use_original_mask else _gaussian
    return np.stack([make(mask) for mask in masks])[..., None]


def _dilated(mask: np.ndarray) -> np.ndarray:
    distance = np.arange(-MASK_DILATION, MASK_DILATION + 1) ** 2
    disk = (distance[:, None] + distance <= MASK_DILATION**2).astype(np.uint8)
    import cv2  # Only where the mask itself is the guide.

    return 255 * cv2.dilate(mask.astype(np.uint8), disk).astype(np.float32)


def _gaussian(mask: np.ndarray) -> np.ndarray:
    if not mask.any():
        return np.zeros(mask.shape, np.float32)
    vertical, horizontal = (_profile(np.count_nonzero(mask, axis=axis)) for axis in (1, 0))
    return vertical[:, None] * horizontal


def _profile(counts: np.ndarray) -> np.ndarray:
    """Return the Gaussian along one axis, float32 (n,), of an object with `counts[x]` pixels at x."""
    positions = np.arange(len(counts))
    median = _median(positions, counts)
    distances = np.abs(positions - median)
    order = np.argsort(distances, kind="stable")
    sigma = max(MAD_TO_SIGMA * _median(distances[order], counts[order]), MIN_SIGMA)
    return np.exp(-0.5 * ((positions - median) / sigma) ** 2).astype(np.float32)


def _median(values: np.ndarray, counts: np.ndarray) -> float:
    """Return the median of sorted `values`, of which each occurs as often as `counts` says, both (n,).

    The median of an even number of values is the mean of the middle two.
    """
    up_to = np.cumsum(counts)
    middle = np.searchsorted(up_to, [(up_to[-1] - 1) // 2, up_to[-1] // 2], side="right")
    return values[middle].mean()
