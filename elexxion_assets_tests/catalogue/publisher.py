"""A publisher's HTTP server on this machine, as unreliable as a test wants it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["Exchange"], None]


class Exchange(BaseHTTPRequestHandler):
    """One request and its answer."""

    protocol_version = "HTTP/1.1"
    server: Publisher

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        path = self.path.partition("?")[0]
        answers = self.server.answers.get(path, [])
        if not answers:
            self.head(404, {"Content-Length": "0"})
            return
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        try:
            answer(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class Publisher(ThreadingHTTPServer):
    """Answers each path by the next of its answers; the last one for ever."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def at(self, path: str, *answers: Answer) -> str:
        self.answers[path] = list(answers)
        return self.url(path)

    def requests(self, path: str) -> list[dict[str, str]]:
        return [headers for asked, headers in self.asked if asked == path]


@contextmanager
def publishing() -> Iterator[Publisher]:
    server = Publisher()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def file(
    body: bytes,
    *,
    etag: str = "",
    date: str = "",
    breaks_after: int | None = None,
    announces: int | None = None,
    ranges: bool = True,
    **headers: str,
) -> Answer:
    """Answers with a file as a good server does, but for what the arguments say.

    Args:
        body: The bytes.
        etag: Entity tag.
        date: Date of the last change.
        breaks_after: Bytes of each answer after which the connection is closed.
        announces: Content-Length of a whole answer, when it is not the truth.
        ranges: Whether ranges are honoured.
        headers: More headers; `_` stands for `-`.
    """
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    more |= {name: value for name, value in (("ETag", etag), ("Last-Modified", date)) if value}

    def answer(exchange: Exchange) -> None:
        asked = exchange.headers
        if (etag and asked.get("If-None-Match") == etag) or (date and asked.get("If-Modified-Since") == date):
            exchange.head(304, more)
            return
        start = 0
        if ranges and asked.get("Range") and asked.get("If-Range", etag or date) in {etag, date}:
            start = int(asked["Range"].removeprefix("bytes=").partition("-")[0])
            if start >= len(body):
                exchange.head(416, {"Content-Range": f"bytes */{len(body)}", "Content-Length": "0"})
                return
        part = body[start:]
        said = {"Content-Length": str(len(part) if start or announces is None else announces), **more}
        if start:
            said["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        exchange.head(206 if start else 200, said)
        exchange.wfile.write(part if breaks_after is None else part[:breaks_after])
        if breaks_after is not None or announces is not None:
            exchange.close_connection = True

    return answer


def status(code: int) -> Answer:
    return lambda exchange: exchange.head(code, {"Content-Length": "0"})


def redirect(location: str) -> Answer:
    return lambda exchange: exchange.head(302, {"Location": location, "Content-Length": "0"})


def endless(exchange: Exchange) -> None:
    """A body that never ends, in chunks that never say how many there are."""
    exchange.head(200, {"Transfer-Encoding": "chunked"})
    while True:
        exchange.wfile.write(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
