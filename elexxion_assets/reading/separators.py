"""Which character separates the fields of a text.

Counting characters misleads (decimal commas, coordinates in a column): what counts is that the parsed records agree.
"""

from __future__ import annotations

import csv
import itertools
from collections import Counter
from collections.abc import Iterator

from elexxion_assets.declare import Refusal
from elexxion_assets.reading import limits

SEPARATORS = (";", "\t", ",", "|")
_RECORDS = 1000


def find_separator(sample: str) -> str:
    """The separator of a sample of whole lines.

    Raises:
        Refusal: `not_a_table`, when no separator makes columns of it.
    """
    candidates = [(*_agreement(sample, separator), separator) for separator in SEPARATORS if separator in sample]
    candidates = [candidate for candidate in candidates if candidate[1] >= 2]
    if not candidates:
        raise Refusal(
            "not_a_table", "No separator (semicolon, comma, tab or bar) divides the lines into columns: is it a table?"
        )
    best = max(score for score, _, _ in candidates)
    near = [candidate for candidate in candidates if candidate[0] >= best - 0.05]
    return max(near, key=lambda candidate: candidate[1])[2]


def _agreement(sample: str, separator: str, escape: str | None = None) -> tuple[float, int]:
    """How well the records agree on a number of fields, from 0 to 1, and that number."""
    widths: list[int] = []
    try:
        widths.extend(
            len(record) for record in itertools.islice(records(sample, separator, escape), _RECORDS) if record
        )
    except csv.Error:
        return 0.0, 0
    if not widths:
        return 0.0, 0
    body = widths[min(3, len(widths) // 2) :]
    width, count = Counter(body).most_common(1)[0]
    # A header without the separator says that it is part of the data, as a decimal comma is.
    in_header = any(field > 1 for field in widths[:5]) and max(widths[:5]) * 8 >= width
    return count / len(body) * (1.0 if in_header else 0.4), width


def escape_of(sample: str, separator: str) -> str | None:
    """A backslash where quotes inside values are written so, or None where they are doubled."""
    if '\\"' not in sample:
        return None
    doubled, escaped = _agreement(sample, separator), _agreement(sample, separator, "\\")
    return "\\" if escaped > doubled else None


def records(text: str, separator: str, escape: str | None = None) -> Iterator[list[str]]:
    """The records of a text, as Python's csv module reads them."""
    csv.field_size_limit(limits.MAX_RECORD)
    # Not str.splitlines, which also ends lines at form feeds and U+2028.
    lines = text.replace("\r\n", "\n").replace("\r", " ").split("\n")
    return csv.reader((f"{line}\n" for line in lines), delimiter=separator, escapechar=escape)
