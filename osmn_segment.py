"""Segment objects in a video of your own: give a mask of its first frame, or boxes; get masks and an overlay to watch.

"osmn_segment.py holiday.mp4 --mask first.png --result_path out" writes out/masks/<frame>.png (indexed, of the video's
size) and out/overlay.mp4. Without a mask, --box makes one by GrabCut: out/first_mask.png, beside out/first_frame.png to
draw on.
"""

from osmn.cli import options as arguments
from osmn.cli.entry import reports_input_errors
from osmn.cli.types import non_negative, place, positive
from osmn.errors import InputError
from osmn.files.overlap import refuse_inputs_inside_outputs, refuse_writing_over_inputs


def parse(argv):
    """Return the parsed command line."""
    parser = arguments.parser(__doc__)
    parser.add_argument("input", metavar="INPUT", nargs="+", help="video file, or folder of frames")
    parser.add_argument(
        "--result_path",
        default="",
        help="folder of the results; with several INPUTs, of a folder for each, of its name",
    )
    parser.add_argument(
        "--mask",
        action="append",
        default=[],
        metavar="[PLACE:]FILE",
        help="PNG of object ids (0: background) in the first frame, or at a frame (120) or time (4.5s, 1:02.5); several"
        " times for objects that come later, and to correct objects; a folder stands for <INPUT's name>.png in it",
    )
    parser.add_argument(
        "--box",
        action="append",
        default=[],
        nargs=4,
        type=non_negative(int),
        metavar=("X", "Y", "W", "H"),
        help="instead: a box around an object in the first frame, in pixels; several times for several objects",
    )
    for name, what in (("start", "first frame used"), ("end", "first frame not used any more")):
        parser.add_argument(f"--{name}", type=place, metavar="PLACE", help=f"{what}: number, or time")
    parser.add_argument("--stride", type=positive(int), default=1, help="use every so many frames")
    parser.add_argument("--save_score", action="store_true", help="also write each object's probabilities (.npy)")
    parser.add_argument(
        "--cutout", action="store_true", help="also write cutout_<object>.webm, transparent around the object"
    )
    arguments.add_refinement_options(parser)
    arguments.add_shard_option(parser)
    parser.add_argument(
        "--finetune",
        type=non_negative(int),
        default=0,
        metavar="N",
        help="first train the model on the given masks for N steps (published: 100); OUT/finetuned keeps it",
    )
    parser.add_argument(
        "--learning_rate",
        type=positive(float),
        default=1e-5,
        help="of --finetune; the loss is a sum of pixels",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the results of another run")
    arguments.add_own_model_options(parser)
    args = parser.parse_args(argv)
    arguments.required(args, "result_path")
    if bool(args.mask) == bool(args.box):
        raise InputError("give --mask FILE, or --box X Y W H where there is no mask, and not both")
    return args


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    from osmn.models import exported
    from osmn.user_video import model_choice, prompts, tracking
    from osmn.user_video.media.reader import open_frames

    index, count = args.shard
    loaded, jobs = None, tracking.jobs(args.input, args.mask, args.result_path)
    if index >= len(jobs):
        print(f"share {index}/{count} of {len(jobs)} videos has none: there is nothing to do")
    read = [path for job in jobs for path in (job.path, *(each.path for each in job.given))]
    for job in jobs[index::count]:
        with open_frames(job.path, args.start, args.end, args.stride) as frames:
            if args.box:
                objects = prompts.in_boxes(frames.first.image, args.box, job.folder)
            else:
                objects = prompts.read(job.given, frames.size)
            # After the first look at what is given: it takes seconds.
            loaded = loaded or model_choice.load(**arguments.own_model(args))
            if args.finetune and isinstance(loaded[0], exported.ExportedModel):
                raise InputError(f"{loaded[0].path} is exported, --finetune needs a checkpoint; give that")
            _segment(args, *loaded, job, frames, objects, read)


def _segment(args, model, engine, job, frames, given, read):
    """Segment the video of a job; `read` are the paths of all that is read for one of the jobs."""
    from osmn.inference import crf
    from osmn.inference.predictor import Predictor
    from osmn.models.engines.mirrored import MirroredEngine
    from osmn.progress import progress_bar
    from osmn.results import manifest
    from osmn.user_video import model_choice, tracking
    from osmn.user_video.prompts import FOUND, write_found

    videos = tracking.videos_written(given, args.cutout)
    finetuned, found = job.folder / tracking.FINETUNED, FOUND if args.box else ()
    refuse_writing_over_inputs((job.folder / name for name in (tracking.MASKS, tracking.SCORES, *found, *videos)), read)
    refuse_inputs_inside_outputs(read, [job.folder / tracking.MASKS, *([finetuned] if args.finetune else [])])
    refuse_inputs_inside_outputs(model.files, [finetuned])
    size = model_choice.size(model, frames.size, args.im_size)
    print(f"{job.path}: {model.summary(size)}")
    refine = crf.refiner() if args.crf_postprocessing else None
    if args.finetune and not args.overwrite:
        _check_finetuned(job.folder, given)
    opened = manifest.open_run(
        job.folder,
        model.described(_that_change_results(args, job, given, size)),
        "--result_path",
        args.overwrite,
        clear=lambda: _delete_finetuned(finetuned),
        read=read,
        writes=[*videos, *found, tracking.mask_name(frames.first)],
    )
    with opened as run:
        if run.is_finished("video", videos) and (not args.save_score or run.is_finished("scores", [])):
            print(f"finished already: {job.folder}/overlay.mp4")
            return
        with run.making("video") as tell:
            if args.box:
                write_found(given, frames.first.image, tell)
            if args.finetune:
                engine = _finetuned_engine(args, model.path, job, given, size, run)
            predictor = Predictor(MirroredEngine(engine) if args.flip_test else engine, size, refine=refine)
            with progress_bar(total=frames.estimate, prepared_after=2, unit="frame") as bar:
                options = {"save_score": args.save_score, "cutout": args.cutout, "progress": bar.update, "tell": tell}
                done = tracking.segment(predictor, frames, given, job.folder, **options)
        if args.save_score:
            run.finish("scores", done.scores)
        run.finish("video", [*found, *done.files])
    if done.damaged:
        print(f"{job.path}: {done.damaged} damaged packets were skipped")
    if done.missing:
        print(f"{job.path} is cut short: of what it announces, the last {done.missing:.2f} s are missing")
    objects = ", ".join(map(str, done.object_ids))
    print(f"{done.frames} frames, objects {objects}: {job.folder}/overlay.mp4, {job.folder}/masks/")


def _that_change_results(args, job, given, size):
    """Return {option: value} for the manifest; scores are further files, and change none."""
    from osmn.user_video import tracking

    options = arguments.values(args, "stride", "crf_postprocessing")
    options |= {name: None if (place := getattr(args, name)) is None else str(place) for name in ("start", "end")}
    if args.flip_test:
        options |= arguments.values(args, "flip_test")
    if args.finetune:
        options |= arguments.values(args, "finetune", "learning_rate")
    return options | tracking.described(job.path, given, args.box) | {"im_size": size}


def _finetuned_engine(args, start, job, given, size, run):
    """Return the engine of a network that is trained on what is given, from the weights `start` on."""
    from osmn.models import tensorflow_model
    from osmn.user_video import finetuning
    from osmn.user_video.media.reader import open_frames
    from osmn.user_video.tracking import FINETUNED

    folder, engine = job.folder / FINETUNED, args.engine or "tensorflow"
    model = tensorflow_model.new_for_training(
        size, arguments.model_options(args), args.precision, start=start, engine=engine
    )
    written = _examples(given)
    # Earlier versions did not note them; `_check_finetuned` has seen whose they are.
    with (
        run.making(FINETUNED, ours=written) as tell,
        open_frames(job.path, args.start, args.end, args.stride) as frames,
    ):
        tell(*written)
        trained = finetuning.finetune(model, given, frames, folder, size, args.finetune, args.learning_rate)
    run.finish(FINETUNED, written)
    return trained.start_engine()


def _examples(given):
    """Return the names, among the results, of the images and masks that the model is trained on."""
    from osmn.user_video.finetuning import example_files
    from osmn.user_video.tracking import FINETUNED

    return [f"{FINETUNED}/{name}" for name in example_files(given)]


def _check_finetuned(results, given):
    """Raise InputError for a model that no run has made, or for its images: training would go on from it."""
    from osmn.models import checkpoint_files
    from osmn.results import manifest
    from osmn.user_video.tracking import FINETUNED

    if not (results / FINETUNED).is_dir() or manifest.read_run(results) is not None:
        return
    there = [path for path in (results / name for name in _examples(given)) if path.exists()]
    there += filter(None, [checkpoint_files.newest_checkpoint(results / FINETUNED)])
    if there:
        raise InputError(
            f"{there[0]} is there, and no {results / manifest.RUN} that says how it was made; move it, give another"
            " --result_path, or --overwrite to train anew"
        )


def _delete_finetuned(folder):
    """Delete the models of another run."""
    if folder.is_dir():
        from osmn.models import checkpoints

        checkpoints.delete_checkpoints(folder)


if __name__ == "__main__":
    main()
