"""From a dataset's videos to result files: a predictor segments each video, and its masks are written."""

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from osmn.data.types import Video, shard_of
from osmn.errors import InputError, argument
from osmn.files.images import read_image, short_side_of, write_mask
from osmn.files.scores import write_scores
from osmn.inference import boundaries, crf
from osmn.inference.options import SegmentingOptions
from osmn.inference.predictor import Predictor, Segmentation, without_objects
from osmn.masks import Size
from osmn.models.engines.mirrored import MirroredEngine
from osmn.models.interface import SegmentationModel, check_size, takes_windows
from osmn.models.memory import check_images
from osmn.parallel import WriteBehind, read_ahead
from osmn.progress import progress_bar
from osmn.results import layout, manifest

logger = logging.getLogger(__name__)


def start_predictor(model: SegmentationModel, options: SegmentingOptions) -> Predictor:
    """Return a `Predictor` that runs a model as its `SegmentingOptions` say."""
    if options.window and not takes_windows(model):
        size = "x".join(map(str, model.only_size or model.config.aligned_size or ()))
        raise InputError(f"{argument('window')}: this model has a single size of images, {size}; leave it out")
    if options.target_model and not model.has_appearance:
        without = "neither has a model without a visual modulator, nor an export of an earlier version"
        raise InputError(
            f"{argument('target_model')}: this model has no features of whole frames ({without}); leave it out"
        )
    refine = crf.refiner() if options.crf_postprocessing else None
    im_size, short_side = options.im_size, None
    if im_size is None or options.short_side is not None:
        im_size, short_side = None, options.short_side or min(model.config.im_size or (0,)) or None
    check_size(model, im_size or (0, 0))  # Frames that keep their shape have any size.
    check_images(model.config, im_size or (short_side or 1, short_side or 1))
    engine = model.start_engine(options.vg_pad_ratio)
    engine = MirroredEngine(engine) if options.flip_test else engine
    follow = options.search, options.window, options.target_model
    move = boundaries.refiner() if options.boundaries else None
    return Predictor(engine, im_size, short_side, refine, *follow, boundaries=move)


def segment_videos(
    model: SegmentationModel,
    videos: Sequence[Video],
    options: SegmentingOptions,
    origin: Mapping[str, Any],
    replace: bool = False,
) -> None:
    """Propagate through the shard's share of `videos` and write the results, with a progress bar.

    Videos that are finished, with this model and these options, are left out.

    Args:
        model: `tensorflow_model.Model` or `exported.ExportedModel`.
        videos: the videos to segment.
        options: `SegmentingOptions`.
        origin: {option: value} of where the videos come from.
        replace: results of another model may be replaced, because `model` has just been trained.

    Raises:
        InputError: if the result folder has files that must stay: results of another model or of other options, or
            files that no run has made in the place of a result; or if the videos are read from the result folder.
    """
    layout.check_places(options.result_path, videos)
    predictor = start_predictor(model, options)
    made_by = model.provenance({**options.identity_options, **origin})
    output = layout.Output(options.save_score)
    videos = shard_of(videos, options.shard)
    opened = manifest.open_run(
        options.result_path,
        made_by,
        "--result_path",
        manifest.Existing.of(options.overwrite, replace),
        shard=options.shard,
        writes=itertools.chain(*(layout.video_files(video, output) for video in videos)),
    )
    with opened as run:
        left = [video for video in videos if not run.is_finished(video.name, layout.video_files(video, output))]
        if len(left) < len(videos):
            finished = len(videos) - len(left)
            logger.info(f"{finished} of {len(videos)} videos are finished in {options.result_path}: left out")
        if predictor.short_side is not None:
            _say_size(predictor.short_side, left)
        # Two frames: in the first frame of a video objects are given, and nothing is segmented.
        with progress_bar(total=sum(len(video.frames) for video in left), prepared_after=2, unit="frame") as bar:
            for video in left:
                bar.set_postfix_str(video.name)
                written = layout.video_files(video, output)
                with run.part(video.name, written, anew=True) as part:  # `left` has no finished video.
                    part.announce(*written)
                    segment_video(predictor, video, options.result_path, output, bar.update)


def _say_size(short_side: int, videos: Sequence[Video]) -> None:
    """Log a line: the short side of the network's frames, and how many videos are enlarged to it."""
    smaller = sum(short_side_of(video.frames[0]) < short_side for video in videos)
    enlarged = f"; {smaller} of {len(videos)} videos are smaller, and are enlarged" if smaller else ""
    given = argument("short_side")
    logger.info(f"frames keep their shape, at a short side of {short_side} pixels{enlarged} ({given} sets it)")


def segment_video(
    predictor: Predictor,
    video: Video,
    folder: Path | str,
    output: layout.Output = layout.NO_SCORES,
    progress: Callable[[], object] = lambda: None,
) -> None:
    """Propagate through one video and write the files of `layout.video_files` under `folder`.

    An object's masks are 0/255, black in its reference frame, and of the network's size, as its probabilities are. The
    merged PNGs are of the annotation's size; objects that are given in a frame have their true masks there.
    `progress()` is called after each frame.
    """
    folder = Path(folder) / video.name
    layout.remove_leftovers(folder, video)
    with WriteBehind() as write:
        for number, segmentation, given in follow(predictor, video):
            name = video.frames[number].stem
            wanted = [n for n, i in enumerate(segmentation.object_ids) if video.has_result(i, number)]
            probabilities = {segmentation.object_ids[n]: segmentation.probabilities[n] for n in wanted}
            masks = {segmentation.object_ids[n]: segmentation.masks[n] for n in wanted}
            masks |= dict.fromkeys(given, np.zeros(segmentation.masks.shape[1:], bool))
            for object_id, mask in masks.items():
                write(write_mask, layout.object_folder(folder, object_id) / f"{name}.png", mask)
            if output.save_score:
                for object_id, probability in probabilities.items():
                    write(write_scores, layout.object_folder(folder, object_id) / f"{name}.npy", probability)
            if given:
                size = layout.size_of(given)
            if output.merges(video) and (given or probabilities):
                write(layout.write_merged, folder / f"{name}.png", size, probabilities, given)
            progress()


def follow(predictor: Predictor, video: Video) -> Iterator[tuple[int, Segmentation, dict[int | None, np.ndarray]]]:
    """Yield (frame number, `Segmentation`, {object id: reference mask}) of each frame of a `Video`.

    The masks are bool (H, W), of their files' size, and only of objects that are given in the frame: these are followed
    from the next frame on. Frames are read ahead; the memory for them does not grow with the video's length.
    """
    frames = read_ahead(lambda path: read_image(path, predictor.im_size), video.frames)
    for number, frame in enumerate(frames):
        if number:
            try:
                segmentation = predictor.step(frame)
            except InputError as error:  # A frame of another size, say.
                raise InputError(f"{video.frames[number]}: {error}") from None
        else:
            predictor.start(frame)
            small = predictor.at_network_size(frame)
            segmentation = without_objects(Size.of(small), Size.of(frame))
        given = {}
        if number in video.references:
            given = layout.reference_masks(video.references[number])
            whole = frame if predictor.im_size is None else read_image(video.frames[number])
            for object_id, mask in given.items():
                if not mask.any():
                    name = "an object" if object_id is None else f"object {object_id}"
                    logger.warning(f"{video.references[number].mask} does not show {name}: it starts empty")
                try:
                    predictor.follow(object_id, mask, whole)
                except InputError as error:  # A mask of another frame, say.
                    raise InputError(f"{video.references[number].mask}: {error}") from None
        yield number, segmentation, given
