"""How the values of a table are spread: small enough to keep beside every period, rich enough to compare with another.

A profile is plain data: `rows`, `columns` (per column: `kind`, `nulls`; for numbers `min`, `max`, `mean`, `quantiles`,
`histogram`; for texts `distinct`, `values` with their shares), `places` (communes, or départements or régions, by the
first characters of their code: the département).
Missing values and extremes are exact; quantiles, shares and distinct values are those of a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from elexxion_assets.declare import Column, Kind, Table

SAMPLED = 50_000
"""Rows from which quantiles and shares are taken, at least, in a table that has so many."""

QUANTILES = 41
VALUES = 30
"""Most frequent texts that are kept; the others are counted together."""

BINS = 12
_FEW = 0.005
"""Least share that a population stability index knows: a bin that is empty on one side only has no logarithm."""


def place_of(table: Table) -> str | None:
    """The column of communes, départements or régions by which it is seen whether a territory is missing."""
    names = {column.name for column in table.columns}
    return next((name for name in ("code_commune", "code_departement", "code_region") if name in names), None)


def _profiled(table: Table) -> list[Column]:
    return [column for column in table.columns if not column.personal]


def _is_number(column: Column) -> bool:
    return column.kind in (Kind.INTEGER, Kind.NUMBER)


def exact(table: Table, col: Callable[[str], Any] = pl.col) -> list[Any]:
    """What is counted over all rows: expressions of Polars, or of the library whose `col` is given."""
    wanted = [col(column.name).null_count().alias(f"nulls/{column.name}") for column in _profiled(table)]
    for column in filter(_is_number, _profiled(table)):
        value = col(column.name)
        wanted += [
            value.min().alias(f"min/{column.name}"),
            value.max().alias(f"max/{column.name}"),
            value.mean().alias(f"mean/{column.name}"),
            value.sum().alias(f"sum/{column.name}"),
        ]
    return wanted


def sample(table: Table, frame: pl.LazyFrame) -> pl.LazyFrame:
    """Every n-th row, about `SAMPLED` of them: the table is sorted, so that no part of it is left out."""
    rows = int(frame.select(pl.len()).collect().item())
    names = [column.name for column in _profiled(table)]
    return frame.select(names).gather_every(max(1, rows // SAMPLED))


def made(table: Table, counted: Mapping[str, Any], rows: pl.DataFrame, counted_places: pl.DataFrame) -> dict[str, Any]:
    """The profile, from what was counted, the sample and `places`."""
    total = int(counted["rows"])
    columns = {}
    for column in _profiled(table):
        nulls = int(counted[f"nulls/{column.name}"] or 0)
        facts: dict[str, Any] = {"kind": str(column.kind), "nulls": nulls}
        known = rows[column.name].drop_nulls()
        if _is_number(column):
            facts |= {what: _short(counted[f"{what}/{column.name}"]) for what in ("min", "max", "mean")}
            facts["sum"] = counted[f"sum/{column.name}"]
            facts |= _spread(known)
        else:
            facts["distinct"] = known.n_unique()
            if column.kind in (Kind.TEXT, Kind.BOOLEAN) and column.name not in table.key[:1]:
                facts["values"] = _most_frequent(known)
        columns[column.name] = facts
    found = dict(counted_places.sort("place").iter_rows())
    return {"rows": total, "sampled": rows.height, "columns": columns, "places": found}


def _short(value: Any) -> Any:
    return float(f"{value:.9g}") if isinstance(value, float) else value


def _spread(known: pl.Series) -> dict[str, Any]:
    if not known.len():
        return {"distinct": 0, "quantiles": [], "histogram": []}
    ordered = known.cast(pl.Float64).sort()
    last = ordered.len() - 1
    positions = [round(last * step / (QUANTILES - 1)) for step in range(QUANTILES)]
    quantiles = [float(f"{ordered[position]:.6g}") for position in positions]
    low, high = quantiles[1], quantiles[-2]
    histogram: list[int] = []
    if high > low:
        inside = ordered.filter((ordered >= low) & (ordered <= high))
        bins = ((inside - low) / (high - low) * BINS).floor().clip(0, BINS - 1).cast(pl.Int64)
        counts = dict(bins.value_counts().iter_rows())
        histogram = [counts.get(position, 0) for position in range(BINS)]
    return {"distinct": known.n_unique(), "quantiles": quantiles, "histogram": histogram}


def _most_frequent(known: pl.Series) -> dict[str, float]:
    if not known.len():
        return {}
    counts = known.cast(pl.String).value_counts(sort=True).head(VALUES)
    return {value: round(count / known.len(), 5) for value, count in counts.iter_rows() if value is not None}


def places(table: Table, frame: pl.LazyFrame) -> pl.LazyFrame:
    """Number of different communes (or départements, or régions) by the first characters of their code."""
    name = place_of(table)
    if name is None:
        return pl.LazyFrame(schema={"place": pl.String, "places": pl.UInt32})
    place = pl.col(name)
    code = pl.when(place.str.contains("^9[78]")).then(place.str.slice(0, 3)).otherwise(place.str.slice(0, 2))
    return frame.select(place).drop_nulls().unique().group_by(code.alias("place")).len("places")


def psi(before: Mapping[str, Any], now: Mapping[str, Any]) -> float | None:
    """The population stability index of two profiles of a column, or None where they cannot be compared.

    For numbers over the tenths of the earlier one, for texts over its frequent values; 0 where they are spread alike.
    """
    if before.get("quantiles") and now.get("quantiles"):
        edges = sorted(set(before["quantiles"][4:-4:4]))
        return _index(_shares(before["quantiles"], edges), _shares(now["quantiles"], edges))
    if before.get("values") and now.get("values"):
        names = list(before["values"])
        first = [before["values"][name] for name in names]
        second = [now["values"].get(name, 0.0) for name in names]
        return _index([*first, max(0.0, 1 - sum(first))], [*second, max(0.0, 1 - sum(second))])
    return None


def _shares(quantiles: Sequence[float], edges: Sequence[float]) -> list[float]:
    """Shares of the values between the edges."""
    below = [sum(value <= edge for value in quantiles) / len(quantiles) for edge in edges]
    return [high - low for low, high in zip([0.0, *below], [*below, 1.0], strict=True)]


def _index(before: Sequence[float], now: Sequence[float]) -> float:
    from math import log

    total = 0.0
    for first, second in zip(before, now, strict=True):
        one, other = max(first, _FEW), max(second, _FEW)
        total += (other - one) * log(other / one)
    return round(total, 4)
