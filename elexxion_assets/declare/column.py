"""What a column is: name, type, unit, rule and examples, said once.

From this one description come the row rules, the asset checks, the Parquet schema, the TableSchema of the Dagster UI
and the data dictionary. No value is ever read here.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import narwhals as nw


class Kind(StrEnum):
    """The type of a column's values once its contract has been applied."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    DATE = "date"
    BOOLEAN = "boolean"

    @property
    def dtype(self) -> Any:
        """The narwhals data type of the values."""
        return {
            Kind.TEXT: nw.String(),
            Kind.INTEGER: nw.Int64(),
            Kind.NUMBER: nw.Float64(),
            Kind.DATE: nw.Date(),
            Kind.BOOLEAN: nw.Boolean(),
        }[self]


MISSING = ("", "NA", "N/A", "n/a", "NaN", "null", "NULL")
"""Texts that mean 'no value' in every official file; secrecy markers (`ndiff`, `s`) are not among them."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a dataset or of a table.

    Attributes:
        name: Official French term, snake case, unit as suffix where there is one.
        kind: Type of the values.
        description: One sentence for the data dictionary.
        unit: Unit of the values (`‰`, `votes`), if they have one.
        required: Whether a row without a value is rejected.
        ge: Smallest value allowed.
        le: Largest value allowed.
        pattern: Regular expression that the whole text must match.
        isin: The only texts allowed.
        width: Number of characters of a code made of digits; zeros that a spreadsheet cut are put back.
        source_names: Names of the column in official files; case, accents and punctuation do not count.
        optional_in_file: Whether a file without this column is still this dataset.
        missing: Texts that mean 'no value'.
        examples: Texts that the contract accepts; they serve the documentation and the tests.
        counter_examples: Texts that the contract rejects.
        of_population: For a number of people: the least and the largest share that it is of the commune's population of
            reference, with room for what changes between two censuses.
        personal: Whether the value is personal data.
        warning: What a user must know before using the column.
    """

    name: str
    kind: Kind
    description: str
    unit: str | None = None
    required: bool = True
    ge: float | None = None
    le: float | None = None
    pattern: str | None = None
    isin: tuple[str, ...] | None = None
    width: int | None = None
    source_names: tuple[str, ...] = ()
    optional_in_file: bool = False
    missing: tuple[str, ...] = MISSING
    examples: tuple[str, ...] = ()
    counter_examples: tuple[str, ...] = ()
    of_population: tuple[float, float] | None = None
    personal: bool = False
    warning: str | None = None

    def but(self, **changes: Any) -> Column:
        """The same column with some attributes changed."""
        return dataclasses.replace(self, **changes)
