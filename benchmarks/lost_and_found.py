"""Whether a model finds an object again that was hidden: J before and after something hides it for some frames.

Takes the options of `osmn_train_eval.py` that describe a trained model, and makes `--clips` clips of the videos of the
test split, which the model must not have been trained on. In a clip a box with a piece of another video's picture comes
from one side, covers the object for 5 to 10 frames, and leaves at the other side. Clips of a video differ in the
direction of time, in when and how long the object is hidden, and in what hides it. All objects of a frame are one
(`--data_version 2016`).

"before": mean J of the frames before the box touches the object; "after": of all frames after it has left it, without
the last frame; "last": of the last five of these. "found": whether "last" is above one half. The truth is what is seen.
`--pictures FOLDER` writes each clip's frames in a row.
"""

import dataclasses
import itertools
from dataclasses import field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.trained_model import begin
from osmn.cli.entry import reports_input_errors
from osmn.cli.parser import read
from osmn.errors import InputError
from osmn.evaluation import in_memory
from osmn.evaluation.metrics import region_similarity
from osmn.files.images import read_image, write_image
from osmn.inference.options import SegmentingOptions
from osmn.inference.segmenting import start_predictor
from osmn.masks import Size, resized
from osmn.options import option, positive

HIDDEN = (5, 10)  # frames
MARGIN = 1.25  # The box's sides, relative to those of the object's box.
COMES = 3  # frames that the box takes to come from beside the object, and to leave it
LAST = 5  # frames


class Hiding(NamedTuple):
    """When a box hides the object: the first frame and the one after the last, and the side at which it leaves, +-1."""

    start: int
    end: int
    side: int


class HiddenClip(NamedTuple):
    """A clip: its frames, uint8 (H, W, 3), what is seen of the object in each, bool (H, W), and when it is hidden."""

    frames: list[np.ndarray]
    truths: list[np.ndarray]
    hiding: Hiding


def draw_hiding(rng, frames):
    """Draw when the object of a clip of so many frames is hidden; None for a clip that is too short."""
    # The object is seen in two frames before, and in one more than count at the end.
    room = frames - 2 - 2 * COMES - LAST - 1
    if room < HIDDEN[0]:
        return None
    length = int(rng.integers(HIDDEN[0], min(HIDDEN[1], room) + 1))
    start = 2 + COMES + int(rng.integers(0, room - length + 1))
    return Hiding(start, start + length, int(rng.choice([-1, 1])))


def hidden(frames, masks, picture, hiding):
    """Return the `HiddenClip` of frames, uint8 (H, W, 3), and true masks, bool (H, W); `picture`, (h, w, 3), hides."""
    made, truths = [], []
    box = None
    for number, (frame, mask) in enumerate(zip(frames, masks, strict=True)):
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        if rows.size:  # Where the object is absent the box stays where it was.
            box = (
                (columns[0] + columns[-1] + 1) / 2,
                (rows[0] + rows[-1] + 1) / 2,
                np.ptp(columns) + 1,
                np.ptp(rows) + 1,
            )
        away = max(hiding.start - number, number - hiding.end + 1, 0)
        if box is None or away > COMES:
            made.append(frame)
            truths.append(mask)
            continue
        x, y, width, height = box
        width, height = width * MARGIN, height * MARGIN
        x += hiding.side * np.sign(number - hiding.start + 0.5) * width * away / COMES
        image, covered = pasted(frame, picture, (x - width / 2, y - height / 2, x + width / 2, y + height / 2))
        made.append(image)
        truths.append(mask & ~covered)
    return HiddenClip(made, truths, hiding)


def pasted(frame, picture, box):
    """Draw a picture into a box (left, top, right, bottom) of a frame; return the frame and where the picture is."""
    left, top, right, bottom = (round(side) for side in box)
    covered = np.zeros(frame.shape[:2], bool)
    covered[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
    rows, columns = (np.flatnonzero(covered.any(axis=axis)) for axis in (1, 0))
    image = frame.copy()
    if rows.size:
        # Scaled by nearest neighbor: what hides needs no fine edges.
        y = (rows - top) * picture.shape[0] // (bottom - top)
        x = (columns - left) * picture.shape[1] // (right - left)
        image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = picture[y[:, None], x]
    return image, covered


def hidden_clips(videos, annotations, count, seed):
    """Yield (name, `HiddenClip`) of so many clips of videos that are long enough, each in turn.

    Raises InputError if there are fewer than two such videos.
    """
    long_enough = [v for v in videos if draw_hiding(np.random.default_rng(0), len(v.frames)) is not None]
    if len(long_enough) < 2:
        raise InputError("fewer than two videos are long enough to hide their object; give a split with more")
    for number, video in zip(range(count), itertools.cycle(long_enough), strict=False):
        rng = np.random.default_rng((seed, number))
        frames = [read_image(path) for path in video.frames]
        masks = [in_memory.true_masks(video, annotations[video.name], path)[0] for path in video.frames]
        if (number // len(long_enough)) % 2:
            frames, masks = frames[::-1], masks[::-1]
        other = long_enough[(number + 1 + int(rng.integers(len(long_enough) - 1))) % len(long_enough)]
        picture = read_image(other.frames[0])
        # The middle of a picture: its object is before its ground there, mostly.
        height, width = (side // 4 for side in picture.shape[:2])
        hiding = draw_hiding(rng, len(frames))
        yield video.name, hidden(frames, masks, picture[height:-height, width:-width], hiding)


def scores(predictor, clip):
    """Return J of each frame of a `HiddenClip` but the first, which gives the object."""
    predictor.start(clip.frames[0])
    predictor.add_object(1, clip.truths[0])
    found = []
    for frame, truth in zip(clip.frames[1:], clip.truths[1:], strict=True):
        (mask,) = predictor.step(frame).masks
        found.append(region_similarity(truth, resized(mask, Size.of(truth))))
    return np.array(found)


def summary(j, hiding):
    """Return (before, after, last) of the `scores` of a clip, whose first score is that of frame 1."""
    before = j[: hiding.start - COMES - 1]
    after = j[hiding.end + COMES - 1 : -1]
    return before.mean(), after.mean(), after[-LAST:].mean()


@dataclasses.dataclass(frozen=True)
class Hidings:
    """Which clips are made."""

    clips: int = field(default=20, metadata=option("number of clips", positive(int)))
    clips_seed: int = field(default=31, metadata=option("of what is drawn at random", positive(int)))
    pictures: str = field(default="", metadata=option("folder for the pictures of each clip"))


@reports_input_errors
def main(argv=None):
    """Print the table, a clip a row."""
    args, model, videos, annotations = begin(__doc__, Hidings, argv)
    predictor = start_predictor(model, read(args, SegmentingOptions, im_size=tuple(args.im_size)))
    print("clip                       frames  hidden   before  after   last  found")
    rows = []
    for number, (name, clip) in enumerate(hidden_clips(videos, annotations, args.clips, args.clips_seed)):
        if args.pictures:
            write_image(Path(args.pictures) / f"{number:02d}-{name}.png", np.concatenate(clip.frames[::3], axis=1))
        row = summary(scores(predictor, clip), clip.hiding)
        rows.append((*row, row[-1] > 0.5))
        times = f"{len(clip.frames):8d}{clip.hiding.start:5d}-{clip.hiding.end - 1:<3d}"
        print_row(f"{number:2d} {name:22}{times}", rows[-1])
    print_row(f"   {'mean':39}"[:41], np.mean(rows, axis=0))


def print_row(name, row):
    """Print a clip's figures."""
    before, after, last, found = row
    print(f"{name:41}{before:8.3f}{after:7.3f}{last:7.3f}{float(found):7.2f}", flush=True)


if __name__ == "__main__":
    main()
