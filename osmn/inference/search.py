"""Finding an object again whose mask has died. Not in the published program.

A mask that has died gives a spatial guide of nothing, and the object stays lost also where it is seen again. Then the
network looks over the whole frame with wide spatial guides, and what it finds is compared with the object's reference:
by the gammas, which are what the visual modulator makes of a crop.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from osmn.models.engines import Engine

DEAD = 0.1  # A mask of less than this part of the reference mask's pixels is dead, and so is such a candidate.
SURE = 2.1  # Least agreement of a candidate; see `agreement`.
BETTER = 0.2  # By so much more than the dead mask, if it has any pixels, a candidate must agree.
CANDIDATES = 2  # Largest parts of what is found with a window.


def windows(height: int, width: int) -> np.ndarray:
    """Return where to look, bool (6, H, W): in the whole frame, in its middle and in its quarters.

    The spatial guide of such a mask is a Gaussian as wide as the window.
    """
    masks = np.zeros((6, height, width), bool)
    masks[0] = True
    middle = (height // 4, width // 4)
    corners = [middle, *((top, left) for top in (0, height // 2) for left in (0, width // 2))]
    for mask, (top, left) in zip(masks[1:], corners, strict=True):
        mask[top : top + max(1, height // 2), left : left + max(1, width // 2)] = True
    return masks


def agreement(reference: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> float:
    """Return how well two objects agree by their gammas, lists of (1, 1, 1, C): 0 for nothing, 6 for the same.

    It is the mean over the layers of -log10(1 - cosine): gammas have a common direction, from which objects differ by
    little.
    """
    cosines = [
        float(np.vdot(a, b) / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-12))
        for a, b in zip(reference, other, strict=True)
    ]
    return float(np.mean([-np.log10(np.clip(1 - cosine, 1e-6, 1)) for cosine in cosines]))


def candidates(masks: np.ndarray, least: float) -> Iterator[np.ndarray]:
    """Yield the largest connected parts of each of masks, bool (N, H, W), that have `least` pixels, bool (H, W)."""
    import cv2  # Only where an object is lost.

    for mask in masks:
        _, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
        numbers, first, areas = np.unique(parts, return_index=True, return_counts=True)
        order = np.lexsort((first, -areas))  # Of equal areas, the one whose first pixel comes first.
        for number in [n for n in order if numbers[n] > 0][:CANDIDATES]:
            if areas[number] >= least:
                yield parts == numbers[number]


def with_found(
    engine: Engine,
    frame: np.ndarray,
    small: np.ndarray,
    segmented: tuple[np.ndarray, np.ndarray],
    objects: Iterable[tuple[Sequence[np.ndarray], int]],
) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities and masks of objects in a frame, with those that had died and are found again.

    Args:
        engine: runs the network.
        frame: uint8 (H, W, 3), RGB, for the candidates' visual guides.
        small: uint8 (h, w, 3), the same frame at the network's size.
        segmented: probabilities and masks, (N, h, w), of the N objects, as `Engine.segment` returns them.
        objects: of each its gammas, a list of (1, 1, 1, C), and the pixels of its reference mask at the network's size.
    """
    probabilities, masks = (array.copy() for array in segmented)
    for number, (gammas, area) in enumerate(objects):
        if gammas and masks[number].sum() < DEAD * area:  # Without gammas nothing can be compared.
            found = _search(engine, frame, small, gammas, masks[number], area)
            if found is not None:
                probabilities[number], masks[number] = found
    return probabilities, masks


def _search(
    engine: Engine, frame: np.ndarray, small: np.ndarray, gammas: Sequence[np.ndarray], dead: np.ndarray, area: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return an object's probabilities and mask, (h, w), where a candidate agrees with its reference."""
    places = windows(*dead.shape)
    _, found = engine.segment(small, places, [np.repeat(layer, len(places), axis=0) for layer in gammas])
    least = SURE
    if dead.any():
        least = max(least, agreement(gammas, engine.gammas(frame, dead)) + BETTER)
    best = None
    for candidate in candidates(found, DEAD * area):
        agrees = agreement(gammas, engine.gammas(frame, candidate))
        if agrees > least or (best is None and agrees == least):  # Of equals the first: of the widest window.
            best, least = candidate, agrees
    if best is None:
        return None
    # As in the next frame: by a spatial guide of its own.
    probabilities, masks = engine.segment(small, best[None], gammas)
    return probabilities[0], masks[0]
