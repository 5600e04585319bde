"""Counting the damage of a video."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
