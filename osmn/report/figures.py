"""Charts as SVG elements for a page, by Matplotlib.

The charts are drawn with `Figure` objects, never with pyplot, so that the process's settings do not change. Texts stay
texts, in the page's font; names are never taken for formulas.
"""

from __future__ import annotations

import io
import math
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from osmn.masks import davis_palette

if TYPE_CHECKING:  # It takes a while to import.
    from matplotlib.figure import Figure

WIDTH = 9.6  # Inches; the page scales a chart to its own width.
FEW_FRAMES = 40  # Curves of at most so many frames have points, too.
MOST_TICKS, LONGEST_LABEL = 10, 40
INK, GRAY, PALE, ACCENT, LOSS = "#1f2328", "#8c959f", "#d0d7de", "#2f5d8a", "#b3402e"
BARS = (ACCENT, "#a9c1d9")
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": False,
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": PALE,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": GRAY,
    "xtick.labelcolor": INK,
    "ytick.color": GRAY,
    "ytick.labelcolor": INK,
    "grid.color": "#eaeef2",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.grid": False,
    "legend.frameon": False,
}


def object_color(object_id: int) -> str:
    """Return an object's color, "#rrggbb": that of its mask in the pictures, dark enough for white paper."""
    return "#" + "".join(f"{value:02x}" for value in davis_palette()[3 * object_id : 3 * object_id + 3])


def bars(names: Sequence[str], groups: Mapping[str, Sequence[float]], differences: bool = False) -> str:
    """Return a chart of horizontal bars, a row for each name, as an SVG element.

    Args:
        names: the names of the rows, from top to bottom.
        groups: {legend: values from 0 to 1, one per row}; the bars of several groups stand below each other in a row.
        differences: the values are from -1 to 1, and the bars go to both sides.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        rows, thickness = np.arange(len(names)), 0.8 / len(groups)
        for index, (legend, values) in enumerate(groups.items()):
            color = [ACCENT if value >= 0 else LOSS for value in values] if differences else BARS[index]
            middles = rows + (index + 0.5) * thickness - 0.4
            drawn = axes.barh(middles, values, 0.86 * thickness, color=color, label=legend)
            axes.bar_label(drawn, fmt="%+.3f" if differences else "%.3f", padding=3, fontsize=7.5)
        axes.set_yticks(rows, [_shown(name) for name in names])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x", visible=True)
        if differences:
            low, high = min(0, *values), max(0, *values)
            margin = max(0.005, 0.1 * (high - low))  # Room for the numbers.
            axes.set_xlim(low - margin, high + margin)
            axes.axvline(0, color=GRAY, linewidth=0.8)
        else:
            axes.set_xlim(0, 1.06)
            axes.set_xticks(np.linspace(0, 1, 6))
        if len(groups) > 1:
            figure.legend(loc="outside upper left", ncols=len(groups), handlelength=1)

    return _svg(draw, 0.6 + 0.11 * len(names) * (len(groups) + 0.6), f"bars of {', '.join(groups)}")


def curves(
    name: str,
    frames: Sequence[str],
    object_ids: Sequence[int],
    values: np.ndarray,
    marks: Iterable[tuple[int, int]],
    measure: str,
    other: np.ndarray | None = None,
) -> str:
    """Return a chart of a measure over time, a line for each object, as an SVG element.

    Args:
        name: the sequence's name.
        frames: the names of the frames.
        object_ids: the object of each line.
        values: (frames, objects), NaN where an object is not scored.
        marks: the points that get a ring, (frame number, column).
        measure: the measure's name.
        other: the values of another result, (frames, objects), drawn as broken lines; None to draw a single result.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        points: dict[str, Any] = {"marker": "o", "markersize": 3} if len(frames) <= FEW_FRAMES else {}
        for column, object_id in enumerate(object_ids):
            color = object_color(object_id)
            if other is not None:
                axes.plot(other[:, column], color=color, linewidth=1, linestyle=(0, (3, 2)), alpha=0.6)
            axes.plot(values[:, column], color=color, linewidth=1.6, label=str(object_id), **points)
        for frame, column in marks:
            ring: dict[str, Any] = {"marker": "o", "markersize": 9, "markerfacecolor": "none", "clip_on": False}
            axes.plot(frame, values[frame, column], markeredgecolor=object_color(object_ids[column]), **ring)
        axes.set_ylim(0, 1.03)
        axes.set_xlim(-0.5, len(frames) - 0.5)
        ticks = range(0, len(frames), math.ceil(len(frames) / MOST_TICKS))
        axes.set_xticks(ticks, [_shown(frames[tick]) for tick in ticks])
        axes.set_ylabel(measure, rotation=0, labelpad=10)
        axes.grid(axis="y", visible=True)
        if len(object_ids) > 1:
            columns = math.ceil(len(object_ids) / 9)
            figure.legend(loc="outside right upper", title="object", handlelength=1.2, ncols=columns)

    return _svg(draw, 2.2, f"curves of {name}")


def _shown(name: str) -> str:
    """Return a name as a label: short, and without characters that XML cannot hold."""
    name = "".join(letter if letter.isprintable() else "\ufffd" for letter in name)
    return name if len(name) <= LONGEST_LABEL else f"{name[: LONGEST_LABEL - 1]}…"


def _svg(draw: Callable[[Figure], None], height: float, salt: str) -> str:
    """Return the chart that `draw(figure)` draws, `height` inches high, as an SVG element.

    `salt` keeps the ids of a page's charts apart.
    """
    import matplotlib  # Here, because it takes a while to import.
    from matplotlib.figure import Figure

    text = io.StringIO()
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": salt}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # The browser has other fonts.
        figure = Figure((WIDTH, height), layout="constrained")
        draw(figure)
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(text, format="svg", transparent=True, metadata=nothing)
    return _for_a_page(ET.fromstring(text.getvalue()))


def _for_a_page(svg: ET.Element) -> str:
    """Return an SVG document as an HTML element: without namespaces, size and ids that nothing refers to."""
    parts = list(svg.iter())
    for part in parts:
        part.tag = part.tag.rpartition("}")[2]
        part.attrib = {name.rpartition("}")[2]: value for name, value in part.attrib.items()}
        for child in [child for child in part if child.tag.endswith("style")]:
            part.remove(child)
    used = {found for part in parts for value in part.attrib.values() for found in re.findall(r"#([\w-]+)", value)}
    for part in parts:
        if part.get("id") not in used:
            part.attrib.pop("id", None)
    svg.attrib = {"viewBox": svg.attrib["viewBox"]}
    return ET.tostring(svg, encoding="unicode")
