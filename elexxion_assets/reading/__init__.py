"""Any file to tables of text: streaming, in bounded memory, with nothing silently lost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import polars as pl

from elexxion_assets.declare import Refusal, TextTable
from elexxion_assets.reading import limits
from elexxion_assets.reading.archives import is_archive, open_archive
from elexxion_assets.reading.columnar import read_parquet
from elexxion_assets.reading.content import DAMAGED, Kind, gunzip, kind_of, start_of_gzip
from elexxion_assets.reading.encodings import transcribe_wide, wide_encoding
from elexxion_assets.reading.objects import read_json
from elexxion_assets.reading.recognition import check_evolution, recognise, renamed
from elexxion_assets.reading.tabulation import HEAD_ROWS
from elexxion_assets.reading.text import SAMPLE, look_at_text, read_text
from elexxion_assets.reading.workbooks import read_workbook

__all__ = ["check_evolution", "is_archive", "look", "open_archive", "read_tables", "recognise", "renamed"]


def read_tables(
    path: Path, name: str, scratch: Path, hints: Mapping[str, str] = MappingProxyType({})
) -> list[tuple[TextTable, pl.LazyFrame]]:
    """The tables of a file, as text.

    Text in any usual encoding and separator, JSON (array of objects, or one object per line), Parquet, and workbooks
    (xlsx, xls, xlsb, ods), each of them also in gzip. What the file is, its bytes decide, never its name.

    Args:
        path: A local file.
        name: Name under which it was dropped, for messages.
        scratch: An existing empty folder for temporary files; it must stay as long as the frames are used.
        hints: What the person said when dropping the file; handed on in the facts.

    Returns:
        Facts and frame of each table, at least one. Frames have the columns `TextTable.columns`, all text, empty cells
        null, and `_line`: the line where the record begins (text), the row of the sheet, or the number of the record
        (Parquet, JSON), from 1. Their number of rows is `TextTable.rows`.

    Raises:
        Refusal: With one of the rules `empty`, `no_rows`, `lfs_pointer`, `html`, `viewer_dump`, `binary`,
            `unsupported_format`, `archive`, `encoding`, `truncated`, `corrupt`, `bomb`, `encrypted`, `not_a_table`,
            `broken_json`, `unclosed_quote`, `huge_record`, `too_many_columns`, `too_big`, `cut_by_excel`.
    """
    for _ in range(limits.MAX_DEPTH):
        kind = kind_of(path)
        if kind is not Kind.GZIP:
            break
        path = gunzip(path, scratch)
    wide = None
    if kind is Kind.TEXT and (wide := _wide_encoding(path)):
        plain = scratch / "narrow"
        transcribe_wide(path, plain, wide)
        path, kind = plain, kind_of(plain)
    match kind:
        case Kind.TEXT:
            return [read_text(path, name, scratch, hints, wide)]
        case Kind.JSON:
            return [read_json(path, name, scratch, hints)]
        case Kind.PARQUET:
            return [read_parquet(path, name, hints)]
        case Kind.WORKBOOK:
            return read_workbook(path, name, scratch, hints)
        case Kind.ARCHIVE:
            raise Refusal("archive", "This is a ZIP archive: its files are read one by one.")
    raise Refusal("bomb", f"The file is packed by gzip more than {limits.MAX_DEPTH} times.")


def look(path: Path, name: str, scratch: Path, hints: Mapping[str, str] = MappingProxyType({})) -> list[TextTable]:
    """What a file is, for those who only ask: the facts that `read_tables` gives, as far as its beginning tells them.

    Of a text, also in gzip, the first megabyte is read, of JSON the first objects, of Parquet the footer and the first
    rows; workbooks, UTF-16 and what is smaller than that have no beginning that is cheaper than the whole. What comes
    further down is not seen: damage, a row that is wider or in another encoding than those above, the footer. Of rows
    and defects only `read_tables` can tell.

    Args:
        path: A local file.
        name: Name under which it was dropped.
        scratch: An existing empty folder for temporary files.
        hints: What the person said when dropping the file.

    Returns:
        Facts of each table, good enough for `recognise`.

    Raises:
        Refusal: The rules of `read_tables` that show in the beginning.
    """
    start, kind, more = path, kind_of(path), path.stat().st_size > SAMPLE
    if kind is Kind.GZIP:
        start = scratch / "start-of-gzip"
        try:
            more = start_of_gzip(path, start, SAMPLE)
            kind = kind_of(start)
        except DAMAGED:  # type: ignore[misc]
            more = False
    if more and kind is Kind.TEXT and not _wide_encoding(start):
        return [look_at_text(start, name, scratch, hints)]
    if more and kind is Kind.JSON and start is path:
        return [read_json(path, name, scratch, hints, HEAD_ROWS)[0]]
    if more and kind is Kind.PARQUET and start is path:
        return [read_parquet(path, name, hints, every_value=False)[0]]
    return [table for table, _ in read_tables(path, name, scratch, hints)]


def _wide_encoding(path: Path) -> str | None:
    with path.open("rb") as file:
        return wide_encoding(file.read(2000))
