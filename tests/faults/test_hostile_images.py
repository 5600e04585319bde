"""Images that are made to make Pillow fail: whatever it raises, and where, one line names the file and the remedy."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from osmn.errors import InputError
from osmn.files.images import is_indexed, read_for_tensorflow, read_image, read_labels
from osmn.user_video.webapp.painting import labels_of

RAISED = [
    *(ValueError, SyntaxError, struct.error, OverflowError, OSError, EOFError, IndexError, KeyError, TypeError),
    *(AttributeError, ZeroDivisionError, MemoryError, RecursionError, NotImplementedError, AssertionError, zlib.error),
    Image.DecompressionBombError,
]
CALLED = {
    read_image: ("open", "verify", "load", "convert"),
    read_for_tensorflow: ("open", "verify"),
    read_labels: ("open", "verify", "load"),
    is_indexed: ("open", "verify"),
}
READERS = list(CALLED)


def labels():
    image = Image.fromarray(np.zeros((4, 6), np.uint8), "P")
    image.putpalette(list(range(9)))
    return image


def png(image=None, **more):
    content = io.BytesIO()
    (image or labels()).save(content, "PNG", **more)
    return content.getvalue()


def chunk(kind, body):
    """Return a chunk of a PNG with its right length and checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_chunk(kind, body, before=b"IDAT"):
    """Return a whole PNG with one chunk more, before another one."""
    whole = png()
    place = whole.index(before) - 4
    return whole[:place] + chunk(kind, body) + whole[place:]


def with_size(width, height):
    whole = png()
    header = chunk(b"IHDR", struct.pack(">II", width, height) + whole[24:29])
    return whole[:8] + header + whole[8 + len(header) :]


def refusal(read, path):
    """Return what a reader says of a file that it refuses; None if it reads it."""
    try:
        read(path)
    except InputError as error:
        return str(error)
    return None


TOO_LONG = zlib.compress(bytes(9 * 2**20))
HOSTILE = {
    "compressed text": with_chunk(b"zTXt", b"Comment\0\0" + TOO_LONG),
    "international text": with_chunk(b"iTXt", b"Comment\0\1\0\0\0" + TOO_LONG),
    "much text": with_chunk(b"tEXt", b"a\0" + b"b" * 70 * 2**20),
    "compressed text of the older limit": with_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2**20 + 1))),
    "half a header": png()[:8] + chunk(b"IHDR", b"\0\0\0") + png()[33:],
    "no width": with_size(0, 4),
    "more than memory": with_size(2**31 - 1, 2**31 - 1),
    "a bomb": with_size(20000, 20000),
    "an unknown compression of text": with_chunk(b"zTXt", b"Comment\0\7abc"),
    "a palette of 300 colours": with_chunk(b"PLTE", bytes(900)),
    "an animation of no frames": with_chunk(b"acTL", bytes(8)),
    "half an animation": with_chunk(b"acTL", b"\0"),
    "a frame outside": with_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 9, 9, 9, 9, 1, 1, 0, 0)),
    "half a profile": with_chunk(b"iCCP", b"a"),
    "half a resolution": with_chunk(b"pHYs", b"\0"),
    "half a gamma": with_chunk(b"gAMA", b"\0"),
    "half a transparency": with_chunk(b"tRNS", b""),
    "no EXIF data": with_chunk(b"eXIf", b"MM\0*\xff\xff\xff\xff"),
    "EXIF data at the end": with_chunk(b"eXIf", b"II*\0" + bytes(2), before=b"IEND"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("read", READERS)
def test_a_hostile_png_is_read_or_refused_with_its_name(tmp_path, read, name):
    path = tmp_path / "a.png"
    path.write_bytes(HOSTILE[name])
    said = refusal(read, path)
    assert said is None or (said.startswith(f"{path} ") and "; " in said and len(said.splitlines()) == 1), said


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("limit", ["one piece", "all pieces"])
def test_too_much_text_in_a_png_is_called_that(tmp_path, read, limit):
    text, path = PngImagePlugin.PngInfo(), tmp_path / "a.png"
    for number in range(1 if limit == "one piece" else 66):
        text.add_text(f"Comment {number}", "a" * (9 * 2**20 if limit == "one piece" else 2**20), zip=True)
    path.write_bytes(png(pnginfo=text))
    wanted = f"{path} holds too much text beside its pixels (metadata); save it again without that"
    assert refusal(read, path) == wanted


@pytest.mark.parametrize("error", RAISED)
@pytest.mark.parametrize("read, where", [(read, where) for read in READERS for where in CALLED[read]])
def test_whatever_pillow_raises_names_the_file_and_the_remedy(tmp_path, monkeypatch, error, read, where):
    path, text = tmp_path / "a.png", PngImagePlugin.PngInfo()
    text.add_text("Comment", "exif")  # Else Pillow loads no labels, see files/png.py.
    path.write_bytes(png(pnginfo=text))

    def fail(*arguments, **more):
        raise error("words of Pillow\nin lines")

    for owner in {
        "open": [Image],
        "load": [Image.Image, PngImagePlugin.PngImageFile],
        "verify": [PngImagePlugin.PngImageFile],
        "convert": [Image.Image],
    }[where]:
        monkeypatch.setattr(owner, where, fail)
    said = refusal(read, path)
    assert said.startswith(f"{path} ") and "; " in said and len(said.splitlines()) == 1, said


@pytest.mark.parametrize("error", RAISED)
def test_whatever_pillow_raises_of_what_was_painted_asks_to_paint_again(monkeypatch, error):
    def fail(*arguments, **more):
        raise error("words of Pillow")

    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(InputError, match="paint again"):
        labels_of("data:image/png;base64,AAAA", (6, 4))
