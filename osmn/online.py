"""Online fine-tuning: each object's own network, trained on the first frame, segments its video."""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from osmn import checkpoints, crf, datasets, files, inference, training
from osmn.args import sample_options


def finetune_and_segment(network, videos, args, precision):
    """Finetune on each object of DAVIS `videos` and write its masks under `args.result_path`.

    Every object starts from the weights that `network` has now, restored in memory: one network, traced once. Its
    models are in `args.model_save_path/<video>[/<id>]`. An interrupted run goes on with the first unfinished object;
    so that objects can be merged then, their probabilities are kept on disk until the video's last object is done.
    """
    if args.crf_postprocessing:
        crf.load()
    trainer = training.Trainer(network, args.seed)
    start = trainer.weights()
    segmenting = inference.for_inference(network, precision)
    propagator = inference.Propagator(segmenting, sample_options(args), crf.refine if args.crf_postprocessing else None)
    count = sum(len(video.starts[0].object_ids) for video in videos)
    with tqdm(total=count, unit="object", dynamic_ncols=True) as bar:
        for video in videos:
            folder = Path(args.result_path) / video.name
            for object_id in video.starts[0].object_ids:
                bar.set_postfix_str(f"{video.name} {object_id or ''}")
                model = inference.object_folder(Path(args.model_save_path) / video.name, object_id)
                if args.restart_training or not is_finished(video, object_id, folder, model, args.training_iters):
                    trainer.reset(start)
                    example = datasets.first_frame_example(args.data_path, args.data_version, video, object_id)
                    training.train(trainer, datasets.video_batches([example], args), args, model)
                    inference.copy_weights(network, segmenting)
                    first = video.starts[0]._replace(object_ids=(object_id,))
                    alone = video._replace(starts={0: first})
                    scores = args.save_score or object_id is not None
                    inference.segment_video(propagator, alone, folder, tuple(args.im_size), scores, merged=False)
                bar.update()
            if video.starts[0].object_ids != (None,):
                merge_objects(video, folder, args.save_score)


def is_finished(video, object_id, folder, model, training_iters):
    """Tell whether an object's results were completed after the last checkpoint of its training."""
    results, last = inference.object_folder(folder, object_id), video.frames[-1].stem
    checkpoint = model / f"{checkpoints.CHECKPOINT_NAME}-{training_iters}.index"
    mask, scores, merged = results / f"{last}.png", results / f"{last}.npy", folder / f"{last}.png"
    if not _in_order(checkpoint, mask):
        return False
    return object_id is None or scores.is_file() or _in_order(mask, merged)


def _in_order(*paths):
    """Tell whether all files exist and none is older than the one before it."""
    times = [path.stat().st_mtime_ns if path.is_file() else None for path in paths]
    return None not in times and times == sorted(times)


def merge_objects(video, folder, keep_scores):
    """Write a video's merged PNGs from its objects' score files, and delete these unless `keep_scores`."""
    (first,) = video.starts.values()
    objects = [inference.object_folder(folder, object_id) for object_id in first.object_ids]
    last = video.frames[-1].stem
    if all(_in_order(results / f"{last}.png", folder / f"{last}.png") for results in objects):
        return
    annotation = files.read_labels(first.annotation)
    for number, frame in enumerate(video.frames):
        paths = [results / f"{frame.stem}.npy" for results in objects] if number else []
        scores = np.stack([files.read_scores(path) for path in paths]) if paths else np.zeros((0, 1, 1))
        result = inference.Segmentation(first.object_ids, scores, scores > 0.5)
        inference.write_merged(folder / f"{frame.stem}.png", result, annotation)
    if not keep_scores:
        for results in objects:
            for path in results.glob("*.npy"):
                path.unlink()
