"""From a dataset's videos to result files: each video through a predictor, what comes out of it into its folder."""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from osmn import files, results
from osmn.threads import WriteBehind, read_ahead


def segment_videos(predictor, videos, folder, run, output=results.NO_SCORES):
    """Propagate through `videos` and write their results under `folder`, with a progress bar.

    Videos that `run`, the folder's `manifest.Run`, knows as finished are left out.
    """
    left = [video for video in videos if not run.is_finished(video.name, results.video_files(video, output))]
    if len(left) < len(videos):
        print(f"{len(videos) - len(left)} of {len(videos)} videos are finished in {folder}: left out")
    with tqdm(total=sum(len(video.frames) for video in left), unit="frame", dynamic_ncols=True) as bar:
        for video in left:
            bar.set_postfix_str(video.name)
            segment_video(predictor, video, folder, output, bar.update)
            run.finish(video.name, results.video_files(video, output))


def segment_video(predictor, video, folder, output=results.NO_SCORES, progress=lambda: None):
    """Propagate through one video and write the files of `results.video_files` under `folder`.

    An object's masks are 0/255, black in its reference frame, and of the network's size, as its probabilities are. The
    merged PNGs are of the annotation's size; objects that are given in a frame have their true masks there.
    `progress()` is called per frame.
    """
    folder = Path(folder) / video.name
    results.remove_leftovers(folder, video)
    with WriteBehind() as write:
        for number, segmentation, given in follow(predictor, video):
            name = video.frames[number].stem
            height, width = segmentation.probabilities.shape[1:]
            wanted = [n for n, i in enumerate(segmentation.object_ids) if video.is_listed(i, number)]
            probabilities = {segmentation.object_ids[n]: segmentation.probabilities[n] for n in wanted}
            masks = {segmentation.object_ids[n]: segmentation.masks[n] for n in wanted}
            masks |= dict.fromkeys(given, np.zeros((height, width), bool))
            for object_id, mask in masks.items():
                write(files.write_mask, results.object_folder(folder, object_id) / f"{name}.png", mask)
            if output.save_score:
                for object_id, probability in probabilities.items():
                    write(files.write_scores, results.object_folder(folder, object_id) / f"{name}.npy", probability)
            if given:
                size = next(iter(given.values())).shape[::-1]
            if output.merges(video) and (given or probabilities):
                write(results.write_merged, folder / f"{name}.png", size, probabilities, given)
            progress()


def follow(predictor, video):
    """Yield (frame number, `Segmentation`, {object id: reference mask}) of each frame of a `Video`.

    The masks are bool (H, W), of their files' size, and only of objects that are given in the frame: these are followed
    from the next frame on. Frames are read ahead; the memory that this takes does not grow with the video's length.
    """
    frames = read_ahead(lambda path: files.read_image(path, predictor.im_size), video.frames)
    for number, frame in enumerate(frames):
        segmentation = predictor.step(frame) if number else predictor.start(frame)
        given = {}
        if number in video.references:
            given = results.reference_masks(video.references[number])
            whole = files.read_image(video.frames[number])
            for object_id, mask in given.items():
                predictor.add_object(object_id, mask, whole)
        yield number, segmentation, given
