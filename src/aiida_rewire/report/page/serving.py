"""A page served to this machine alone, read-only, and gathered anew while somebody looks at it."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiida_rewire.errors import InvalidInput

ADDRESS = "127.0.0.1"
PATIENCE_S = 30.0
"""So long a connection may say nothing."""

HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True)
class Served:
    """A page, and the version of what is on it.

    Attributes
    ----------
    html
        UTF-8.
    version
        As of `aiida_rewire.report.page.rendering.version_of`.
    policy
        Its content security policy, sent as a header as well.
    """

    html: bytes
    version: str
    policy: str


class PageServer(ThreadingHTTPServer):
    """Answers GET and HEAD for a page under a path that nobody guesses, on this machine alone.

    Others with an account on the machine reach its ports as well, so that the path holds a secret. A page of somebody
    else's that a browser was led to under a name of its own which resolves to this machine is refused by the name.

    Parameters
    ----------
    port
        0 for any that is free.

    Raises
    ------
    InvalidInput
        If the port is in use, or not for this user.
    """

    daemon_threads = True

    def __init__(self, port: int) -> None:
        try:
            super().__init__((ADDRESS, port), PageHandler)
        except OSError as error:
            raise InvalidInput(
                "port", port, f"free on {ADDRESS} ({error.strerror})", "give another, or 0 for any that is free"
            ) from error
        self.secret = secrets.token_urlsafe(16)
        self.page: Served | None = None
        self.wanted = threading.Event()

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{ADDRESS}:{self.server_port}/{self.secret}/"

    @property
    def names(self) -> tuple[str, ...]:
        """What a browser that was sent here may call this server."""
        return tuple(f"{name}:{self.server_port}" for name in (ADDRESS, "localhost"))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of browsers that hang up."""


class PageHandler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: PageServer
    server_version, sys_version = "aiida-rewire", ""
    timeout = PATIENCE_S

    def do_GET(self) -> None:
        """Send the page, or its version."""
        self.answer()

    def do_HEAD(self) -> None:
        """Send the headers alone."""
        self.answer()

    def answer(self) -> None:
        """Answer a question for the page or its version, and refuse all else."""
        page, secret = self.server.page, self.server.secret
        if self.headers.get("Host") not in self.server.names:
            self.send(HTTPStatus.MISDIRECTED_REQUEST, b"ask for 127.0.0.1\n")
            return
        asked = self.path.partition("?")[0]
        if not secrets.compare_digest(asked.encode("utf-8", "replace")[: len(secret) + 2], f"/{secret}/".encode()):
            self.send(HTTPStatus.NOT_FOUND, b"there is nothing here\n")
            return
        self.server.wanted.set()
        if page is None:
            self.send(HTTPStatus.SERVICE_UNAVAILABLE, b"the page is not made yet\n")
        elif asked == f"/{secret}/":
            self.send(HTTPStatus.OK, page.html, "text/html; charset=utf-8", page.policy)
        elif asked == f"/{secret}/version":
            self.send(HTTPStatus.OK, page.version.encode())
        else:
            self.send(HTTPStatus.NOT_FOUND, b"there is nothing here\n")

    def send(
        self,
        status: HTTPStatus,
        body: bytes,
        kind: str = "text/plain; charset=utf-8",
        policy: str = "default-src 'none'",
    ) -> None:
        """Send an answer.

        Parameters
        ----------
        status, body, kind
            Of the answer.
        policy
            What a browser may do with it.
        """
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", f"{policy}; frame-ancestors 'none'")
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: nobody reads a line for every look."""


def keep_up(server: PageServer, make: Callable[[], Served | None], interval_s: float, stop: threading.Event) -> None:
    """Make the page again and again while somebody looks at it, and let the server have it.

    Parameters
    ----------
    server
        Runs in a thread of its own.
    make
        Makes the page; None where it cannot be made now, and the last one stays.
    interval_s
        Least time between two, s.
    stop
        Set when it is to end.
    """
    while not stop.wait(interval_s):
        # who looks asks at least as often
        if server.wanted.is_set():
            server.wanted.clear()
            page = make()
            if page is not None:
                server.page = page
