"""The damage of a video: what of it is counted, and whether its file has an end."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:  # The types of arguments.
    import av


class DamageCounter:
    """Counts the packets and frames of a video that are damaged, as they are decoded.

    Attributes:
        count: number of damaged packets and frames.

    Args:
        answers_all: the decoder makes a frame of each good packet and does not report a damaged packet. At the end, the
            packets without a frame count as damaged.
    """

    def __init__(self, answers_all: bool) -> None:
        self.count, self._answers_all, self._unanswered = 0, answers_all, 0

    def packet_failed(self) -> None:
        """Count a packet for which reading or decoding raised an error."""
        self.count += 1

    def sent(self, packet: av.Packet | None) -> None:
        """Note a packet that the decoder took; None for the end, at which it gives what it holds back."""
        if packet is not None and packet.size and not packet.is_discard:
            self._unanswered += 1

    def got(self, frame: av.VideoFrame, packet: av.Packet | None) -> None:
        """Note a frame that came when a packet, or None, was sent; count it if it is damaged."""
        self._unanswered -= 1
        if frame.interlaced_frame:  # Packets may be half a frame each.
            self._answers_all = False
        # Where a file is cut short, decoders of still images invent the rest of the last image.
        if frame.is_corrupt or (packet is not None and packet.is_corrupt):
            self.count += 1

    def ended(self) -> None:
        """Count the packets for which no frame came."""
        if self._answers_all:
            self.count += max(0, self._unanswered)


def is_whole(path: Path, kind: str) -> bool:
    """Tell whether a file ends where it says that it ends; False also for a kind of file that does not say it.

    In such files the last frame is shown until the time that the file announces. FFmpeg gives no packet for the chunks
    without data of an AVI, for which the frame before is shown on, and no duration for the last frame of the others.

    Args:
        path: of the file.
        kind: FFmpeg's name of it, such as "avi".
    """
    ends = _ENDS.get(kind)
    if ends is None:
        return False
    with open(path, "rb") as file:
        return ends(file, path.stat().st_size)


def _avi(file: BinaryIO, size: int) -> bool:
    """Its parts (RIFF), one after the other, fill the file."""
    at = 0
    while at < size:
        file.seek(at)
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:11] != b"AVI":
            return at > 0  # What follows the last part is none of it.
        at += 8 + struct.unpack("<I", head[4:8])[0]
    return at - size <= 1  # A last byte to fill up may be left out.


def _flv(file: BinaryIO, size: int) -> bool:
    """It ends in the size of its last part, which begins there with its own size without a head of 11 bytes."""
    file.seek(max(0, size - 4))
    last = int.from_bytes(file.read(4), "big")
    if not 11 <= last <= size - 4:
        return False
    file.seek(size - 4 - last + 1)
    return int.from_bytes(file.read(3), "big") == last - 11


def _asf(file: BinaryIO, size: int) -> bool:
    """Its head has the file's size."""
    _, found, rest = file.read(1 << 16).partition(_FILE_PROPERTIES)
    return bool(found) and 0 < int.from_bytes(rest[24:32], "little") <= size


_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")  # Of ASF: then 8 bytes of its size, an id of 16.
_ENDS: dict[str, Callable[[BinaryIO, int], bool]] = {"avi": _avi, "flv": _flv, "asf": _asf}
