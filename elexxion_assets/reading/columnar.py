"""Parquet: typed values given back as the text that a person would write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from elexxion_assets.declare import Refusal, TextTable
from elexxion_assets.reading.layout import column_names
from elexxion_assets.reading.tabulation import SAMPLE_ROWS

_EXACT = 2.0**53


def read_parquet(
    path: Path, name: str, hints: Mapping[str, str], *, every_value: bool = True
) -> tuple[TextTable, pl.LazyFrame]:
    """The table of a Parquet file; whole floats lose their `.0`, dates are ISO, nested values JSON.

    Raises:
        Refusal: `truncated` or `corrupt`, after every value has been read once if so asked; `no_rows`.
    """
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 4, 0))
        if file.read() != b"PAR1":
            raise Refusal("truncated", "The Parquet file has no end: the download or the copy was cut. Get it again.")
    try:
        raw = pl.scan_parquet(path, glob=False)
        schema = raw.collect_schema()
        # Damaged pages show only when they are read.
        nulls = [pl.all().null_count().name.prefix("nulls of ")] if every_value else []
        rows = raw.select(pl.len(), *nulls).collect(engine="streaming")[0, 0]
        header = tuple(schema)
        columns = column_names(header, len(header))
        if not rows or not header:
            raise Refusal("no_rows", "The Parquet file has no row.")
        texts = [_text(pl.col(old), kind).alias(new) for (old, kind), new in zip(schema.items(), columns, strict=True)]
        frame = raw.with_row_index("\0record", offset=1).select(
            *texts, pl.col("\0record").cast(pl.Int64).alias("_line")
        )
        sample = frame.head(SAMPLE_ROWS).select(columns).collect().rows()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise Refusal("corrupt", f"The Parquet file is damaged ({str(error).splitlines()[0][:120]}).") from None
    table = TextTable(file=name, columns=columns, header=header, sample=tuple(sample), rows=rows, hints=dict(hints))
    return table, frame


def _text(value: pl.Expr, kind: pl.DataType) -> pl.Expr:
    if kind.is_float():
        whole = value.is_finite() & (value == value.round()) & (value.abs() < _EXACT)
        text = pl.when(whole).then(value.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(value.cast(pl.String))
    elif isinstance(kind, pl.Datetime):
        text = value.dt.to_string("iso:strict")
    elif isinstance(kind, pl.Struct):
        text = pl.when(value.is_not_null()).then(value.struct.json_encode())
    elif kind.is_nested():
        wrapped = pl.struct(value.alias("v")).struct.json_encode()
        text = pl.when(value.is_not_null()).then(wrapped.str.slice(5).str.head(-1))
    elif kind == pl.Binary:
        text = value.bin.encode("hex")
    else:
        text = value.cast(pl.String)
    return pl.when(text != "").then(text)
