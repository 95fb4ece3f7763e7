"""One lake, both engines: what Polars makes of its files and what Spark makes of them, side by side."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from elexxion_assets.declare import Layer
from elexxion_assets.geography import Cog
from elexxion_assets.lake import layout
from elexxion_assets.lake.build import Staged, periods_of, stage
from elexxion_assets.settings import settings
from elexxion_assets.themes.association.samples import places, write_import, write_register
from elexxion_assets.themes.emploi.samples import samples as emploi_samples
from elexxion_assets_tests import official as o
from elexxion_assets_tests.quality import clean
from elexxion_assets_tests.small_lake import SmallLake
from elexxion_assets_tests.trial import Lake

DEFAULTS = {
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.driver.memory": "1g",
    # Compiling the expressions takes longer than a few hundred rows do without.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
}
"""For a session that makes many tables of few rows."""

QUIET = """rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %m%n
"""


def write_configuration(folder: Path, defaults: dict[str, str] | None = None) -> None:
    """What Spark finds where `SPARK_CONF_DIR` says."""
    lines = (f"{name} {value}\n" for name, value in (defaults or DEFAULTS).items())
    (folder / "spark-defaults.conf").write_text("".join(lines))
    (folder / "log4j2.properties").write_text(QUIET)


@contextmanager
def chosen(**values: str) -> Iterator[None]:
    """The settings of these variables, for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    settings.cache_clear()
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        settings.cache_clear()


@dataclass(frozen=True)
class Made:
    """A table as an engine makes it."""

    rows: pl.DataFrame
    staged: Staged
    quarantine: dict[str, pl.DataFrame]

    @property
    def results(self) -> list[dict[str, Any]]:
        return [result.as_json() for result in self.staged.results]


def made(lake: Lake | SmallLake, name: str, period: str, engine: str) -> Made:
    """Stages a table, `theme/layer/table`, and reads what went to quarantine meanwhile."""
    theme, layer, table = name.split("/")
    declared = lake.themes[theme].table(Layer(layer), table)
    with (
        chosen(ELEXXION_ENGINE=engine, ELEXXION_SPARK_MASTER="local[2]"),
        stage(lake.storage, lake.ledger, lake.themes, lake.themes[theme], declared, period) as staged,
    ):
        rows = pl.read_parquet(staged.file)
    rejected = {}
    for entry in lake.storage.list(f"{layout.QUARANTINE}{theme}/"):
        with lake.storage.local(entry.key) as file:
            rejected[entry.key] = pl.read_parquet(file).sort("_line")
    return Made(rows, staged, rejected)


TABLES = {
    "association/silver/registre": "2024",
    "association/gold/communes": "2024",
    "association/gold/creations": "2024",
    "crime/silver/communale": "2023",
    "crime/silver/departementale": "2023",
    "crime/gold/communes": "2023",
    "crime/gold/departements": "2023",
    "election/silver/participation": "2022-presidentielle-t2",
    "election/silver/resultats": "2022-presidentielle-t2",
    "election/gold/communes": "2022-presidentielle-t2",
    "election/gold/communes_candidats": "2022-presidentielle-t2",
    "election/gold/departements": "2022-presidentielle-t2",
    "emploi/silver/base_cc_emploi_pop_active": "2021",
    "emploi/silver/chomage_zone_emploi": "2021",
    "emploi/silver/demandeurs_emploi": "2021",
    "emploi/silver/filosofi": "2021",
    "emploi/gold/communes": "2021",
    "emploi/gold/zones_emploi": "2021",
}
"""The tables of `small_lake`, each with the period that is compared."""


def small_lake(folder: Path) -> Lake:
    """A lake of small official files of every theme, some lines of them wrong, its silver made by Polars."""
    lake = Lake(folder / "lake")
    lake.drop("communale-2023.csv", _crime().encode())
    again = clean.crime(["01004", "01033"], (2023,), seed=9).replace("CODGEO_2025", "CODGEO_2022")
    lake.drop("communale-2023-bis.csv", again.encode())
    lake.drop("departementale.csv", _departements().encode())
    second = o.results(o.COMMUNE, f"Etat saisie;{o.SPLIT}", o.PRESIDENTIELLE_2017, o.people("MACRON E,LE PEN M"))
    wrong = second.splitlines()[3].replace("Corse-du-Sud", "Nulle Part").replace(";1000;", ";mille;")
    lake.drop("2022-presidentielle-t2.txt", f"{second}{wrong}\r\n".encode("latin-1"), scrutin="2022-presidentielle-t2")
    inputs = folder / "files"
    inputs.mkdir()
    some = [place for place in places() if place.departement in {"01", "2A"}]
    write_register(inputs / "rna_waldec_20250101.zip", 40, 1, where=some)
    write_import(inputs / "rna_import_20250101_dpt_01.csv", 12, 1, where=some[:2], taken_over=3)
    emploi_samples(inputs, 1)
    for file in sorted(inputs.iterdir()):
        lake.drop(file.name, file)
    for name, period in TABLES.items():
        theme, layer, table = name.split("/")
        if layer == Layer.SILVER:
            of = lake.themes[theme]
            datasets = of.table(Layer.SILVER, table).inputs
            known = {found for dataset in datasets for found in periods_of(lake.storage, of, Layer.BRONZE, dataset)}
            for wanted in sorted(found for found in known if found <= period)[-3:]:
                lake.make(name, wanted)
    return lake


def _crime() -> str:
    """Communes that merged or were split, arrondissements; lines that break the contract; a column of no contract."""
    cog = Cog.builtin()
    gone = sorted(cog.codes(2022) - cog.codes(cog.newest))[:3]
    split = cog.passage(2022).filter(pl.col("part") < 1)["code_source"].unique().sort().head(2).to_list()
    codes = ["01001", "01004", "01033", "2A004", "69123", "75056"]
    as_others = dict(zip(("01005", "01007", "01008", "01009", "01010"), [*gone, *split], strict=True))
    text = clean.crime([*codes, *as_others], (2021, 2022, 2023)).replace("CODGEO_2025", "CODGEO_2022")
    for code, other in as_others.items():
        text = text.replace(f"\n{code};", f"\n{other};")
    header, *lines = text.splitlines()
    lines = [f"{line};" for line in lines]
    known = [line for line in lines if ";2023;" in line]
    lines[lines.index(known[3])] += 'dit « "vol" »\\n'
    lines += [
        known[0],  # the same key again
        known[1].replace(";2023;Vols", ";2023;Vaches").replace("01001", "1004"),
        known[2].replace("01001", "99999"),
        known[4].replace(";diff;", ";peut-être;").replace(";ndiff;", ";peut-être;"),
        "01001;2023;;;;;;;;;;;;\t",
    ]
    return "\n".join([f"{header};note.libre", *lines]) + "\n"


def _departements() -> str:
    header = "classe;annee;Code.département;Code.région;unité.de.compte;millPOP;millLOG;faits;POP;LOG;tauxpourmille"
    rows = [
        f"{label};{year};{code};84;{unit};{year - 3};{year - 3};{1000 * rank + year};638425;308491,16;2,25"
        for year in (21, 22, 23)
        for rank, code in enumerate(("01", "2A", "75", "974"))
        for label, unit in (("Vols de véhicules", "Véhicule"), ("Homicides", "Victime"))
    ]
    return "\n".join([header, *rows, rows[-1].replace(";974;", ";9740;")]) + "\n"
