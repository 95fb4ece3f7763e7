"""What the generated themes of the benchmark of scale are made of."""

from __future__ import annotations

from dataclasses import dataclass

import narwhals as nw

from elexxion_assets.columns import ANNEE, COMMUNE
from elexxion_assets.declare import Column, Dataset, Frame, Kind

FIGURES = 8
"""Columns of figures of a table, beside its key: about what the real ones have."""


@dataclass(frozen=True)
class Numbered:
    """Periods that are numbered."""

    description: str = "a number, such as p00001"
    pattern: str = r"p[0-9]{5}"

    def problem(self, key: str) -> str | None:
        """None: every number is a period."""
        return None


NUMBERED = Numbered()


def columns(theme: str, number: int) -> tuple[Column, ...]:
    """The columns of a table: its key and its figures."""
    figures = (
        Column(
            name=f"nombre_{number}_{n}",
            kind=Kind.INTEGER,
            description="What is counted",
            unit="things",
            ge=0,
            source_names=(f"{theme}_{number}_{n}",),
        )
        for n in range(FIGURES)
    )
    return (COMMUNE, ANNEE, *figures)


def dataset(theme: str, number: int) -> Dataset:
    """A dataset of a theme."""
    return Dataset(
        name=f"rows_{number}",
        title=f"Rows {number}",
        source="Nobody",
        page="https://example.org",
        columns=columns(theme, number),
        key=("code_commune", "annee"),
        period=lambda table: nw.col("annee"),
        release=lambda table, rows: max(rows, default=""),
    )


def as_it_is(rows: Frame, *, period: str) -> Frame:
    """The rows, unchanged."""
    return rows
