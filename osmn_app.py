"""A local web page to segment objects in a video of your own: paint them in a frame, look at what is made of it.

"osmn_app.py" prints the address to open in a browser. There: choose a video or an example, paint objects or drag boxes
around them, segment, repaint where it went wrong and go on from there, download masks and overlay. "Live camera" leads
to a page that follows what the browser's camera sees, as osmn_live.py does. The page needs no network and sends nothing
anywhere; what visitors upload is kept for --keep minutes after they leave, so that they can go on with it, and all of
it is removed when this ends (Ctrl-C). It needs Gradio: pip install -r requirements-app.txt
"""

import dataclasses
import functools
import os
import socket
import threading
from dataclasses import field

from osmn import parallel
from osmn.cli import options
from osmn.cli.entry import reports_input_errors
from osmn.cli.parser import Parser
from osmn.errors import InputError, optional_import
from osmn.options import non_negative, option, positive


@dataclasses.dataclass(frozen=True)
class Page:
    """Where the page is, and what it takes."""

    host: str = field(
        default="127.0.0.1",
        metadata=option("address to listen on; 0.0.0.0 lets other machines in, without a password"),
    )
    port: int = field(default=7860, metadata=option("port to listen on", positive(int, 65535)))
    max_upload: int = field(default=500, metadata=option("largest video taken", positive(int), metavar="MB"))
    keep: int = field(
        default=60,
        metadata=option(
            "how long a visitor's work is kept on disk after their page has gone; 0 removes it then",
            non_negative(int),
            metavar="MINUTES",
        ),
    )


def parser():
    """Return the script's options."""
    to = Parser(__doc__)
    to.add(Page)
    options.add_user_model_options(to)
    return to


def parse(argv):
    """Return the parsed command line."""
    return parser().parse(argv)


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    try:
        socket.getaddrinfo(args.host, args.port)
    except (OSError, UnicodeError):
        raise InputError(f"--host {args.host} is no address; give one of this machine") from None
    from osmn.user_video import model_choice

    options.check_user_model(args)  # Before seconds are spent.
    # Gradio reads them when it is imported: it is to send nothing anywhere.
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1"}
    optional_import("gradio", "requirements-app.txt")
    from osmn.user_video.live.in_app import Cameras
    from osmn.user_video.webapp.page import launch
    from osmn.user_video.webapp.visitors import Visitors

    model, engine = options.load_user_model(args)
    new_predictor = functools.partial(
        model_choice.start_predictor,
        model,
        engine,
        **options.values(args, "im_size", *options.FOLLOWING),
    )
    live = functools.partial(new_predictor, window=False)  # Each new size of windows would be a pause.
    with Visitors(new_predictor, keep=60.0 * args.keep) as visitors, Cameras(live) as cameras:
        os.environ["GRADIO_TEMP_DIR"] = str(visitors.folder)  # The page's files are given from it, and go with it.
        try:
            app = launch(visitors, args.host, args.port, args.max_upload, cameras.routes())
        except OSError:
            raise InputError(f"{args.host}:{args.port} cannot be listened on; give another --port or --host") from None
        print(f"{model.path}; open http://{args.host}:{args.port} in a browser; Ctrl-C ends it", flush=True)
        try:
            parallel.wait_for(threading.Event())
        except KeyboardInterrupt:
            print("ended; all videos and results of the page are removed")
        finally:
            app.close(verbose=False)


if __name__ == "__main__":
    main()
