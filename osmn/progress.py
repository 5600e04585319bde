"""Progress bars on stderr; where that is no terminal, but a file or a pipe, a line now and then instead."""

import io
import sys
import time

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 30.0
PREPARING = "preparing the network"  # It is traced, or compiled, when the first of the work is done.


def progress_bar(iterable=None, prepared_after=None, brief=False, **options):
    """Return a progress bar, a `tqdm`, which may be iterated over or closed by a `with` block.

    Args:
        iterable: whose items are counted; None for a bar that is told by `update`.
        prepared_after: the bar says that the network is being prepared until so many units are done, counted from
            where it starts; None for a bar of other work.
        brief: the work often takes a second: where stderr is no terminal, only what takes longer than
            `SECONDS_BETWEEN_LINES` has lines.
        options: of `tqdm`; a bar that is told to be disabled shows nothing anywhere.
    """
    kind = _Bar if sys.stderr.isatty() else _Lines
    return kind(iterable, prepared_after=prepared_after, brief=brief, **options)


class _Bar(tqdm):
    """A progress bar for a terminal."""

    def __init__(self, iterable=None, prepared_after=None, brief=False, **options):
        self._prepared_at = None if prepared_after is None else options.get("initial", 0) + prepared_after
        self._brief = brief
        if options.get("total") == 0:
            self._prepared_at = None  # Nothing is done, and nothing is prepared for it.
        if self._prepared_at is not None:
            options["desc"] = PREPARING
        super().__init__(iterable, dynamic_ncols=True, **options)

    def update(self, n=1):
        """Count `n` more units as done."""
        if self._prepared_at is not None and self.n + n >= self._prepared_at:
            self._prepared_at = None
            if not self.disable:
                self.set_description_str(None, refresh=False)
        return super().update(n)


class _Lines(_Bar):
    """A progress bar whose states are lines: one every `SECONDS_BETWEEN_LINES`, and the last one."""

    _clock = staticmethod(time.monotonic)

    def __init__(self, iterable=None, **options):
        self._shown_at = None  # None until the bar is first displayed, which is when it is made.
        self._has_lines = False
        super().__init__(iterable, file=_Nowhere(), **options)

    def display(self, msg=None, pos=None):
        """Write a line if it is time; at the start only what is being prepared."""
        if self.disable:
            return
        now = self._clock()
        if self._shown_at is None:
            self._shown_at = now
            if self._prepared_at is not None:
                print(PREPARING, file=sys.stderr)
        elif now - self._shown_at >= SECONDS_BETWEEN_LINES:
            self._shown_at = now
            self._write_line()

    def close(self):
        """Write the last state, unless it is of brief work that has no other line, and end."""
        if not self.disable and (self._has_lines or not self._brief):
            self._write_line()
        super().close()

    def _write_line(self):
        self._has_lines = True
        print(self, file=sys.stderr)


class _Nowhere(io.TextIOBase):
    """Takes what tqdm itself writes, which is for terminals."""

    def write(self, text):
        """Take a text."""
        return len(text)
