"""Online fine-tuning: for each object a network is trained on its reference frame, and segments its video."""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from osmn.data.types import Example, Video, reference_example, shard_of
from osmn.errors import InputError
from osmn.files.overlap import refuse_inputs_inside_outputs
from osmn.files.scores import read_scores
from osmn.inference import segmenting
from osmn.inference.options import SegmentingOptions
from osmn.inference.predictor import Predictor
from osmn.inputs.pipeline import Pipeline
from osmn.inputs.sources import Source, mixed, video_source
from osmn.models import checkpoint_files, checkpoints, tensorflow_model
from osmn.networks import Osmn
from osmn.progress import progress_bar
from osmn.results import layout, manifest
from osmn.training import loop, trainer
from osmn.training.options import TrainingRun


class Rehearsal(NamedTuple):
    """Training videos whose samples are mixed into online fine-tuning, so that a model keeps what it knows.

    They are mirrored at random; the reference frame is not.

    Attributes:
        examples: the `Example`s of these videos.
        share: of all samples, above 0 and below 1.
    """

    examples: list[Example]
    share: float

    def check(self, videos: Sequence[Video]) -> None:
        """Raise InputError if an example is of one of `videos`, which are to be segmented."""
        known = {Path(example.frame).parent.name for example in self.examples}
        both = next((video.name for video in videos if video.name in known), None)
        if both is not None:
            raise InputError(
                f"{both} is to be segmented, and a training video too: its annotations would be learnt; segment another"
                " split, or leave out --rehearsal_share"
            )


class Finetuner:
    """Trains a network anew for every object, from the same weights, restored in memory: it is traced once."""

    def __init__(self, network: Osmn, options: TrainingRun, rehearsal: Rehearsal | None = None) -> None:
        self._trainer, self._options = trainer.Trainer(network, options.trainer), options
        self._others: list[Source] = []
        self._share = 0.0
        if rehearsal:
            self._others, self._share = [video_source(rehearsal.examples, flip_target=True)], rehearsal.share
        self._start = self._trainer.weights()

    def train(self, video: Video) -> None:
        """Give the network the weights that are trained on the object of a `Video` with a single object."""
        (object_id,) = video.object_ids
        self._trainer.reset(self._start)
        sources = mixed([video_source([reference_example(video, object_id)])], self._others, self._share)
        batches = Pipeline(sources, self._trainer.network.config, self._options.pipeline).batches
        folder = model_folder(self._options, video, object_id)
        loop.train(self._trainer, batches, self._options.training, folder, final=True)


def model_folder(options: TrainingRun, video: Video, object_id: int | None) -> Path:
    """Return the folder of an object's checkpoints."""
    return layout.object_folder(Path(options.model_save_path) / video.name, object_id)


def finetune_and_segment(
    model: tensorflow_model.Model,
    videos: Sequence[Video],
    options: TrainingRun,
    testing: SegmentingOptions,
    origin: Mapping[str, Any],
    rehearsal: Rehearsal | None = None,
) -> None:
    """Finetune a model on each object of the shard's share of `videos`, and write the object's results.

    Every object starts from the present weights of the model. An interrupted run goes on with the first unfinished
    object. The objects' probabilities are kept on disk until the video's last object is done, because merging needs
    them.

    Args:
        model: `tensorflow_model.Model`, from `tensorflow_model.new_for_training`.
        videos: the videos to segment.
        options: `TrainingRun`; an object's checkpoints are in `<model_save_path>/<video>[/<id>]`.
        testing: `SegmentingOptions`.
        origin: {option: value} of where the videos come from, also the videos of the rehearsal.
        rehearsal: a `Rehearsal`; None: no rehearsal, as published.

    Raises:
        InputError: if the folder of results or of models belongs to another run, and must stay; if a video of `videos`
            would be rehearsed.
    """
    if rehearsal:
        rehearsal.check(videos)
    layout.check_places(testing.result_path, videos)
    with _open_runs(model, videos, options, testing, origin) as run:
        segmenter = _ObjectSegmenter(model, Finetuner(model.network, options, rehearsal), testing)
        mine = shard_of(videos, testing.shard)
        with progress_bar(total=sum(len(video.object_ids) for video in mine), unit="object") as bar:
            for video in mine:
                bar.set_postfix_str(video.name)
                with run.part(video.name, layout.video_files(video, layout.Output(testing.save_score))) as part:
                    if not part.finished:
                        part.files = _segment_objects(video, run, segmenter, testing)
                bar.update(len(video.object_ids))


class _ObjectSegmenter:
    """Segments an object's video with the network that is trained on the object; all objects share a predictor."""

    def __init__(self, model: tensorflow_model.Model, finetuner: Finetuner, testing: SegmentingOptions) -> None:
        self._model, self._finetuner, self._testing = model, finetuner, testing
        self._tested = model.for_inference()
        self._predictor: Predictor | None = None

    def __call__(self, video: Video, output: layout.Output) -> None:
        """Train on the object of a `Video` with a single object, segment it, and write the files of an `Output`."""
        self._finetuner.train(video)
        tensorflow_model.copy_weights(self._model.network, self._tested.network)
        if self._predictor is None or not self._predictor.follows_weights:
            self._predictor = segmenting.start_predictor(self._tested, self._testing)
        segmenting.segment_video(self._predictor, video, self._testing.result_path, output)


def _segment_objects(
    video: Video, run: manifest.Run, segment: Callable[[Video, layout.Output], None], testing: SegmentingOptions
) -> list[str]:
    """Segment the unfinished objects of a video and merge all objects; return the video's files.

    `segment(video with a single object, Output)` is called for each unfinished object.
    """
    folder = Path(testing.result_path) / video.name
    written = layout.video_files(video, layout.Output(testing.save_score))
    with run.part(f"{video.name}/merged", written) as merged:
        if not merged.finished:
            output = _output(video, testing)._replace(merged=False)
            for object_id in video.object_ids:
                alone = video.of_object(object_id)
                masks = layout.video_files(alone, output)
                with run.part(f"{video.name}/{object_id or 'object'}", masks) as part:
                    if not part.finished:
                        part.announce(*masks)
                        segment(alone, output)
            if None not in video.object_ids:
                merged.announce(*written)
                merge_objects(video, folder)
            merged.files = written
    if not testing.save_score:
        layout.remove_scores(folder, video)
    return written


def _output(video: Video, testing: SegmentingOptions) -> layout.Output:
    """Return the `Output` of a video until it is finished: merging needs the probabilities of every object."""
    return layout.Output(testing.save_score or None not in video.object_ids)


@contextlib.contextmanager
def _open_runs(
    model: tensorflow_model.Model,
    videos: Sequence[Video],
    options: TrainingRun,
    testing: SegmentingOptions,
    origin: Mapping[str, Any],
) -> Iterator[manifest.Run]:
    """Give a `with` block the `Run` of the results; the folder of models must be of the same run, or empty."""
    anew = testing.overwrite or options.training.restart_training
    folders = [model_folder(options, video, object_id) for video in videos for object_id in video.object_ids]
    refuse_inputs_inside_outputs(model.files, folders)
    known = manifest.read_run(options.model_save_path, manifest.TRAINING) is not None
    if not known and not anew and any(map(checkpoint_files.newest_checkpoint, folders)):
        raise InputError(
            f"{options.model_save_path} holds models, and no {manifest.TRAINING} that says how they were trained; give"
            " another --model_save_path, or --overwrite to train them anew"
        )

    def delete_models() -> None:
        for folder in folders:
            checkpoints.delete_checkpoints(folder)

    def open_run(
        folder: str, option: str, options: Mapping[str, Any], **more: Any
    ) -> contextlib.AbstractContextManager[manifest.Run]:
        existing = manifest.Existing.of(testing.overwrite, replace=anew)
        return manifest.open_run(folder, model.provenance(options), option, existing, shard=testing.shard, **more)

    writes = itertools.chain(
        *(layout.video_files(video, _output(video, testing)) for video in shard_of(videos, testing.shard))
    )
    trained = {**options.identity_options, **origin}
    segmented = trained | testing.identity_options
    with (
        open_run(options.model_save_path, "--model_save_path", trained, clear=delete_models, name=manifest.TRAINING),
        open_run(testing.result_path, "--result_path", segmented, writes=writes) as run,
    ):
        if options.training.restart_training:
            run.forget()
        yield run


def merge_objects(video: Video, folder: Path) -> None:
    """Write a video's merged PNGs into `folder`, from its objects' score files there."""
    segmented = {object_id: set(video.result_numbers(object_id)) for object_id in video.object_ids}
    for number, frame in enumerate(video.frames):
        given = layout.reference_masks(video.references[number]) if number in video.references else {}
        if given:
            size = layout.size_of(given)
        scores = {
            object_id: read_scores(layout.object_folder(folder, object_id) / f"{frame.stem}.npy")
            for object_id, numbers in segmented.items()
            if number in numbers
        }
        if given or scores:
            layout.write_merged(folder / f"{frame.stem}.png", size, scores, given)
