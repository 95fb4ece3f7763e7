"""One careful HTTP download: conditional, resumed, retried, bounded, and never anywhere but to allowed hosts."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx

_BLOCK = 1 << 16
_REDIRECTS = 5
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
_SAY = {401: "it asks for a password", 403: "it refuses", 404: "there is no such file", 410: "the file was withdrawn"}
_RESOURCE = re.compile(r"(https?://[^/]+)/(?:[a-z]{2}/)?(?:api/1/)?datasets/r/([0-9a-f-]{36})/?")
_NAME = 150


class FetchFailed(Exception):
    """A release that could not be fetched, with the reason in words; trying again at once would not help."""


class _Transient(Exception):
    """A fault that may be gone a moment later."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a download may do.

    Attributes:
        hosts: Hosts that may be asked, with those below them: `insee.fr` allows `www.insee.fr`. Only by https on its
            usual port, except for an address of this machine that is listed itself.
        max_bytes: Size above which a release is refused.
        waits: Seconds before each new attempt after a transient fault.
        timeout: Seconds without a byte after which a connection counts as broken.
    """

    hosts: tuple[str, ...]
    max_bytes: int
    waits: tuple[float, ...] = (2, 10, 30)
    timeout: float = 60

    def check(self, url: httpx.URL) -> None:
        """Raises `FetchFailed` for an address that must not be asked."""
        allowed = any(url.host == host or (not _is_ip(host) and url.host.endswith(f".{host}")) for host in self.hosts)
        if not allowed:
            raise FetchFailed(f"{url.host or url} is not among the allowed hosts (ELEXXION_FETCH_HOSTS)")
        if url.userinfo or (not _is_loopback(url.host) and (url.scheme != "https" or url.port is not None)):
            raise FetchFailed(f"{url.scheme}://{url.netloc.decode()} is not a plain https address")


@dataclass(frozen=True, kw_only=True)
class Release:
    """What lay at an address.

    Attributes:
        name: The publisher's name of the file.
        url: Where the redirects ended.
        etag: Entity tag, or empty.
        last_modified: Date of the last change as the server wrote it, or empty.
        size: Bytes.
        sha256: Checksum of the bytes.
    """

    name: str
    url: str
    etag: str
    last_modified: str
    size: int
    sha256: str


Progress = Callable[[int, int | None], None]
"""Called with the bytes received so far, and how many there are in all where the server says so."""


def download(address: str, target: Path, limits: Limits, known: Release | None, progress: Progress) -> Release | None:
    """Brings what lies at an address to a local file.

    Args:
        address: Where to ask first.
        target: File to write; without meaning when this raises.
        limits: What is allowed.
        known: The release that was fetched last.
        progress: Told of the bytes as they come.

    Returns:
        The release, or None when the server says that it is the known one.

    Raises:
        FetchFailed: not allowed, too big, not there, not what the publisher says, or still faulty after all attempts.
    """
    timeout = httpx.Timeout(limits.timeout)
    # The bytes are kept as they lie there: a `.csv.gz` must not be unpacked on the way.
    headers = {"User-Agent": "elexxion", "Accept-Encoding": "identity"}
    with httpx.Client(timeout=timeout, headers=headers, follow_redirects=False) as client:
        transfer = _Transfer(client, address, target, limits, known, progress)
        for wait in (*limits.waits, None):
            try:
                release = transfer.attempt()
            except _Transient as fault:
                if wait is None:
                    raise FetchFailed(f"{fault}, after {len(limits.waits) + 1} attempts") from fault
                time.sleep(wait)
            else:
                if release is not None:
                    transfer.verify(release)
                return release
    raise AssertionError("the last attempt ends the loop")


class _Transfer:
    """A download under way, over as many connections as it takes."""

    def __init__(
        self,
        client: httpx.Client,
        address: str,
        target: Path,
        limits: Limits,
        known: Release | None,
        progress: Progress,
    ) -> None:
        self.client = client
        self.address = address
        self.target = target
        self.limits = limits
        self.known = known
        self.progress = progress
        self.received = 0
        self.first = httpx.Headers()
        """Headers of the answer to which the bytes received so far belong."""

    def attempt(self) -> Release | None:
        """Goes on where the last attempt broke, or starts; None when nothing is new."""
        if self.received and not self._validator():
            self.received = 0
        with self._ask(self._conditions) as response:
            if response.status_code == 304 and self.known is not None:
                return None
            self._place(response)
            self._check_type(response)
            total = self._total(response)
            if total is not None and total > self.limits.max_bytes:
                raise FetchFailed(self._too_big(total))
            with self.target.open("r+b" if self.received else "wb") as sink:
                sink.truncate(self.received)
                sink.seek(self.received)
                # Without a size: blocks of one would lose their beginning when the connection breaks.
                for block in response.iter_raw():
                    if self.received + len(block) > self.limits.max_bytes:
                        raise FetchFailed(self._too_big(None))
                    sink.write(block)
                    self.received += len(block)
                    self.progress(self.received, total)
            if total is not None and self.received != total:
                received, self.received = self.received, 0
                raise _Transient(f"{response.url.host} sent {received:,} bytes and had announced {total:,}")
            return self._release(response)

    def verify(self, release: Release) -> None:
        """Raises `FetchFailed` when the bytes are not what the publisher says of them, or not all."""
        if not release.size:
            raise FetchFailed("the file is empty")
        checksum = self._published_checksum()
        if checksum is not None:
            algorithm, value = checksum
            with self.target.open("rb") as source:
                found = hashlib.file_digest(source, algorithm).hexdigest()
            if found != value:
                raise FetchFailed(f"its {algorithm} is {found}, the catalogue says {value}")
        elif self._goes_on(release):
            raise FetchFailed(f"the server announced {release.size:,} bytes, but the file goes on after them")

    def _conditions(self, url: httpx.URL) -> dict[str, str]:
        if self.received:
            return {"Range": f"bytes={self.received}-", "If-Range": self._validator()}
        # A date of one file says nothing of the file to which the address leads now.
        if self.known is None or self.known.url != str(url):
            return {}
        said = {"If-None-Match": self.known.etag, "If-Modified-Since": self.known.last_modified}
        return {name: value for name, value in said.items() if value}

    def _validator(self) -> str:
        """What proves that a later part belongs to the same bytes: a strong entity tag, else the date."""
        etag = self.first.get("ETag", "")
        return str(etag if etag.startswith('"') else self.first.get("Last-Modified", ""))

    @contextmanager
    def _ask(self, conditions: Callable[[httpx.URL], dict[str, str]]) -> Iterator[httpx.Response]:
        """The final answer to a GET, each address on the way checked; every passing fault is `_Transient`."""
        try:
            url = httpx.URL(self.address)
            for _ in range(_REDIRECTS + 1):
                self.limits.check(url)
                with self.client.stream("GET", url, headers=conditions(url)) as response:
                    if not response.has_redirect_location:
                        yield response
                        return
                    url = url.join(response.headers["Location"])
        except (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError) as fault:
            raise _Transient(f"the connection to {url.host} broke ({fault or type(fault).__name__})") from fault
        except (httpx.HTTPError, httpx.InvalidURL) as fault:
            raise FetchFailed(f"the address cannot be asked: {fault}") from fault
        raise FetchFailed(f"more than {_REDIRECTS} redirects")

    def _place(self, response: httpx.Response) -> None:
        """Decides where the bytes of an answer go."""
        status = response.status_code
        if status == 206 and self.received and self._continues(response):
            return
        if status in {206, 304, 416}:
            self.received = 0
            raise _Transient(f"{response.url.host} answered {status} out of place")
        if status in _TRANSIENT:
            raise _Transient(f"{response.url.host} answered {status}")
        if status != 200:
            raise FetchFailed(f"{response.url.host} answered {status}: {_SAY.get(status, response.reason_phrase)}")
        self.first, self.received = response.headers, 0

    def _continues(self, response: httpx.Response) -> bool:
        same = all(
            response.headers.get(name, said) == said
            for name in ("ETag", "Last-Modified")
            if (said := self.first.get(name)) is not None
        )
        start = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
        return same and start is not None and int(start[1]) == self.received

    def _total(self, response: httpx.Response) -> int | None:
        if response.status_code == 206:
            whole = re.search(r"/(\d+)$", response.headers.get("Content-Range", ""))
            return int(whole[1]) if whole else None
        length = response.headers.get("Content-Length", "")
        return int(length) if length.isdecimal() else None

    def _too_big(self, total: int | None) -> str:
        size = f"{total:,} bytes" if total is not None else "more"
        return f"it has {size} and the limit is {self.limits.max_bytes:,} (ELEXXION_FETCH_MAX_BYTES)"

    def _check_type(self, response: httpx.Response) -> None:
        if response.headers.get("Content-Type", "").lower().startswith(("text/html", "application/xhtml")):
            raise FetchFailed(f"{response.url.host} answered with a web page, not a file")

    def _release(self, response: httpx.Response) -> Release:
        with self.target.open("rb") as source:
            sha256 = hashlib.file_digest(source, "sha256").hexdigest()
        return Release(
            name=file_name(self.first.get("Content-Disposition", ""), str(response.url)),
            url=str(response.url),
            etag=self.first.get("ETag", ""),
            last_modified=self.first.get("Last-Modified", ""),
            size=self.received,
            sha256=sha256,
        )

    def _goes_on(self, release: Release) -> bool:
        """Whether the server has bytes after those it announced. One that knows no ranges cannot be asked."""
        beyond = {"Range": f"bytes={release.size}-{release.size}"}
        if self._validator():
            beyond["If-Range"] = self._validator()
        try:
            with self._ask(lambda _: beyond) as response:
                return response.status_code == 206 and str(response.url) == release.url
        except (_Transient, FetchFailed):
            return False

    def _published_checksum(self) -> tuple[str, str] | None:
        """Algorithm and checksum that data.gouv.fr gives for a file that it hosts itself."""
        found = _RESOURCE.fullmatch(self.address)
        if found is None:
            return None
        url = f"{found[1]}/api/2/datasets/resources/{found[2]}/"
        try:
            resource: Any = _bounded_json(self.client, url)["resource"]
            kind, value = resource["checksum"]["type"], resource["checksum"]["value"]
            hosted = resource["filetype"] == "file"
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return None
        known = hosted and kind in {"sha1", "sha256", "sha512", "md5"} and isinstance(value, str)
        return (kind, value.lower()) if known else None


def _bounded_json(client: httpx.Client, url: str) -> Any:
    import json

    body = b""
    with client.stream("GET", url) as response:
        response.raise_for_status()
        for block in response.iter_raw(_BLOCK):
            body += block
            if len(body) > 1 << 20:
                raise ValueError("too long")
    return json.loads(body)


def file_name(disposition: str, url: str) -> str:
    """The publisher's name of a file, made safe: a plain name that can be seen in `input/`.

    >>> file_name('attachment; filename="../base cc.zip"', "https://www.insee.fr/x")
    'base cc.zip'
    >>> file_name("", "https://www.insee.fr/fr/statistiques/fichier/1/base%20cc.zip?x=1")
    'base cc.zip'
    """
    message = Message()
    message["Content-Disposition"] = re.sub(r"[\r\n]", " ", disposition)
    said = message.get_filename() or unquote(httpx.URL(url).path)
    plain = re.split(r"[/\\]", said.rstrip("/\\"))[-1]
    plain = "".join(c for c in plain if c.isprintable()).strip().lstrip(".")
    if len(plain.encode()) > _NAME:
        plain = plain.encode()[-_NAME:].decode(errors="ignore").lstrip(".")
    return plain or "file"


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_ip(host) and ipaddress.ip_address(host).is_loopback)
