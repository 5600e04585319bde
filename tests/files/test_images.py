"""Labels in grey of 1, 2, 4 and 8 bits."""

import struct
import zlib

import numpy as np
import pytest

from osmn.errors import InputError
from osmn.files.images import read_labels


def grey(path, bits, rows):
    """Write labels as a grey PNG of 1, 2, 4 or 8 bits, which Pillow does not write."""
    height, width = rows.shape
    parts = [("IHDR", struct.pack(">2I5B", width, height, bits, 0, 0, 0, 0))]
    places = rows[..., None] >> np.arange(bits)[::-1] & 1
    packed = np.packbits(places.reshape(height, -1).astype(np.uint8), axis=1)
    parts += [("IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in packed))), ("IEND", b"")]
    chunks = [(name.encode() + content, len(content)) for name, content in parts]
    content = b"".join(struct.pack(">I", size) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk, size in chunks)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_labels_in_grey_are_as_they_are_or_refused_where_bits_make_them_ambiguous(tmp_path, bits):
    rows = np.array([[0, 1, 0, 1], [1, 1, 0, 0]], np.uint8)
    grey(tmp_path / "mask.png", bits, rows)
    if bits in (2, 4):
        with pytest.raises(InputError, match=rf"mask\.png is a grey image of {bits} bits, .*; save it in 8 bits"):
            read_labels(tmp_path / "mask.png")
    else:
        np.testing.assert_array_equal(read_labels(tmp_path / "mask.png"), rows * (255 if bits == 1 else 1))
