"""Incomes and poverty of households by commune: FiLoSoFi (Insee, DGFiP, Cnaf, Cnav, CCMSA).

The year is in the names (`MED20`). Figures are withheld (`s`) for communes under 50 households or 100 persons, most of
the distribution under 1,000 households or 2,000 persons; `nd` where a commune is younger than the data.
"""

from __future__ import annotations

import re

import narwhals as nw

from elexxion_assets.declare import Column, Dataset, Frame, Kind, Match, TextTable, rename_columns
from elexxion_assets.themes.emploi.files import (
    CODE_COMMUNE,
    MISSING_OR_SECRET,
    UNKNOWN_VINTAGE,
    WIDE_ANNEE,
    is_secret,
    match_wide,
    period,
    release,
    secret_flag,
    unpivot_years,
    without_years,
)


def _measure(name: str, variable: str, description: str, unit: str, *, core: bool = False) -> Column:
    return Column(
        name=name,
        kind=Kind.NUMBER,
        description=description,
        unit=unit,
        required=False,
        # Taxes are the one share that counts below zero.
        ge=-100 if variable == "PIMPOT" else 0,
        le=100 if unit == "%" else None,
        missing=MISSING_OR_SECRET,
        source_names=(variable,),
        optional_in_file=not core,
        examples=("24820",) if unit != "%" else ("17,0", "100"),
        counter_examples=("beaucoup",),
        warning="Null where it is withheld; null is not zero.",
    )


REVENU_MEDIAN = _measure(
    "revenu_median", "MED", "Median standard of living (niveau de vie, per consumption unit)", "€", core=True
)
TAUX_PAUVRETE = _measure("taux_pauvrete", "TP60", "Poverty rate at 60 % of the national median", "%")
MENAGES_FISCAUX = _measure("menages_fiscaux", "NBMENFISC", "Fiscal households", "households", core=True)

_AGES = ("under 30", "30 to 39", "40 to 49", "50 to 59", "60 to 74", "75 and over")
_SHARES = {
    "part_revenus_activite": ("PACT", "income from activity"),
    "part_salaires": ("PTSA", "salaries"),
    "part_indemnites_chomage": ("PCHO", "unemployment benefit"),
    "part_revenus_non_salaries": ("PBEN", "income of the self-employed"),
    "part_pensions": ("PPEN", "pensions and annuities"),
    "part_revenus_patrimoine": ("PPAT", "income from property and others"),
    "part_prestations_sociales": ("PPSOC", "social benefits"),
    "part_prestations_familiales": ("PPFAM", "family benefits"),
    "part_minima_sociaux": ("PPMINI", "minimum social benefits"),
    "part_prestations_logement": ("PPLOGT", "housing benefits"),
    "part_impots": ("PIMPOT", "taxes, below zero"),
}

MEASURES = (
    MENAGES_FISCAUX,
    _measure("personnes_menages_fiscaux", "NBPERSMENFISC", "Persons in fiscal households", "persons"),
    REVENU_MEDIAN,
    _measure("part_menages_imposes", "PIMP", "Share of fiscal households that are taxed", "%"),
    TAUX_PAUVRETE,
    *(
        _measure(
            f"taux_pauvrete_age_{rank}", f"TP60AGE{rank}", f"Poverty rate where the referent is {words} years", "%"
        )
        for rank, words in enumerate(_AGES, start=1)
    ),
    _measure("taux_pauvrete_proprietaires", "TP60TOL1", "Poverty rate of owners of their dwelling", "%"),
    _measure("taux_pauvrete_locataires", "TP60TOL2", "Poverty rate of tenants", "%"),
    *(
        # Shares of the disposable income, which taxes lower: a part may be more than the whole.
        _measure(name, variable, f"Share of disposable income: {words}", "%").but(le=None)
        for name, (variable, words) in _SHARES.items()
    ),
    _measure("decile_1", "D1", "First decile of the standard of living", "€"),
    _measure("decile_9", "D9", "Ninth decile of the standard of living", "€"),
    _measure("rapport_interdecile", "RD", "Ninth decile over first decile", "ratio"),
)


def split_incomes(column: str) -> tuple[str, str] | None:
    """What a name such as TP6020 says: the year comes last.

    >>> split_incomes("TP6020")
    ('2020', 'TP60')
    """
    found = re.fullmatch(r"([A-Z][A-Z0-9]*?)([0-9]{2})", column)
    # The source begins with 2012; TP60 without a year must not be of 2060.
    return (f"20{found[2]}", found[1]) if found and "12" <= found[2] < "60" else None


def unpivot_incomes(dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
    """One row per commune and year; files hold one year so far."""
    return unpivot_years(frame, table, split_incomes)


def match_incomes(dataset: Dataset, table: TextTable) -> Match:
    """By the names of variables, whatever their year."""
    return match_wide(dataset, table, split_incomes)


def flag_name(measure: str) -> str:
    """The name of the flag of a measure."""
    return f"{measure}_est_secret"


def normalise_incomes(dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
    """The measures under our names, each with its flag of secrecy."""
    named = rename_columns(dataset, frame, without_years(table, split_incomes))
    return named.with_columns(*(is_secret(nw.col(m.name)).alias(flag_name(m.name)) for m in MEASURES))


FILOSOFI = Dataset(
    name="filosofi",
    title="FiLoSoFi : revenus et pauvreté des ménages, base communale",
    source="Institut national de la statistique et des études économiques (Insee)",
    page="https://www.insee.fr/fr/statistiques/8229323",
    columns=(
        CODE_COMMUNE,
        WIDE_ANNEE,
        *(column for measure in MEASURES for column in (measure, secret_flag(flag_name(measure.name), measure.name))),
    ),
    key=("code_commune", "annee"),
    period=period,
    release=release,
    match=match_incomes,
    normalise=normalise_incomes,
    geography=UNKNOWN_VINTAGE,
    unpivot=unpivot_incomes,
    addresses=("https://www.insee.fr/fr/statistiques/fichier/6692392/base-cc-filosofi-2020_CSV.zip",),
    not_taken=("[a-z][a-z0-9]*[0-9]{2}", "libgeo"),
)
