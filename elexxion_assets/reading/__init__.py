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
from elexxion_assets.reading.content import Kind, gunzip, kind_of
from elexxion_assets.reading.encodings import transcribe_wide, wide_encoding
from elexxion_assets.reading.objects import read_json
from elexxion_assets.reading.recognition import check_evolution, recognise, renamed
from elexxion_assets.reading.text import read_text
from elexxion_assets.reading.workbooks import read_workbook

__all__ = ["check_evolution", "is_archive", "open_archive", "read_tables", "recognise", "renamed"]


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


def _wide_encoding(path: Path) -> str | None:
    with path.open("rb") as file:
        return wide_encoding(file.read(2000))
