"""Draw doc/model.png, the picture of the network in architecture.md: `make figures`."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, FancyArrowPatch, FancyBboxPatch, Rectangle

# The network `osvos`: channels and number of convolutions of VGG16's stages.
CHANNELS = (64, 128, 256, 512, 512)
CONVOLUTIONS = (2, 2, 3, 3, 3)
MODULATED = (3, 4, 5)
SIDE_OUTPUTS = (2, 3, 4, 5)

VISUAL, SPATIAL, NETWORK, OUTPUT, INK = "#d9772b", "#2a7fb8", "#5d6b7a", "#4a9a4a", "#222222"
STAGE_X = (2.9, 4.75, 6.6, 8.45, 10.3)  # left edges
STAGE_WIDTH, STAGE_Y, STAGE_HEIGHT = 1.25, 3.3, 1.1
SIDE_Y, FUSE_Y = 2.0, 0.75
VISUAL_Y, SPATIAL_Y, FRAME_Y = 7.02, 5.47, STAGE_Y + STAGE_HEIGHT / 2  # the middles of the rows
PICTURE_X, PICTURE_WIDTH, PICTURE_HEIGHT = 0.4, 1.5, 0.94


def box(axes, x, y, width, height, text, color, fontsize=10, filled=True):
    """Draw a rounded box with text in its middle; x and y are its lower left corner."""
    style = {"facecolor": color + ("30" if filled else "10"), "edgecolor": color, "linewidth": 1.6}
    axes.add_patch(FancyBboxPatch((x, y), width, height, boxstyle="round,pad=0,rounding_size=0.1", **style))
    axes.text(x + width / 2, y + height / 2, text, ha="center", va="center", fontsize=fontsize, color=INK)


def arrow(axes, start, end, color=INK):
    """Draw an arrow between two points (x, y)."""
    axes.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle="-|>", mutation_scale=12, linewidth=1.4, color=color, shrinkA=0, shrinkB=0
        )
    )


def picture(axes, middle, draw, title, **options):
    """Draw a small framed picture in the left column, its middle at that height; `draw(axes, x, y, w, h)` fills it."""
    place = PICTURE_X, middle - PICTURE_HEIGHT / 2, PICTURE_WIDTH, PICTURE_HEIGHT
    draw(axes, *place, **options)
    axes.add_patch(Rectangle(place[:2], *place[2:], facecolor="none", edgecolor=INK, linewidth=1.2))
    bottom = (PICTURE_X + PICTURE_WIDTH / 2, place[1] - 0.09)
    axes.text(*bottom, title, ha="center", va="top", fontsize=9.5, color=INK, linespacing=1.15)


def scene(axes, x, y, width, height, ground="#b9cfa5", fish="#d8552b"):
    """Draw a frame: an object (a fish) on a ground."""
    axes.add_patch(Rectangle((x, y), width, height, facecolor=ground, edgecolor="none"))
    cx, cy = x + 0.5 * width, y + 0.52 * height
    axes.add_patch(Ellipse((cx, cy), 0.5 * width, 0.42 * height, facecolor=fish, edgecolor="none"))
    tail = np.array([[-0.2, 0], [-0.36, 0.2], [-0.36, -0.2]]) * [width, height] + [cx, cy]
    axes.fill(*tail.T, color=fish, linewidth=0)


def gaussian(axes, x, y, width, height):
    """Draw the spatial guide: a Gaussian where the object was."""
    u, v = np.meshgrid(np.linspace(-1, 1, 150), np.linspace(-1, 1, 94))
    values = np.exp(-((u / 0.36) ** 2 + (v / 0.34) ** 2) / 2)
    axes.imshow(values, extent=(x, x + width, y, y + height), cmap="gray", zorder=1, aspect="auto")


def draw_model():
    """Return the figure: modulators above, segmentation net in the middle, side outputs and mask below."""
    figure = Figure(figsize=(9, 5.6), dpi=200)
    axes = figure.add_axes((0, 0, 1, 1))
    figure.patch.set_facecolor("white")

    _draw_modulators(axes)
    _draw_segmentation(axes)
    _draw_mask(axes)
    axes.set_xlim(0, 11.8)
    axes.set_ylim(0.25, 7.85)
    axes.axis("off")
    return figure


def _draw_modulators(axes):
    """Draw the two modulators, and beside them what they see."""
    right = PICTURE_X + PICTURE_WIDTH
    picture(axes, VISUAL_Y, scene, "visual guide:\nfirst frame, cut out", ground="#000000")
    picture(axes, SPATIAL_Y, gaussian, "spatial guide:\nwhere it was last")
    picture(axes, FRAME_Y, scene, "frame")
    for middle, text, color in (
        (VISUAL_Y, "visual modulator: VGG16,\nonce per object", VISUAL),
        (SPATIAL_Y, "spatial modulator: pooling\nand 1$\\times$1 conv, every frame", SPATIAL),
    ):
        box(axes, STAGE_X[0], middle - 0.45, 2.75, 0.9, text, color)
        arrow(axes, (right, middle), (STAGE_X[0], middle), color)
    arrow(axes, (right, FRAME_Y), (STAGE_X[0], FRAME_Y))


def _draw_segmentation(axes):
    """Draw the segmentation net's stages, and what the modulators do to them."""
    for stage, (x, channels, count) in enumerate(zip(STAGE_X, CHANNELS, CONVOLUTIONS, strict=True), 1):
        box(axes, x, STAGE_Y, STAGE_WIDTH, STAGE_HEIGHT, f"stage {stage}\n{count} $\\times$ conv\n{channels}", NETWORK)
        middle = x + STAGE_WIDTH / 2
        if stage > 1:
            arrow(axes, (STAGE_X[stage - 2] + STAGE_WIDTH, FRAME_Y), (x, FRAME_Y))
        if stage in MODULATED:
            for offset, y, color, name in (
                (-0.3, VISUAL_Y, VISUAL, r"$\times\ \gamma$"),
                (0.25, SPATIAL_Y, SPATIAL, r"$+\ \beta$"),
            ):
                arrow(axes, (middle + offset, y), (middle + offset, STAGE_Y + STAGE_HEIGHT), color)
                axes.text(middle + offset + 0.06, STAGE_Y + STAGE_HEIGHT + 0.42, name, fontsize=10.5, color=color)
        if stage in SIDE_OUTPUTS:
            box(axes, x, SIDE_Y, STAGE_WIDTH, 0.75, "3$\\times$3 conv, 16\nupsample", OUTPUT, fontsize=9)
            arrow(axes, (middle, STAGE_Y), (middle, SIDE_Y + 0.75))
            arrow(axes, (middle, SIDE_Y), (middle, FUSE_Y + 0.7))
    last = STAGE_X[-1] + STAGE_WIDTH / 2
    axes.plot([STAGE_X[0] + 2.75, last - 0.3], [VISUAL_Y] * 2, color=VISUAL, linewidth=1.4, solid_capstyle="butt")
    axes.plot([STAGE_X[0] + 2.75, last + 0.25], [SPATIAL_Y] * 2, color=SPATIAL, linewidth=1.4, solid_capstyle="butt")
    rule = "After each conv + ReLU: features $\\times\\ \\gamma + \\beta$\n"
    rule += "($\\gamma$: a number, $\\beta$: a map, for each channel)"
    axes.text(STAGE_X[2] - 0.6, VISUAL_Y + 0.12, rule, fontsize=10, color=INK, va="bottom", linespacing=1.3)


def _draw_mask(axes):
    """Draw the fusion of the side outputs, and the mask, which gives the spatial guide of the next frame."""
    left, middle = STAGE_X[1], FUSE_Y + 0.35
    box(
        axes,
        left,
        FUSE_Y,
        STAGE_X[-1] + STAGE_WIDTH - left,
        0.7,
        "concatenate (64 channels), 1$\\times$1 conv, sigmoid",
        OUTPUT,
    )
    picture(axes, middle, scene, "mask", ground="#000000", fish="#ffffff")
    arrow(axes, (left, middle), (PICTURE_X + PICTURE_WIDTH, middle), OUTPUT)
    loop = 0.16
    axes.plot([PICTURE_X, loop, loop], [middle, middle, SPATIAL_Y], color=SPATIAL, linewidth=1.4, linestyle=(0, (3, 2)))
    arrow(axes, (loop, SPATIAL_Y), (PICTURE_X, SPATIAL_Y), SPATIAL)
    axes.text(loop + 0.07, 2.25, "next frame", fontsize=9.5, color=SPATIAL, va="center", rotation=90)


if __name__ == "__main__":
    draw_model().savefig(Path(__file__).with_name("model.png"))
