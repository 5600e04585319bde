"""From a dataset's videos to result files: each video through a predictor, what comes out of it into its folder."""

import itertools
import logging
from pathlib import Path

import numpy as np

from osmn.data.types import shard_of
from osmn.errors import InputError
from osmn.files.images import read_image, write_mask
from osmn.files.scores import write_scores
from osmn.inference import crf
from osmn.inference.memory import check_images
from osmn.inference.predictor import Predictor, without_objects
from osmn.models.engines.mirrored import MirroredEngine
from osmn.parallel import WriteBehind, read_ahead
from osmn.progress import progress_bar
from osmn.results import layout, manifest

logger = logging.getLogger(__name__)


def start_predictor(model, options):
    """Return a `Predictor` that runs a model as its `SegmentingOptions` say."""
    refine = crf.refiner() if options.crf_postprocessing else None
    check_images(model.config, options.im_size)
    engine = model.start_engine(options.vg_pad_ratio)
    return Predictor(MirroredEngine(engine) if options.flip_test else engine, options.im_size, refine=refine)


def segment_videos(model, videos, options, origin, replace=False):
    """Propagate through the shard's share of `videos` and write the results, with a progress bar.

    Videos that are finished, with this model and these options, are left out.

    Args:
        model: `tensorflow_model.Model` or `exported.ExportedModel`.
        videos: list of `Video`.
        options: `SegmentingOptions`.
        origin: {option: value} of where the videos come from.
        replace: results of another model may be replaced: this one has just been trained.

    Raises:
        InputError: if the result folder has results of another model or of other options, or files in the results'
            place that no run has made, and they must stay, or if it is where the videos are read from.
    """
    layout.check_places(options.result_path, videos)
    predictor = start_predictor(model, options)
    made_by = model.provenance(options.identity_options | origin)
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
        # Two frames: in the first one of a video objects are given, and nothing is segmented.
        with progress_bar(total=sum(len(video.frames) for video in left), prepared_after=2, unit="frame") as bar:
            for video in left:
                bar.set_postfix_str(video.name)
                written = layout.video_files(video, output)
                with run.part(video.name, written) as part:
                    part.announce(*written)
                    segment_video(predictor, video, options.result_path, output, bar.update)


def segment_video(predictor, video, folder, output=layout.NO_SCORES, progress=lambda: None):
    """Propagate through one video and write the files of `layout.video_files` under `folder`.

    An object's masks are 0/255, black in its reference frame, and of the network's size, as its probabilities are. The
    merged PNGs are of the annotation's size; objects that are given in a frame have their true masks there.
    `progress()` is called per frame.
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
                size = next(iter(given.values())).shape[::-1]
            if output.merges(video) and (given or probabilities):
                write(layout.write_merged, folder / f"{name}.png", size, probabilities, given)
            progress()


def follow(predictor, video):
    """Yield (frame number, `Segmentation`, {object id: reference mask}) of each frame of a `Video`.

    The masks are bool (H, W), of their files' size, and only of objects that are given in the frame: these are followed
    from the next frame on. Frames are read ahead; the memory that this takes does not grow with the video's length.
    """
    frames = read_ahead(lambda path: read_image(path, predictor.im_size), video.frames)
    for number, frame in enumerate(frames):
        if number:
            segmentation = predictor.step(frame)
        else:
            predictor.start(frame)
            segmentation = without_objects(predictor.im_size, predictor.im_size)
        given = {}
        if number in video.references:
            given = layout.reference_masks(video.references[number])
            whole = read_image(video.frames[number])
            for object_id, mask in given.items():
                if not mask.any():
                    name = "an object" if object_id is None else f"object {object_id}"
                    logger.warning(f"{video.references[number].mask} does not show {name}: it starts empty")
                try:
                    predictor.add_object(object_id, mask, whole)
                except InputError as error:  # A mask of another frame, say.
                    raise InputError(f"{video.references[number].mask}: {error}") from None
        yield number, segmentation, given
