"""A server of this machine for the page of live pictures, of Python's own library: one page, and who may ask for it."""

from __future__ import annotations

import contextlib
import hmac
import http.server
import ipaddress
import logging
import os
import secrets
import socket
import sys
import threading
import urllib.parse
from collections.abc import Iterator
from typing import Any

from osmn.errors import InputError
from osmn.user_video.live.page import HEADERS, MOST_BYTES, TOKEN, TOO_LARGE, Answer, Page, in_json, refusal, static
from osmn.user_video.live.session import Session
from osmn.user_video.live.sources import Pushed
from osmn.user_video.webapp.pointing import Pointer

logger = logging.getLogger(__name__)

LOCAL = ("localhost", "127.0.0.1", "::1")
SILENT = 30.0  # Seconds that a visitor has for a request.


def is_for_us(header: str, host: str) -> bool:
    """Tell whether a request's Host names this machine, for a server that listens on the address `host`.

    A page of somebody else's can have the name of its own server lead here, and would be taken for ours (DNS
    rebinding). Its requests still have that name. An address that is a number leads nowhere else.
    """
    with contextlib.suppress(ValueError):
        name = urllib.parse.urlsplit(f"//{header}").hostname or ""
        if name in (*LOCAL, host.lower()):
            return True
        if host not in LOCAL:
            return name == socket.gethostname().lower() or bool(ipaddress.ip_address(name))
    return False


class Server:
    """The page's server. It has its port from the start, and serves in the `with` block of `serving`.

    Args:
        host: address to listen on.
        port: port to listen on; 0 for a free one.
        pointer: see `Page`.
        clicks: the pointer has a click network.

    Raises:
        InputError: for an address that is none, or a port that is not free.
    """

    def __init__(self, host: str, port: int, pointer: Pointer | None = None, clicks: bool = True) -> None:
        self._host, self._pointer, self._clicks = host, pointer, clicks
        try:
            family, *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        except (OSError, UnicodeError):
            raise InputError(f"--host {host} is no address; give one of this machine") from None
        kind = type("Listening", (_Listening,), {"address_family": family})
        try:
            self._server: _Listening = kind((host, port), _Handler)
        except OSError:
            raise InputError(f"{host}:{port} cannot be listened on; give another --port or --host") from None

    @property
    def address(self) -> str:
        """The page's address, for a browser."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._server.server_address[1]}"

    @contextlib.contextmanager
    def serving(self, session: Session) -> Iterator[None]:
        """Serve the page of a session in a `with` block."""
        server = self._server
        server.page, server.host, server.clicks = Page(session, self._pointer), self._host, self._clicks
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="live page", daemon=True)
        thread.start()
        logger.info(f"open {self.address} in a browser; Ctrl-C ends it")
        try:
            yield
        finally:
            server.shutdown()

    def close(self) -> None:
        """Give the port back."""
        self._server.server_close()


class _Listening(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # There two programs would share the port.
    page: Page
    host: str
    clicks: bool

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.token = secrets.token_hex(16)

    def server_bind(self) -> None:
        # Not HTTPServer's, which asks a name server for this machine's name.
        http.server.socketserver.TCPServer.server_bind(self)  # type: ignore[attr-defined]
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):  # The visitor has gone.
            logger.exception("a request of the page failed")


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # Connections stay: a page asks for twenty pictures a second.
    timeout = SILENT
    disable_nagle_algorithm = True
    server: _Listening

    def do_GET(self) -> None:
        self._send(self._answer(b""))

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            self.close_connection = True  # What comes is not read.
            self._send(in_json(413 if length.isdecimal() else 411, TOO_LARGE))
            return
        content = self.rfile.read(int(length))
        self._send(self._answer(content))

    def _answer(self, content: bytes) -> Answer:
        server, parts = self.server, urllib.parse.urlsplit(self.path)
        name = parts.path.removeprefix("/")
        if not is_for_us(self.headers.get("Host", ""), server.host):
            return in_json(403, {"problem": "this server is asked by the address of its machine only"})
        if self.command == "GET":
            found = static(name, server.token, isinstance(server.page.session.source, Pushed), server.clicks)
            if found is not None:
                return found
        if not hmac.compare_digest(self.headers.get(TOKEN, "").encode(), server.token.encode()):
            return in_json(403, {"problem": "the page is of an earlier run; reload it"})
        no = refusal(self.command, name, self.headers)  # type: ignore[arg-type]
        return no or server.page.answer(name, dict(urllib.parse.parse_qsl(parts.query)), content)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in {**HEADERS, **answer.headers}.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def version_string(self) -> str:
        return "osmn"

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing of each request."""
