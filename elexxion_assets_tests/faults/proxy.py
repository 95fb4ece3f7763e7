"""A proxy before an S3 server that answers 503, breaks off, hangs and loses answers, as a seed says."""

from __future__ import annotations

import http.client
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

SLOW_DOWN = (
    b'<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>'
)
FULL = (
    b'<?xml version="1.0"?><Error><Code>XMinioStorageFull</Code><Message>Storage backend has reached its minimum free '
    b"drive threshold.</Message></Error>"
)
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "proxy-connection"}


class Proxy(ThreadingHTTPServer):
    """The proxy. While `share` is over 0, that share of the requests goes wrong; `done` counts how."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, upstream: str, seed: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream).netloc
        self.random = random.Random(seed)
        self.share = 0.0
        self.done: Counter[str] = Counter()
        self.lock = threading.Lock()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def next_fault(self) -> str:
        with self.lock:
            if self.random.random() >= self.share:
                return ""
            chosen = self.random.choice(["503", "507", "refused", "lost answer", "cut answer", "slow", "half request"])
            self.done[chosen] += 1
            return chosen

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are part of the trial."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def _forward(self) -> None:
        fault = self.server.next_fault()
        if fault == "refused":
            self._hang_up()
            return
        body = self._body()
        if fault == "half request" and len(body) > 1:
            self._half(body)
            self._hang_up()
            return
        if fault in ("503", "507"):
            self._answer(int(fault), [("Content-Type", "application/xml")], SLOW_DOWN if fault == "503" else FULL)
            return
        if fault == "slow":
            time.sleep(0.3)
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=60)
        try:
            self._send(upstream, body, len(body))
            answer = upstream.getresponse()
            data = answer.read()
        finally:
            upstream.close()
        if fault == "lost answer":
            self._hang_up()
            return
        headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP]
        self._answer(answer.status, headers, data, cut=fault == "cut answer")

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _forward  # noqa: N815

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            pieces = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _send(self, upstream: http.client.HTTPConnection, body: bytes, length: int) -> None:
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in HOP_BY_HOP | {"content-length"}:
                upstream.putheader(name, value)
        if length or self.command in ("PUT", "POST"):
            upstream.putheader("Content-Length", str(length))
        upstream.endheaders(body or None)

    def _half(self, body: bytes) -> None:
        """Passes on the first half and goes away, as a client does whose line breaks."""
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=60)
        with suppress(OSError):
            self._send(upstream, body[: len(body) // 2], len(body))
        upstream.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], data: bytes, *, cut: bool = False) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() != "content-length" or self.command == "HEAD":
                self.send_header(name, value)
        if self.command != "HEAD" and status not in (204, 304):
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[: len(data) // 2] if cut and data else data)
        if cut:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy(upstream: str, seed: int) -> Iterator[Proxy]:
    """A running proxy before the server at `upstream`."""
    running = Proxy(upstream, seed)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        running.shutdown()
        running.server_close()
        thread.join()
