"""A local web page to segment objects in a video of your own: paint them in a frame, look at what is made of it.

"osmn_app.py" prints the address to open in a browser. There: choose a video or an example, paint objects or drag boxes
around them, segment, repaint where it went wrong and go on from there, download masks and overlay. The page needs no
network and sends nothing anywhere; what visitors upload is removed when they leave, and all of it when this ends
(Ctrl-C). It needs Gradio: pip install -r requirements-app.txt
"""

import os
import socket
import threading

from osmn.cli import options as arguments
from osmn.cli.entry import reports_input_errors
from osmn.cli.types import positive
from osmn.errors import InputError
from osmn.optional_packages import optional_import


def parse(argv):
    """Return the parsed command line."""
    parser = arguments.parser(__doc__)
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 lets other machines in, without a password"
    )
    parser.add_argument("--port", type=positive(int, 65535), default=7860, help="port to listen on")
    parser.add_argument("--max_upload", type=positive(int), default=500, metavar="MB", help="largest video taken")
    arguments.add_own_model_options(parser)
    return parser.parse_args(argv)


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    try:
        socket.getaddrinfo(args.host, args.port)
    except (OSError, UnicodeError):
        raise InputError(f"--host {args.host} is no address; give one of this machine") from None
    from osmn.user_video import model_choice

    own = arguments.own_model(args)
    model_choice.check(own["path"], own["given"], own["precision"], own["engine"])  # Before seconds are spent.
    # Gradio reads them when it is imported: it is to send nothing anywhere.
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1"}
    optional_import("gradio", "requirements-app.txt")
    from osmn.inference.predictor import Predictor
    from osmn.user_video.webapp.page import launch
    from osmn.user_video.webapp.session import Sessions

    model, engine = model_choice.load(**own)

    def predictor(frame_size):
        return Predictor(engine, model_choice.size(model, frame_size, args.im_size))

    with Sessions(predictor) as sessions:
        os.environ["GRADIO_TEMP_DIR"] = str(sessions.folder)  # Uploads come into it too, and go with it.
        try:
            app = launch(sessions, args.host, args.port, args.max_upload)
        except OSError:
            raise InputError(f"{args.host}:{args.port} cannot be listened on; give another --port or --host") from None
        print(f"{model.path}; open http://{args.host}:{args.port} in a browser; Ctrl-C ends it", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("ended; all videos and results of the page are removed")
        finally:
            app.close(verbose=False)


if __name__ == "__main__":
    main()
