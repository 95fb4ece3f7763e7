"""Which character separates the fields of a text.

Counting characters misleads (decimal commas, coordinates in a column): what counts is that the parsed records agree.
"""

from __future__ import annotations

import contextlib
import csv
import itertools
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from elexxion_assets.declare import Refusal
from elexxion_assets.reading import limits

SEPARATORS = (";", "\t", ",", "|")
_RECORDS = 1000


class _Agreement(NamedTuple):
    """How well the records agree on a number of fields.

    Attributes:
        share: Share of the records that have the usual number of fields.
        width: That number, at least 2.
        start: First record that comes near it: where the header seems to be.
        separator: The separator that was tried.
    """

    share: float
    width: int
    start: int
    separator: str


def find_separator(sample: str) -> str:
    """The separator of a sample of whole lines.

    Raises:
        Refusal: `not_a_table`, when no separator makes columns of it.
    """
    tried = [_agreement(sample, separator) for separator in SEPARATORS if separator in sample]
    found = [agreement for agreement in tried if agreement]
    if not found:
        raise Refusal(
            "not_a_table", "No separator (semicolon, comma, tab or bar) divides the lines into columns: is it a table?"
        )
    start = min(agreement.start for agreement in found)
    # What the header lacks may be part of the data, as a decimal comma is.
    scores = {agreement: agreement.share * (1.0 if agreement.start == start else 0.4) for agreement in found}
    near = [agreement for agreement in found if scores[agreement] >= max(scores.values()) - 0.05]
    return max(near, key=lambda agreement: agreement.width).separator


def _agreement(sample: str, separator: str, escape: str | None = None) -> _Agreement | None:
    widths: list[int] = []
    with contextlib.suppress(csv.Error):
        for record in itertools.islice(records(sample, separator, escape), _RECORDS):
            widths += [len(record)] if record else []
    divided = Counter(width for width in widths if width >= 2)
    if not divided or (max(widths[:5]) < 2 and divided.total() * 2 < len(widths)):
        return None
    width, count = divided.most_common(1)[0]
    # Headers may be much shorter than the data; but a comma also stands in titles.
    least = width if separator == "," else max(2, width / 5)
    start = next(position for position, fields in enumerate(widths) if fields >= least)
    return _Agreement(count / len(widths), width, start, separator)


def escape_of(sample: str, separator: str) -> str | None:
    """A backslash where quotes inside values are written so, or None where they are doubled."""
    if '\\"' not in sample:
        return None
    doubled, escaped = _agreement(sample, separator), _agreement(sample, separator, "\\")
    return "\\" if escaped and doubled and escaped.share > doubled.share else None


def records(text: str, separator: str, escape: str | None = None) -> Iterator[list[str]]:
    """The records of a text, as Python's csv module reads them."""
    csv.field_size_limit(limits.MAX_RECORD)
    # Not str.splitlines, which also ends lines at form feeds and U+2028.
    lines = text.replace("\r\n", "\n").replace("\r", " ").split("\n")
    return csv.reader((f"{line}\n" for line in lines), delimiter=separator, escapechar=escape)
