"""What the files of employment have in common: years in column names, communes, statistical secrecy, releases.

Most of them are wide: `P17_POP1564`, `MED20`, `2003-T1`. Bronze then holds one row per source row and year, the year in
`_annee`, the other columns under their names without the year, and one file feeds every year that it covers.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping

import narwhals as nw

from elexxion_assets.columns import ANNEE, COMMUNE
from elexxion_assets.declare import (
    MISSING,
    Column,
    Dataset,
    Frame,
    Geography,
    Kind,
    Match,
    Refusal,
    TextTable,
    match_by_columns,
)
from elexxion_assets.declare.dataset import SECRET
from elexxion_assets.synthetic import release_named

YEAR = "_annee"
"""Column of the year in the bronze of a wide file."""

MISSING_OR_SECRET = (*MISSING, *SECRET)
"""Texts that leave a measure null."""

Split = Callable[[str], tuple[str, str] | None]
"""From the name of a column its year, of four digits, and its name without the year; None where it has no year."""

CODE_COMMUNE = COMMUNE.but(
    source_names=("CODGEO",),
    warning=(
        "Text, never a number: 01001 is not 1001. Insee and Dares publish Paris, Lyon, Marseille as communes and also "
        "their arrondissements: adding up all rows counts them twice (see est_arrondissement)."
    ),
)
WIDE_ANNEE = ANNEE.but(source_names=(YEAR,))
EST_ARRONDISSEMENT = Column(
    name="est_arrondissement",
    kind=Kind.BOOLEAN,
    description="Whether it is an arrondissement of Paris, Lyon or Marseille, which the commune's row contains too",
)
TRIMESTRE = Column(
    name="trimestre",
    kind=Kind.INTEGER,
    description="Quarter of the year",
    required=False,
    ge=1,
    le=4,
    examples=("1", "4"),
    counter_examples=("5",),
)
MOIS = Column(
    name="mois",
    kind=Kind.INTEGER,
    description="Month of the year",
    required=False,
    ge=1,
    le=12,
    examples=("12",),
    counter_examples=("13",),
)

_COMMUNE = re.compile(r"(?:0?[1-9]|[1-8][0-9]|9[0-8]|2[AB])[0-9]{3}(?:\.0)?")
_ENOUGH = 0.95


# --- years in the names of columns ------------------------------------------------------------------------------------


def full_year(digits: str) -> str:
    """The year that two digits mean.

    >>> full_year("17"), full_year("99")
    ('2017', '1999')
    """
    return f"{'19' if digits >= '60' else '20'}{digits}"


def _by_year(table: TextTable, split: Split) -> tuple[list[str], dict[str, dict[str, str]]]:
    """The columns without a year, and for each year its columns by their names without the year."""
    plain: list[str] = []
    years: dict[str, dict[str, str]] = {}
    for column in table.columns:
        found = split(column)
        if found is None:
            plain.append(column)
        else:
            years.setdefault(found[0], {})[found[1]] = column
    return plain, years


def without_years(table: TextTable, split: Split) -> TextTable:
    """The facts of a wide table as its bronze rows have them: columns without their years, and `_annee`."""
    plain, years = _by_year(table, split)
    names = dict.fromkeys(name for columns in years.values() for name in columns)
    return dataclasses.replace(table, columns=(*plain, YEAR, *names), sample=())


def unpivot_years(frame: Frame, table: TextTable, split: Split) -> Frame:
    """One row per source row and year.

    Args:
        frame: The rows of a wide table.
        table: Its facts.
        split: What the name of a column says.

    Returns:
        `_line`, the columns without a year, `_annee`, and every column of some year under its name without the year,
        null in the years that do not have it.

    Raises:
        Refusal: `no_year`, when no column says a year.
    """
    plain, years = _by_year(table, split)
    if not years:
        raise Refusal("no_year", "no column has a year in its name")
    names = without_years(table, split).columns[len(plain) + 1 :]

    def of_year(year: str) -> Frame:
        has = years[year]
        values = [nw.col(has[name]) if name in has else nw.lit(None, dtype=nw.String()) for name in names]
        return frame.select(
            "_line",
            *plain,
            nw.lit(year).alias(YEAR),
            *(value.alias(name) for value, name in zip(values, names, strict=True)),
        )

    return nw.concat([of_year(year) for year in sorted(years)], how="vertical")


def period(table: TextTable) -> nw.Expr:
    """The year of every bronze row of a wide table."""
    return nw.col(YEAR)


# --- recognition and releases -----------------------------------------------------------------------------------------


def match_wide(dataset: Dataset, table: TextTable, split: Split) -> Match:
    """Compares the names without their years with the columns of a dataset of communes."""
    by_columns = match_by_columns(dataset, without_years(table, split))
    if not any(split(column) for column in table.columns):
        return Match(score=0, missing=(*by_columns.missing, "a year in the names of its columns"))
    # Names that carry years are explained too.
    missing = (*by_columns.missing, *lacks_communes(dataset, table))
    return dataclasses.replace(by_columns, score=by_columns.score + 1, missing=missing)


def lacks_communes(dataset: Dataset, table: TextTable) -> tuple[str, ...]:
    """What is wrong with the codes in the sample, in words, when they are not those of communes.

    INSEE publishes the same columns for arrondissements, EPCI, départements, zones d'emploi; their codes would become
    false communes once their zeros are put back.
    """
    code = next(column for column in dataset.columns if column.name == COMMUNE.name)
    column = table.find(code.source_names)
    codes = table.values(column) if column is not None else []
    wrong = [text for text in codes if not _COMMUNE.fullmatch(text.strip())]
    if len(wrong) <= (1 - _ENOUGH) * len(codes):
        return ()
    return (f"codes of communes in column « {column} » (found « {wrong[0]} »)",)


def release(table: TextTable, rows: Mapping[str, int]) -> str:
    """The release of a file that covers several years: the last of them."""
    return release_named(table, max(rows, default="0000"))


UNKNOWN_VINTAGE = Geography(vintage=lambda table, period: None, arrondissements=True)
"""Files of communes that do not say their geography: each code is followed from the newest vintage that knows it."""


# --- secrecy ----------------------------------------------------------------------------------------------------------


def is_secret(value: nw.Expr) -> nw.Expr:
    """« true » where the publisher withholds the value, « false » elsewhere, as text."""
    secret = value.str.strip_chars().is_in(list(SECRET))
    return nw.when(secret).then(nw.lit("true")).otherwise(nw.lit("false"))


def secret_flag(name: str, of: str) -> Column:
    """The flag of a measure under secrecy."""
    return Column(
        name=name,
        kind=Kind.BOOLEAN,
        description=f"Whether « {of} » is withheld by the publisher (statistical secrecy)",
        optional_in_file=True,
        examples=("true", "false"),
        counter_examples=("peut-être",),
    )
