"""Decoded frames of any kind to upright RGB, by FFmpeg's filters."""

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorTrc

# How to turn a picture upright, by its display matrix (a b, c d): whether it lies on its side, and the signs of its two
# large numbers, a and d, or b and c.
_UPRIGHT = {
    (False, True, True): (),
    (False, False, True): (("hflip", None),),
    (False, True, False): (("vflip", None),),
    (False, False, False): (("hflip", None), ("vflip", None)),
    (True, True, False): (("transpose", "clock"),),
    (True, False, True): (("transpose", "cclock"),),
    (True, True, True): (("transpose", "cclock_flip"),),
    (True, False, False): (("transpose", "clock_flip"),),
}
# The numbers of colours (ISO 23091-2) that swscale computes with. For others it fails, where players take the default.
_KNOWN = {
    "colorspace": {0, 1, 2, 4, 5, 6, 7, 9},
    "color_trc": {1, 2, *range(4, 9), *range(11, 19)},
    "color_primaries": {1, 2, *range(4, 13), 22},
}
_UNSPECIFIED = 2
_NOT_TURNED = (1, 0, 0, 0, 1, 0, 0, 0, 1)


class ToRGB:
    """Turns decoded frames into RGB uint8 (H, W, 3): square pixels, upright, all of the first one's size.

    A filter graph does it, made anew where the frames' properties change. swscale, in `scale`, converts: zscale
    is in no build of PyAV. It maps the tones of HDR (PQ, HLG), keeping reference white white. Colours of a kind that it
    does not know are taken for those of a file that says nothing.
    """

    def __init__(self, pixel_aspect):
        self._pixel_aspect = pixel_aspect
        self._size = self._properties = self._graph = None

    def __call__(self, frame):
        """Return a decoded frame as an array."""
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

    def _make_graph(self, frame, matrix):
        a, b, _, c, d = matrix[:5]
        turned = abs(b) > abs(a)
        upright = _UPRIGHT[turned, (b if turned else a) > 0, (c if turned else d) > 0]
        if self._size is None:  # the shorter side of the pixels is stretched, so that nothing is lost
            width = round(frame.width * max(1, self._pixel_aspect))
            height = round(frame.height * max(1, 1 / self._pixel_aspect))
            self._size = (height, width) if turned else (width, height)
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


def _display_matrix(frame):
    """Return the nine numbers by which a frame is turned to be shown, its clockwise quarter turn being (0 1, -1 0)."""
    data = frame.side_data.get("DISPLAYMATRIX")
    return _NOT_TURNED if data is None else tuple(np.frombuffer(data, np.int32).tolist())
