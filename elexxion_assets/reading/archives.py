"""ZIP archives: their files, one at a time, within limits."""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from elexxion_assets.declare import Refusal
from elexxion_assets.reading import limits
from elexxion_assets.reading.content import Kind, Meter, kind_of


def is_archive(path: Path) -> bool:
    """Whether the bytes are a ZIP archive of files; workbooks (xlsx, ods), which are ZIP inside, are not."""
    try:
        return kind_of(path) is Kind.ARCHIVE
    except Refusal:
        return False


def open_archive(path: Path, scratch: Path) -> Iterator[tuple[str, Path | Refusal]]:
    """The files of a ZIP archive, inner archives opened too (`inner.zip/file.csv`).

    A member that cannot be taken comes with its Refusal in place of a path; the others still come. Folders and the
    `__MACOSX` shadow files that macOS adds are not files of the delivery. Names inside the archive never become paths.

    Args:
        path: The archive.
        scratch: Folder for the extracted files; each is deleted when the next one is asked for.

    Yields:
        Name of the member, and where its bytes are or why they cannot be taken.

    Raises:
        Refusal: The archive as a whole cannot be read (`truncated`, `empty`) or holds too much (`too_many_members`).
    """
    yield from _Archive(scratch).members(path, "", 1)


class _Archive:
    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.meter = Meter()
        self.count = 0

    def members(self, path: Path, prefix: str, depth: int) -> Iterator[tuple[str, Path | Refusal]]:
        try:
            archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
            raise Refusal(
                "truncated", "The ZIP archive has no table of contents: it was cut or damaged on the way. Get it again."
            ) from None
        with archive:
            infos = [info for info in archive.infolist() if not _is_furniture(info)]
            if not infos:
                raise Refusal("empty", "The ZIP archive holds no file.")
            for info in infos:
                self.count += 1
                if self.count > limits.MAX_MEMBERS:
                    raise Refusal("too_many_members", f"The archive holds more than {limits.MAX_MEMBERS:,} files.")
                yield from self._member(archive, info, prefix, depth)

    def _member(
        self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, prefix: str, depth: int
    ) -> Iterator[tuple[str, Path | Refusal]]:
        name = prefix + info.filename
        target = self.scratch / f"member-{self.count}"
        try:
            try:
                self._extract(archive, info, target)
                inner = is_archive(target)
                if inner and depth >= limits.MAX_DEPTH:
                    raise Refusal(
                        "nested_archive", f"Archives in archives are opened {limits.MAX_DEPTH} deep, no more."
                    )
            except Refusal as refusal:
                yield name, refusal
                return
            if not inner:
                yield name, target
                return
            try:
                yield from self.members(target, f"{name}/", depth + 1)
            except Refusal as refusal:
                if refusal.rule == "too_many_members":
                    raise
                yield name, refusal
        finally:
            target.unlink(missing_ok=True)

    def _extract(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
        parts = re.split(r"[/\\]", info.filename)
        if ".." in parts or not parts[0] or ":" in parts[0] or not info.filename.isprintable():
            raise Refusal("bad_name", f"The archive names a file « {info.filename!a} » outside its own folder.")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise Refusal("bad_name", f"« {info.filename} » is a link, not a file.")
        if info.flag_bits & 0x1:
            raise Refusal("encrypted", f"« {info.filename} » is protected by a password; drop it without one.")
        try:
            with archive.open(info) as source, target.open("wb") as out:
                self.meter.copy(source, out, info.compress_size)
        except NotImplementedError:
            raise Refusal(
                "unsupported_format", f"« {info.filename} » is compressed by a method that cannot be read; use deflate."
            ) from None
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
            raise Refusal("corrupt", f"« {info.filename} » is damaged inside the archive ({error}).") from None


def _is_furniture(info: zipfile.ZipInfo) -> bool:
    return info.is_dir() or info.filename.startswith("__MACOSX/") or info.filename.endswith(".DS_Store")
