"""Segment objects in a video of your own: give a mask of its first frame, or boxes; get masks and an overlay to watch.

"osmn_segment.py holiday.mp4 --mask first.png --result_path out" writes out/masks/<frame>.png (indexed, of the video's
size) and out/overlay.mp4. Without a mask, --box makes one by GrabCut: out/first_mask.png, beside out/first_frame.png to
draw on.
"""

import dataclasses
from dataclasses import field

from osmn.cli import options
from osmn.cli.entry import reports_input_errors
from osmn.cli.parser import Parser
from osmn.errors import InputError
from osmn.files.overlap import refuse_inputs_inside_outputs, refuse_writing_over_inputs
from osmn.inference.options import SegmentingOptions
from osmn.models.start import StartOptions
from osmn.options import WrongValue, non_negative, option, positive
from osmn.training.options import TrainingOptions


def place(text):
    """Parse a place in a video: a frame's number, or a time such as 4.5s or 1:02.5."""
    from osmn.user_video.media.reader import position

    try:
        return position(text)
    except ValueError as error:
        raise WrongValue(str(error)) from None


@dataclasses.dataclass(frozen=True)
class Video:
    """What is segmented, and what is written of it."""

    input: tuple[str, ...] = field(
        metadata=option("video file, or folder of frames", nargs="+", metavar="INPUT", positional=True)
    )
    result_path: str = field(
        default="",
        metadata=option("folder of the results; with several INPUTs, of a folder for each, of its name"),
    )
    mask: tuple[str, ...] = field(
        default=(),
        metadata=option(
            "PNG of object ids (0: background) in the first frame, or at a frame (120) or time (4.5s, 1:02.5); several"
            " times for objects that come later, and to correct objects; a folder stands for <INPUT's name>.png in it",
            metavar="[PLACE:]FILE",
            repeated=True,
        ),
    )
    box: tuple[list[int], ...] = field(
        default=(),
        metadata=option(
            "instead: a box around an object in the first frame, in pixels; several times for several objects",
            non_negative(int),
            nargs=4,
            metavar=("X", "Y", "W", "H"),
            repeated=True,
        ),
    )
    start: object = field(default=None, metadata=option("first frame used: number, or time", place, metavar="PLACE"))
    end: object = field(
        default=None, metadata=option("first frame not used any more: number, or time", place, metavar="PLACE")
    )
    stride: int = field(default=1, metadata=option("use every so many frames", positive(int)))
    cutout: bool = field(
        default=False, metadata=option("also write cutout_<object>.webm, transparent around the object")
    )


@dataclasses.dataclass(frozen=True)
class Finetuning:
    """How the model is first trained on the given masks."""

    finetune: int = field(
        default=0,
        metadata=option(
            "first train the model on the given masks for N steps (published: 100); OUT/finetuned keeps it",
            non_negative(int),
            metavar="N",
        ),
    )
    learning_rate: float = field(
        default=TrainingOptions.learning_rate,
        metadata=option("of --finetune; the loss is a sum of pixels", positive(float)),
    )


def parser():
    """Return the script's options."""
    to = Parser(__doc__)
    to.add(Video, "input", "result_path", "mask", "box", "start", "end", "stride")
    to.add(SegmentingOptions, "save_score")
    to.add(Video, "cutout")
    to.add(SegmentingOptions, *options.REFINEMENT, "shard")
    to.add(Finetuning)
    to.add(SegmentingOptions, "overwrite", help="replace the results of another run")
    options.add_user_model_options(to)
    return to


def parse(argv):
    """Return the parsed command line."""
    args = parser().parse(argv)
    options.required(args, "result_path")
    if bool(args.mask) == bool(args.box):
        raise InputError("give --mask FILE, or --box X Y W H where there is no mask, and not both")
    return args


@reports_input_errors
def main(argv=None):
    """Run the script; see `-h`."""
    args = parse(argv)
    from osmn.models import exported
    from osmn.user_video import prompts, tracking
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
            loaded = loaded or options.load_user_model(args)
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
        model.provenance(_identity_options(args, job, given, size)),
        "--result_path",
        manifest.Existing.of(args.overwrite),
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
                how = {"save_score": args.save_score, "cutout": args.cutout, "progress": bar.update, "tell": tell}
                done = tracking.segment(predictor, frames, given, job.folder, **how)
        if args.save_score:
            run.finish("scores", done.scores)
        run.finish("video", [*found, *done.files])
    if done.damaged:
        print(f"{job.path}: {done.damaged} damaged packets were skipped")
    if done.missing:
        print(f"{job.path} is cut short: of what it announces, the last {done.missing:.2f} s are missing")
    objects = ", ".join(map(str, done.object_ids))
    print(f"{done.frames} frames, objects {objects}: {job.folder}/overlay.mp4, {job.folder}/masks/")


def _identity_options(args, job, given, size):
    """Return {option: value} for the manifest; scores are further files, and change none."""
    from osmn.user_video import tracking

    found = options.values(args, "stride", "crf_postprocessing")
    found |= {name: None if (place := getattr(args, name)) is None else str(place) for name in ("start", "end")}
    if args.flip_test:
        found |= options.values(args, "flip_test")
    if args.finetune:
        found |= options.values(args, "finetune", "learning_rate")
    return found | tracking.provenance(job.path, given, args.box) | {"im_size": size}


def _finetuned_engine(args, start, job, given, size, run):
    """Return the engine of a network that is trained on what is given, from the weights `start` on."""
    from osmn.models import tensorflow_model
    from osmn.user_video import finetuning
    from osmn.user_video.media.reader import open_frames
    from osmn.user_video.tracking import FINETUNED

    folder = job.folder / FINETUNED
    model = tensorflow_model.new_for_training(
        StartOptions(size, options.model_options(args), args.precision, start, engine=args.engine)
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
