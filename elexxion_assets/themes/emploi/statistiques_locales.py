"""Exports of Insee's site « Statistiques locales »: any indicators, one row per commune.

Two title rows, indicators whose names end with their year, repeated names where the site shows one indicator by class
without saying the class, `N/A` for no value. Silver is long: one row per commune, indicator, rank and year.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

import narwhals as nw

from elexxion_assets.declare import Column, Dataset, Frame, Kind, Match, TextTable, match_by_columns, slug
from elexxion_assets.synthetic import release_named
from elexxion_assets.themes.emploi.files import (
    CODE_COMMUNE,
    MISSING_OR_SECRET,
    UNKNOWN_VINTAGE,
    WIDE_ANNEE,
    YEAR,
    is_secret,
    lacks_communes,
    period,
    secret_flag,
    unpivot_years,
)

_INDICATOR = re.compile(r"(.*\S)\s*((?:19|20)[0-9]{2})(\.[0-9]+)?")
_SUBJECT = re.compile(r"emploi|chom|activite|actif|salari|retrait|revenu|niveaudevie|pauvrete|travail")
_LEVEL = re.compile(r"référentiel géographique\s*:\s*(.*?)[\s;,]*$", re.IGNORECASE)

CODE = CODE_COMMUNE.but(source_names=("Code", "Code géographique"))
LIBELLE = Column(
    name="libelle",
    kind=Kind.TEXT,
    description="Name of the commune",
    required=False,
    source_names=("Libellé", "Libellé géographique"),
)
INDICATEUR = Column(
    name="indicateur",
    kind=Kind.TEXT,
    description="Indicator as the site names it, without its year",
    optional_in_file=True,
    examples=("Taux d'activité par tranche d'âge",),
)
RANG = Column(
    name="rang",
    kind=Kind.INTEGER,
    description="Rank among the columns of the same name and year, from 1, in the order of the file",
    ge=1,
    optional_in_file=True,
    warning="The file does not say which class (of age, for instance) a repeated column is about.",
)
VALEUR = Column(
    name="valeur",
    kind=Kind.NUMBER,
    description="Value of the indicator, in its own unit; shares and rates are percentages",
    required=False,
    missing=MISSING_OR_SECRET,
    optional_in_file=True,
    examples=("64.1", "97"),
    counter_examples=("beaucoup",),
)


def split_indicator(column: str) -> tuple[str, str] | None:
    """What the name of an indicator says; a repeated one keeps the suffix that reading gave it.

    >>> split_indicator("Taux d'activité par tranche d'âge 2016.2")
    ('2016', "Taux d'activité par tranche d'âge.2")
    """
    found = _INDICATOR.fullmatch(column)
    return (found[2], found[1] + (found[3] or "")) if found else None


def unpivot_indicators(dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
    """One row per commune and year."""
    return unpivot_years(frame, table, split_indicator)


def match_export(dataset: Dataset, table: TextTable) -> Match:
    """Code, label, indicators of employment or incomes with their year, and communes."""
    columns = match_by_columns(dataset, table)
    missing = list(columns.missing)
    indicators = [found[1] for column in table.columns if (found := split_indicator(column))]
    if not any(_SUBJECT.search(slug(name)) for name in indicators):
        missing.append("an indicator of employment or incomes whose name ends with its year")
    level = next((said[1] for line in table.preamble if (said := _LEVEL.search(line))), "commune")
    if "commune" not in level.lower():
        missing.append(f"communes (the file says « {level} »)")
    else:
        missing += lacks_communes(dataset, table)
    return dataclasses.replace(
        columns, score=columns.score + (0 if missing else len(indicators)), missing=tuple(missing)
    )


def release_of_export(table: TextTable, rows: Mapping[str, int]) -> str:
    """Every export has indicators of its own: they stand beside each other, the one received last wins a tie."""
    return release_named(table, "export")


def normalise_export(dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
    """One row per commune and indicator that the file has for the year."""
    code = nw.col(table.find(CODE.source_names) or "Code")
    label = nw.col(table.find(LIBELLE.source_names) or "Libellé")
    years: dict[str, list[str]] = {}
    for column in table.columns:
        if found := split_indicator(column):
            years.setdefault(found[1], []).append(found[0])
    parts = []
    for name, covered in years.items():
        base, _, suffix = name.rpartition(".") if re.search(r"\.[0-9]+$", name) else (name, "", "1")
        parts.append(
            frame.filter(nw.col(YEAR).is_in(covered)).select(
                "_line",
                code.alias("code_commune"),
                label.alias("libelle"),
                nw.col(YEAR).alias("annee"),
                nw.lit(base).alias("indicateur"),
                nw.lit(suffix).alias("rang"),
                nw.col(name).alias("valeur"),
                is_secret(nw.col(name)).alias("est_secret"),
            )
        )
    said = nw.col("valeur").str.strip_chars()
    # « N/A - résultat non disponible », « N/A - secret statistique » in exports of today.
    explained = said.str.starts_with("N/A")
    secret = explained & said.str.contains("secret")
    return nw.concat(parts, how="vertical").with_columns(
        valeur=nw.when(~explained).then(said),
        est_secret=nw.when(secret).then(nw.lit("true")).otherwise(nw.col("est_secret")),
    )


STATISTIQUES_LOCALES = Dataset(
    name="statistiques_locales",
    title="Statistiques locales : indicateurs d'emploi et de revenus par commune",
    source="Institut national de la statistique et des études économiques (Insee)",
    page="https://statistiques-locales.insee.fr",
    columns=(
        CODE,
        LIBELLE,
        WIDE_ANNEE.but(optional_in_file=True),
        INDICATEUR,
        RANG,
        VALEUR,
        secret_flag("est_secret", "valeur"),
    ),
    key=("code_commune", "annee", "indicateur", "rang"),
    period=period,
    release=release_of_export,
    match=match_export,
    normalise=normalise_export,
    geography=UNKNOWN_VINTAGE,
    unpivot=unpivot_indicators,
    not_taken=(".*(?:19|20)[0-9]{2,}",),
)
