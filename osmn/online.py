"""Online fine-tuning: each object's own network, trained on the first frame, segments its video."""

from pathlib import Path

from tqdm import tqdm

from osmn import checkpoints, crf, datasets, files, inference, training
from osmn.args import sample_options


def finetune_and_segment(network, videos, args, precision):
    """Finetune on each object of `videos` and write its masks under `args.result_path`.

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
    with tqdm(total=sum(len(object_ids(video)) for video in videos), unit="object", dynamic_ncols=True) as bar:
        for video in videos:
            folder = Path(args.result_path) / video.name
            for object_id in object_ids(video):
                bar.set_postfix_str(f"{video.name} {object_id or ''}")
                model = inference.object_folder(Path(args.model_save_path) / video.name, object_id)
                if args.restart_training or not is_finished(video, object_id, folder, model, args.training_iters):
                    trainer.reset(start)
                    example = datasets.first_frame_example(video, object_id)
                    training.train(trainer, datasets.video_batches([example], args), args, model)
                    inference.copy_weights(network, segmenting)
                    scores = args.save_score or object_id is not None
                    alone = video_of_object(video, object_id)
                    inference.segment_video(propagator, alone, folder, tuple(args.im_size), scores, merged=False)
                bar.update()
            if None not in object_ids(video):
                merge_objects(video, folder, args.save_score)


def object_ids(video):
    """Return the ids of a video's objects, in order of their first frames."""
    return [object_id for first in video.starts.values() for object_id in first.object_ids]


def video_of_object(video, object_id):
    """Return the video with only one of its objects."""
    starts = {n: f._replace(object_ids=(object_id,)) for n, f in video.starts.items() if object_id in f.object_ids}
    return video._replace(starts=starts)


def result_frames(video, object_id):
    """Return the numbers of the frames after its first for which an object has results."""
    (start,) = video_of_object(video, object_id).starts
    numbers = range(len(video.frames)) if video.listed is None else sorted(video.listed[object_id])
    return [number for number in numbers if number > start]


def is_finished(video, object_id, folder, model, training_iters):
    """Tell whether an object's results were completed after the last checkpoint of its training."""
    (start,) = video_of_object(video, object_id).starts
    last = video.frames[max([start, *result_frames(video, object_id)])].stem
    results = inference.object_folder(folder, object_id)
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
    frames = {object_id: set(result_frames(video, object_id)) for object_id in object_ids(video)}
    folders = {object_id: inference.object_folder(folder, object_id) for object_id in frames}
    if not any(any(results.glob("*.npy")) for results in folders.values()):
        return  # merged before
    for number, frame in enumerate(video.frames):
        given = inference.given_masks(video.starts[number]) if number in video.starts else {}
        if given:
            size = next(iter(given.values())).shape[::-1]
        listed = [object_id for object_id, numbers in frames.items() if number in numbers]
        scores = {object_id: files.read_scores(folders[object_id] / f"{frame.stem}.npy") for object_id in listed}
        if given or scores:
            inference.write_merged(folder / f"{frame.stem}.png", size, scores, given)
    if not keep_scores:
        for results in folders.values():
            for path in results.glob("*.npy"):
                path.unlink()
