"""Reports: results of known scores, and the page as an HTML parser reads it."""

import base64
import io
import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from PIL import Image

from helpers.davis_results import write_davis
from helpers.scripts import words
from osmn.files.images import write_labels
from osmn.report.__main__ import main

VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """What a test asks a page: its elements (tag, attributes, text), and the texts of its tables' rows."""

    def __init__(self, path):
        super().__init__()
        self.source = Path(path).read_text(encoding="utf-8")
        self.elements, self._open = [], []
        self.feed(self.source)
        assert not self._open

    def handle_starttag(self, tag, attrs):
        element = [tag, dict(attrs), ""]
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.elements.append([tag, dict(attrs), ""])

    def handle_endtag(self, tag):
        assert self._open.pop()[0] == tag

    def handle_data(self, data):
        for element in self._open:
            element[2] += data

    def texts(self, tag):
        """Return the texts of the elements of a name; the spaces between words are one."""
        return [" ".join(text.split()) for name, _, text in self.elements if name == tag]

    def rows(self, kind):
        """Return the texts of the cells of each row, headings first, of the table of a class."""
        rows, inside = [], False
        for tag, attributes, text in self.elements:
            if tag == "table":
                inside = kind in attributes["class"].split()
            elif inside and tag == "tr":
                rows.append([])
            elif inside and tag in ("td", "th"):
                rows[-1].append(" ".join(text.split()))
        return rows

    def worst(self):
        """Return [(frame, object, scores)] of the frames that are shown as the worst."""
        return [
            (attributes["data-frame"], int(attributes["data-object"]), " ".join(text.split()).partition(": ")[2])
            for _, attributes, text in self.elements
            if "data-object" in attributes
        ]

    def pictures(self):
        """Return the (text, image) of all pictures."""
        found = []
        for tag, attributes, _ in self.elements:
            if tag == "img":
                kind, _, content = attributes["src"].partition(",")
                assert kind == "data:image/jpeg;base64"
                found.append((attributes["alt"], Image.open(io.BytesIO(base64.b64decode(content)))))
        return found


def write_frames(folder, names, size=(12, 12)):
    """Write green frames with these names as JPEGs."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", size, (90, 120, 60)).save(folder / f"{name}.jpg")


def squares(rows):
    """Return a 12x12 frame of two 4x4 squares, the objects 1 and 2, of which so many rows are left."""
    labels = np.zeros((12, 12), np.uint8)
    labels[1 : 1 + rows[0], 1:5], labels[7 : 7 + rows[1], 6:10] = 1, 2
    return labels


def write_sequence(root, name, kept, results="results", version=2017):
    """Write a sequence, if it is not there, and results that keep so many rows of each object in each frame."""
    if not (root / "davis/Annotations/480p" / name).is_dir():
        write_davis(root / "davis", [squares((4, 4))] * len(kept), version, name)
        write_frames(root / "davis/JPEGImages/480p" / name, [f"{t:05d}" for t in range(len(kept))])
    for t, rows in enumerate(kept):
        write_labels(root / results / name / f"{t:05d}.png", squares(rows))


def report(root, *more, results="results"):
    """Report the results in a folder of `root` by `python -m osmn.report`; return the `Page`."""
    main(words(root / results, root / "davis", *more))
    return Page(root / results / "report.html")


def manifest(folder, **options):
    """Write the manifest of a run with these options."""
    made_by = {
        "program": "osmn",
        "model": "m",
        "model_sha256": "abc",
        "config": {"im_size": [8, 8]},
        "options": options,
    }
    (folder / "run.json").write_text(json.dumps(made_by))
