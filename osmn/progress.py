"""Progress bars on stderr; where stderr is a file or a pipe and not a terminal, a line every half minute instead."""

import io
import sys
import time
from collections.abc import Iterable, MutableMapping
from typing import Any, TypeVar, overload

from tqdm import tqdm
from tqdm.std import EMA  # type: ignore[attr-defined, unused-ignore]  # Types of tqdm, where installed, lack it.

SECONDS_BETWEEN_LINES = 30.0
PREPARING = "preparing the network"  # The first unit of the work traces or compiles the network.

Item = TypeVar("Item")


@overload
def progress_bar(
    iterable: Iterable[Item], prepared_after: int | None = None, brief: bool = False, **options: Any
) -> "tqdm[Item]": ...


@overload
def progress_bar(
    iterable: None = None, prepared_after: int | None = None, brief: bool = False, **options: Any
) -> "tqdm[Any]": ...


def progress_bar(
    iterable: Iterable[Any] | None = None, prepared_after: int | None = None, brief: bool = False, **options: Any
) -> "tqdm[Any]":
    """Return a progress bar, a `tqdm`; the caller iterates over it, or closes it by a `with` block.

    Args:
        iterable: the bar counts its items; None for a bar that counts by `update`.
        prepared_after: the bar says that the network is being prepared until so many units are done, counted from
            where the bar starts, and estimates the rest from the units after them; None for work that prepares no
            network.
        brief: the work often takes a second: where stderr is no terminal, lines are written only if the work takes
            longer than `SECONDS_BETWEEN_LINES`.
        options: further arguments of `tqdm`; a bar with `disable=True` shows nothing anywhere.
    """
    kind: type[_Bar] = _Bar if sys.stderr.isatty() else _Lines
    return kind(iterable, prepared_after=prepared_after, brief=brief, **options)


class _Bar(tqdm):
    """A progress bar for a terminal."""

    disable = True  # Until tqdm's constructor, which a signal may end, has made the bar: then there is none to close.

    def __init__(
        self,
        iterable: Iterable[Any] | None = None,
        prepared_after: int | None = None,
        brief: bool = False,
        **options: Any,
    ) -> None:
        self._prepared_at: float | None = None
        if prepared_after is not None:
            self._prepared_at = options.get("initial", 0) + prepared_after
        self._brief = brief
        if options.get("total") == 0:
            self._prepared_at = None  # There is no work, so nothing is prepared.
        if self._prepared_at is not None:
            options["desc"] = PREPARING
        self._estimated_after = -1 if self._prepared_at is None else self._prepared_at
        super().__init__(iterable, dynamic_ncols=True, **options)

    def update(self, n: float | None = 1) -> bool | None:
        """Count `n` more units as done."""
        if self._prepared_at is not None and self.n + (n or 0) >= self._prepared_at:
            self._prepared_at = None
            if not self.disable:
                self.set_description_str(None, refresh=False)
                shown = super().update(n)
                self._begin_estimate()
                return shown
        return super().update(n)

    def _begin_estimate(self) -> None:
        """Have the rate be that of the units from now on: the start may take longer than all that is left."""
        self._ema_dn, self._ema_dt = EMA(self.smoothing), EMA(self.smoothing)
        self.last_print_t, self.last_print_n = self._time(), self.n  # type: ignore[attr-defined, unused-ignore]

    @property
    def format_dict(self) -> MutableMapping[str, Any]:
        """What the bar shows; no rate, and with it no estimate, while only the start is over."""
        found = super().format_dict
        if self._estimated_after >= 0 and (self.n <= self._estimated_after or found["rate"] is None):
            found["rate"] = 0
        return found


class _Lines(_Bar):
    """A progress bar whose states are lines: a line every `SECONDS_BETWEEN_LINES`, and the last state."""

    _clock = staticmethod(time.monotonic)

    def __init__(self, iterable: Iterable[Any] | None = None, **options: Any) -> None:
        self._shown_at: float | None = None  # None until the bar's constructor displays it.
        self._has_lines = False
        super().__init__(iterable, file=_Nowhere(), **options)

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Write a line if the time for it has come; at the start write only what is being prepared."""
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

    def close(self) -> None:
        """Write the last state, unless the work is brief and has no other line, and end the bar."""
        if not self.disable and (self._has_lines or not self._brief):
            self._write_line()
        super().close()

    def _write_line(self) -> None:
        self._has_lines = True
        print(self, file=sys.stderr)


class _Nowhere(io.TextIOBase):
    """A file that drops what tqdm itself writes, which is meant for terminals."""

    def write(self, text: str) -> int:
        """Drop a text; return its length."""
        return len(text)
