"""What kind of file the bytes are. Names and extensions have no say: real files lie about them."""

from __future__ import annotations

import gzip
import re
import zipfile
import zlib
from enum import StrEnum
from pathlib import Path
from typing import IO, Protocol

from isal import igzip, igzip_lib

from elexxion_assets.declare import Refusal
from elexxion_assets.reading import limits


class Kind(StrEnum):
    """The containers that can be read."""

    TEXT = "text"
    JSON = "json"
    PARQUET = "parquet"
    WORKBOOK = "workbook"
    ARCHIVE = "archive"
    GZIP = "gzip"


_WORKBOOK_PARTS = ("xl/", "[Content_Types].xml", "_rels/", "docProps/", "mimetype", "customXml/")
_UNSUPPORTED = {
    b"%PDF": "a PDF document",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"\x28\xb5\x2f\xfd": "a Zstandard file",
    b"SQLite format 3": "an SQLite database",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"ARROW1": "an Arrow file",
}
DAMAGED = (EOFError, gzip.BadGzipFile, igzip_lib.IsalError)
"""What reading a gzip file raises when it is cut or damaged."""

_VIEWER = re.compile(r'^"?\w*"?:?\s*[{\[]\s*\d+ (?:items?|keys?|props?)\b', re.MULTILINE)


def kind_of(path: Path) -> Kind:
    """The kind of the file at `path`, told by its first bytes.

    Raises:
        Refusal: The file is empty, or certainly no table.
    """
    with path.open("rb") as file:
        head = file.read(65_536)
    if not head:
        raise Refusal("empty", "The file is empty (0 bytes).")
    if head.startswith(b"\x1f\x8b"):
        return Kind.GZIP
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return Kind.WORKBOOK if _is_office(path, head) else Kind.ARCHIVE
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return Kind.WORKBOOK
    if head.startswith(b"PAR1"):
        return Kind.PARQUET
    for magic, words in _UNSUPPORTED.items():
        if head.startswith(magic):
            raise Refusal(
                "unsupported_format", f"This is {words}; drop the table itself as CSV, Excel, Parquet or JSON."
            )
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Kind.TEXT
    return _kind_of_text(head)


def _kind_of_text(head: bytes) -> Kind:
    text = head.decode("utf-8-sig", errors="replace").lstrip()
    lowered = text[:2000].lower()
    if text.startswith("version https://git-lfs.github.com/spec/"):
        raise Refusal(
            "lfs_pointer",
            "This is a Git LFS pointer, not the file that it points to: run `git lfs pull` or download it.",
        )
    if lowered.startswith(("<!doctype html", "<html", "<head", "<body")) or re.match(r"<[?!][^>]*>\s*<html", lowered):
        title = re.search(r"<title[^>]*>\s*(.*?)\s*</title>", text, re.IGNORECASE | re.DOTALL)
        said = f" (« {title[1][:80]} »)" if title else ""
        raise Refusal(
            "html", f"This is a web page{said}, not a data file: the download probably failed or asked to log in."
        )
    if lowered.startswith("<?xml") or re.match(r"<[a-z][\w:.-]*[\s>]", lowered):
        raise Refusal("unsupported_format", "This is XML, perhaps an error message of the server; XML is not read.")
    if _VIEWER.match(text):
        raise Refusal(
            "viewer_dump", "This is what a JSON viewer shows (« {1 item … »), not JSON: download the raw JSON instead."
        )
    if text.startswith(("[", "{")):
        return Kind.JSON
    return Kind.TEXT


def _is_office(path: Path, head: bytes) -> bool:
    """Whether a ZIP container is a workbook (or another office document), not an archive of files."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            return "[Content_Types].xml" in names or ("mimetype" in names and "content.xml" in names)
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
        length = int.from_bytes(head[26:28], "little")
        return head[30 : 30 + length].decode("cp437").startswith(_WORKBOOK_PARTS)


class _Reader(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Meter:
    """Bytes unpacked so far, held against the limits."""

    def __init__(self) -> None:
        self.total = 0

    def copy(self, source: _Reader, target: IO[bytes], packed: int) -> None:
        """Copies `source` to `target`; `packed` is the number of compressed bytes that it comes from.

        Raises:
            Refusal: `bomb`, when the output is out of all proportion.
        """
        size = 0
        while block := source.read(limits.BLOCK):
            size += len(block)
            self.total += len(block)
            if self.total > limits.MAX_UNPACKED or (
                size > limits.RATIO_MATTERS_FROM and size > limits.MAX_RATIO * max(packed, 1)
            ):
                raise Refusal(
                    "bomb",
                    f"{packed:,} compressed bytes unfold to more than {size:,}: this looks like a decompression bomb.",
                )
            target.write(block)


def gunzip(path: Path, scratch: Path) -> Path:
    """Unpacks a gzip file into `scratch`.

    Raises:
        Refusal: `truncated`, `corrupt` or `bomb`.
    """
    target = scratch / f"{path.name}.unpacked"
    try:
        with igzip.open(path) as source:  # type: ignore[no-untyped-call]
            _unpack(source, path, target)
    except DAMAGED:  # type: ignore[misc]
        # Nearly three times as fast, but the standard module says better what is wrong.
        try:
            with gzip.open(path) as source:
                _unpack(source, path, target)
        except EOFError:
            raise Refusal(
                "truncated", "The gzip file ends too early: the download or the copy was cut. Get it again."
            ) from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise Refusal("corrupt", f"The gzip file is damaged ({error}). Get it again.") from None
    return target


def _unpack(source: _Reader, path: Path, target: Path) -> None:
    with target.open("wb") as out:
        Meter().copy(source, out, path.stat().st_size)


def start_of_gzip(path: Path, target: Path, size: int) -> bool:
    """Unpacks the first lines of a gzip file, `size` bytes of them; gives whether more follow.

    Raises:
        One of `DAMAGED`: the file is cut or damaged there; `gunzip` says how.
    """
    with igzip.open(path) as source, target.open("wb") as out:  # type: ignore[no-untyped-call]
        out.write(source.read(size))
        out.write(source.readline(limits.MAX_RECORD))
        return bool(source.read(1))
