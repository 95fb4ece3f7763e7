"""Localised unemployment rates by zone d'emploi (Insee): quarters in columns, two header lines, two zonings.

The file of the zoning of 2010 has a second sheet for the regional parts of interregional zones: those rows are parts of
zones that the first sheet counts whole. The newest release of a quarter wins; the older zoning stays in bronze.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import narwhals as nw

from elexxion_assets.columns import CODE_ZONE_EMPLOI, REGION, ZONAGE
from elexxion_assets.declare import Column, Dataset, Frame, Kind, Match, TextTable, slug
from elexxion_assets.synthetic import release_named
from elexxion_assets.themes.emploi.files import (
    TRIMESTRE,
    WIDE_ANNEE,
    YEAR,
    period,
    unpivot_years,
)

_CODE = re.compile(r"(?:ze(r?)|codedelazonedemploi(interregionale)?)(19[0-9]{2}|20[0-9]{2})")
_LABEL = re.compile(r"lib(?:ze|elledelazonedemploi)")
_QUARTERS = (
    re.compile(r"(?P<year>(?:19|20)[0-9]{2})[-_ ]?T(?P<quarter>[1-4])", re.IGNORECASE),
    re.compile(r"T(?P<quarter>[1-4])[-_ ]?(?P<year>(?:19|20)[0-9]{2})", re.IGNORECASE),
    re.compile(r"(?P<quarter>[1-4])(?:er|e|ème) trimestre (?P<year>(?:19|20)[0-9]{2})", re.IGNORECASE),
)
_YEAR = re.compile(r"(?:19|20)[0-9]{2}")
_MEAN = "moyenne"

LIBELLE_ZONE_EMPLOI = Column(
    name="libelle_zone_emploi",
    kind=Kind.TEXT,
    description="Name of the zone d'emploi",
    required=False,
    optional_in_file=True,
)
CODE_REGION = REGION.but(
    description="Code of the région; null where the zone lies in several, and for regional parts of zones",
    required=False,
    source_names=("REG", "Code région 2016", "Code région"),
    optional_in_file=True,
)
EST_PARTIE_REGIONALE = Column(
    name="est_partie_regionale",
    kind=Kind.BOOLEAN,
    description="Whether it is the part of an interregional zone in one région, which the zone's row contains too",
    optional_in_file=True,
)
TAUX_CHOMAGE = Column(
    name="taux_chomage",
    kind=Kind.NUMBER,
    description="Localised unemployment rate, seasonally adjusted (CVS)",
    unit="%",
    required=False,
    ge=0,
    le=100,
    optional_in_file=True,
    examples=("7,2", "10.9"),
    counter_examples=("120", "-1"),
    warning="ILO definition, estimated: not comparable with the unemployed as declared in the census.",
)


def split_quarter(column: str) -> tuple[str, str] | None:
    """What the name of a quarter, or of a year, says.

    >>> split_quarter("2003-T1"), split_quarter("1er trimestre 2003"), split_quarter("2003")
    (('2003', 'T1'), ('2003', 'T1'), ('2003', 'moyenne'))
    """
    name = column.strip()
    for pattern in _QUARTERS:
        if found := pattern.fullmatch(name):
            return found["year"], f"T{found['quarter']}"
    return (name, _MEAN) if _YEAR.fullmatch(name) else None


def _find(table: TextTable, pattern: re.Pattern[str]) -> tuple[str, re.Match[str]] | None:
    return next(((column, found) for column in table.columns if (found := pattern.match(slug(column)))), None)


def unpivot_quarters(dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
    """One row per zone and year, its quarters in columns T1 to T4."""
    return unpivot_years(frame, table, split_quarter)


def match_zones(dataset: Dataset, table: TextTable) -> Match:
    """A code of zones d'emploi whose name says the zoning, a label, and quarters or years in columns."""
    periods = [column for column in table.columns if split_quarter(column)]
    found = {
        "column « ZE2020 » (code of the zone d'emploi, with the year of the zoning)": _find(table, _CODE),
        "column « LIBZE2020 » (name of the zone d'emploi)": _find(table, _LABEL),
        "columns of quarters such as « 2003-T1 »": periods,
    }
    missing = tuple(words for words, there in found.items() if not there)
    return Match(score=len(periods) + len(found) - len(missing), missing=missing)


def release_of_quarters(table: TextTable, rows: Mapping[str, int]) -> str:
    """The last quarter that the file has a column for, then its zoning."""
    found = [split for column in table.columns if (split := split_quarter(column))]
    last = max((f"{year}-{quarter.replace(_MEAN, 'T4')}" for year, quarter in found), default="0000")
    code = _find(table, _CODE)
    return release_named(table, f"{last} ZE{code[1][3]}" if code else last)


def normalise_zones(dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
    """One row per zone and quarter that the file has a column for (quarter null: mean of the year, as published)."""
    code, label, region = _find(table, _CODE), _find(table, _LABEL), table.find(CODE_REGION.source_names)
    if code is None or label is None:
        raise ValueError(f"{table.file}: not a table of zones d'emploi")
    is_part = bool(code[1][1] or code[1][2])
    # The code of a regional part begins with a région of before 2016; interregional zones have the région 00.
    said = nw.lit(None, dtype=nw.String()) if is_part or region is None else nw.col(region)
    covered: dict[str, list[str]] = {}
    for column in table.columns:
        if found := split_quarter(column):
            covered.setdefault(found[1], []).append(found[0])

    def of(quarter: str) -> Frame:
        rows = frame.filter(nw.col(YEAR).is_in(covered[quarter]))
        number = nw.lit(None, dtype=nw.String()) if quarter == _MEAN else nw.lit(quarter.removeprefix("T"))
        return rows.select(
            "_line",
            nw.lit(code[1][3]).alias("zonage"),
            # « 0060* »: the star calls a footnote.
            nw.col(code[0]).str.replace_all(r"[* ]+$", "").alias("code_zone_emploi"),
            nw.col(label[0]).alias("libelle_zone_emploi"),
            nw.when(said.str.strip_chars() != "00").then(said).alias("code_region"),
            nw.lit(str(is_part).lower()).alias("est_partie_regionale"),
            nw.col(YEAR).alias("annee"),
            number.alias("trimestre"),
            nw.col(quarter).alias("taux_chomage"),
        )

    return nw.concat([of(quarter) for quarter in sorted(covered)], how="vertical")


CHOMAGE_ZONE_EMPLOI = Dataset(
    name="chomage_zone_emploi",
    title="Taux de chômage localisés par zone d'emploi",
    source="Institut national de la statistique et des études économiques (Insee)",
    page="https://www.insee.fr/fr/statistiques/1893230",
    columns=(
        ZONAGE,
        CODE_ZONE_EMPLOI,
        LIBELLE_ZONE_EMPLOI,
        CODE_REGION,
        EST_PARTIE_REGIONALE,
        WIDE_ANNEE,
        TRIMESTRE,
        TAUX_CHOMAGE,
    ),
    key=("zonage", "code_zone_emploi", "annee", "trimestre"),
    period=period,
    release=release_of_quarters,
    match=match_zones,
    normalise=normalise_zones,
    unpivot=unpivot_quarters,
    addresses=("https://www.insee.fr/fr/statistiques/fichier/1893230/chomage-zone-t1-2003-t4-2025.xlsx",),
    not_taken=(
        "(?:lib)?zer?[0-9]{4}",
        "(?:code|libelle)delazonedemploi.*",
        "lib(?:elle)?(?:reg|region)[0-9]*",
        "(?:t[1-4])?(?:19|20)[0-9]{2}(?:t[1-4])?",
        "[1-4](?:er|e|eme)trimestre(?:19|20)[0-9]{2}",
    ),
)
