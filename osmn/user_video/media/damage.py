"""What of a video is damaged."""


class DamageCounter:
    """Counts the packets and frames of a video that are damaged, as they are decoded.

    Attributes:
        count: how many there are.

    Args:
        answers_all: the decoder says nothing of a damaged packet, and makes one frame of each good one: those for which
            no frame came are damaged, which shows at the end.
    """

    def __init__(self, answers_all):
        self.count, self._answers_all, self._unanswered = 0, answers_all, 0

    def packet_failed(self):
        """Count a packet for which reading or decoding raised an error."""
        self.count += 1

    def sent(self, packet):
        """Note a packet that the decoder took; None for the one that makes it give what it holds back."""
        if packet is not None and packet.size and not packet.is_discard:
            self._unanswered += 1

    def got(self, frame, packet):
        """Note a frame that came when a packet, or None, was sent; count it if it is damaged."""
        self._unanswered -= 1
        if frame.interlaced_frame:  # Packets may be half a frame each.
            self._answers_all = False
        # Where a file is cut short, decoders of still images make up the rest of the last one.
        if frame.is_corrupt or (packet is not None and packet.is_corrupt):
            self.count += 1

    def ended(self):
        """Count the packets for which no frame came."""
        if self._answers_all:
            self.count += max(0, self._unanswered)
