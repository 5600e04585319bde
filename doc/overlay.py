"""Draw the moving pictures of the documents: clips that the shipped model segments as a user's own videos.

`python -m doc.overlay` (`make figures`) draws doc/overlay.gif, of a clip that it makes itself. `python -m doc.overlay
flower.mp4` draws flower.gif beside that clip, a real one: see doc/user_video.md for its source.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import osmn_segment
from osmn.data.synthetic import make_movers, render
from osmn.files.images import read_image, read_labels, write_image, write_labels
from osmn.masks import overlay
from osmn.user_video.media.reader import open_frames

OBJECTS, FRAMES, SIZE, SEED = 2, 32, (448, 256), 198
SHOWN, COLORS, MILLISECONDS = (280, 160), 40, 100  # of the picture and of each of its frames
# Of the real clip: a box around the flower's bud in the first frame, and which of the frames are shown, how.
BUD, STRIDE, REAL_SHOWN, REAL_COLORS, REAL_MILLISECONDS = (390, 190, 170, 150), 4, (640, 180), 96, 120
BLUE = 4  # The flower is red, as object 1 would be drawn.


def segmented_synthetic(folder):
    """Make the clip and segment it; return its frames with the objects that were found."""
    rng = np.random.default_rng(SEED)
    images, labels = render(rng, make_movers(rng, OBJECTS + 1, FRAMES, SIZE), OBJECTS, FRAMES, SIZE)
    for number, image in enumerate(images):
        write_image(folder / f"clip/{number:05d}.png", image)
    write_labels(folder / "first.png", labels[0])
    command = [folder / "clip", "--mask", folder / "first.png", "--result_path", folder / "results"]
    osmn_segment.main(list(map(str, command)))
    masks = sorted((folder / "results/masks").glob("*.png"))
    found = np.stack([read_labels(path) for path in masks])
    for object_id in range(1, OBJECTS + 1):
        ours, truth = found == object_id, labels == object_id
        print(f"object {object_id}: J {(ours & truth).sum() / (ours | truth).sum():.3f}")
    return [overlay(read_image(folder / f"clip/{path.name}"), read_labels(path)) for path in masks]


def segmented_real(clip, folder):
    """Segment the flower of the real clip, whose first mask GrabCut makes of a box; return frames beside overlays."""
    osmn_segment.main([str(clip), "--box", *map(str, BUD), "--result_path", str(folder)])
    with open_frames(clip) as frames:
        shown = [(frame.name, frame.image) for frame in frames if frame.number % STRIDE == 0]
    found = [(image, read_labels(folder / f"masks/{name}.png") > 0) for name, image in shown]
    return [np.hstack([image, overlay(image, np.where(mask, np.uint8(BLUE), np.uint8(0)))]) for image, mask in found]


def write_gif(path, images, size, colors, milliseconds):
    """Write the images, resized to `size`, as a moving picture that is repeated for ever."""
    shown = [Image.fromarray(image).resize(size, Image.Resampling.LANCZOS) for image in images]
    # One palette for all frames, and no dithering: what does not change takes no space.
    palette = Image.fromarray(np.concatenate([np.asarray(image) for image in shown])).quantize(colors)
    frames = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in shown]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=milliseconds, loop=0, optimize=True)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


def main(argv=None):
    """Write one of the two pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", nargs="?", type=Path, help="flower.mp4; without it the clip is made here")
    clip = parser.parse_args(argv).clip
    with tempfile.TemporaryDirectory() as folder:
        if clip is None:
            path, images = Path(__file__).with_name("overlay.gif"), segmented_synthetic(Path(folder))
            write_gif(path, images, SHOWN, COLORS, MILLISECONDS)
        else:
            path, images = clip.with_suffix(".gif"), segmented_real(clip, Path(folder))
            write_gif(path, images, REAL_SHOWN, REAL_COLORS, REAL_MILLISECONDS)


if __name__ == "__main__":
    main()
