"""What `osmn_segment.py` makes of a network's speed: `python -m benchmarks.own_video`.

"Network" is the segmentation net alone, as in `benchmarks.inference`, at the size that frames have for it. "End to end"
is all of `tracking.segment` on an H.264 clip that is drawn here, from the second frame to the overlay's last byte.
They take turns, so that a machine's drift meets both. Then each stage runs by itself: its processor time, of all
threads, is what it costs where every core is busy.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks.inference import network_alone, seconds
from benchmarks.targets import make_clip
from osmn.files.images import read_labels, write_labels
from osmn.inference.predictor import Predictor
from osmn.models.engines import ENGINES, PRECISIONS
from osmn.networks import devices
from osmn.user_video import model_choice, prompts, tracking
from osmn.user_video.media.reader import open_frames
from osmn.user_video.media.writer import write_overlay


def end_to_end(predictor, clip, mask, folder):
    """Segment the clip; return seconds per frame."""
    times = []
    with open_frames(clip) as frames:
        objects = prompts.read([prompts.parse_prompt(str(mask))], frames.size)
        tracking.segment(predictor, frames, objects, folder, progress=lambda: times.append(time.perf_counter()))
    return (time.perf_counter() - times[0]) / (len(times) - 1)


def stages(engine, im_size, clip, mask, folder):
    """Return {stage: milliseconds of processor time per frame} of the stages, one after the other."""
    spent = {}

    def timed(stage, function, *arguments):
        start = time.process_time()
        result = function(*arguments)
        spent[stage] = spent.get(stage, 0) + 1e3 * (time.process_time() - start)
        return result

    def decode():
        with open_frames(clip) as frames:  # None is kept: new memory for each costs more than the decoding.
            return sum(1 for _ in frames)

    count = timed("decoded", decode)
    predictor = Predictor(engine, im_size)
    with open_frames(clip) as frames:
        objects = prompts.read([prompts.parse_prompt(str(mask))], frames.size)[0].objects
        images = list(frames)
    predictor.start(images[0].image)
    for object_id, labels in objects.items():
        predictor.add_object(object_id, labels)
    followed = []
    for frame in images:
        small = timed("resized", predictor.at_network_size, frame.image)
        segmentation = timed("network", predictor.step, frame.image, small)
        followed.append(tracking.TrackedFrame(frame, timed("labels", segmentation.labels)))
    for each in followed:
        timed("masks written", write_labels, folder / f"{each.frame.name}.png", each.labels)
    shown = [timed("overlay drawn", each.overlay) for each in followed]

    def encode():
        with open_frames(clip) as like, write_overlay(folder / "overlay.mp4", like) as write:
            for frame, image in zip(images, shown, strict=True):
                write(lambda image=image: image, frame.seconds)

    timed("overlay encoded", encode)
    return {stage: time_spent / count for stage, time_spent in spent.items()}


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whole_model_path", default="", help="checkpoint (default: the shipped model)")
    parser.add_argument("--engine", choices=ENGINES, default="tensorflow")
    parser.add_argument("--precision", choices=PRECISIONS)
    parser.add_argument("--size", type=int, nargs=2, default=[1280, 720], metavar=("W", "H"), help="of the clip")
    parser.add_argument("--im_size", type=int, nargs=2, metavar=("W", "H"), help="of frames for the network")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    devices.configure([0])
    model, engine = model_choice.load(options.whole_model_path, {}, options.precision, options.engine)
    width, height = model_choice.size(model, options.size, options.im_size)
    print(f"clip {options.size[0]}x{options.size[1]}; {model.summary((width, height))}")
    spatial = np.random.default_rng(0).random((1, height, width, 1), np.float32)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        clip, mask = make_clip(folder, tuple(options.size), options.frames)
        with open_frames(clip) as frames:
            gammas = [tf.constant(gamma) for gamma in engine.gammas(frames.first.image, read_labels(mask) > 0)]
        network = network_alone(model, engine, (height, width), spatial, gammas, devices.choose_execution())
        predictor = Predictor(engine, (width, height))
        rows = []
        for turn in range(options.rounds + 1):  # the first traces and is not counted
            alone = np.mean([seconds(network) for _ in range(options.frames)])
            rows.append((alone, end_to_end(predictor, clip, mask, folder / f"{turn}")))
        costs = stages(engine, (width, height), clip, mask, folder)
    for alone, whole in rows[1:]:
        print(f"network {1e3 * alone:6.1f} ms, end to end {1e3 * whole:6.1f} ms a frame: {alone / whole:.2f}")
    alone, whole = np.median(rows[1:], axis=0)
    ratio = np.median([alone / whole for alone, whole in rows[1:]])
    print(f"frames/s: network {1 / alone:.1f}, end to end {1 / whole:.1f}; end to end / network: {ratio:.2f} (medians)")
    print("stage            processor ms  share")
    for stage, cost in costs.items():
        print(f"{stage:15}  {cost:12.1f}  {cost / sum(costs.values()):5.2f}")


if __name__ == "__main__":
    main()
