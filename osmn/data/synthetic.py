"""A small synthetic dataset in the layout of DAVIS, and the baseline of repeating the first mask.

Textured shapes move, turn and change size over a textured background that moves too. Some sequences have two objects,
and most have distractors, which are shapes of another texture that are no objects. So neither the first position nor
"whatever stands out" is enough; the texture of the object in the first frame decides. Shapes and kinds of texture are
the same in all splits; their colors, sizes and paths are not.
"""

import colorsys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from osmn.data import davis
from osmn.files.atomic import replacing
from osmn.files.images import read_labels, write_image, write_labels, write_mask

# The outline of a shape: its radius, at most 1, by the angle in radians.
SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "disc": np.ones_like,
    "egg": lambda angle: 0.55 / np.sqrt(0.55**2 * np.cos(angle) ** 2 + np.sin(angle) ** 2),
    "star": lambda angle: 0.75 + 0.25 * np.cos(5 * angle),
    "square": lambda angle: _polygon(angle, 4),
    "triangle": lambda angle: _polygon(angle, 3),
}
# How much of the second color, 0 or 1, is at (u, v) in waves.
TEXTURES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "plain": lambda u, v: np.zeros_like(u),
    "striped": lambda u, v: np.sin(2 * np.pi * u) > 0,
    "checked": lambda u, v: np.sin(np.pi * u) * np.sin(np.pi * v) > 0,
    "dotted": lambda u, v: np.cos(2 * np.pi * u) + np.cos(2 * np.pi * v) > 0.6,
    "ringed": lambda u, v: np.sin(2 * np.pi * np.hypot(u, v)) > 0,
}
SUPERSAMPLING = 2  # Pixels drawn per pixel and axis.
RADII = (0.2, 0.3)  # Of the image's shorter side.
SPEEDS = (0.02, 0.05)  # Of the shorter side, per frame.
TURNS = (0.05, 0.2)  # Radians per frame.


def _polygon(angle: np.ndarray, corners: int) -> np.ndarray:
    radius: np.ndarray = np.cos(np.pi / corners) / np.cos(angle % (2 * np.pi / corners) - np.pi / corners)
    return radius


class Mover(NamedTuple):
    """A textured shape and where it is in each of T frames."""

    shape: str
    texture: str
    colors: np.ndarray  # (2, 3), 0 to 255
    waves: float  # Of the texture, per radius.
    center: np.ndarray  # (T, 2): x and y in pixels
    angle: np.ndarray  # (T,), radians
    radius: np.ndarray  # (T,), pixels

    def draw(self, frame: int, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where the shape is, bool, and its colors (..., 3), at the pixels (x, y) of frame number `frame`."""
        dx, dy = x - self.center[frame, 0], y - self.center[frame, 1]
        cos, sin = np.cos(self.angle[frame]), np.sin(self.angle[frame])
        u, v = (cos * dx + sin * dy) / self.radius[frame], (cos * dy - sin * dx) / self.radius[frame]
        inside = np.hypot(u, v) < SHAPES[self.shape](np.arctan2(v, u))
        second = TEXTURES[self.texture](self.waves * u, self.waves * v).astype(np.uint8)
        return inside, self.colors[second]


def make_dataset(
    root: Path | str, train_sequences: int, val_sequences: int, frames: int, size: tuple[int, int], seed: int
) -> None:
    """Write a dataset in the layout of DAVIS 2016 and 2017, before preprocessing; the same seed gives the same files.

    Args:
        root: the folder in which JPEGImages, Annotations and ImageSets are written.
        train_sequences: number of sequences in the split `train`.
        val_sequences: number of sequences in the split `val`; another number leaves the sequences of `train` alone.
        frames: number of frames of a sequence.
        size: (width, height) in pixels.
        seed: an integer, zero or more.
    """
    root = Path(root)
    for split_number, (split, count) in enumerate((("train", train_sequences), ("val", val_sequences))):
        names = []
        for number in range(count):
            rng = np.random.default_rng([seed, split_number, number])
            # Every third sequence has two objects, and every fourth has no distractor.
            objects, distractors = 1 + (number % 3 == 1), int(number % 4 != 0)
            movers = make_movers(rng, objects + distractors, frames, size)
            title = "-and-".join(f"{mover.texture}-{mover.shape}" for mover in movers[:objects])
            names.append(f"{split}-{number:02d}-{title}")
            images, labels = render(rng, movers, objects, frames, size)
            for frame in range(frames):
                with replacing(root / "JPEGImages/480p" / names[-1] / f"{frame:05d}.jpg") as temporary:
                    Image.fromarray(images[frame]).save(temporary, quality=92)
                write_labels(root / "Annotations/480p" / names[-1] / f"{frame:05d}.png", labels[frame])
        for version in (2016, 2017):
            with replacing(root / f"ImageSets/{version}/{split}.txt") as temporary:
                temporary.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def write_clip(folder: Path | str, objects: int, frames: int, size: tuple[int, int], seed: int) -> None:
    """Write the frames of a video as PNGs, `<number>.png`, with `objects` objects and a distractor.

    Args:
        folder: the folder in which the frames are written.
        objects: number of objects.
        frames: number of frames.
        size: (width, height) in pixels.
        seed: an integer, zero or more.
    """
    rng = np.random.default_rng(seed)
    images, _ = render(rng, make_movers(rng, objects + 1, frames, size), objects, frames, size)
    for number, image in enumerate(images):
        write_image(Path(folder) / f"{number:05d}.png", image)


def make_movers(rng: np.random.Generator, count: int, frames: int, size: tuple[int, int]) -> list[Mover]:
    """Draw Movers of different textures and hues, which do not overlap in the first frame.

    Args:
        rng: NumPy's Generator of everything random.
        count: number of Movers, at most the number of `TEXTURES`.
        frames: number of frames, T.
        size: (width, height) of the frames in pixels.
    """
    short = min(size)
    textures = rng.permutation(list(TEXTURES))[:count]
    hues = rng.uniform() + np.arange(count) / count
    movers: list[Mover] = []
    room = 1.0
    while len(movers) < count:
        radius = rng.uniform(*RADII) * short * room
        start = rng.uniform(radius, np.subtract(size, radius))
        if any(np.hypot(*(start - other.center[0])) < radius + other.radius[0] for other in movers):
            room *= 0.99  # The shapes become smaller until they fit.
            continue
        direction, speed = rng.uniform(0, 2 * np.pi), rng.uniform(*SPEEDS) * short
        velocity = speed * np.array([np.cos(direction), np.sin(direction)])
        time = np.arange(frames)
        movers.append(
            Mover(
                shape=rng.choice(list(SHAPES)),
                texture=textures[len(movers)],
                colors=_two_colors(rng, hues[len(movers)]),
                waves=rng.uniform(1.2, 2.0),
                center=_bounce(start + time[:, None] * velocity, 0.7 * radius, np.subtract(size, 0.7 * radius)),
                angle=rng.uniform(0, 2 * np.pi) + time * rng.uniform(*TURNS) * rng.choice([-1, 1]),
                radius=radius * (1 + 0.2 * np.sin(time * rng.uniform(0.1, 0.3))),
            )
        )
    return movers


def _two_colors(rng: np.random.Generator, hue: float) -> np.ndarray:
    """Return a bright and a darker color of about the same hue, uint8 (2, 3)."""
    bright = colorsys.hsv_to_rgb(hue % 1, rng.uniform(0.6, 1), rng.uniform(0.8, 1))
    dark = colorsys.hsv_to_rgb((hue + rng.uniform(-0.1, 0.1)) % 1, rng.uniform(0.6, 1), rng.uniform(0.3, 0.5))
    return (255 * np.array([bright, dark])).astype(np.uint8)


def _bounce(path: np.ndarray, low: float | np.ndarray, high: float | np.ndarray) -> np.ndarray:
    """Reflect positions (T, 2) at the walls `low` and `high`, numbers or (2,)."""
    span = high - low
    return low + span - np.abs((path - low) % (2 * span) - span)


def render(
    rng: np.random.Generator, movers: Sequence[Mover], objects: int, frames: int, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the movers, the last at the back, over a moving background.

    Args:
        rng: NumPy's Generator of the background and the noise.
        movers: the Movers; the first `objects` of them are labeled 1, 2, ..., the others are distractors.
        objects: how many of the movers are objects.
        frames: number of frames, T.
        size: (W, H).

    Returns:
        RGB images (T, H, W, 3) and labels (T, H, W), both uint8.
    """
    width, height = size
    ground, drift = _background(rng, frames, size)
    x, y = np.meshgrid(_subpixels(width), _subpixels(height))
    images, labels = [], []
    for frame in range(frames):
        left, top = drift[frame]
        colors = ground[top : top + height, left : left + width]
        colors = colors.repeat(SUPERSAMPLING, axis=0).repeat(SUPERSAMPLING, axis=1)
        numbers = np.zeros(x.shape, int)
        for number, mover in reversed(list(enumerate(movers, 1))):
            inside, texture = mover.draw(frame, x, y)
            colors[inside] = texture[inside]
            numbers[inside] = number
        image = _blocks(colors).mean(axis=(1, 3)) + rng.normal(0, 4, (height, width, 3))
        images.append(image.clip(0, 255).astype(np.uint8))
        # A pixel belongs to the shape that covers most of it; distractors are background.
        shares = [_blocks(numbers == number).sum(axis=(1, 3)) for number in range(len(movers) + 1)]
        winner = np.argmax(shares, axis=0)
        labels.append(np.where(winner <= objects, winner, 0).astype(np.uint8))
    return np.stack(images), np.stack(labels)


def _subpixels(side: int) -> np.ndarray:
    return (np.arange(side * SUPERSAMPLING) + 0.5) / SUPERSAMPLING - 0.5


def _blocks(pixels: np.ndarray) -> np.ndarray:
    """Split (h, w, ...) into the subpixels (H, s, W, s, ...) of pixels."""
    height, width = pixels.shape[:2]
    s = SUPERSAMPLING
    return pixels.reshape(height // s, s, width // s, s, *pixels.shape[2:])


def _background(rng: np.random.Generator, frames: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return an image, float32 (h, w, 3), larger than a frame, and each frame's left and top in it, (T, 2)."""
    steps = rng.uniform(-2, 2, 2) + rng.normal(0, 0.5, (frames, 2))
    drift = np.cumsum(steps, axis=0)
    drift = np.round(drift - drift.min(axis=0)).astype(int)
    shape = np.add(size, drift.max(axis=0))[::-1]
    clouds = np.sum([_noise(rng, shape, blur) for blur in (2, 6, 18)], axis=0)
    share = (0.5 + 0.25 * clouds).clip(0, 1)[:, :, None]
    # The colors are dull, a light and a dark one, because those of the objects are saturated.
    light, dark = (
        255 * np.array(colorsys.hsv_to_rgb(rng.uniform(), rng.uniform(0, 0.35), value))
        for value in (rng.uniform(0.55, 0.9), rng.uniform(0.15, 0.45))
    )
    return (share * light + (1 - share) * dark).astype(np.float32), drift


def _noise(rng: np.random.Generator, shape: tuple[int, ...], blur: float) -> np.ndarray:
    import cv2  # Not SciPy, which segmenting one's own video does without: requirements-segment.txt.

    places = np.arange(-int(4 * blur + 0.5), int(4 * blur + 0.5) + 1)
    line = np.exp(-0.5 * (places / blur) ** 2)
    line /= line.sum()
    noise = cv2.sepFilter2D(rng.normal(size=shape), -1, line, line, borderType=cv2.BORDER_REFLECT)
    normalized: np.ndarray = noise / noise.std()
    return normalized


def repeat_first_mask(data_path: Path | str, split: str, result_path: Path | str) -> None:
    """Write the results of the baseline: in every frame of `split` (DAVIS 2017) the objects stay where they were first.

    The files are those of `osmn_train_eval.py`: `<sequence>/<object>/<frame>.png`, black for the first frame, and the
    merged, indexed `<sequence>/<frame>.png`.
    """
    for video in davis.videos(data_path, 2017, split):
        folder, first = Path(result_path) / video.name, read_labels(video.references[0].mask)
        for number, frame in enumerate(video.frames):
            write_labels(folder / f"{frame.stem}.png", first)
            for object_id in video.object_ids:
                mask = first == object_id if number else np.zeros_like(first)
                write_mask(folder / str(object_id) / f"{frame.stem}.png", mask)
