"""From rows of text to the facts and the frame of one table."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from elexxion_assets.declare import Refusal, TextTable
from elexxion_assets.reading.layout import MAX_FOOTER, column_names, count_footer, find_header
from elexxion_assets.reading.spool import NumberedRow, Spool

HEAD_ROWS = 1000
SAMPLE_ROWS = 200


@dataclass(frozen=True, kw_only=True)
class Head:
    """What the first rows of a table tell.

    Attributes:
        header: Cells of the header row; empty when the file has none.
        header_line: Its line, 0 when there is none.
        above: Rows above the header.
        body: First rows of data.
    """

    header: list[str]
    header_line: int
    above: list[NumberedRow]
    body: list[NumberedRow]


def read_head(rows: Sequence[NumberedRow]) -> Head:
    """Finds the header among the first rows of a table.

    Raises:
        Refusal: `no_rows`, when there is nothing but a header.
    """
    if not rows:
        raise Refusal("empty", "There is no row at all, only blank lines.")
    layout = find_header([cells for _, cells in rows])
    body = list(rows[layout.first :])
    if not body:
        raise Refusal("no_rows", "There is a header and no row of data below it.")
    if layout.header is None:
        return Head(header=[], header_line=0, above=list(rows[: layout.first]), body=body)
    line, header = rows[layout.header]
    return Head(header=header, header_line=line, above=list(rows[: layout.header]), body=body)


class Widths:
    """Number of rows per number of fields, to say which rows are odd."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()
        self.first: dict[int, int] = {}

    def add(self, rows: Sequence[NumberedRow]) -> None:
        """Counts the fields of rows."""
        counts = Counter(len(cells) for _, cells in rows)
        for width in counts.keys() - self.first.keys():
            self.first[width] = next(line for line, cells in rows if len(cells) == width)
        self.counts += counts

    def defects(self) -> list[str]:
        """What is uneven, in words."""
        if len(self.counts) < 2:
            return []
        usual, count = self.counts.most_common(1)[0]
        odd = self.counts.total() - count
        line = min(self.first[width] for width in self.counts if width != usual)
        return [
            f"{odd:,} of {self.counts.total():,} rows do not have {usual} fields but {min(self.counts)} to "
            f"{max(self.counts)}; the first is line {line}."
        ]


@dataclass(frozen=True, kw_only=True)
class Tabulated:
    """A table whose rows have been parsed or located."""

    head: Head
    columns: tuple[str, ...]
    frame: pl.LazyFrame
    rows: int
    footer: list[list[str]]
    widths: Widths

    def facts(
        self,
        file: str,
        hints: Mapping[str, str],
        *,
        member: str = "",
        encoding: str = "",
        separator: str = "",
        defects: Iterable[str] = (),
    ) -> tuple[TextTable, pl.LazyFrame]:
        """The table as the other rooms know it."""
        joint = separator or "\t"
        header = self.head.header
        none = [] if self.head.header_line else ["The first row is data already: there is no header."]
        table = TextTable(
            file=file,
            member=member,
            columns=self.columns,
            header=tuple(header),
            sample=tuple(self._aligned(cells) for _, cells in self.head.body[: min(SAMPLE_ROWS, self.rows)]),
            header_line=self.head.header_line,
            encoding=encoding,
            separator=separator,
            preamble=tuple(joint.join(cells).rstrip(joint + " ") for _, cells in self.head.above),
            footer=tuple(joint.join(cells).rstrip(joint + " ") for cells in self.footer),
            rows=self.rows,
            hints=dict(hints),
            defects=(*none, *defects),
        )
        return table, self.frame

    def _aligned(self, cells: Sequence[str]) -> tuple[str | None, ...]:
        padded = itertools.chain(cells, itertools.repeat(""))
        return tuple(cell or None for cell in itertools.islice(padded, len(self.columns)))


def tabulate(batches: Iterator[list[NumberedRow]], spool: Spool) -> Tabulated:
    """Reads rows to their end, keeps the data in the spool and finds header, preamble and footer.

    Raises:
        Refusal: `empty` or `no_rows`.
    """
    rows: list[NumberedRow] = []
    for batch in batches:
        rows += batch
        if len(rows) >= HEAD_ROWS:
            break
    head = read_head(rows)
    widths = Widths()
    last: list[NumberedRow] = []
    for batch in itertools.chain([head.body], batches):
        last += batch
        # What may be the footer is held back.
        sure, last = last[:-MAX_FOOTER], last[-MAX_FOOTER:]
        _keep(sure, spool, widths)
    notes = count_footer([cells for _, cells in last], max(len(head.header), *(len(cells) for _, cells in head.body)))
    data = last[: len(last) - notes]
    _keep(data, spool, widths)
    if not spool.rows:
        raise Refusal("no_rows", "There is a header and no row of data below it.")
    columns = column_names(head.header, max(spool.width, len(head.header)))
    return Tabulated(
        head=head,
        columns=columns,
        frame=spool.frame(columns),
        rows=spool.rows,
        footer=[cells for _, cells in last[len(data) :]],
        widths=widths,
    )


def _keep(rows: list[NumberedRow], spool: Spool, widths: Widths) -> None:
    if rows:
        spool.add(rows)
        widths.add(rows)
