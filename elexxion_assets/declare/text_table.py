"""What is known of a table of text found in a file, before anybody knows which dataset it is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache


class Refusal(Exception):
    """A file or a table that cannot be taken, with the reason in words for the person who dropped it.

    Attributes:
        rule: Short stable name of the reason, such as `unknown_dataset`.
        reason: What is wrong and, where possible, what to do about it.
    """

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(rule, reason)
        self.rule = rule
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


@lru_cache(maxsize=50_000)
def slug(name: str) -> str:
    """A column name without case, accents, spaces and punctuation, to compare headers with.

    >>> slug("Code.département") == slug("code_departement")
    True
    """
    decomposed = unicodedata.normalize("NFKD", name.replace("œ", "oe").replace("°", ""))
    return re.sub(r"[^a-z0-9%]", "", "".join(c for c in decomposed if not unicodedata.combining(c)).lower())


@dataclass(frozen=True, kw_only=True)
class TextTable:
    """Facts about one table of text.

    Attributes:
        file: Name under which the file was dropped.
        member: Sheet of a workbook, or empty.
        columns: Names of the columns of the bronze frame, in file order, all different. A repeated header gets a suffix
            (`Voix`, `Voix.2`), an unnamed column its position (`_26`, counted from 1).
        header: The header as it is written; shorter than `columns` where the file's own header is.
        sample: First rows of values, aligned with `columns`.
        header_line: Line of the (last) header line in the file, from 1; 0 when the file has no header.
        encoding: Encoding of the bytes, or empty where the format has none.
        separator: Separator of the fields, or empty where the format has none.
        preamble: Lines above the header, their fields joined by the separator (a tab where there is none).
        footer: Lines below the data, such as `Source : Insee`; they are not in the frame.
        rows: Number of rows of the frame.
        hints: What the person said when dropping the file, such as `{"scrutin": "2022-presidentielle-t1"}`.
        defects: What was found wrong but did not prevent reading, in words.
    """

    file: str
    member: str = ""
    columns: tuple[str, ...]
    header: tuple[str, ...]
    sample: tuple[tuple[str | None, ...], ...] = ()
    header_line: int = 1
    encoding: str = ""
    separator: str = ""
    preamble: tuple[str, ...] = ()
    footer: tuple[str, ...] = ()
    rows: int = 0
    hints: Mapping[str, str] = field(default_factory=dict)
    defects: tuple[str, ...] = ()

    def find(self, names: Sequence[str]) -> str | None:
        """The column whose name is one of `names`, compared as slugs, or None."""
        wanted = {slug(name) for name in names}
        return next((column for column in self.columns if slug(column) in wanted), None)

    def values(self, column: str) -> list[str]:
        """The values of a column in the sample, without the missing ones."""
        position = self.columns.index(column)
        return [value for row in self.sample if (value := row[position]) is not None]
