"""A user's video, from the file to masks and an overlay: checks, fine-tuning, tracking, and finished results."""

import dataclasses
import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from osmn.errors import InputError
from osmn.files.atomic import remove_unfinished, temporary_folder
from osmn.files.images import is_readable
from osmn.files.overlap import refuse_inputs_inside_outputs, refuse_writing_over_inputs
from osmn.inference import boundaries, crf
from osmn.inference.predictor import Predictor
from osmn.masks import Size
from osmn.models import checkpoint_files, exported
from osmn.models.engines import Engine
from osmn.models.engines.mirrored import MirroredEngine
from osmn.models.interface import SegmentationModel, usable
from osmn.models.start import StartOptions
from osmn.progress import progress_bar
from osmn.results import identity, manifest
from osmn.user_video import exports, model_choice, prompts, tracking
from osmn.user_video.both_ways import Backward
from osmn.user_video.boxes import FOUND, Pointing, find_pointed, with_new_found, write_found
from osmn.user_video.media.backward import Mark
from osmn.user_video.media.reader import Frames, content_of, open_frames
from osmn.user_video.options import UserVideoOptions, VideoOptions
from osmn.user_video.prompts import Prompt, path_of
from osmn.user_video.tracking import FINETUNED, GIVEN, MASKS, SCORES, Job, Summary

logger = logging.getLogger(__name__)

OF_MODEL = ("window", "target_model")  # Options that not all models can do; see `usable`.


@contextmanager
def opened(
    job: Job, options: UserVideoOptions, pointed: Pointing | None = None
) -> Iterator[tuple[Frames, list[Prompt]]]:
    """Give a `with` block the frames of a job's video and its `Prompt`s, with their objects.

    `pointed` is what the user points at, in place of masks or too. Raises InputError for a video or a mask that cannot
    be read, and where nothing is found.
    """
    video = options.video
    if not options.overwrite:  # Before a model is loaded, which takes seconds. What it can do is not known yet.
        known = {name: value for name, value in options.identity_options.items() if name not in OF_MODEL}
        manifest.refuse_others(job.folder, "--result_path", known | _provenance(job, pointed))
    with _open_frames(job, video) as frames:
        for remark in frames.remarks:
            logger.info(remark)
        given = prompts.read(job.given, frames.size, frames.as_shown, video.mask_reading, frames.first)
        if pointed is not None:
            pointed.tell_replaced(given)
            given += pointed.prompts(Size(*frames.size), after_masks=bool(given))
            given = [*(() if job.given else find_pointed(frames.first.image, pointed, job.folder)), *given]
        prompts.tell_places_outside(given, frames)
        if any(each.pointed for each in given) and (video.both_ways or options.finetuning.finetune):
            with _open_frames(job, video) as again:  # Before these, all new objects must be known.
                given = with_new_found(again, given)
        yield frames, given


def _open_frames(job: Job, video: VideoOptions) -> Frames:
    """Return the frames of a job's video: what is given as a mask is none of them."""
    return open_frames(job.path, video.start, video.end, video.stride, leave_out=_masks(job))


def _masks(job: Job) -> list[Path]:
    return [each.path for each in job.given if each.path is not None]


def segment_job(
    job: Job,
    frames: Frames,
    given: list[Prompt],
    model: SegmentationModel,
    engine: Engine,
    options: UserVideoOptions,
    read: Iterable[Path],
    pointed: Pointing | None = None,
) -> Summary | None:
    """Segment the video of a job into its folder; return a `Summary`, or None if the results are finished already.

    Args:
        job: the video and the folder of its results.
        frames: of the video, from `opened`.
        given: the `Prompt`s, from `opened`.
        model: of the engine.
        engine: that segments.
        options: how the video is segmented.
        read: the paths that are read for this job or for other jobs, which no result may replace.
        pointed: what the user points at, in place of masks or too.

    Raises:
        InputError: if results would replace files that are read, or the results of another run; if the model is to be
            fine-tuned and is an exported model.
    """
    if options.finetuning.finetune and isinstance(model, exported.ExportedModel):
        raise InputError(f"{model.path} is exported, --finetune needs a checkpoint; give that")
    can: dict[str, Any] = usable(model, window=options.window, target_model=options.target_model)
    options = dataclasses.replace(options, **can)
    read = list(read)
    first = pointed is not None and pointed.first is not None and not job.given
    found = list(FOUND if first else ())
    videos = tracking.videos_written(given, options.video.cutout)
    shown = [GIVEN] if any(each.surprises for each in given) else []
    exported_files = [name for names in _exports(frames, given, options).values() for name in names]
    _check_places(job, model, options, read, [*found, *videos, *shown, *exported_files])
    size = model_choice.size(model, frames.size, options.im_size)
    logger.info(f"{job.path}: {model.summary(size)}")
    refine = crf.refiner() if options.crf_postprocessing else None
    if options.finetuning.finetune and not options.overwrite:
        _check_finetuned(job.folder, _known(given))
    writes = [*videos, *found, tracking.mask_name(frames.first), *exported_files]
    done = None
    made_of = _provenance(job, pointed) | {"im_size": size}
    with _open_run(job, made_of, model, options, read, writes) as run:
        # Scores may be asked for now where a run without scores has finished the masks.
        anew = options.save_score and not run.is_finished("scores", [])
        with run.part("video", videos, anew=anew) as part:
            if not part.finished:
                if not options.overwrite:
                    changed = [name for name in run.changed("video") if Path(name).parent == Path(MASKS)]
                    whole = [name for name in changed if is_readable(job.folder / name)]  # Else it is made again.
                    _refuse_changed(job.folder, whole, ", and give it as --mask PLACE:FILE to go on from it")
                if first:
                    write_found(given[:1], frames.first.image, part.announce)
                if options.finetuning.finetune:
                    engine = _finetuned_engine(job, _known(given), size, model, options, run)
                engine = MirroredEngine(engine) if options.flip_test else engine
                follow = options.search, options.window, options.target_model
                move = boundaries.refiner() if options.boundaries else None
                predictor = Predictor(engine, size, None, refine, *follow, boundaries=move)
                done = _track(job, frames, given, predictor, options, part.announce)
                if options.save_score:
                    run.finish("scores", done.scores)
                part.files = [*found, *done.files]
                manifest.note_found(job.folder, "lost", done.presence.in_json())
        if done is None:
            logger.info(f"finished already: {job.folder}/overlay.mp4")
        else:
            _report(job, done)
        _export(job, _exports(frames, given, options), given, options, run)
    return done


def _exports(frames: Frames, given: list[Prompt], options: UserVideoOptions) -> dict[str, list[str]]:
    """Return {kind: names of files} of the further files that are asked for, as far as they are known beforehand."""
    ids = prompts.all_objects(given)
    return {kind: exports.names(kind, ids, frames.first.name) for kind in options.video.output_format}


def _export(
    job: Job, names: Mapping[str, list[str]], given: list[Prompt], options: UserVideoOptions, run: manifest.Run
) -> None:
    """Write the further files that are asked for, `_exports`, of the masks, as far as they are not there."""
    missing = [kind for kind in names if not run.is_finished(f"exports/{kind}", names[kind])]
    if not missing:
        return
    if not options.overwrite:
        _refuse_changed(job.folder, [name for kind in missing for name in run.changed(f"exports/{kind}")])
    remove_unfinished(job.folder / exports.LABELME)
    with _open_frames(job, options.video) as frames, ExitStack() as stack:
        parts = {kind: stack.enter_context(run.part(f"exports/{kind}", names[kind])) for kind in missing}
        for kind in missing:
            parts[kind].announce(*names[kind])
        tell = parts[exports.LABELME].announce if exports.LABELME in parts else exports.tell_nobody
        exports.write(missing, job.folder, frames, job.path.stem, prompts.all_objects(given), tell)
    shown = [
        f"{job.folder}/{name}"
        for kind in missing
        for name in ([f"{kind}/"] if kind == exports.LABELME else names[kind])
    ]
    logger.info(f"{', '.join(shown)} written")


def _refuse_changed(folder: Path, changed: Sequence[str], advice: str = "") -> None:
    """Raise InputError if there are names in `changed`: of results that somebody has changed, and may want."""
    if changed:
        name = folder / changed[0]
        raise InputError(f"{name} has been changed since it was written; move it{advice}, or --overwrite it")


def _provenance(job: Job, pointed: Pointing | None) -> dict[str, Any]:
    """Return {option: value} of a video and of what is given in it, by masks and by pointing, for a manifest."""
    masks = [[str(each.place), hashlib.sha256(path_of(each).read_bytes()).hexdigest()] for each in job.given]
    content = content_of(job.path, _masks(job))
    found: dict[str, Any] = {"input": str(job.path), identity.CONTENT: content, "masks": masks, "boxes": []}
    if pointed is None:
        return found
    for place, at in [(None, pointed.first), *pointed.later]:
        if at is not None:
            here = {str(object_id): [list(click) for click in of] for object_id, of in at.clicks.items()}
            boxes = {str(object_id): list(box) for object_id, box in at.boxes.items()}
            if place is None:  # As results of before have it, whose k-th box is object k.
                usual = list(at.boxes) == list(range(1, len(boxes) + 1))
                found |= {"boxes": list(boxes.values()) if usual else boxes}
                found |= {"clicks": here} if at.engine is not None else {}
            else:
                found.setdefault("pointed_later", []).append([str(place), boxes, here])
    return found | ({"click_model_sha256": pointed.made_by} if pointed.made_by else {})


def _open_run(
    job: Job,
    made_of: Mapping[str, Any],
    model: SegmentationModel,
    options: UserVideoOptions,
    read: Iterable[Path],
    writes: Sequence[str],
) -> AbstractContextManager[manifest.Run]:
    """Return the context manager of the run that makes a job's results of a video; see `manifest.open_run`."""
    return manifest.open_run(
        job.folder,
        model.provenance({**options.identity_options, **made_of}),
        "--result_path",
        manifest.Existing.of(options.overwrite),
        clear=lambda: _delete_finetuned(job.folder / FINETUNED),
        read=read,
        writes=writes,
    )


def _track(
    job: Job,
    frames: Frames,
    given: list[Prompt],
    predictor: Predictor,
    options: UserVideoOptions,
    tell: Callable[..., object],
) -> Summary:
    """Track the objects and write the results, with a progress bar; see `tracking.segment`."""
    save_score, cutout = options.save_score, options.video.cutout
    with ExitStack() as stack:
        backward = stack.enter_context(_backward(job, given, options)) if options.video.both_ways else None
        total = frames.estimate
        if total is not None and backward is not None:
            total += backward.frames
        bar = stack.enter_context(progress_bar(total=total, prepared_after=2, unit="frame"))
        return tracking.segment(predictor, frames, given, job.folder, save_score, cutout, bar.update, tell, backward)


@contextmanager
def _backward(job: Job, given: list[Prompt], options: UserVideoOptions) -> Iterator[Backward]:
    """Give a `with` block a `Backward` that is prepared; its masks are removed after the block."""
    remove_unfinished(job.folder, deep=False)  # Those of a run that was killed.
    with temporary_folder(job.folder) as folder:
        backward = Backward(folder, job.path, _masks(job))
        with _open_frames(job, options.video) as frames:
            backward.prepare(map(Mark.of, frames), given)
        if not backward.frames:
            logger.info(f"{job.path}: all objects are given in the first frame, --both_ways changes nothing")
        yield backward


def _check_places(
    job: Job, model: SegmentationModel, options: UserVideoOptions, read: Iterable[Path], written: Sequence[str]
) -> None:
    """Raise InputError if results would replace files that are read, or if files are read from folders of results."""
    finetuned = job.folder / FINETUNED
    refuse_writing_over_inputs((job.folder / name for name in (MASKS, SCORES, *written)), read)
    outputs = [job.folder / MASKS, *([finetuned] if options.finetuning.finetune else [])]
    outputs += [job.folder / exports.LABELME] if exports.LABELME in options.video.output_format else []
    refuse_inputs_inside_outputs(read, outputs)
    refuse_inputs_inside_outputs(model.files, [finetuned])


def _report(job: Job, done: Summary) -> None:
    if done.damaged:
        logger.info(f"{job.path}: {done.damaged} damaged packets were skipped")
    if done.missing:
        logger.info(f"{job.path} is cut short: of what it announces, the last {done.missing:.2f} s are missing")
    objects = ", ".join(map(str, done.object_ids)) or "none at the end"
    lost = "".join(f"; {words}" for words in done.presence.words())
    logger.info(f"{done.frames} frames, objects {objects}: {job.folder}/overlay.mp4, {job.folder}/masks/{lost}")


def _finetuned_engine(
    job: Job,
    given: list[Prompt],
    size: tuple[int, int],
    model: SegmentationModel,
    options: UserVideoOptions,
    run: manifest.Run,
) -> Engine:
    """Return the engine of a network that is trained on the given objects, starting from the model's weights."""
    from osmn.models import tensorflow_model  # TensorFlow takes seconds to import
    from osmn.user_video import finetuning

    video, training = options.video, options.finetuning
    start = StartOptions(size, options.given, options.precision, model.path or "", engine=model.engine)
    network = tensorflow_model.new_for_training(start)
    written = _examples(given)
    # Earlier versions did not note these files; `_check_finetuned` has checked that a run made them.
    with (
        run.part(FINETUNED, ours=written, anew=True) as part,
        _open_frames(job, video) as frames,
    ):
        part.announce(*written)
        folder = job.folder / FINETUNED
        trained = finetuning.finetune(network, given, frames, folder, size, training.finetune, training.learning_rate)
    if model.engine == exported.OPENVINO:  # In the precision that the results note, whatever it was trained in.
        trained = dataclasses.replace(trained, precision=model.precision)
    return trained.start_engine()


def _known(given: list[Prompt]) -> list[Prompt]:
    """Return the `Prompt`s whose masks are known before the objects are followed: a model can be trained on them."""
    return [each for each in given if each.pointed is None]


def _examples(given: list[Prompt]) -> list[str]:
    """Return the names, among the results, of the images and masks that the model is trained on."""
    from osmn.user_video.finetuning import example_files  # TensorFlow takes seconds to import

    return [f"{FINETUNED}/{name}" for name in example_files(given)]


def _check_finetuned(results: Path, given: list[Prompt]) -> None:
    """Raise InputError for a model, or its images, that no run has made: the training would go on from that model."""
    if not (results / FINETUNED).is_dir() or manifest.read_run(results) is not None:
        return
    there = [path for path in (results / name for name in _examples(given)) if path.exists()]
    there += filter(None, [checkpoint_files.newest_checkpoint(results / FINETUNED)])
    if there:
        raise InputError(
            f"{there[0]} is there, and no {results / manifest.RUN} that says how it was made; move it, give another"
            " --result_path, or --overwrite to train anew"
        )


def _delete_finetuned(folder: Path) -> None:
    """Delete the models of another run."""
    if folder.is_dir():
        from osmn.models import checkpoints  # TensorFlow takes seconds to import

        checkpoints.delete_checkpoints(folder)
