"""Delimited text: encoding, separator, header, and a lazy frame over the file itself wherever that is possible."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

from elexxion_assets.declare import Refusal, TextTable
from elexxion_assets.reading import limits
from elexxion_assets.reading.encodings import transcribe, unix_newlines
from elexxion_assets.reading.layout import MAX_FOOTER, column_names, count_footer
from elexxion_assets.reading.separators import escape_of, find_separator, records
from elexxion_assets.reading.spool import NumberedRow, Spool
from elexxion_assets.reading.structure import Structure, measure
from elexxion_assets.reading.tabulation import HEAD_ROWS, Head, Tabulated, Widths, read_head, tabulate

SAMPLE = 1 << 20
"""Bytes of the beginning of a file, to the end of their last line, that tell its separator and its header."""

_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n\r\f\x1a")
_TAIL = 1 << 18
_BATCH = 100
# Noncharacters: no text holds them.
_LONE_CR = "\ufdd0"
_END = "\ufdd1"
_SUSPICIOUS_LINES = 50
_SPREADSHEET_ENDS = (65_536, 1_048_576)


def read_text(
    path: Path, name: str, scratch: Path, hints: Mapping[str, str], wide: str | None = None
) -> tuple[TextTable, pl.LazyFrame]:
    """The one table of a delimited text.

    A file of regular UTF-8 is scanned where it is. Other encodings are transcribed first; files whose quotes or lines
    are irregular are parsed by Python's csv module into Parquet.

    Raises:
        Refusal: See `read_tables`.
    """
    sample = _sample(path)
    _refuse_binary(sample)
    if b"\r" in sample and b"\n" not in sample:
        unix = scratch / "unix-newlines"
        unix_newlines(path, unix)
        path, sample = unix, _sample(unix)
    text = sample.decode("utf-8-sig", errors="replace")
    separator = find_separator(text)
    structure = measure(path, separator)
    defects = _defects(structure)
    if not structure.encodings.valid:
        utf8 = scratch / "transcribed"
        foreign, first = transcribe(path, utf8, structure.encodings)
        if foreign:
            defects.append(
                f"{foreign:,} lines are not UTF-8 as the others are and were read as "
                f"{structure.encodings.single_byte}; the first is line {first}."
            )
        path = utf8
    table = _scanned(path, structure)
    if table is None:
        rows = CsvRows(path, separator, escape_of(text, separator))
        table = tabulate(rows.batches(), Spool(scratch, "rows"))
        defects += rows.defects
    defects += table.widths.defects()
    return table.facts(name, hints, encoding=wide or structure.encodings.name, separator=separator, defects=defects)


def look_at_text(path: Path, name: str, scratch: Path, hints: Mapping[str, str]) -> TextTable:
    """What the beginning of a delimited text tells of its table: of its rows, footer and defects nothing.

    Raises:
        Refusal: Those of `read_tables` that show there.
    """
    sample = _sample(path)
    _refuse_binary(sample)
    if b"\r" in sample and b"\n" not in sample:
        sample = sample.replace(b"\r", b"\n")
    start = scratch / "start-of-text"
    start.write_bytes(sample)
    text = sample.decode("utf-8-sig", errors="replace")
    separator = find_separator(text)
    structure = measure(start, separator)
    if not structure.encodings.valid:
        start = scratch / "transcribed"
        transcribe(scratch / "start-of-text", start, structure.encodings)
    if structure.regular and not structure.marks:
        rows = _head_rows(start, structure)
        width = structure.width
    else:
        rows = _first_records(CsvRows(start, separator, escape_of(text, separator)))
        width = max(len(cells) for _, cells in rows)
    head = read_head(rows)
    return Tabulated(
        head=head,
        columns=column_names(head.header, max(width, len(head.header))),
        frame=pl.LazyFrame(),
        rows=len(head.body),
        footer=[],
        widths=Widths(),
    ).facts(name, hints, encoding=structure.encodings.name, separator=separator)[0]


def _first_records(rows: CsvRows) -> list[NumberedRow]:
    """The records from which a header is told, or as many as come before one that is cut."""
    found: list[NumberedRow] = []
    try:
        for batch in rows.batches():
            found += batch
            if len(found) >= HEAD_ROWS:
                break
    except Refusal:
        if not found:
            raise
    return found


def _sample(path: Path) -> bytes:
    """The first whole lines of the file."""
    with path.open("rb") as file:
        return file.read(SAMPLE) + file.readline(limits.MAX_RECORD)


def _refuse_binary(sample: bytes) -> None:
    if not sample.strip(b"\xef\xbb\xbf \t\r\n;,|\0"):
        raise Refusal("empty", "The file holds nothing but blanks.")
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    if controls * 50 > len(sample):
        raise Refusal("binary", "The bytes are not text, and of no known table format.")


def _defects(structure: Structure) -> list[str]:
    found = []
    if structure.lost:
        found.append(f"{structure.lost:,} characters were lost before the file came here (« \ufffd », U+FFFD).")
    if structure.nuls:
        found.append(f"{structure.nuls:,} NUL characters are inside the text.")
    if structure.marks:
        found.append(f"{structure.marks:,} byte order marks are inside the text: were files glued together?")
    if structure.regular and structure.lines in _SPREADSHEET_ENDS:
        found.append(f"The file has exactly {structure.lines:,} lines: a spreadsheet may have cut it.")
    return found


def _scanned(path: Path, structure: Structure) -> Tabulated | None:
    """A lazy scan of the file itself, or None where records and lines do not coincide."""
    if not structure.regular or structure.marks:
        return None
    head = read_head(_head_rows(path, structure))
    first = head.body[0][0]
    tail = [row for row in _tail_rows(path, structure) if row[0] >= first]
    notes = count_footer([cells for _, cells in tail], structure.width)
    if notes == len(tail):
        raise Refusal("no_rows", "There is a header and no row of data below it.")
    last = tail[-1 - notes][0]
    if any(first < line < last for line in structure.blank):
        return None
    columns = column_names(head.header, structure.width)
    frame = pl.scan_csv(
        path,
        has_header=False,
        separator=structure.separator,
        quote_char='"' if structure.quoted else None,
        schema=dict.fromkeys(columns, pl.String),
        skip_lines=first - 1,
        null_values="",
        missing_columns="insert",
        row_index_name="_line",
        row_index_offset=first,
        glob=False,
    )
    if last < structure.lines:
        frame = frame.filter(pl.col("_line") <= last)
    return Tabulated(
        head=head,
        columns=columns,
        frame=frame.select(*columns, pl.col("_line").cast(pl.Int64)),
        rows=last - first + 1,
        footer=[cells for _, cells in tail[len(tail) - notes :]],
        widths=_widths(structure, head, tail[len(tail) - notes :]),
    )


def _widths(structure: Structure, head: Head, footer: list[NumberedRow]) -> Widths:
    widths = Widths()
    widths.counts.update(structure.widths)
    above = [*head.above, *([(head.header_line, head.header)] if head.header_line else [])]
    for _, cells in (*above, *footer):
        widths.counts[len(cells)] -= 1
    widths.counts = +widths.counts
    # The first line of a width may be the header itself: then the first row of data stands for it.
    widths.first = {width: max(line, head.body[0][0]) for width, line in structure.first_with.items()}
    return widths


def _head_rows(path: Path, structure: Structure) -> list[NumberedRow]:
    text = _sample(path).decode("utf-8-sig")
    rows = zip(range(1, HEAD_ROWS + 1), records(text, structure.separator), strict=False)
    return [(line, cells) for line, cells in rows if cells]


def _tail_rows(path: Path, structure: Structure) -> list[NumberedRow]:
    """The last records that are not blank, in order."""
    size = path.stat().st_size
    length = min(size, max(_TAIL, MAX_FOOTER * 100 * structure.width))
    while True:
        with path.open("rb") as file:
            file.seek(size - length)
            block = file.read()
        lines = block.removesuffix(b"\n").split(b"\n")
        whole = lines if length == size else lines[1:]
        numbered = zip(range(structure.lines - len(whole) + 1, structure.lines + 1), whole, strict=True)
        filled = [(number, line) for number, line in numbered if line.strip(b"\r")][-MAX_FOOTER - 1 :]
        if len(filled) > MAX_FOOTER or length == size:
            break
        length = min(size, 4 * length)
    return [(number, next(records(line.decode("utf-8"), structure.separator))) for number, line in filled]


class CsvRows:
    """Records of a UTF-8 file as Python's csv module reads them, each with the line where it begins.

    Args:
        path: The file.
        separator: Character between fields.
        escape: Character before a quote that is part of a value, where quotes are not doubled.
    """

    def __init__(self, path: Path, separator: str, escape: str | None) -> None:
        self._path = path
        self._dialect = {"delimiter": separator, "escapechar": escape}
        self._lone_cr = False
        self.defects: list[str] = []

    def batches(self) -> Iterator[list[NumberedRow]]:
        """All records in order, without blank lines.

        Raises:
            Refusal: `unclosed_quote`.
        """
        csv.field_size_limit(limits.MAX_RECORD)
        reader = csv.reader(self._lines(), **self._dialect)  # type: ignore[arg-type]
        line = 1
        while True:
            records: list[list[str]] = []
            try:
                records.extend(itertools.islice(reader, _BATCH))
            except csv.Error:
                # What came before the error is there: the open record begins below it.
                before = sum(1 + sum(cell.count("\n") for cell in row) for row in records)
                raise _unclosed(line + before) from None
            ended = len(records) < _BATCH
            if not records:
                return
            # Every newline inside a value came from one line of the file.
            plain = reader.line_num == line - 1 + len(records)
            spans = [1] * len(records) if plain else [1 + sum(cell.count("\n") for cell in row) for row in records]
            starts = list(itertools.accumulate(spans, initial=line))
            line = starts.pop()
            if ended and records.pop() != [_END]:
                raise _unclosed(starts[-1])
            if max(spans) > _SUSPICIOUS_LINES:
                start, span = max(zip(starts, spans, strict=True), key=lambda found: found[1])
                self.defects.append(f"The record of line {start} runs over {span} lines: a quote may be missing there.")
            if self._lone_cr:
                records = [[cell.replace(_LONE_CR, "\r") for cell in row] for row in records]
            yield [numbered for numbered in zip(starts, records, strict=False) if numbered[1]]

    def _lines(self) -> Iterator[str]:
        with self._path.open(encoding="utf-8-sig", newline="\n") as file:
            for line in file:
                text = line.lstrip("\ufeff")
                if "\r" in text:
                    body = text.rstrip("\r\n")
                    if "\r" in body:
                        # A carriage return alone ends no line here, but the csv module would take it for an end.
                        text = body.replace("\r", _LONE_CR) + text[len(body) :]
                        self._lone_cr = True
                yield text if text.endswith("\n") else f"{text}\n"
        # An open quote swallows this record.
        yield f"{_END}\n"


def _unclosed(line: int) -> Refusal:
    return Refusal(
        "unclosed_quote",
        f"A quote opened in the record of line {line} is never closed, so all that follows is one cell: remove it.",
    )
