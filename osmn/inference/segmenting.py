"""From a dataset's videos to result files: each video through a predictor, what comes out of it into its folder."""

import dataclasses
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


@dataclasses.dataclass(frozen=True)
class SegmentingOptions:
    """How videos are segmented; names and defaults are those of the command line.

    Attributes:
        result_path: folder of the results.
        im_size: (width, height) of the network's input and of the objects' masks.
        save_score: also write each object's probabilities.
        crf_postprocessing: refine each mask by a dense CRF before it is written and propagated.
        flip_test: average each frame's probabilities with those of its mirror image.
        vg_pad_ratio: the visual guide's crop grows by this part of its sides.
        shard: (i, n): only the i-th of n shares of the videos, from 0.
        overwrite: results of another model or of other options may be replaced.
    """

    result_path: str
    im_size: tuple[int, int]
    save_score: bool = False
    crf_postprocessing: bool = False
    flip_test: bool = False
    vg_pad_ratio: float = 0.03
    shard: tuple[int, int] = (0, 1)
    overwrite: bool = False

    def that_change_results(self):
        """Return {option: value} of the options that change the content of result files."""
        names = ("im_size", "crf_postprocessing", "vg_pad_ratio")
        flip_test = {"flip_test": True} if self.flip_test else {}  # Results of before this option stay what they are.
        return {name: getattr(self, name) for name in names} | flip_test

    def predictor(self, model):
        """Return a `Predictor` that runs a model as these options say."""
        refine = crf.refiner() if self.crf_postprocessing else None
        check_images(model.config, self.im_size)
        engine = model.start_engine(self.vg_pad_ratio)
        return Predictor(MirroredEngine(engine) if self.flip_test else engine, self.im_size, refine=refine)


def segment_videos(model, videos, options, origin, replace=False):
    """Propagate through the shard's share of `videos` and write the results, with a progress bar.

    Videos that are finished, with this model and these options, are left out.

    Args:
        model: `tensorflow_model.Model` or `exported.ExportedModel`.
        videos: list of `Video`.
        options: SegmentingOptions.
        origin: {option: value} of where the videos come from.
        replace: results of another model may be replaced: this one has just been trained.

    Raises:
        InputError: if the result folder has results of another model or of other options, or files in the results'
            place that no run has made, and they must stay, or if it is where the videos are read from.
    """
    layout.check_places(options.result_path, videos)
    predictor = options.predictor(model)
    made_by = model.described(options.that_change_results() | origin)
    output = layout.Output(options.save_score)
    videos = shard_of(videos, options.shard)
    opened = manifest.open_run(
        options.result_path,
        made_by,
        "--result_path",
        options.overwrite,
        shard=options.shard,
        writes=itertools.chain(*(layout.video_files(video, output) for video in videos)),
        replace=replace,
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
                with run.making(video.name) as tell:
                    tell(*written)
                    segment_video(predictor, video, options.result_path, output, bar.update)
                run.finish(video.name, written)


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
