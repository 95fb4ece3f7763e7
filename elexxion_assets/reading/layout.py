"""Where the header of a table is, what stands above it, and what stands below the data.

Works on rows of text, whatever file they come from. The header is the last full row before typed data begins; in doubt
a row is data, because a header read as data is seen at once and data read as a header is lost.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

Row = Sequence[str]

_NUMBER = re.compile(r"[+-]?\d[\d\s\u00a0\u202f]*(?:[.,]\d+)?(?:[eE][+-]?\d+)?\s*%?|[+-]?[.,]\d+")
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?(?:[T ][\d:.]+Z?)?|\d\d?/\d\d?/\d{2,4}(?: [\d:]+)?|\d{1,2}:\d\d(?::\d\d)?")
_CODE = re.compile(r"2[ABab]\d*|Z[A-Z]\d{0,3}")
_YEAR = re.compile(r"(?:19|20)\d\d(?:\.0)?")
_NO_VALUE = {
    "",
    "NA",
    "N/A",
    "n/a",
    "NaN",
    "nan",
    "null",
    "NULL",
    "s",
    "nd",
    "n.d.",
    "s.s",
    "(O)",
    "ndiff",
    "_",
    "-",
    "..",
    ".",
}
_FOOTNOTE = re.compile(
    r"(?:sources?|champ|notes?|lecture|légende|remarques?|avertissement|définitions?|précisions?|données|"
    r"date d'extraction|extraction|mise à jour|dernière mise à jour|unité|©|\(c\)|\*)(?!\w)"
    r"|\(?\w{1,3}(?:\.\w)*\)?\s*[:=]\s",
    re.IGNORECASE,
)
MAX_FOOTER = 10
_TOP = 25


@dataclass(frozen=True)
class Layout:
    """Positions in the list of rows that `find_header` was given.

    Attributes:
        header: Position of the header row, or None when the first row is data already.
        first: Position of the first row of data.
    """

    header: int | None
    first: int


def _kind(cell: str) -> str:
    cell = cell.strip()
    if cell in _NO_VALUE:
        return ""
    if _NUMBER.fullmatch(cell) or _CODE.fullmatch(cell):
        return "number"
    return "date" if _DATE.fullmatch(cell) else "text"


def _filled(row: Row) -> int:
    return sum(1 for cell in row if cell.strip())


class _Body:
    """The types of the columns, as the rows further down show them."""

    def __init__(self, rows: Sequence[Row]) -> None:
        counts: dict[int, Counter[str]] = {}
        years: Counter[int] = Counter()
        for row in rows:
            for position, cell in enumerate(row):
                if kind := _kind(cell):
                    counts.setdefault(position, Counter())[kind] += 1
                    years[position] += bool(_YEAR.fullmatch(cell.strip()))
        self.width = max(map(len, rows), default=0)
        self.typed: dict[int, str] = {}
        self.strong: set[int] = set()
        self.years = {position for position, count in years.items() if count * 2 > counts[position].total()}
        for position, count in counts.items():
            typed = count["number"] + count["date"]
            if typed * 10 >= count.total() * 4:
                self.typed[position] = "number" if count["number"] >= count["date"] else "date"
            if typed * 10 >= count.total() * 9:
                self.strong.add(position)

    def votes(self, row: Row) -> tuple[int, int, int]:
        """Cells of the row of the type of their column, cells that are text where it is typed, the same where it is
        strongly typed."""
        same = other = strong = 0
        suspects = self._names_of_years(row)
        for position, kind in self.typed.items():
            found = _kind(row[position]) if position < len(row) else ""
            if not found:
                continue
            if found == kind and position not in suspects:
                same += 1
            else:
                other += 1
                strong += position in self.strong
        return same, other, strong

    def _names_of_years(self, row: Row) -> set[int]:
        """Positions where a row holds years as names of columns: 2016, 2017, 2018 above figures."""
        found = {
            position: row[position].strip()
            for position, kind in self.typed.items()
            if kind == "number" and position < len(row) and _kind(row[position]) == "number"
        }
        # Years that stand above several columns each leave most cells of their row empty.
        sparse = bool(found) and _filled(row) * 3 < self.width
        are_names = (
            (len(found) >= 2 or sparse)
            and all(_YEAR.fullmatch(cell) for cell in found.values())
            and len(set(found.values())) == len(found)
            and not self.years & set(found)
        )
        return set(found) if are_names else set()


def find_header(rows: Sequence[Row]) -> Layout:
    """The header among the first rows of a table.

    Args:
        rows: First rows of the file, some hundreds where there are as many, without blank ones.
    """
    body = _Body(rows[-200:] if len(rows) > 240 else rows[max(1, len(rows) // 2) :])
    width = max(_filled(row) for row in rows)
    top = rows[:_TOP]
    if not body.typed:
        return _first_full(top, width)
    for position, row in enumerate(top):
        filled = _filled(row)
        same, other, _ = body.votes(row)
        if filled < min(2, width):
            continue
        if same and same >= other:
            return Layout(None, 0) if position == 0 else _below_titles(rows, position)
        return _last_of_header(rows, position, body)
    return Layout(None, 0)


def _first_full(rows: Sequence[Row], width: int) -> Layout:
    """Where all is text, the first row that is as full as the others is the header."""
    for position, row in enumerate(rows):
        if _filled(row) * 2 > width:
            return Layout(position, position + 1)
    return Layout(None, 0)


def _below_titles(rows: Sequence[Row], position: int) -> Layout:
    """Data begins right under title rows: there is no header, and the titles are no data."""
    return Layout(None, position) if all(_filled(row) <= 1 for row in rows[:position]) else Layout(None, 0)


def _last_of_header(rows: Sequence[Row], position: int, body: _Body) -> Layout:
    """The last of consecutive header rows, labels above codes; a second one must be no data beyond doubt."""
    while position + 1 < min(len(rows), _TOP):
        following = rows[position + 1]
        same, _, strong = body.votes(following)
        enough = min(2, len(body.strong)) if _filled(following) > _filled(rows[position]) else 2
        if same or strong < max(enough, 1) or _filled(following) * 5 < _filled(rows[position]) * 4:
            break
        position += 1
    return Layout(position, position + 1)


def count_footer(rows: Sequence[Row], width: int) -> int:
    """Number of rows at the end that are notes and no data, such as `Source : Insee`.

    Only rows of one single cell that reads like a note count, in a table of several columns.

    Args:
        rows: Last rows of the data.
        width: Number of columns.
    """
    if width < 2:
        return 0
    notes = 0
    for row in reversed(rows[-MAX_FOOTER:]):
        cells = [cell.strip() for cell in row if cell.strip()]
        if len(cells) != 1 or not (_FOOTNOTE.match(cells[0]) or len(cells[0]) > 60):
            break
        notes += 1
    return notes if notes < len(rows) else 0


def column_names(header: Row, width: int) -> tuple[str, ...]:
    """Names for `width` columns, all different; see `TextTable.columns`."""
    taken = {"_line"}
    names = []
    for position in range(width):
        given = " ".join(header[position].split()) if position < len(header) else ""
        base = given.strip("\ufeff") or f"_{position + 1}"
        name, repeat = base, 1
        while name in taken:
            repeat += 1
            name = f"{base}.{repeat}"
        taken.add(name)
        names.append(name)
    return tuple(names)
