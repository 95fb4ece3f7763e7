"""The census by commune: INSEE's base « Emploi - Population active », its dictionary, and extracts of shares.

A base `base-cc-emploi-pop-active-YYYY` holds three censuses in one geography: its own year, five and ten years before.
All three serve, each in its own year. Where two files speak of one year the newer file wins: its figures are those of
the same census, added up in a more recent geography, in which INSEE wants the years compared. The file of the year
itself stays in bronze.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

import narwhals as nw

from elexxion_assets.columns import ANNEE
from elexxion_assets.declare import (
    Column,
    Dataset,
    Frame,
    Geography,
    Kind,
    Match,
    Refusal,
    TextTable,
    match_by_columns,
    rename_columns,
)
from elexxion_assets.synthetic import release_named
from elexxion_assets.themes.emploi import revenus
from elexxion_assets.themes.emploi.files import (
    CODE_COMMUNE,
    UNKNOWN_VINTAGE,
    WIDE_ANNEE,
    full_year,
    lacks_communes,
    match_wide,
    period,
    release,
    unpivot_years,
    without_years,
)

INSEE = "Institut national de la statistique et des études économiques (Insee)"

_SURVEYS = {"principale": ("P", "D"), "complémentaire": ("C",)}
"""First letters of the variables; `D` (dénombrement) for the censuses before 2006."""


def _count(name: str, variables: str, description: str, survey: str = "principale", *, core: bool = False) -> Column:
    """A number of persons or jobs; `variables` are the names that the base gave it, without letter and year."""
    return Column(
        name=name,
        kind=Kind.NUMBER,
        description=f"{description} (exploitation {survey})",
        unit="jobs" if name.startswith("emplois") else "persons",
        required=False,
        ge=0,
        source_names=tuple(f"{letter}_{variable}" for variable in variables.split() for letter in _SURVEYS[survey]),
        optional_in_file=not core,
        examples=("468.334839973719", "3547.0"),
        counter_examples=("-1", "beaucoup"),
        warning="Weighted survey: below 200 it may not be significant. Null where the census has no figure.",
    )


POPULATION_15_64 = _count("population_15_64", "POP1564", "Population of 15 to 64 years", core=True).but(
    of_population=(0.2, 1.5)
)
ACTIFS_15_64 = _count("actifs_15_64", "ACT1564", "Active persons of 15 to 64 years", core=True)
ACTIFS_OCCUPES_15_64 = _count("actifs_occupes_15_64", "ACTOCC1564", "Persons of 15 to 64 years in work", core=True)
CHOMEURS_15_64 = _count(
    "chomeurs_15_64", "CHOM1564 CHOMEUR1564", "Unemployed of 15 to 64 years, as declared", core=True
)

_CATEGORIES = {
    "1": "farmers",
    "2": "craftsmen, tradesmen, heads of firms",
    "3": "cadres and higher intellectual professions",
    "4": "professions intermédiaires",
    "5": "employés",
    "6": "ouvriers",
}

BASE_COLUMNS = (
    CODE_COMMUNE,
    WIDE_ANNEE,
    POPULATION_15_64,
    _count("population_15_24", "POP1524", "Population of 15 to 24 years"),
    _count("population_25_54", "POP2554", "Population of 25 to 54 years"),
    _count("population_55_64", "POP5564", "Population of 55 to 64 years"),
    ACTIFS_15_64,
    _count("actifs_15_24", "ACT1524", "Active persons of 15 to 24 years"),
    _count("actifs_25_54", "ACT2554", "Active persons of 25 to 54 years"),
    _count("actifs_55_64", "ACT5564", "Active persons of 55 to 64 years"),
    ACTIFS_OCCUPES_15_64,
    CHOMEURS_15_64,
    _count("inactifs_15_64", "INACT1564", "Inactive persons of 15 to 64 years"),
    _count("etudiants_15_64", "ETUD1564", "Pupils, students and unpaid trainees of 15 to 64 years"),
    _count("retraites_15_64", "RETR1564", "Retired persons of 15 to 64 years"),
    _count("autres_inactifs_15_64", "AINACT1564", "Other inactive persons of 15 to 64 years"),
    *(
        _count(f"actifs_cs{code}", f"ACT1564_CS{code}", f"Active persons of 15 to 64 years: {words}", "complémentaire")
        for code, words in _CATEGORIES.items()
    ),
    _count("emplois_lieu_travail", "EMPLT", "Jobs in the commune (au lieu de travail)"),
    _count("emplois_salaries", "EMPLT_SAL", "Salaried jobs in the commune (au lieu de travail)"),
)


def split_census(column: str) -> tuple[str, str] | None:
    """What a name such as P17_POP1564 says.

    >>> split_census("P17_POP1564")
    ('2017', 'P_POP1564')
    """
    found = re.fullmatch(r"([A-Z])([0-9]{2})_(.+)", column, re.IGNORECASE)
    return (full_year(found[2]), f"{found[1].upper()}_{found[3]}") if found else None


def unpivot_census(dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
    """One row per commune and census."""
    return unpivot_years(frame, table, split_census)


def match_census(dataset: Dataset, table: TextTable) -> Match:
    """By the names of variables, whatever their year."""
    return match_wide(dataset, table, split_census)


def normalise_census(dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
    """The variables under our names."""
    return rename_columns(dataset, frame, without_years(table, split_census))


def vintage_of_base(table: TextTable, period: str) -> int | None:
    """The geography of a base: 1 January of the year of its publication, the same for its three censuses.

    Insee publishes the census of a year three years later, up to that of 2015 two years later (« géographie au
    01/01/2020 » for 2017, « au 01/01/2017 » for 2015).
    """
    years = [int(found[0]) for column in table.columns if (found := split_census(column))]
    return max(years) + (3 if max(years) > 2015 else 2) if years else None


BASE_CC = Dataset(
    name="base_cc_emploi_pop_active",
    title="Recensement de la population : emploi et population active, base communale",
    source=INSEE,
    page="https://www.insee.fr/fr/statistiques/8581444",
    columns=BASE_COLUMNS,
    key=("code_commune", "annee"),
    period=period,
    release=release,
    match=match_census,
    normalise=normalise_census,
    geography=Geography(vintage=vintage_of_base, arrondissements=True),
    unpivot=unpivot_census,
    addresses=("https://www.insee.fr/fr/statistiques/fichier/8581444/base-cc-emploi-pop-active-2022_csv.zip",),
    not_taken=("[a-z][0-9]{2}.*", "libgeo", "com", "reg", "dep", "arr", "cv", "epci", "ze[0-9]*"),
)


# --- dictionary -------------------------------------------------------------------------------------------------------

_COLUMN_OF = {
    name: column.name
    for columns in (BASE_COLUMNS, revenus.FILOSOFI.columns)
    for column in columns
    for name in column.source_names
}
"""Our column for each variable that we take, by its name without the year."""


def _text(name: str, source: str, description: str) -> Column:
    return Column(name=name, kind=Kind.TEXT, description=description, required=False, source_names=(source,))


def split_variable(code: str) -> tuple[str, str] | None:
    """The year and the rest of a variable's name in any base of the theme."""
    return split_census(code) or revenus.split_incomes(code)


def _variables(table: TextTable) -> list[tuple[str, str]]:
    column = table.find(("COD_VAR",))
    codes = table.values(column) if column is not None else []
    return [found for code in codes if (found := split_variable(code.strip()))]


def period_of_dictionary(table: TextTable) -> str:
    """The newest year among the variables: the year of the base that the dictionary belongs to."""
    years = [year for year, name in _variables(table) if name in _COLUMN_OF]
    if not years:
        raise Refusal("no_year", "no variable of the dictionary is one of employment or incomes: its year is unknown")
    return max(years)


def match_dictionary(dataset: Dataset, table: TextTable) -> Match:
    """By columns, and by variables: a dictionary of another base (housing, diplomas) is not taken."""
    by_columns = match_by_columns(dataset, table)
    variables = _variables(table)
    if not variables or any(name in _COLUMN_OF for _, name in variables):
        return by_columns
    unknown = f"a variable of employment or incomes in column « COD_VAR » (found « {variables[0][1]} »)"
    return dataclasses.replace(by_columns, missing=(*by_columns.missing, unknown))


def normalise_dictionary(dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
    """Each variable or modality with its year and with the column of silver that it fills."""
    census, incomes = "^([A-Z])([0-9]{2})_(.+)$", "^([A-Z].*)([0-9]{2})$"
    code = nw.col("code_variable").str.strip_chars()
    of_census, of_incomes = code.str.contains(census), code.str.contains(incomes)

    def part(of_census_name: str, of_income_name: str, otherwise: nw.Expr) -> nw.Expr:
        income = nw.when(of_incomes).then(code.str.replace_all(incomes, of_income_name)).otherwise(otherwise)
        return nw.when(of_census).then(code.str.replace_all(census, of_census_name)).otherwise(income)

    digits = part("$2", "$2", nw.lit(None, dtype=nw.String()))
    century = nw.when(digits >= "60").then(nw.lit("19")).otherwise(nw.lit("20"))
    name = nw.col("variable")
    ours = name.replace_strict(list(_COLUMN_OF), list(_COLUMN_OF.values()), default=name, return_dtype=nw.String())
    return (
        rename_columns(dataset, frame, table)
        .with_columns(
            variable=part("${1}_${3}", "${1}", code),
            annee_variable=nw.when(~digits.is_null()).then(nw.concat_str([century, digits])),
        )
        .with_columns(colonne=nw.when(name.is_in(list(_COLUMN_OF))).then(ours))
        .with_columns(annee=nw.when(~nw.col("colonne").is_null()).then(nw.col("annee_variable")).max())
    )


DICTIONNAIRE = Dataset(
    name="dictionnaire",
    title="Dictionnaire des variables des bases communales de l'Insee",
    source=INSEE,
    page="https://www.insee.fr/fr/statistiques/8581444",
    columns=(
        ANNEE.but(
            source_names=(), optional_in_file=True, description="Year of the base that the dictionary belongs to"
        ),
        _text("code_variable", "COD_VAR", "Name of the variable in the files").but(required=True),
        _text("code_modalite", "COD_MOD", "Code of the modality, for a variable that is a code"),
        ANNEE.but(
            name="annee_variable",
            description="Year of the variable",
            required=False,
            source_names=(),
            optional_in_file=True,
        ),
        _text("variable", "", "Name of the variable without its year").but(source_names=(), optional_in_file=True),
        _text("colonne", "", "Column of silver that the variable fills").but(source_names=(), optional_in_file=True),
        _text("libelle", "LIB_VAR", "Short label"),
        _text("libelle_long", "LIB_VAR_LONG", "Label"),
        _text("libelle_modalite", "LIB_MOD", "Label of the modality, such as the name of a commune"),
        _text("type_variable", "TYPE_VAR", "CHAR or NUM"),
    ),
    key=("annee", "code_variable", "code_modalite"),
    period=period_of_dictionary,
    release=release,
    match=match_dictionary,
    normalise=normalise_dictionary,
    not_taken=("longvar",),
)


# --- extracts of shares -----------------------------------------------------------------------------------------------


def _share(name: str, source: str, description: str) -> Column:
    return Column(
        name=name,
        kind=Kind.NUMBER,
        description=description,
        unit="%",
        required=False,
        ge=0,
        le=100,
        source_names=(source, name),
        examples=("8.3", "20"),
        counter_examples=("120", "-1"),
    )


def year_of_extract(table: TextTable) -> str:
    """The census year that the file's name says, such as 2022 in `rp_2022_commune.parquet`, or the hint `annee`."""
    if "annee" in table.hints:
        return table.hints["annee"]
    name = Path(table.file).name
    years = re.findall(r"(?:rp|recensement)[ _-]?((?:19|20)[0-9]{2})", name, re.IGNORECASE)
    years = years or sorted(set(re.findall(r"(?<![0-9])((?:19|20)[0-9]{2})(?![0-9])", name)))
    if len(years) != 1:
        raise Refusal(
            "no_year",
            "neither a column nor the name of the file says one year of the census; call it rp_YYYY_commune, or drop "
            "it with the hint annee=YYYY",
        )
    return str(years[0])


def match_extract(dataset: Dataset, table: TextTable) -> Match:
    """By columns, and by codes of communes."""
    by_columns = match_by_columns(dataset, table)
    return dataclasses.replace(by_columns, missing=(*by_columns.missing, *lacks_communes(dataset, table)))


def release_of_extract(table: TextTable, rows: Mapping[str, int]) -> str:
    """All extracts of a census stand beside each other; where two hold one commune, the one received last wins."""
    return release_named(table, "extrait")


def normalise_extract(dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
    """The shares under our names, with the year of the file."""
    return rename_columns(dataset, frame, table).with_columns(annee=nw.lit(year_of_extract(table)))


RECENSEMENT = Dataset(
    name="recensement",
    title="Recensement de la population : extrait de parts par commune",
    source=INSEE,
    page="https://www.insee.fr/fr/information/2837787",
    columns=(
        CODE_COMMUNE.but(source_names=("code", "CODGEO", "code_commune")),
        ANNEE.but(source_names=(), optional_in_file=True),
        Column(
            name="population",
            kind=Kind.NUMBER,
            description="Population",
            unit="inhabitants",
            required=False,
            ge=0,
            source_names=("population",),
            examples=("125",),
            counter_examples=("-1",),
        ),
        _share("part_65_ans_et_plus", "part65plus", "Share of the population of 65 years and over"),
        _share("part_moins_15_ans", "partMoins15", "Share of the population under 15 years"),
        _share("taux_chomage", "tauxChomage", "Unemployed among the active, as declared in the census").but(
            warning="Rounded to 0.1 and computed by whoever made the extract."
        ),
        _share("part_cadres", "partCadres", "Share of cadres and higher intellectual professions"),
        _share("part_ouvriers", "partOuvriers", "Share of ouvriers"),
        _share("part_diplomes_superieur", "partDiplomeSup", "Share of persons with a diploma of higher education"),
    ),
    key=("code_commune", "annee"),
    period=year_of_extract,
    release=release_of_extract,
    match=match_extract,
    normalise=normalise_extract,
    geography=UNKNOWN_VINTAGE,
)
