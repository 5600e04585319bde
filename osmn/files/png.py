"""PNGs of labels, packed by zlib-ng.

Pillow's wheels for Linux take the system's zlib, which needs six to ten times as long: most of the time that reading or
writing a mask takes.
"""

import struct

import numpy as np
from zlib_ng import zlib_ng

SIGNATURE, END = b"\x89PNG\r\n\x1a\n", b"\0\0\0\0IEND\xaeB`\x82"
GRAY, INDEXED = 0, 3  # Types of color.
BIT_DEPTH, INTERLACED = 24, 28  # Indices of the bytes that hold the bit depth, and whether rows are interlaced.
FOR_PILLOW = (b"acTL", b"eXIf", b"exif", b"xmp")  # In files of several frames, or that say how to turn the image.


def stored_values(content: bytes) -> np.ndarray | None:
    """Return the values, uint8 (H, W), of an indexed or gray PNG whose rows are stored as they are, as labels' are.

    None where Pillow is to read the file: it is damaged, interlaced, or has filtered rows, several frames, or perhaps
    says how to turn the image. Raises ValueError if rows are missing, which Pillow would read as 0.

    Args:
        content: the bytes of a PNG with one channel of at most 8 bits, whose checksums are right.
    """
    if content[INTERLACED] or any(word in content for word in FOR_PILLOW):
        return None
    width, height = np.frombuffer(content, ">u4", 2, 2 * len(SIGNATURE)).tolist()
    bits = content[BIT_DEPTH]
    bytes_of_row = 1 + (width * bits + 7) // 8  # A row begins with its filter's number.
    try:
        inflated = zlib_ng.decompressobj().decompress(_pixel_data(content), height * bytes_of_row)
    except zlib_ng.error:  # type: ignore[misc]  # The stub says that it is an Exception, not a class of them.
        return None
    if len(inflated) < height * bytes_of_row:
        raise ValueError("it has too few rows")
    rows = np.frombuffer(inflated, np.uint8).reshape(height, bytes_of_row)
    if rows[:, 0].any():
        return None
    values = np.ascontiguousarray(rows[:, 1:])
    if bits < 8:
        several = [values >> shift & (1 << bits) - 1 for shift in range(8 - bits, -1, -bits)]
        values = np.ascontiguousarray(np.stack(several, axis=-1).reshape(height, -1)[:, :width])
    return values


def _pixel_data(content: bytes) -> bytes:
    """Return what the IDAT chunks of a PNG hold; chunks are length, name, data and checksum."""
    found, start = [], len(SIGNATURE)
    while (name := content[start + 4 : start + 8]) not in (b"IEND", b""):
        end = start + 8 + int.from_bytes(content[start : start + 4], "big")
        if name == b"IDAT":
            found.append(content[start + 8 : end])
        start = end + 4
    return b"".join(found)


def encoded(values: np.ndarray, palette: bytes | None = None) -> bytes:
    """Return the PNG of values, uint8 (H, W): gray, or indices of a palette, R, G, B of each of 256 colors.

    Runs alone are packed, which of labels makes files as small as all of deflate.
    """
    height, width = values.shape
    rows = np.zeros((height, 1 + width), np.uint8)  # The 0 of each row says that no filter was applied.
    rows[:, 1:] = values
    packer = zlib_ng.compressobj(1, strategy=zlib_ng.Z_RLE)
    pixels = packer.compress(rows) + packer.flush()
    color = GRAY if palette is None else INDEXED
    header = struct.pack(">2I5B", width, height, 8, color, 0, 0, 0)
    colors = b"" if palette is None else _chunk(b"PLTE", palette)
    return SIGNATURE + _chunk(b"IHDR", header) + colors + _chunk(b"IDAT", pixels) + END


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib_ng.crc32(name + data))
