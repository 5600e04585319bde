"""Online fine-tuning: each object's own network, trained on its reference frame, segments its video."""

from pathlib import Path

from tqdm import tqdm

from osmn import files, pipeline, results, segmenting, training
from osmn.data.types import reference_example


class Finetuning:
    """Trains one network anew for every object, from the same weights, restored in memory: it is traced once.

    Args:
      trainer: a `training.Trainer`, with the weights that every object starts from.
      pipeline_options, config, augmentation: of its samples; see `pipeline.batches`.
      options: `training.TrainingOptions`.
      folder: each object's checkpoints are in `<folder>/<video>[/<id>]`.
    """

    def __init__(self, trainer, pipeline_options, config, augmentation, options, folder):
        self._trainer, self._options, self._folder = trainer, options, Path(folder)
        self._sampling = pipeline_options, config, augmentation
        self._start = trainer.weights()

    def train(self, video, object_id):
        """Give the trainer's network the weights that are trained on an object of a `Video`."""
        self._trainer.reset(self._start)
        source = pipeline.video_source([reference_example(video, object_id)])
        batches = pipeline.batches([source], *self._sampling)
        folder = results.object_folder(self._folder / video.name, object_id)
        training.train(self._trainer, batches, self._options, folder, final=True)


def finetune_and_segment(finetuning, predictor, videos, folder, run, save_score=False):
    """Finetune on each object of `videos` and write its results under `folder`.

    An interrupted run goes on with the first unfinished object; so that objects can be merged then, their
    probabilities are kept on disk until the video's last object is done.

    Args:
      finetuning: a Finetuning.
      predictor: () -> `Predictor` with the weights that `finetuning` has trained last.
      videos: `Video`s.
      folder: of the results.
      run: its `manifest.Run`.
      save_score: keep the probabilities.
    """
    with tqdm(total=sum(len(video.object_ids) for video in videos), unit="object", dynamic_ncols=True) as bar:
        for video in videos:
            whole = results.video_files(video, results.Output(save_score))
            if run.is_finished(video.name, whole):
                bar.update(len(video.object_ids))
                continue
            for object_id in video.object_ids:
                bar.set_postfix_str(f"{video.name} {object_id or ''}")
                alone = video.of_object(object_id)
                # Merging needs the probabilities of every object.
                output = results.Output(save_score or object_id is not None, merged=False)
                part, written = f"{video.name}/{object_id or 'object'}", results.video_files(alone, output)
                if not run.is_finished(part, written):
                    finetuning.train(video, object_id)
                    segmenting.segment_video(predictor(), alone, folder, output)
                    run.finish(part, written)
                bar.update()
            if None not in video.object_ids:
                merge_objects(video, Path(folder) / video.name)
            run.finish(video.name, whole)
            if not save_score:
                results.remove_scores(Path(folder) / video.name, video)


def merge_objects(video, folder):
    """Write a video's merged PNGs from its objects' score files."""
    segmented = {object_id: video.result_numbers(object_id) for object_id in video.object_ids}
    for number, frame in enumerate(video.frames):
        given = results.reference_masks(video.references[number]) if number in video.references else {}
        if given:
            size = next(iter(given.values())).shape[::-1]
        scores = {
            object_id: files.read_scores(results.object_folder(folder, object_id) / f"{frame.stem}.npy")
            for object_id, numbers in segmented.items()
            if number in numbers
        }
        if given or scores:
            results.write_merged(folder / f"{frame.stem}.png", size, scores, given)
