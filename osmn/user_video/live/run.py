"""Live pictures from the command line: what they come from, the objects that are given, and how it all ends."""

from __future__ import annotations

import contextlib
import datetime
import functools
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from osmn.errors import InputError
from osmn.files.overlap import refuse_inputs_inside_outputs, refuse_writing_over_inputs
from osmn.inference.load import SHIPPED_CLICKS, has_click_model, load_click_engine
from osmn.inference.stills import Objects
from osmn.masks import Size
from osmn.models.engines import Engine
from osmn.models.interface import SegmentationModel
from osmn.progress import progress_bar
from osmn.results import manifest
from osmn.user_video import model_choice, prompts
from osmn.user_video.boxes import FOUND, Pointing, find_pointed, pointing, write_found
from osmn.user_video.live import streams
from osmn.user_video.live.options import LiveOptions
from osmn.user_video.live.results import FRAMES, OVERLAY, LiveFiles
from osmn.user_video.live.server import Server
from osmn.user_video.live.session import Session
from osmn.user_video.live.sources import Camera, LiveSource, Picture, Player, Pushed
from osmn.user_video.media.reader import Frame
from osmn.user_video.options import Placed, VideoOptions
from osmn.user_video.prompts import Prompt
from osmn.user_video.tracking import MASKS
from osmn.user_video.webapp.pointing import Pointer

logger = logging.getLogger(__name__)

BROWSER = "browser"  # As an input: the camera of the page's browser.
LOOKS = 0.1  # Seconds between two looks at how far it is.

Shown = Callable[[Session], contextlib.AbstractContextManager[object]]  # Shows a session in a `with` block, as a page.


class Asked(NamedTuple):
    """What the user asks for.

    Attributes:
        live: `LiveOptions`.
        video: `VideoOptions`, of which the objects and `click_model` count.
        im_size: (width, height) of the network's images; None for a size that suits.
        overwrite: results of another run may be replaced.
        search, window, target_model, boundaries: see `Predictor.from_checkpoint`.
    """

    live: LiveOptions
    video: VideoOptions
    im_size: tuple[int, int] | None = None
    overwrite: bool = False
    search: bool = False
    window: bool = False
    target_model: bool = False
    boundaries: bool = False

    @property
    def folder(self) -> Path | None:
        """The folder of the results; None for none."""
        return Path(self.live.result_path) if self.live.result_path else None


def masks_of(video: VideoOptions) -> list[Prompt]:
    """Return the `Prompt`s of masks, all of the first frame; InputError for a file that is not there."""
    given = [each for text in video.mask for each in prompts.prompts_of(text)]
    late = next((each for each in given if each.place is not None), None)
    if late is not None:
        words = f"--mask {late.place}:{late.path}"
        raise InputError(f"{words}: live, a mask is of the first frame; leave out its place, or correct in the page")
    return given


def pointed_of(video: VideoOptions) -> Pointing | None:
    """Return what is pointed at in the first frame; None for nothing. Raises InputError for later frames."""
    if any(isinstance(numbers[0], Placed) for numbers in (*video.box, *video.click, *video.no_click)):
        raise InputError("live, a click or a box is of the first frame; leave out its place, or correct in the page")
    return pointing(video) if video.pointed else None


def open_source(options: LiveOptions, masks: Sequence[Prompt] = ()) -> LiveSource:
    """Return what live pictures come from; cameras and streams are opened when their pictures are asked for.

    Raises InputError for an input that is none, or that other options do not go with.
    """
    where, raw = options.input, None
    if (options.raw_size is None) != (options.raw_format is None):
        raise InputError("raw pictures need both --raw_size W H and --raw_format FORMAT")
    if options.raw_size is not None and options.raw_format is not None:
        raw = streams.Raw(options.raw_size, options.raw_format)
    is_camera = where.isdecimal() and not Path(where).exists()
    for name, given, wanted in (("raw_size", raw, where == "-"), ("camera_size", options.camera_size, is_camera)):
        if given is not None and not wanted:
            raise InputError(f"--{name} does not go with {where}; leave it out, or give {_GOES_WITH[name]}")
    if where == "-":
        return streams.pipe(0, raw)
    if where == BROWSER and not Path(where).exists():
        if options.no_page:
            raise InputError(f"{BROWSER} is the camera of the page's browser; leave out --no_page")
        return Pushed(options.lost_after)
    if is_camera:
        return Camera(int(where), options.camera_size, options.lost_after)
    if "://" in where and not where.startswith("file://"):
        return streams.stream(where, options.lost_after)
    return Player(where.removeprefix("file://"), [each.path for each in masks if each.path is not None])


_GOES_WITH = {"raw_size": "- after a pipe", "camera_size": "a camera's number"}


def page_server(options: LiveOptions, video: VideoOptions) -> Server | None:
    """Return the server of the page, which has its port; None without a page."""
    if options.no_page:
        return None
    path: Path | str = video.click_model or SHIPPED_CLICKS
    clicks = video.box_by != "grabcut" and (bool(video.click_model) or has_click_model())
    engine = functools.cache(lambda: load_click_engine(path) if clicks else None)  # At the first click.
    return Server(options.host, options.port, Pointer(engine), clicks)


def run(
    asked: Asked,
    model: SegmentationModel,
    engine: Engine,
    source: LiveSource,
    masks: Sequence[Prompt] = (),
    pointed: Pointing | None = None,
    shown: Shown | None = None,
) -> None:
    """Follow objects in live pictures until they end, or until Ctrl-C, and write results if asked for.

    Args:
        asked: see `Asked`.
        model: of the engine.
        engine: that segments.
        source: of the pictures, from `open_source`.
        masks: of the first picture, from `masks_of`.
        pointed: what the user points at in the first picture.
        shown: shows the session in a page.

    Raises:
        InputError: for a source without pictures, for masks that do not fit, and for what cannot be written.
    """

    def new_predictor(size: tuple[int, int]) -> Any:
        how = asked.search, asked.window, asked.target_model, asked.boundaries
        predictor = model_choice.start_predictor(model, engine, size, asked.im_size, *how)
        logger.info(f"{source.title}: {model.summary(predictor.im_size)}")
        return predictor

    def in_first(picture: Picture, image: np.ndarray) -> Objects:
        return _objects(picture, image, asked, source, masks, pointed, tell)

    count = len(masks) or (len(pointed.first.object_ids) if pointed and pointed.first else 1)
    _refuse_places(asked, source, masks)
    with contextlib.ExitStack() as stack:
        files, tell = stack.enter_context(_written(asked, model, source))
        on_result = (lambda result: None) if files is None else files.add
        given = in_first if masks or pointed else None
        session = stack.enter_context(Session(source, new_predictor, on_result, count, given))
        if shown is not None:
            stack.enter_context(shown(session))
        try:
            session.begin()
            _watch(session)
        except KeyboardInterrupt:  # An end like any other, also before there are pictures: files are whole.
            session.interrupt()
    _report(session, files, asked.folder)


def _watch(session: Session) -> None:
    """Show how far it is, until the pictures end."""
    with progress_bar(total=None, unit="frame") as bar:
        while not session.over.wait(LOOKS):
            bar.update(session.shown - bar.n)


def _objects(
    picture: Picture,
    image: np.ndarray,
    asked: Asked,
    source: LiveSource,
    masks: Sequence[Prompt],
    pointed: Pointing | None,
    tell: Callable[..., object],
) -> Objects:
    """Return the objects that are given in the first picture."""
    if pointed is not None:
        found = find_pointed(image, pointed, asked.folder or Path())
        if asked.folder is not None:
            write_found(found, image, tell)
    else:
        frame = Frame(0, picture.name, picture.seconds, image)
        found = prompts.read(masks, Size.of(image), source.as_shown, asked.video.mask_reading, frame)
    return {object_id: mask for each in found for object_id, mask in prompts.objects_of(each).items()}


def _refuse_places(asked: Asked, source: LiveSource, masks: Sequence[Prompt]) -> None:
    """Raise InputError where results would replace files that are read."""
    if asked.folder is None:
        return
    read = [each.path for each in masks if each.path is not None]
    read += [Path(asked.live.input)] if isinstance(source, Player) else []
    refuse_writing_over_inputs([asked.folder / name for name in (MASKS, OVERLAY, FRAMES, *FOUND)], read)
    refuse_inputs_inside_outputs(read, [asked.folder / MASKS])


@contextlib.contextmanager
def _written(
    asked: Asked, model: SegmentationModel, source: LiveSource
) -> Iterator[tuple[LiveFiles | None, Callable[..., object]]]:
    """Give a `with` block the `LiveFiles` of what is asked for, and what to call with names of further files.

    What is live never comes again: results of another run are replaced only if the user says so.
    """
    if asked.folder is None:
        yield None, lambda *names: None
        return
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    chosen = {name: getattr(asked, name) for name in ("im_size", "search", "window", "target_model", "boundaries")}
    made_by = model.provenance({"live": source.title, "started": started, **chosen})
    # A run that has written nothing, as without a camera or without an object, is in nobody's way.
    written = any((asked.folder / name).exists() for name in (MASKS, OVERLAY))
    existing = manifest.Existing.of(asked.overwrite, replace=not written)
    with (
        manifest.open_run(asked.folder, made_by, "--result_path", existing, writes=[OVERLAY, FRAMES]) as opened,
        opened.part("live", [], anew=True) as part,
    ):
        names: list[str] = []

        def tell(*more: str) -> None:
            part.announce(*more)
            names.extend(more)

        with LiveFiles(asked.folder, source.time_base, source.rate, tell) as files:
            yield files, tell
        part.files = list(dict.fromkeys(names))
    manifest.note_found(asked.folder, "lost", files.presence.in_json())


def _report(session: Session, files: LiveFiles | None, folder: Path | None) -> None:
    half, most = session.latencies()
    words = [f"{session.shown} frames shown, {session.dropped} dropped"]
    if session.source.damaged:
        words.append(f"{session.source.damaged} damaged packets skipped")
    words.append(f"masks after {1000 * half:.0f} ms, 95 % within {1000 * most:.0f} ms")
    if files is not None and files.files:
        words.append(f"{files.count} written: {folder}/{OVERLAY}, {folder}/{MASKS}/")
        words += files.presence.words()
    elif files is not None:
        words.append("no object was given: nothing is written")
    logger.info("; ".join(words))
