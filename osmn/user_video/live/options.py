"""Options of live pictures: where they come from, and what is written."""

import dataclasses
from dataclasses import field

from osmn.config import SIZE
from osmn.options import option, positive


@dataclasses.dataclass(frozen=True)
class LiveOptions:
    """Where live pictures come from, and what is written of them.

    Attributes:
        input: a camera's number, a stream's address, "-" for a pipe, or the path of a file or of a folder of frames.
        result_path: folder of the results; "" for none.
        raw_size: (width, height) of raw pictures that are piped in.
        raw_format: FFmpeg's name of their pixels' format.
        camera_size: (width, height) that a camera is asked for.
        lost_after: seconds without a picture after which a camera or a stream is opened anew.
    """

    input: str = field(
        metadata=option(
            "a camera's number (0), a stream (rtsp://..., http://...), - for a pipe (y4m, or raw pictures), or a file"
            " or a folder of frames, which is played in real time",
            metavar="INPUT",
            positional=True,
        )
    )
    result_path: str = field(
        default="", metadata=option("folder of masks, overlay and frames.csv (default: nothing is written)")
    )
    raw_size: tuple[int, int] | None = field(
        default=None, metadata=option("size of raw pictures that are piped in, with --raw_format", **SIZE)
    )
    raw_format: str | None = field(
        default=None, metadata=option("format of their pixels, as FFmpeg calls it: yuv420p, nv12, rgb24, gray, ...")
    )
    camera_size: tuple[int, int] | None = field(
        default=None, metadata=option("size that the camera is asked for (default: its own)", **SIZE)
    )
    lost_after: float = field(
        default=5.0,
        metadata=option(
            "without a picture for so long, a camera or a stream is opened anew",
            positive(float, 3600.0),
            metavar="SECONDS",
        ),
    )
