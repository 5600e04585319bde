"""The web page, in Gradio: what it is made of, and how what a visitor does comes to `actions`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import gradio as gr
from starlette.routing import BaseRoute

from osmn.user_video.webapp import painting
from osmn.user_video.webapp.actions import Actions
from osmn.user_video.webapp.clip import EXAMPLES
from osmn.user_video.webapp.receiving import DOING, PATH, routes
from osmn.user_video.webapp.visitors import Visitors

STATIC = Path(__file__).parent / "static"  # What runs in the browser.
SCRIPTS = ("asking.js", "picture.js", "timeline.js", "objects.js", "files.js", "keys.js", "page.js")  # In their order.
OFF = ("share", "run_history", "enable_monitoring", "ssr_mode", "pwa", "mcp_server")
MEGABYTE = 1_000_000


def launch(visitors: Visitors, host: str, port: int, max_upload: int, more: Sequence[BaseRoute] = ()) -> gr.Blocks:
    """Serve the page from now on, and return it, a `gradio.Blocks` to close.

    Raises OSError for a port that is not free.

    Args:
        visitors: `Visitors`.
        host: address to listen on.
        port: port to listen on.
        max_upload: size of the largest video that the page takes, MB.
        more: further routes of the server.
    """
    actions = Actions(visitors)
    page = layout(visitors, actions, max_upload)
    off: dict[str, Any] = dict.fromkeys(OFF, False)
    page.launch(
        server_name=host,
        server_port=port,
        # No fonts from a network.
        theme=gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        css_paths=STATIC / "style.css",
        app_kwargs={"routes": [*routes(visitors.uploads, max_upload * MEGABYTE, actions.is_doing), *more]},
        footer_links=[],
        quiet=True,
        prevent_thread_lock=True,
        **off,
    )
    return page


def layout(visitors: Visitors, actions: Actions, max_upload: int) -> gr.Blocks:
    """Return the page: one component, which asks by the event "act" and is answered by its value.

    Args:
        visitors: `Visitors`.
        actions: `Actions`, of the same visitors.
        max_upload: size of the largest video that the page takes, MB.
    """

    def act(event: gr.EventData, request: gr.Request) -> dict[str, Any]:
        return actions.answer(_key(request), event._data or {})

    def leave(request: gr.Request) -> None:
        visitors.leave(_key(request))

    with gr.Blocks(title="OSMN: segment a video", analytics_enabled=False) as page:
        whole = gr.HTML(
            html_template=(STATIC / "page.html").read_text(encoding="utf-8"),
            js_on_load="\n".join((STATIC / name).read_text(encoding="utf-8") for name in SCRIPTS),
            apply_default_css=False,
            elem_id="osmn",
            colors={str(i): color for i, color in painting.default_colors().items()},
            step=painting.STEP,
            untouched=painting.UNTOUCHED,
            most=max_upload,
            uploads=PATH.removeprefix("/"),
            doing=DOING.removeprefix("/"),
            examples=list(EXAMPLES),
        )
        # The page asks for one thing at a time, so that nothing overtakes; what takes long runs on threads of its own.
        whole.act(
            act, None, whole, api_visibility="private", show_progress="hidden", queue=False, trigger_mode="multiple"
        )
        page.unload(leave)
    return page


def _key(request: gr.Request) -> str:
    return cast(str, request.session_hash)  # Every page has one.
