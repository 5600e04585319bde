"""Options of live pictures: where they come from, what is written, and where the local page is."""

import dataclasses
from dataclasses import field

from osmn.config import SIZE
from osmn.options import option, positive


@dataclasses.dataclass(frozen=True)
class LiveOptions:
    """Where live pictures come from, what is written of them, and where the local page is.

    Attributes:
        input: a camera's number, a stream's address, "-" for a pipe, or the path of a file or of a folder of frames.
        result_path: folder of the results; "" for none.
        raw_size: (width, height) of raw pictures that are piped in.
        raw_format: FFmpeg's name of their pixels' format.
        camera_size: (width, height) that a camera is asked for.
        lost_after: seconds without a picture after which a camera or a stream is opened anew.
        host: address that the page listens on.
        port: port that the page listens on.
        no_page: there is no page.
    """

    input: str = field(
        metadata=option(
            "a camera's number (0), a stream (rtsp://..., http://...), - for a pipe (y4m, or raw pictures), browser for"
            " the camera of the page's browser, or a file or a folder of frames, which is played in real time",
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
    host: str = field(
        default="127.0.0.1",
        metadata=option("address that the page listens on; 0.0.0.0 lets other machines in, without a password"),
    )
    port: int = field(default=7861, metadata=option("port that the page listens on", positive(int, 65535)))
    no_page: bool = field(
        default=False, metadata=option("no local page: objects are given by --mask, --box or --click")
    )
