"""Decoded frames of any kind to upright RGB, by FFmpeg's filters; and RGB to what a video stores, by OpenCV."""

from collections.abc import Callable
from fractions import Fraction
from typing import cast

import av
import cv2
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorTrc

from osmn.masks import resized

# How to turn a picture upright, by its display matrix (a b, c d): whether the picture lies on its side, and the signs
# of the two large numbers, a and d, or b and c.
_UPRIGHT: dict[tuple[bool, bool, bool], tuple[tuple[str, str | None], ...]] = {
    (False, True, True): (),
    (False, False, True): (("hflip", None),),
    (False, True, False): (("vflip", None),),
    (False, False, False): (("hflip", None), ("vflip", None)),
    (True, True, False): (("transpose", "clock"),),
    (True, False, True): (("transpose", "cclock"),),
    (True, True, True): (("transpose", "cclock_flip"),),
    (True, False, False): (("transpose", "clock_flip"),),
}
# The same for masks, in NumPy. The names are those of FFmpeg: "clock_flip" turns clockwise, then flips vertically.
_TURN: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "hflip": np.fliplr,
    "vflip": np.flipud,
    "clock": lambda mask: np.rot90(mask, -1),
    "cclock": np.rot90,
    "cclock_flip": np.transpose,
    "clock_flip": lambda mask: np.rot90(mask.T, 2),
}
# The numbers of colors (ISO 23091-2) that swscale computes with. It fails for others, where players take the default.
_KNOWN = {
    "colorspace": {0, 1, 2, 4, 5, 6, 7, 9},
    "color_trc": {1, 2, *range(4, 9), *range(11, 19)},
    "color_primaries": {1, 2, *range(4, 13), 22},
}
_UNSPECIFIED = 2
_NOT_TURNED = (1, 0, 0, 0, 1, 0, 0, 0, 1)


class ToRGB:
    """Turns decoded frames into RGB uint8 (H, W, 3): square pixels, upright, all of the size of the first frame.

    A filter graph does it, made anew where the frames' properties change. swscale, in `scale`, converts: zscale
    is in no build of PyAV. swscale maps the tones of HDR (PQ, HLG), keeping reference white white. Colors of a kind
    that swscale does not know are treated as in a file that does not name its colors.

    Args:
        pixel_aspect: width of a pixel over its height.
    """

    def __init__(self, pixel_aspect: Fraction) -> None:
        self._pixel_aspect = pixel_aspect
        self._size: tuple[int, int] | None = None  # Upright.
        self._stored: tuple[tuple[int, int], tuple[str, ...]] | None = None  # Of the first frame: size, how it turns.
        self._properties: tuple[object, ...] | None = None
        self._graph = av.filter.Graph()

    def __call__(self, frame: av.VideoFrame) -> np.ndarray:
        """Return a decoded frame as RGB uint8 (H, W, 3)."""
        matrix = _display_matrix(frame)
        for name, known in _KNOWN.items():
            if int(getattr(frame, name)) not in known:
                setattr(frame, name, _UNSPECIFIED)
        colors = (frame.colorspace, frame.color_range, frame.color_trc, frame.color_primaries)
        properties = (frame.width, frame.height, frame.format.name, colors, matrix)
        if properties != self._properties:
            self._graph, self._properties = self._make_graph(frame, matrix), properties
        self._graph.push(frame)
        return self._graph.pull().to_ndarray()

    def as_shown(self, mask: np.ndarray) -> np.ndarray | None:
        """Return a mask, (H, W), of the size of the frames as they are stored, turned and stretched as the frames are.

        Returns None for a mask of another size, before the first frame, and where frames are shown as they are stored.
        """
        if self._size is None or self._stored is None:
            return None
        (width, height), turns = self._stored
        if mask.shape != (height, width) or (self._size == (width, height) and not turns):
            return None
        for turn in turns:
            mask = _TURN[turn](mask)
        return resized(mask, self._size)

    def _make_graph(self, frame: av.VideoFrame, matrix: tuple[int, ...]) -> av.filter.Graph:
        a, b, _, c, d = matrix[:5]
        turned = abs(b) > abs(a)
        upright = _UPRIGHT[turned, (b if turned else a) > 0, (c if turned else d) > 0]
        if self._size is None:  # The shorter side of the pixels is stretched, so that nothing is lost.
            width = round(frame.width * max(Fraction(1), self._pixel_aspect))
            height = round(frame.height * max(Fraction(1), 1 / self._pixel_aspect))
            self._size = (height, width) if turned else (width, height)
            turns = tuple(name if direction is None else direction for name, direction in upright)
            self._stored = (frame.width, frame.height), turns
        width, height = self._size[::-1] if turned else self._size
        scale = f"{width}:{height}"
        hdr = frame.color_trc in (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)
        if hdr or frame.color_primaries == ColorPrimaries.BT2020:
            scale += ":out_primaries=bt709:out_transfer=bt709"
        graph = av.filter.Graph()
        buffer = graph.add(
            "buffer",
            video_size=f"{frame.width}x{frame.height}",
            pix_fmt=frame.format.name,
            time_base="1/1",
            colorspace=str(int(frame.colorspace)),
            range=str(int(frame.color_range)),
        )
        filters = [("scale", scale), ("format", "rgb24"), *upright, ("buffersink", None)]
        graph.link_nodes(buffer, *(graph.add(name, options) for name, options in filters)).configure()
        return graph


def _display_matrix(frame: av.VideoFrame) -> tuple[int, ...]:
    """Return the nine numbers by which a frame is turned to be shown; (0 1, -1 0) is a quarter turn clockwise."""
    data = frame.side_data.get("DISPLAYMATRIX")
    return _NOT_TURNED if data is None else tuple(np.frombuffer(cast(memoryview, data), np.int32).tolist())


_RED, _BLUE = 0.2126, 0.0722  # Of luma, by ITU-R BT.709.
_LUMA = np.array([_RED, 1 - _RED - _BLUE, _BLUE])
# From R, G, B, 1 to Y, U, V of 8 bits: Y from 16 to 235, U and V from 16 to 240.
_TO_YUV = np.array(
    [
        [*(219 / 255 * _LUMA), 16],
        [*(112 / 255 / (1 - _BLUE) * ([0, 0, 1] - _LUMA)), 128],
        [*(112 / 255 / (1 - _RED) * ([1, 0, 0] - _LUMA)), 128],
    ],
    np.float32,
)


def to_yuv420(image: np.ndarray) -> np.ndarray:
    """Return an RGB image, uint8 (H, W, 3) of even sides, as the three planes of yuv420p, BT.709, uint8 (3 H / 2, W).

    U and V are of the means of 2x2 pixels. It takes a third of the time of swscale's.
    """
    height, width = image.shape[:2]
    half = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    luma = cv2.extractChannel(cv2.transform(image, _TO_YUV), 0)
    _, *chroma = cv2.split(cv2.transform(half, _TO_YUV))
    return np.concatenate([plane.ravel() for plane in (luma, *chroma)]).reshape(-1, width)
