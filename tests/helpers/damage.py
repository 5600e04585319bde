"""Files with some of their bits flipped, or their end missing."""

import numpy as np


def damaged(whole, count):
    """Yield a whole file with each of `count` bits flipped, then cut at each of `count` places; the last ones first."""
    rng = np.random.default_rng(1)
    for bit in rng.choice(8 * len(whole), count, replace=False):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bytes(flipped)
    for length in [*range(len(whole) - 1, len(whole) - 20, -1), *rng.integers(0, len(whole) - 20, count - 19)]:
        yield whole[:length]
