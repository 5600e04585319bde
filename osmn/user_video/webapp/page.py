"""The web page, in Gradio: its layout, and which event calls what of `osmn.user_video.webapp.session`."""

import functools
import inspect
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import gradio as gr

from osmn.errors import InputError
from osmn.files.images import data_url
from osmn.user_video.webapp import painting
from osmn.user_video.webapp.session import EXAMPLES, Session
from osmn.user_video.webapp.sessions import Sessions

STATIC = Path(__file__).parent / "static"  # What runs in the browser.
SHOWN_EVERY = 0.3  # seconds, of the live preview
OFF = ("share", "run_history", "enable_monitoring", "ssr_mode", "pwa", "mcp_server")


def launch(sessions: Sessions, host: str, port: int, max_upload: int) -> gr.Blocks:
    """Serve the page from now on, and return it, a `gradio.Blocks` to close.

    Raises OSError for a port that is not free.

    Args:
        sessions: `session.Sessions`.
        host: address to listen on.
        port: port to listen on.
        max_upload: size of the largest video that the page takes, MB.
    """
    page = layout(Events(sessions), max_upload)
    off: dict[str, Any] = dict.fromkeys(OFF, False)
    page.launch(
        server_name=host,
        server_port=port,
        max_file_size=f"{max_upload}mb",
        # No fonts from a network.
        theme=gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        css_paths=STATIC / "style.css",
        footer_links=[],
        quiet=True,
        prevent_thread_lock=True,
        **off,
    )
    return page


def layout(events: "Events", max_upload: int) -> gr.Blocks:
    """Return the page.

    Args:
        events: what the page's elements call.
        max_upload: size of the largest video that the page takes, MB.
    """
    with gr.Blocks(title="OSMN: segment a video", analytics_enabled=False) as page:
        gr.Markdown("# Segment objects in a video\nPaint an object in one frame: it is followed through the video.")
        with gr.Row():
            with gr.Column(scale=3):
                _headline("1. Choose a video", f"Of up to {max_upload} MB; it is removed when you leave.")
                with gr.Row(equal_height=True):
                    upload = gr.File(show_label=False, height=140, elem_id="upload", scale=3)
                    with gr.Column(scale=2, min_width=160):
                        examples = [gr.Button(name) for name in EXAMPLES]
                _headline("2. Paint the objects", "A number for each object. Box: drag one around it.")
                given = gr.UploadButton("Or give a mask's file", size="sm", elem_id="mask")
                painter = _component("painter", colors={str(i): color for i, color in painting.colors().items()})
                number = gr.Slider(0, 1, 0, step=1, label="Frame", elem_id="number", buttons=[], interactive=False)
            with gr.Column(scale=2):
                _headline("3. Segment", "From the first change on.")
                with gr.Row():
                    segment = gr.Button("Segment", variant="primary", elem_id="segment")
                    stop = gr.Button("Stop", elem_id="stop")
                both_ways = gr.Checkbox(label="Backward, too, from where an object is painted first", elem_id="both")
                status = gr.Markdown("Choose a video first.", elem_id="status")
                screen = _component("screen")
                _headline("4. Wrong somewhere?", "Pause there, repaint the object, segment again.")
                _headline("5. Download", "A mask of each frame, and the overlay.")
                download = gr.DownloadButton("Download", interactive=False, elem_id="download")

        view = [painter, number, status, screen, download]
        free: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}
        upload.upload(events.take, upload, [upload, *view], **free | {"show_progress": "full"})
        for button in examples:
            button.click(events.take_example, button, view, **free)
        number.input(events.step, [painter, number], [painter, status], trigger_mode="always_last", **free)
        painter.stroke(events.stroke, painter, status, trigger_mode="always_last", **free)
        given.upload(events.give, [given, painter, number], [painter, status], **free | {"show_progress": "full"})
        painter.box(events.box, painter, [painter, status], **free)
        screen.pause(events.pause, painter, [painter, number, status], **free)
        # A visitor waits while the video of another visitor is segmented.
        segment.click(events.segment, [painter, number, both_ways], view, **free | {"concurrency_limit": 1})
        stop.click(events.stop, None, None, **free)
        page.unload(events.leave)
    return page


def _headline(title: str, words: str) -> None:
    gr.Markdown(f"### {title}\n{words}", elem_classes="step")


def _component(name: str, **props: Any) -> gr.HTML:
    """Return the component of `<name>.html` and `<name>.js`."""
    html, script = ((STATIC / f"{name}.{kind}").read_text() for kind in ("html", "js"))
    return gr.HTML(html_template=html, js_on_load=script, apply_default_css=False, elem_id=name, **props)


def _tells(event: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate an event so that the page shows an InputError."""
    if inspect.isgeneratorfunction(event):

        @functools.wraps(event)
        def telling(*inputs: Any) -> Any:
            try:
                yield from event(*inputs)
            except InputError as error:
                raise gr.Error(str(error), print_exception=False) from None
    else:

        @functools.wraps(event)
        def telling(*inputs: Any) -> Any:
            try:
                return event(*inputs)
            except InputError as error:
                raise gr.Error(str(error), print_exception=False) from None

    return telling


class Events:
    """What happens on the page: each event finds the visitor's session, calls it, and returns what the page shows then.

    The argument `painted` of the events is what painter.js reports.

    Args:
        sessions: `session.Sessions`.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def _session(self, request: gr.Request, painted: dict[str, Any] | None = None) -> Session:
        """Return the visitor's session, after giving it what is painted."""
        session = self._sessions[_key(request)]
        # None: nothing has been painted since the frame was shown; another token: it was painted in an earlier video.
        if painted and "frame" not in painted and painted["token"] == session.token:
            session.paint(painted["number"], painting.labels_of(painting.picture_in(painted["paint"], session.size)))
        return session

    def take(self, path: str, request: gr.Request) -> tuple[Any, ...]:
        """Open an uploaded video; clear the upload for the next video, also after a mistake."""
        session = self._session(request)
        try:
            session.take(path)
        except InputError as error:
            gr.Warning(str(error))
            return None, *(gr.skip(),) * 5
        return None, *_opened(session)

    @_tells
    def take_example(self, name: str, request: gr.Request) -> tuple[Any, ...]:
        """Open an example."""
        session = self._session(request)
        session.take_example(name)
        return _opened(session)

    @_tells
    def step(self, painted: dict[str, Any] | None, number: int, request: gr.Request) -> tuple[Any, ...]:
        """Go to a frame."""
        session = self._session(request, painted)
        return _painting(session, number), _status(session)

    @_tells
    def stroke(self, painted: dict[str, Any] | None, request: gr.Request) -> Any:
        """Keep what is painted, also while a video is segmented."""
        session = self._session(request, painted)
        return gr.skip() if session.busy else _status(session)

    @_tells
    def box(self, painted: dict[str, Any], request: gr.Request) -> tuple[Any, ...]:
        """Find an object in a box."""
        session = self._session(request, painted)
        session.find_in_box(painted["number"], painted["object"], painted["box"])
        return _painting(session, painted["number"]), _status(session)

    @_tells
    def give(self, path: str, painted: dict[str, Any] | None, number: int, request: gr.Request) -> tuple[Any, ...]:
        """Give the objects of a mask's file in the frame that is shown."""
        session = self._session(request, painted)
        labels, note = painting.with_mask_file(session.labels(number), path, int(number))
        session.paint(number, labels)
        return _painting(session, number), f"{_status(session)} {note}"

    @_tells
    def pause(self, painted: dict[str, Any] | None, event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """Go to the frame at which the overlay is paused."""
        session = self._session(request, painted)
        number = session.frame_at(event.seconds)
        return _painting(session, number), number, _status(session)

    @_tells
    def segment(
        self, painted: dict[str, Any] | None, number: int, both_ways: bool, request: gr.Request
    ) -> Iterator[tuple[Any, ...]]:
        """Segment with a live preview, then show overlay and download."""
        session = self._session(request, painted)
        hold = (gr.skip(),) * 2
        begin = shown = time.monotonic()
        count = 0
        for count, step in enumerate(session.segment(bool(both_ways)), 1):
            now = time.monotonic()
            if count == 1 or now - shown > SHOWN_EVERY:
                shown, speed = now, count / (now - begin)
                left = session.frames + step.number if step.backward else session.frames - step.number - 1
                words = f"{'Backward: frame' if step.backward else 'Frame'} {step.number + 1} of {session.frames}, "
                words += f"{speed:.1f} frames/s, {left / speed:.0f} s left"
                yield *hold, words, {"image": data_url(step.draw())}, gr.DownloadButton(interactive=False)
        stopped = session.done < session.frames
        number = session.done - 1 if stopped else number
        words = f"{count} frames segmented"
        words += f"; stopped at frame {number}: repaint, or segment on." if stopped else ": play the overlay."
        words += "".join(f" {lost[0].upper()}{lost[1:]}." for lost in session.presence.words())
        download = gr.DownloadButton(value=session.archive, interactive=True)
        yield _painting(session, number), number, words, {"video": str(session.overlay)}, download

    @_tells
    def stop(self, request: gr.Request) -> None:
        """End the segmenting."""
        self._session(request).stop()

    def leave(self, request: gr.Request) -> None:
        """Remove all files of a visitor."""
        self._sessions.close(_key(request))


def _key(request: gr.Request) -> str:
    return cast(str, request.session_hash)  # Every page has one.


def _opened(session: Session) -> tuple[Any, ...]:
    """Return what the page shows of a video that was just opened: painter, slider, status, screen, download."""
    slider = gr.Slider(maximum=max(1, session.frames - 1), value=0, interactive=session.frames > 1)
    words = f"{session.frames} frames, {session.size[0]}x{session.size[1]}. Paint an object."
    words = " ".join([words, *session.remarks])
    return _painting(session, 0), slider, words, None, gr.DownloadButton(value=None, interactive=False)


def _painting(session: Session, number: int) -> dict[str, Any]:
    frame, picture = data_url(session.frame(number)), data_url(painting.painted(session.labels(number)))
    return {"frame": frame, "paint": picture, "number": int(number), "token": session.token}


def _status(session: Session) -> str:
    frames = session.painted_frames
    return f"Painted: frame {', '.join(map(str, frames))}." if frames else "Paint an object."
