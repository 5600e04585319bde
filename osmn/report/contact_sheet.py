"""A picture of results to look at: rows of frames with colored masks."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from osmn.errors import InputError
from osmn.files import locks
from osmn.files.atomic import replacing
from osmn.files.images import read_image, read_labels
from osmn.files.names import frame_files, subfolders
from osmn.files.overlap import refuse_writing_over_inputs
from osmn.masks import Size, overlay

TILE_WIDTH, GAP, TITLE_HEIGHT, CAPTION_WIDTH = 224, 6, 26, 58
PICTURES = (".png", ".jpg")
LONGEST_OF_JPEG = 65500  # Pixels of a JPEG's side, at most.
INK, PAPER = (32, 32, 32), (255, 255, 255)


def contact_sheet(
    data_path: Path | str,
    result_path: Path | str,
    sequences: Sequence[str],
    out_path: Path | str,
    frames_per_sequence: int,
    truth: bool = True,
    photographs: bool = True,
) -> None:
    """Draw frames of DAVIS sequences with the masks of a result folder, evenly spaced from the first to the last.

    Args:
        data_path: the DAVIS folder, with JPEGImages/480p and Annotations/480p.
        result_path: the folder of indexed or binary masks, `<sequence>/<frame>.png`.
        sequences: the names of the sequences; each gets a row.
        out_path: the picture that is written, .png or .jpg.
        frames_per_sequence: frames in a row, at least 1; a shorter sequence has all its frames in its row.
        truth: draw a second row for each sequence, with the true masks.
        photographs: draw masks over the frames; otherwise on a plain ground, for frames that must not be published.

    Raises:
        InputError: if `out_path` is not a picture's name, if it is among the data or the results, or if a JPEG cannot
            hold the picture.
    """
    if Path(out_path).suffix.lower() not in PICTURES:
        raise InputError(f"{out_path} is not a picture's name; end it in {' or '.join(PICTURES)}")
    data_path = Path(data_path)
    images = data_path / "JPEGImages/480p"
    masks, results = data_path / "Annotations/480p", Path(result_path)
    # All sequences of the data count, not only those that are drawn; each may be a link.
    names = {*sequences, *(folder.name for folder in subfolders(images))}
    read = [folder / name for folder in (images, masks, results) for name in names]
    refuse_writing_over_inputs([out_path], [data_path / "JPEGImages", data_path / "Annotations", *read])
    kinds = {"result": results} | ({"truth": masks} if truth else {})
    rows = [_tiles(images / name, kinds, frames_per_sequence, photographs) for name in sequences]
    columns = max(len(tiles["result"]) for tiles in rows)
    height = sum(TITLE_HEIGHT + GAP + len(kinds) * (tiles["result"][0].height + GAP) for tiles in rows)
    width = CAPTION_WIDTH + columns * (TILE_WIDTH + GAP)
    if max(width, height) > LONGEST_OF_JPEG and Path(out_path).suffix.lower() != ".png":
        raise InputError(
            f"{out_path} would be {width}x{height}, more than a JPEG holds; give a .png, fewer --frames or sequences"
        )
    sheet = _drawn(sequences, rows, (width, height))
    with locks.writing(Path(out_path).parent, wait=locks.MOMENT), replacing(out_path) as temporary:
        sheet.save(temporary, quality=90)


def _drawn(
    sequences: Sequence[str], rows: Sequence[Mapping[str, list[Image.Image]]], size: tuple[int, int]
) -> Image.Image:
    """Return the picture of `size` (width, height): the title and the tiles, {kind: pictures}, of each sequence."""
    font = ImageFont.load_default(15)
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    top = 0
    for name, row in zip(sequences, rows, strict=True):
        draw.text((CAPTION_WIDTH, top + 6), name, INK, font)
        top += TITLE_HEIGHT
        for kind, tiles in row.items():
            draw.text((CAPTION_WIDTH - GAP, top + tiles[0].height // 2), kind, INK, font, anchor="rm")
            for column, tile in enumerate(tiles):
                sheet.paste(tile, (CAPTION_WIDTH + column * (TILE_WIDTH + GAP), top))
            top += tiles[0].height + GAP
        top += GAP
    return sheet


def _tiles(images: Path, kinds: Mapping[str, Path], count: int, photographs: bool) -> dict[str, list[Image.Image]]:
    """Return {kind: pictures}, the tiles of the sequence whose frames are in the folder `images`."""
    frames = list(frame_files(images).values())
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int))
    tiles: dict[str, list[Image.Image]] = {kind: [] for kind in kinds}
    for frame in (frames[index] for index in chosen):
        image = read_image(frame)
        size = Size(TILE_WIDTH, max(1, round(TILE_WIDTH * image.shape[0] / image.shape[1])))
        image = read_image(frame, size) if photographs else np.full((*size.shape, 3), INK, np.uint8)
        for kind, folder in kinds.items():
            labels = read_labels(folder / images.name / f"{frame.stem}.png", size)
            tiles[kind].append(Image.fromarray(overlay(image, labels)))
    return tiles
