"""Draw doc/overlay.gif, the moving picture in the README: a clip made here, segmented as a user's own video.

`python -m doc.overlay`, or `make figures`. The model is the one that is shipped.
"""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import osmn_segment
from osmn.data.synthetic import make_movers, render
from osmn.files.images import read_image, read_labels, write_image, write_labels
from osmn.masks import overlay

OBJECTS, FRAMES, SIZE, SEED = 2, 32, (448, 256), 198
SHOWN, COLORS, MILLISECONDS = (280, 160), 40, 100  # of the picture and of each of its frames


def segmented(folder):
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


def main():
    """Write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        shown = [Image.fromarray(image).resize(SHOWN, Image.Resampling.LANCZOS) for image in segmented(Path(folder))]
    # One palette for all frames, and no dithering: what does not change takes no space.
    palette = Image.fromarray(np.concatenate([np.asarray(image) for image in shown])).quantize(COLORS)
    frames = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in shown]
    path = Path(__file__).with_name("overlay.gif")
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=MILLISECONDS, loop=0, optimize=True)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
