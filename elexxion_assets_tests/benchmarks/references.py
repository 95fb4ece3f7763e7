"""Reference tables for the opponents, from ours: what a hand-written script would keep beside itself."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from elexxion_assets.geography import Cog
from elexxion_assets.themes.crime.indicators import INDICATORS
from elexxion_assets_tests.benchmarks import generators


def write_crime(folder: Path) -> None:
    """Codes of the indicators of the generated base, units, and where the communes of 2025 are now."""
    folder.mkdir(parents=True, exist_ok=True)
    found = [(label, i) for label in generators.INDICATORS for i in INDICATORS if label in i.labels]
    pl.DataFrame(
        {
            "label": [label for label, _ in found],
            "code": [indicator.code for _, indicator in found],
            "per_dwelling": [indicator.per_dwelling for _, indicator in found],
        }
    ).write_parquet(folder / "indicators.parquet")
    units = sorted(set(generators.INDICATORS.values()))
    pl.DataFrame({"label": units, "unit": [unit.lower() for unit in units]}).write_parquet(folder / "units.parquet")
    write_passage(folder, 2025)


_GRAIN = 2**20


def write_passage(folder: Path, vintage: int, *, exact: bool = False) -> None:
    """Where the figures of each commune of a vintage count today.

    Args:
        folder: Where `passage.parquet` is written.
        vintage: The vintage.
        exact: Whether shares are multiples of 1 / 2^20 that add up to 1, as theme election counts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    passage = Cog.builtin().passage(vintage)
    if exact:
        rounded = (pl.col("part") * _GRAIN).floor() / _GRAIN
        first = pl.col("code_cible") == pl.col("code_cible").min().over("code_source")
        left = pl.when(first).then(1 - rounded.sum().over("code_source")).otherwise(0.0)
        passage = passage.with_columns(part=rounded + left)
    passage.select("code_source", "code_cible", "part").write_parquet(folder / "passage.parquet")
