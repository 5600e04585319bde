"""Segment objects in a video of your own: give a mask of its first frame, or boxes; get masks and an overlay to watch.

    python osmn_segment.py holiday.mp4 --mask first.png --result_path out

writes out/masks/<frame>.png (indexed, of the video's size) and out/overlay.mp4. INPUT is a video file or a folder of
frames. Without a mask, --box makes one by GrabCut, out/first_mask.png, beside out/first_frame.png to draw on.
"""

from pathlib import Path

from osmn import args as arguments
from osmn.errors import InputError, reports_input_errors

MODEL = Path(__file__).parent / "models/osmn_lite"


def parse(argv):
    """Return the parsed command line."""
    parser = arguments.parser(__doc__)
    parser.add_argument("input", metavar="INPUT", help="video file, or folder of frames")
    parser.add_argument("--result_path", default="", help="folder of the results")
    parser.add_argument(
        "--mask",
        action="append",
        default=[],
        metavar="[PLACE:]FILE",
        help="PNG of object ids (0: background) in the first frame, or at a frame (120) or time (4.5s, 1:02.5); several"
        " times for objects that come later, and to correct objects",
    )
    parser.add_argument(
        "--box",
        action="append",
        default=[],
        nargs=4,
        type=arguments.non_negative(int),
        metavar=("X", "Y", "W", "H"),
        help="instead: a box around an object in the first frame, in pixels; several times for several objects",
    )
    for name, what in (("start", "first frame used"), ("end", "first frame not used any more")):
        parser.add_argument(f"--{name}", type=arguments.place, metavar="PLACE", help=f"{what}: number, or time")
    parser.add_argument("--stride", type=arguments.positive(int), default=1, help="use every so many frames")
    parser.add_argument("--save_score", action="store_true", help="also write each object's probabilities (.npy)")
    parser.add_argument("--crf_postprocessing", action="store_true", help="refine each mask by a dense CRF")
    parser.add_argument("--overwrite", action="store_true", help="replace the results of another run")
    parser.add_argument(
        "--whole_model_path", default="", help="model: checkpoint, or folder (default: models/osmn_lite)"
    )
    arguments.add_model_options(parser)
    parser.add_argument(
        "--im_size",
        type=arguments.positive(int),
        nargs=2,
        metavar=("W", "H"),
        help="network's image size (default: by the video's shape and the model's training)",
    )
    arguments.add_device_options(parser)
    args = parser.parse_args(argv)
    arguments.required(args, "result_path")
    if bool(args.mask) == bool(args.box):
        raise InputError("give --mask FILE, or --box X Y W H where there is no mask, and not both")
    return args


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    from osmn import own_video
    from osmn.video import open_frames

    given = [own_video.parse_given(text) for text in args.mask]
    with open_frames(args.input, args.start, args.end, args.stride) as frames:
        if args.box:
            given = own_video.give_boxes(frames, args.box, args.result_path)
        own_video.check(given, frames.size)
        _segment(args, frames, given)


def _segment(args, frames, given):
    from tqdm import tqdm

    from osmn import crf, devices, manifest, models, own_video  # TensorFlow takes seconds to import
    from osmn.engine import TensorFlowEngine
    from osmn.predictor import Predictor, network_size

    if not args.whole_model_path and not MODEL.with_suffix(".index").is_file():
        raise InputError(f"{MODEL} is not there; give a model, --whole_model_path MODEL (models/README.md)")
    devices.configure([args.gpu_id])
    model = models.load(args.whole_model_path or MODEL, arguments.model_options(args), args.precision)
    trained_size = model.network.config.im_size
    size = args.im_size or network_size(frames.size, min(trained_size) if trained_size else None)
    print(model.summary(size))
    refine = crf.refiner() if args.crf_postprocessing else None
    predictor = Predictor(TensorFlowEngine(model.network), tuple(size), refine=refine)
    options = arguments.values(args, "stride", "save_score", "crf_postprocessing")
    options |= {name: None if (place := getattr(args, name)) is None else str(place) for name in ("start", "end")}
    made_by = model.described(options | own_video.described(args.input, given) | {"im_size": size})
    run = manifest.open_run(args.result_path, made_by, "--result_path", args.overwrite)
    if run.is_finished("video", ["overlay.mp4"]):
        print(f"finished already: {args.result_path}/overlay.mp4")
        return
    with tqdm(total=frames.estimate, unit="frame", dynamic_ncols=True) as bar:
        done = own_video.segment(predictor, frames, given, args.result_path, args.save_score, bar.update)
    run.finish("video", ["overlay.mp4"])
    if done.damaged:
        print(f"{args.input}: {done.damaged} damaged packets were skipped")
    objects = ", ".join(map(str, done.object_ids))
    print(f"{done.frames} frames, objects {objects}: {args.result_path}/overlay.mp4, {args.result_path}/masks/")


if __name__ == "__main__":
    main()
