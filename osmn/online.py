"""Online fine-tuning: each object's own network, trained on the first frame, segments its video."""

from pathlib import Path

from tqdm import tqdm

from osmn import checkpoints, crf, datasets, files, inference, pipeline, training
from osmn.args import pipeline_options, sample_options, training_options


def finetune_and_segment(network, videos, args, precision):
    """Finetune on each object of `videos` and write its masks under `args.result_path`.

    Every object starts from the weights that `network` has now, restored in memory: one network, traced once. Its
    models are in `args.model_save_path/<video>[/<id>]`. An interrupted run goes on with the first unfinished object;
    so that objects can be merged then, their probabilities are kept on disk until the video's last object is done.
    """
    if args.crf_postprocessing:
        crf.load()
    trainer = training.Trainer(network, args.seed, args.loss, args.ema)
    options = training_options(args)
    start = trainer.weights()
    segmenting = inference.for_inference(network, precision)
    propagator = inference.Propagator(segmenting, sample_options(args), crf.refine if args.crf_postprocessing else None)
    with tqdm(total=sum(len(video.object_ids) for video in videos), unit="object", dynamic_ncols=True) as bar:
        for video in videos:
            folder = Path(args.result_path) / video.name
            left = video.object_ids if args.restart_training else unfinished(video, args)
            for object_id in video.object_ids:
                bar.set_postfix_str(f"{video.name} {object_id or ''}")
                if object_id in left:
                    model = model_folder(video, object_id, args)
                    trainer.reset(start)
                    source = pipeline.video_source([datasets.first_frame_example(video, object_id)])
                    batches = pipeline.Pipeline([source], pipeline_options(args)).batches
                    training.train(trainer, batches, options, model, final=True)
                    inference.copy_weights(network, segmenting)
                    scores = args.save_score or object_id is not None
                    alone = video_of_object(video, object_id)
                    inference.segment_video(propagator, alone, folder, tuple(args.im_size), scores, merged=False)
                bar.update()
            if None not in video.object_ids:
                merge_objects(video, folder, args.save_score)


def video_of_object(video, object_id):
    """Return the video with only one of its objects."""
    starts = {n: f._replace(object_ids=(object_id,)) for n, f in video.starts.items() if object_id in f.object_ids}
    return video._replace(starts=starts)


def result_frames(video, object_id):
    """Return the numbers of the frames after its first for which an object has results."""
    (start,) = video_of_object(video, object_id).starts
    numbers = range(len(video.frames)) if video.listed is None else sorted(video.listed[object_id])
    return [number for number in numbers if number > start]


def last_frame(video, object_id):
    """Return the name of the last frame for which an object has a mask."""
    (start,) = video_of_object(video, object_id).starts
    return video.frames[max([start, *result_frames(video, object_id)])].stem


def model_folder(video, object_id, args):
    """Return the folder of an object's checkpoints."""
    return inference.object_folder(Path(args.model_save_path) / video.name, object_id)


def unfinished(video, args):
    """Return the ids of a video's objects whose results, as of the last step of training, are not complete.

    Where all masks are there and merged, the score files may be gone. Before, merging needs those of every object.
    """
    folder = Path(args.result_path) / video.name
    masks, scored = set(), set()
    for object_id in video.object_ids:
        results, last = inference.object_folder(folder, object_id), last_frame(video, object_id)
        trained = model_folder(video, object_id, args) / f"{checkpoints.CHECKPOINT_NAME}-{args.training_iters}.index"
        mask, scores = results / f"{last}.png", results / f"{last}.npy"
        if _in_order(trained, mask):
            masks.add(object_id)
            if _in_order(mask, scores) or not result_frames(video, object_id):
                scored.add(object_id)
    complete = None in masks or (masks == set(video.object_ids) and is_merged(video, folder))
    finished = masks if complete and not args.save_score else scored
    return [object_id for object_id in video.object_ids if object_id not in finished]


def is_merged(video, folder):
    """Tell whether a video's last merged frame is there and not older than its objects' last masks."""
    last_frames = {object_id: last_frame(video, object_id) for object_id in video.object_ids}
    merged = folder / f"{max(last_frames.values())}.png"
    return all(_in_order(folder / str(object_id) / f"{last}.png", merged) for object_id, last in last_frames.items())


def _in_order(*paths):
    """Tell whether all files exist and none is older than the one before it."""
    times = [path.stat().st_mtime_ns if path.is_file() else None for path in paths]
    return None not in times and times == sorted(times)


def merge_objects(video, folder, keep_scores):
    """Write a video's merged PNGs from its objects' score files, and delete these unless `keep_scores`."""
    frames = {object_id: set(result_frames(video, object_id)) for object_id in video.object_ids}
    folders = {object_id: inference.object_folder(folder, object_id) for object_id in frames}
    for number, frame in enumerate([] if is_merged(video, folder) else video.frames):
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
