"""Numbers of the guides, from the OSMN paper and its released program, for `guides` and `guides_numpy`."""

GUIDE_SIDE = 224  # As published: the visual modulator's input.
MAD_TO_SIGMA = 1.4826  # A normal distribution's standard deviation over its median absolute deviation.
MIN_SIGMA = 5.0  # Pixels; as published.
MASK_DILATION = 5  # As published, for MaskTrack: the previous mask is dilated by a disk of this radius in pixels.
