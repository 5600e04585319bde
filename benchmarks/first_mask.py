"""How good a first mask is that a box or clicks give: IoU with the true mask of the first frame, by number of clicks.

Takes a DAVIS folder of version 2016. The box is 10 % larger than the object. Clicks are those of a careful person: each
in the middle of the largest error. NoC@85 and NoC@90 are the numbers of clicks until the IoU is 0.85 and 0.90, at most
20, as the field counts them. Also GrabCut in the same boxes, as earlier versions had it, and how long both take.
With --follow, each sequence is segmented from the mask by a box and two clicks, and from the true one: J of both,
without the first and the last frame, as DAVIS counts it.
"""

import dataclasses
import time
from dataclasses import field
from pathlib import Path

import numpy as np

from osmn.cli.entry import reports_input_errors
from osmn.cli.parser import Parser, read
from osmn.data import davis
from osmn.errors import InputError
from osmn.evaluation.metrics import region_similarity
from osmn.files.images import read_image, read_labels
from osmn.inference.load import SHIPPED_CLICKS, load_click_engine
from osmn.inference.pointing import Click, answer
from osmn.inference.predictor import Predictor
from osmn.inputs.clicks import POSITIVE, box_of, next_click
from osmn.masks import Size
from osmn.options import non_negative, option
from osmn.user_video.boxes import grabcut

MOST_CLICKS = 20
LARGER = 0.1  # Of a box, relative to the object's.
# On 345 frames of DAVIS 2016, NoC@85 and NoC@90, as their repositories publish them: RITM's at 557a17b, ClickSEG's at
# ae9b30a.
PUBLISHED = {
    "RITM, HRNet-18s": (4.70, 5.98),
    "FocalClick, HRNet-18s-S2": (3.90, 5.23),
    "RITM's way, MobileNetV2": (3.65, 5.81),
}


@dataclasses.dataclass(frozen=True)
class FirstFrames:
    """Whose first frames, and by what."""

    data_path: str = field(default="data/DAVIS", metadata=option("DAVIS folder"))
    split: str = field(default="val", metadata=option("ImageSets/2016/SPLIT.txt"))
    frame: int = field(default=0, metadata=option("number of the frame in its sequence", non_negative(int)))
    click_model: str = field(default=str(SHIPPED_CLICKS), metadata=option("click network: checkpoint, or folder"))
    no_grabcut: bool = field(default=False, metadata=option("leave out GrabCut, which takes seconds a frame"))
    follow: str = field(
        default="", metadata=option("segment the sequences by this model, such as models/osmn_lite", metavar="MODEL")
    )


def parser():
    """Return the options."""
    to = Parser(__doc__)
    to.add(FirstFrames)
    return to


def larger_box(mask):
    """Return the box, (x, y, width, height), around a mask that is 10 % larger than the object, inside the frame."""
    left, top, right, bottom = box_of(mask)
    size, more_x, more_y = Size.of(mask), LARGER / 2 * (right - left), LARGER / 2 * (bottom - top)
    left, top = max(round(left - more_x), 0), max(round(top - more_y), 0)
    right, bottom = min(round(right + more_x), size.width), min(round(bottom + more_y), size.height)
    return left, top, right - left, bottom - top


def by_clicks(engine, frame, truth, most, box=None):
    """Return (IoU after each click, seconds of each answer, the last mask).

    With a `box` the first IoU is of the box alone.
    """
    found, clicks, ious, seconds = None, [], [], []
    if box is not None:
        found = answer(engine, frame, clicks, box)
        ious.append(region_similarity(truth, found))
    for _ in range(most):
        (x, y), kind = next_click(truth, np.zeros_like(truth) if found is None else found)
        clicks.append(Click(x, y, kind == POSITIVE))
        start = time.perf_counter()
        found = answer(engine, frame, clicks, box, found)
        seconds.append(time.perf_counter() - start)
        ious.append(region_similarity(truth, found))
    return ious, seconds, found


def followed(predictor, frames, truths, first):
    """Return the mean J of an object that is followed from the mask `first`, without the first and the last frame.

    `frames` are paths, `truths` the true masks of all of them, bool (H, W).
    """
    predictor.start(read_image(frames[0], Size.of(first)))
    predictor.add_object(1, first)
    images = (read_image(path, Size.of(first)) for path in frames[1:])
    found = [segmentation.labels() == 1 for segmentation in predictor.propagate(images)]
    return np.mean([region_similarity(*pair) for pair in zip(truths[1:-1], found[:-1], strict=True)])


def by_grabcut(frame, box, truth):
    """Return (IoU, seconds) of GrabCut in a box; 0 where it finds nothing, or does not take the box."""
    start = time.perf_counter()
    try:
        found = grabcut(frame, box)
    except InputError:
        return 0.0, time.perf_counter() - start
    return region_similarity(truth, found), time.perf_counter() - start


def clicks_to(ious, wanted):
    """Return the number of clicks until the IoU is as wanted, at most `MOST_CLICKS`."""
    return next((number for number, iou in enumerate(ious, 1) if iou >= wanted), MOST_CLICKS)


@reports_input_errors
def main(argv=None):
    """Print the table."""
    chosen = read(parser().parse(argv), FirstFrames)
    engine = load_click_engine(chosen.click_model)
    rows, curves, waits, cuts, firsts = [], [], [], [], {}
    print(f"{'IoU by':16}{'GrabCut':>9}{'box':>8}{'+ 1':>8}{'+ 2':>8}{'1 click':>10}{'2':>8}{'3':>8}{'5':>8}{'10':>8}")
    for video in davis.videos(chosen.data_path, 2016, chosen.split):
        masks = davis.annotations(chosen.data_path, video.name)
        path = video.frames[min(chosen.frame, len(video.frames) - 1)]
        truth = read_labels(masks[path.stem]) > 0
        if not truth.any():
            continue
        frame, box = read_image(path, Size.of(truth)), larger_box(truth)
        cut, seconds = (np.nan, np.nan) if chosen.no_grabcut else by_grabcut(frame, box, truth)
        boxed, _, first = by_clicks(engine, frame, truth, 2, box)
        clicked, waited, _ = by_clicks(engine, frame, truth, MOST_CLICKS)
        rows.append([cut, *boxed, *(clicked[number - 1] for number in (1, 2, 3, 5, 10))])
        curves.append(clicked)
        waits += waited
        cuts.append(seconds)
        print(line(video.name, rows[-1]), flush=True)
        if chosen.follow:
            frames = video.frames[video.frames.index(path) :]
            firsts[video.name] = frames, [read_labels(masks[each.stem]) > 0 for each in frames], first
    if not rows:
        raise InputError(f"{Path(chosen.data_path)} shows no object in these frames; choose others")
    print(line("mean", np.mean(rows, axis=0)))
    print(line("lowest", np.min(rows, axis=0)))
    noc = [np.mean([clicks_to(ious, wanted) for ious in curves]) for wanted in (0.85, 0.90)]
    print(f"\nNoC@85, NoC@90: {noc[0]:.2f}, {noc[1]:.2f} on {len(rows)} frames")
    for name, figures in PUBLISHED.items():
        print(f"  {name}: {figures[0]:.2f}, {figures[1]:.2f} on 345 frames of DAVIS 2016, as published")
    print(f"an answer to a click: {np.median(waits) * 1000:.0f} ms, GrabCut in a box: {np.median(cuts) * 1000:.0f} ms")
    if firsts:
        follow(Predictor.from_checkpoint(chosen.follow), firsts)


def follow(predictor, firsts):
    """Print J of sequences from their first masks, {name: (paths of frames, true masks, first mask)}, and from true."""
    print(f"\n{'J of the video':16}{'true':>9}{'box + 2':>9}{'':3}from a first mask that is true, or pointed at")
    rows = []
    for name, (frames, truths, first) in firsts.items():
        rows.append([followed(predictor, frames, truths, mask) for mask in (truths[0], first)])
        print(f"{name:16}{rows[-1][0]:>9.3f}{rows[-1][1]:>9.3f}", flush=True)
    true, pointed = np.mean(rows, axis=0)
    print(f"{'mean':16}{true:>9.3f}{pointed:>9.3f}   {pointed - true:+.3f}")


def line(name, values):
    """Return a line of the table."""
    cells = "".join(f"{'-' if np.isnan(value) else f'{value:.3f}':>8}" for value in values[1:4])
    clicked = "".join(f"{value:>8.3f}" for value in values[5:])
    first = "-" if np.isnan(values[0]) else f"{values[0]:.3f}"
    return f"{name:16}{first:>9}{cells}{values[4]:>10.3f}{clicked}"


if __name__ == "__main__":
    main()
