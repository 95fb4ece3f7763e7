"""The contract of a table as a pandera schema, for the pandas frames that leave the lake."""

from __future__ import annotations

from collections.abc import Sequence

import pandera.pandas as pa

from elexxion_assets.declare import Column, Kind

_DTYPES = {
    Kind.TEXT: "str",
    Kind.INTEGER: "Int64",
    Kind.NUMBER: "float64",
    Kind.DATE: "datetime64[ns]",
    Kind.BOOLEAN: "boolean",
}


def pandera_schema(columns: Sequence[Column], key: Sequence[str]) -> pa.DataFrameSchema:
    """The schema that pandas rows of these columns satisfy; other columns are refused.

    Args:
        columns: Columns in order.
        key: Columns that no two rows share.

    Returns:
        A schema that converts to nullable pandas types and checks bounds, patterns, lists and the key.
    """
    return pa.DataFrameSchema(
        {column.name: _column(column) for column in columns},
        unique=list(key) or None,
        strict=True,
        ordered=True,
        coerce=True,
    )


def _column(column: Column) -> pa.Column:
    checks = []
    if column.ge is not None:
        checks.append(pa.Check.ge(column.ge))
    if column.le is not None:
        checks.append(pa.Check.le(column.le))
    if column.isin is not None:
        checks.append(pa.Check.isin(column.isin))
    if column.pattern is not None:
        checks.append(pa.Check.str_matches(f"^(?:{column.pattern})$"))
    return pa.Column(
        _DTYPES[column.kind],
        checks,
        nullable=not column.required,
        description=column.description,
    )
