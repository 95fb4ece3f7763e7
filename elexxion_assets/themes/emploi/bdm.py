"""Series of the Banque de données macroéconomiques (Insee): one row per series, quarters or months in columns.

Under each series stands a row « Codes » with a letter per value (A normal, P provisional, …). Bronze joins the two: a
row per series and year, its values in `T1` to `T4` (or `01` to `12`) and its letters in `T1 (code)` to `T4 (code)`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

import narwhals as nw

from elexxion_assets.declare import Column, Dataset, Frame, Kind, Match, TextTable, match_by_columns, slug
from elexxion_assets.synthetic import release_named
from elexxion_assets.themes.emploi.files import (
    MISSING_OR_SECRET,
    WIDE_ANNEE,
    YEAR,
    period,
    unpivot_years,
)

_PERIOD = re.compile(r"((?:19|20)[0-9]{2})-(T[1-4]|0[1-9]|1[0-2])( \(code\))?")
_CODES = "Codes"
_CODE = " (code)"
_SUBJECT = re.compile(r"emploi|chom|actif|activite|salari|population|revenu|pauvrete|travail")

LIBELLE = Column(
    name="libelle",
    kind=Kind.TEXT,
    description="Label of the series; « Série arrêtée » where it is no longer updated",
    source_names=("Libellé",),
)
IDBANK = Column(
    name="idbank",
    kind=Kind.TEXT,
    description="Identifier of the series in the BDM",
    pattern="[0-9]{9}",
    width=9,
    source_names=("idBank",),
    examples=("001737244", "1737244"),
    counter_examples=("Codes", "12345678901"),
)


MISE_A_JOUR = Column(
    name="mise_a_jour",
    kind=Kind.DATE,
    description="Day of the series' last update",
    required=False,
    source_names=("Dernière mise à jour",),
    optional_in_file=True,
    examples=("30/03/2018 12:00",),
    counter_examples=("hier",),
)


def split_period(column: str) -> tuple[str, str] | None:
    """What the name of a quarter or a month says.

    >>> split_period("2001-T4"), split_period("2001-T4 (code)")
    (('2001', 'T4'), ('2001', 'T4 (code)'))
    """
    found = _PERIOD.fullmatch(column)
    return (found[1], found[2] + (found[3] or "")) if found else None


def unpivot_series(dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
    """One row per series and year, with the letters of the row « Codes » below it.

    A row « Codes » without a series above it stays a row of its own, which the contract rejects.
    """
    label = table.find(LIBELLE.source_names) or "Libellé"
    periods = [column for column in table.columns if split_period(column)]
    is_codes = (nw.col(label).str.strip_chars() == _CODES).fill_null(value=False)
    series = frame.filter(~is_codes)
    codes = frame.filter(is_codes)
    below = codes.select((nw.col("_line") - 1).alias("_line"), *(nw.col(p).alias(p + _CODE) for p in periods))
    above = series.select((nw.col("_line") + 1).alias("_line"))
    alone = codes.join(above, on="_line", how="anti")
    rows = nw.concat([series.join(below, on="_line", how="left"), alone], how="diagonal")
    return unpivot_years(rows, _with_codes(table, periods), split_period)


def _with_codes(table: TextTable, periods: list[str]) -> TextTable:
    columns = (*table.columns, *(p + _CODE for p in periods))
    return TextTable(file=table.file, columns=columns, header=columns)


def match_series(dataset: Dataset, table: TextTable) -> Match:
    """By columns, quarters or months, and labels about employment."""
    periods = [position for position, column in enumerate(table.columns) if split_period(column)]
    # The legend below a short export says nothing of a series.
    series = tuple(row for row in table.sample if any(row[position] for position in periods))
    table = dataclasses.replace(table, sample=series)
    columns = match_by_columns(dataset, table)
    missing = list(columns.missing)
    if not periods:
        missing.append("columns of quarters such as « 2001-T4 »")
    label = table.find(LIBELLE.source_names)
    labels = [text for text in (table.values(label) if label is not None else []) if text.strip() != _CODES]
    if labels and not any(_SUBJECT.search(slug(text)) for text in labels):
        missing.append(f"a series about employment or incomes (found « {labels[0]} »)")
    return Match(score=columns.score, missing=tuple(missing))


def release_of_series(table: TextTable, rows: Mapping[str, int]) -> str:
    """Every export has series of its own: they stand beside each other, the one received last wins a tie."""
    return release_named(table, "export")


def normalise_series(dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
    """One row per series and quarter or month that the file has a column for."""
    named = {column.name: table.find(column.source_names) for column in (LIBELLE, IDBANK, MISE_A_JOUR)}
    found = [split for column in table.columns if (split := split_period(column))]
    covered = {name: [year for year, other in found if other == name] for _, name in found}
    return nw.concat(
        [
            frame.filter(nw.col(YEAR).is_in(years)).select(
                "_line",
                *(
                    (nw.col(source) if source is not None else nw.lit(None, dtype=nw.String())).alias(name)
                    for name, source in named.items()
                ),
                nw.col(YEAR).alias("annee"),
                nw.lit(sub).alias("sous_periode"),
                nw.col(sub).alias("valeur"),
                nw.col(sub + _CODE).alias("code_valeur"),
            )
            for sub, years in covered.items()
        ],
        how="vertical",
    )


BDM = Dataset(
    name="bdm",
    title="Banque de données macroéconomiques : séries de l'emploi",
    source="Institut national de la statistique et des études économiques (Insee)",
    page="https://www.bdm.insee.fr",
    columns=(
        IDBANK,
        LIBELLE,
        MISE_A_JOUR,
        WIDE_ANNEE.but(optional_in_file=True),
        Column(
            name="sous_periode",
            kind=Kind.TEXT,
            description="Quarter (T1 to T4) or month (01 to 12) of the year",
            pattern="T[1-4]|0[1-9]|1[0-2]",
            optional_in_file=True,
            examples=("T4", "12"),
            counter_examples=("T5", "13"),
        ),
        Column(
            name="valeur",
            kind=Kind.NUMBER,
            description="Value, in the unit of the series",
            required=False,
            missing=MISSING_OR_SECRET,
            optional_in_file=True,
            examples=("21895",),
            counter_examples=("A",),
        ),
        Column(
            name="code_valeur",
            kind=Kind.TEXT,
            description="What Insee says of the value: A normal, P provisional, other letters as in the BDM",
            required=False,
            optional_in_file=True,
        ),
    ),
    key=("idbank", "annee", "sous_periode"),
    period=period,
    release=release_of_series,
    match=match_series,
    normalise=normalise_series,
    unpivot=unpivot_series,
    not_taken=("periode", "(?:19|20)[0-9]{2}(?:t[1-4]|0[1-9]|1[0-2])"),
)
