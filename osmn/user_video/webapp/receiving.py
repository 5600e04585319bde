"""The server's side of uploads: what a browser sends goes straight into a folder of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import anyio
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from osmn.user_video.webapp.uploads import Uploads

PATH = "/osmn/upload"
DOING = "/osmn/doing"
GONE = 499  # The status that servers note for a visitor who has gone: nobody reads it.


def routes(uploads: Uploads, most: int, is_doing: Callable[[str], bool]) -> list[Route]:
    """Return the routes of a server that takes uploads; Gradio's own, whose paths follow from the content, is shut.

    Args:
        uploads: `Uploads`.
        most: size of the largest upload, in bytes.
        is_doing: tells whether the request of an id is being answered: a page whose answer does not come asks it.
    """

    async def doing(request: Request) -> Response:
        return JSONResponse({"doing": is_doing(request.query_params.get("id", ""))})

    async def upload(request: Request) -> Response:
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise HTTPException(403, "videos are uploaded from this page only")
        if int(request.headers.get("content-length") or 0) > most:
            raise HTTPException(413, _too_large(most))
        with contextlib.suppress(ClientDisconnect), uploads.coming(request.query_params.get("name", "")) as (token, to):
            await _receive(request, to, most)
            return JSONResponse({"token": token})
        return Response(status_code=GONE)

    async def shut(request: Request) -> Response:
        raise HTTPException(404, f"uploads go to {PATH}")

    return [
        Route(PATH, upload, methods=["POST"]),
        Route(DOING, doing),
        Route("/gradio_api/upload", shut, methods=["POST"]),
    ]


async def _receive(request: Request, path: Path, most: int) -> None:
    size = 0
    try:
        async with await anyio.open_file(path, "wb") as file:
            async for chunk in request.stream():
                size += len(chunk)
                if size > most:
                    raise HTTPException(413, _too_large(most))
                await file.write(chunk)
    except OSError:
        raise HTTPException(507, "there is no room for the video on the machine of this page") from None


def _too_large(most: int) -> str:
    return f"the video is larger than {most // 1_000_000} MB, the most that this page takes"
