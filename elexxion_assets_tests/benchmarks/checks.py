"""What checks cost beside the making of the tables that they judge, on a communal base of crime of 5 million rows.

`python -m elexxion_assets_tests.benchmarks.checks [--rows N]`

Times are of the processor, not of the clock: others may work on the machine.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import polars as pl

from elexxion_assets.declare import Layer
from elexxion_assets.geography import Cog
from elexxion_assets.lake import comparison
from elexxion_assets.lake.build import publish, stage
from elexxion_assets.lake.storage import DirectoryStorage
from elexxion_assets.quality import checks
from elexxion_assets.themes import all_themes
from elexxion_assets_tests.quality.clean import CRIME_HEADER
from elexxion_assets_tests.small_lake import SmallLake

INDICATORS = {
    "Cambriolages de logement": "Infraction",
    "Destructions et dégradations volontaires": "Infraction",
    "Vols avec armes": "Infraction",
    "Vols violents sans arme": "Infraction",
    "Vols d'accessoires sur véhicules": "Véhicule",
    "Vols dans les véhicules": "Véhicule",
    "Vols de véhicule": "Véhicule",
    "Vols sans violence contre des personnes": "Victime entendue",
    "Violences physiques intrafamiliales": "Victime",
    "Violences physiques hors cadre familial": "Victime",
    "Violences sexuelles": "Victime",
    "Escroqueries et fraudes aux moyens de paiement": "Victime",
    "Trafic de stupéfiants": "Mis en cause",
    "Usage de stupéfiants": "Mis en cause",
    "Usage de stupéfiants (AFD)": "Mis en cause",
}
JUDGING = (
    (checks, "judge"),
    (comparison, "kept_whole"),
    (comparison, "against_earlier"),
    (comparison, "revised"),
)


def write_base(path: Path, rows: int) -> list[str]:
    """A communal base of so many rows, the years from 2016 on; gives its years."""
    codes = pl.DataFrame({"code": sorted(Cog.builtin().codes(2025))}).lazy()
    years = max(1, round(rows / (35_000 * len(INDICATORS))))
    indicators = pl.LazyFrame({"indicateur": list(INDICATORS), "unite": list(INDICATORS.values())})
    grid = codes.join(pl.LazyFrame({"annee": range(2016, 2016 + years)}), how="cross").join(indicators, how="cross")
    noise = pl.concat_str("code", "annee", "indicateur").hash(7)
    people = pl.col("code").hash(3) % 9_000 + 100
    number = (noise % 997 * people // 60_000).cast(pl.Int64)
    secret = (number > 0) & (number < 5)
    dwelling = pl.col("indicateur").str.starts_with("Cambriolages")
    base = pl.when(dwelling).then(people // 2).otherwise(people)
    na = pl.lit("NA")
    rate = (number * 1000 / base).round(8).cast(pl.String).str.replace(".", ",", literal=True)
    grid.select(
        "code",
        "annee",
        "indicateur",
        "unite",
        pl.when(secret).then(na).otherwise(number.cast(pl.String)).alias("nombre"),
        pl.when(secret).then(na).otherwise(rate).alias("taux"),
        pl.when(secret).then(pl.lit("ndiff")).otherwise(pl.lit("diff")).alias("est_diffuse"),
        people.alias("pop"),
        pl.lit(2021).alias("pop_annee"),
        (people // 2).alias("log"),
        pl.lit(2021).alias("log_annee"),
        pl.when(secret).then(pl.lit("2,5")).otherwise(na).alias("c1"),
        pl.when(secret).then(pl.lit("0,8")).otherwise(na).alias("c2"),
    ).rename(dict(zip(grid_names(), CRIME_HEADER.split(";"), strict=True))).sink_csv(path, separator=";")
    return [str(year) for year in range(2016, 2016 + years)]


def grid_names() -> list[str]:
    """The columns of `write_base` before they get the names of the publisher."""
    named = "code annee indicateur unite nombre taux est_diffuse pop pop_annee log log_annee c1 c2"
    return named.split()


@contextmanager
def timed(spent: dict[str, float]) -> Iterator[None]:
    """Adds up the processor time of everything that judges."""

    def measured(function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            began = time.process_time()
            try:
                return function(*arguments, **named)
            finally:
                spent[name] += time.process_time() - began

        return call

    with mock.patch.multiple(checks, judge=measured(checks.judge, "judge")):
        patched = {name: measured(getattr(module, name), name) for module, name in JUDGING[1:]}
        with mock.patch.multiple(comparison, **patched):
            yield


def main() -> None:
    """Builds silver and gold of every year, then a second release of the first year, and prints the shares."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=5_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="checks-") as folder:
        lake = SmallLake(DirectoryStorage(Path(folder) / "lake"), all_themes())
        base = Path(folder) / "base.csv"
        years = write_base(base, rows)
        lake.drop("donnee-comm-data.gouv.csv", base)
        theme = lake.themes["crime"]
        for name in ("communale", "communes"):
            layer = Layer.SILVER if name == "communale" else Layer.GOLD
            spent: dict[str, float] = defaultdict(float)
            began, made = time.process_time(), 0
            with timed(spent):
                for year in years:
                    with stage(lake.storage, lake.ledger, lake.themes, theme, theme.table(layer, name), year) as staged:
                        made += staged.rows
                        publish(lake.storage, staged)
            judging = sum(spent.values())
            making = time.process_time() - began - judging
            parts = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in spent.items())
            print(f"{layer}/{name}: {made:,} rows; making {making:.1f} s, judging {judging:.1f} s ({parts})")
            print(f"  ratio {judging / making:.3f}", flush=True)


if __name__ == "__main__":
    main()
