"""A page served: to this machine alone, under a path that nobody guesses, and never changed by anybody."""

import http.client
import socket
import threading
from collections.abc import Iterator

import pytest

from aiida_rewire.errors import InvalidInput
from aiida_rewire.report.page.serving import PageServer, Served, keep_up

PAGE = Served("<p>ä</p>".encode(), "v1", "default-src 'none'; img-src data:")


@pytest.fixture(scope="module")
def running() -> Iterator[PageServer]:
    """A server that runs."""
    with PageServer(0) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def server(running: PageServer) -> PageServer:
    """A server that has a page, for which nobody asked yet."""
    running.page = PAGE
    running.wanted.clear()
    return running


def ask(
    server: PageServer, path: str, method: str = "GET", host: str | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    try:
        connection.putrequest(method, path, skip_host=True)
        if host != "":
            connection.putheader("Host", host or f"127.0.0.1:{server.server_port}")
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_the_page_and_its_version_are_sent(server: PageServer) -> None:
    path = f"/{server.secret}/"
    status, headers, body = ask(server, path)
    assert (status, body) == (200, PAGE.html)
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Content-Security-Policy"] == f"{PAGE.policy}; frame-ancestors 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert ask(server, f"{path}version")[2] == b"v1"
    status, headers, body = ask(server, path, "HEAD")
    assert (status, body, int(headers["Content-Length"])) == (200, b"", len(PAGE.html))
    assert server.url == f"http://127.0.0.1:{server.server_port}{path}"
    assert ask(server, path, host=f"localhost:{server.server_port}")[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_but_looking_is_answered(server: PageServer, method: str) -> None:
    assert ask(server, f"/{server.secret}/", method)[0] == 501


@pytest.mark.parametrize("path", ["/", "/version", "/../", "/x/", "//", "/%2e%2e/etc/passwd", "/?"])
def test_other_paths_hold_nothing(server: PageServer, path: str) -> None:
    assert ask(server, path)[0] == 404
    assert not server.wanted.is_set()
    assert ask(server, f"/{server.secret}/x{path}")[0] == 404
    assert ask(server, f"/{server.secret[:-1]}/")[0] == 404


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", ""])
def test_a_name_that_was_made_to_lead_here_is_refused(server: PageServer, host: str) -> None:
    status, _, body = ask(server, f"/{server.secret}/", host=host)
    assert status == 421
    assert PAGE.html not in body


def test_only_this_machine_is_listened_to(server: PageServer) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"
    mine = socket.gethostbyname(socket.gethostname())
    if not mine.startswith("127."):
        with pytest.raises(OSError):
            socket.create_connection((mine, server.server_port), timeout=2)


def test_secrets_of_two_servers_differ(server: PageServer) -> None:
    with PageServer(0) as other:
        assert other.secret != server.secret
        assert len(other.secret) >= 20


def test_a_port_that_is_taken_is_told_in_a_line(server: PageServer) -> None:
    with pytest.raises(InvalidInput, match=rf"port = {server.server_port}: must be free on 127\.0\.0\.1"):
        PageServer(server.server_port)


def test_a_browser_that_says_nothing_keeps_nobody_waiting(server: PageServer) -> None:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=5):
        assert ask(server, f"/{server.secret}/")[0] == 200


def test_the_page_is_made_anew_while_somebody_looks_and_not_otherwise(server: PageServer) -> None:
    stop, made = threading.Event(), threading.Semaphore(0)
    pages = iter([Served(b"two", "v2", "p"), None, Served(b"three", "v3", "p")])

    def make() -> Served | None:
        made.release()
        return next(pages)

    thread = threading.Thread(target=keep_up, args=(server, make, 0.05, stop), daemon=True)
    thread.start()
    try:
        assert not made.acquire(timeout=0.4)
        for expected in (b"two", b"two", b"three"):
            ask(server, f"/{server.secret}/version")
            assert made.acquire(timeout=5)
            for _ in range(100):
                if server.page is not None and server.page.html == expected:
                    break
                stop.wait(0.02)
            assert server.page is not None
            assert server.page.html == expected
    finally:
        stop.set()
        thread.join()
