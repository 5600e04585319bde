"""Mask files as many programs write them, of one scene: a disk (object 1) and a box (object 2)."""

import numpy as np
from PIL import Image

from osmn.masks import davis_palette

SIZE = WIDTH, HEIGHT = 120, 80
Y, X = np.mgrid[:HEIGHT, :WIDTH]
DISK = (X - 34) ** 2 + (Y - 34) ** 2 < 400
BOX = (X >= 70) & (X < 100) & (Y >= 40) & (Y < 66)
IDS = (DISK + 2 * BOX).astype(np.uint8)
DAVIS = np.reshape(davis_palette(), (256, 3)).astype(np.uint8)
RED, GREEN, BLUE, BLACK, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0), (255, 255, 255)


def gray(values, ids=IDS, dtype=np.uint8):
    """Return the picture of a gray value for each id."""
    return Image.fromarray(np.asarray(values, dtype)[ids])


def colors(table, ids=IDS):
    """Return the picture, RGB or RGBA, of a color for each id."""
    return Image.fromarray(np.asarray(table, np.uint8)[ids])


def indexed(indices, palette, ids=IDS):
    """Return the indexed picture of an index for each id, with a palette (N, 3)."""
    picture = Image.fromarray(np.asarray(indices, np.uint8)[ids], "P")
    picture.putpalette(np.asarray(palette, np.uint8).ravel().tobytes())
    return picture


def soft(table, scale=4):
    """Return the picture, RGB or RGBA, of a color for each id, with smoothed borders."""
    y, x = (np.mgrid[: HEIGHT * scale, : WIDTH * scale] + 0.5) / scale - 0.5
    ids = ((x - 34) ** 2 + (y - 34) ** 2 < 400) + 2 * ((x >= 69.6) & (x < 99.6) & (y >= 39.6) & (y < 65.6))
    picture = Image.fromarray(np.asarray(table, np.uint8)[ids])
    return picture.resize(SIZE, Image.Resampling.BOX)


def photograph(seed=0):
    """Return a frame that shows the scene, RGB uint8 (H, W, 3): textured, with both objects."""
    noise = np.random.default_rng(seed).normal(0, 6, (HEIGHT, WIDTH, 3))
    ground = np.stack([60 + X * 0.8, 90 + Y * 0.9, 140 - X * 0.4], axis=-1)
    ground[DISK], ground[BOX] = (200, 60, 50), (70, 160, 90)
    return np.clip(ground + noise, 0, 255).astype(np.uint8)
