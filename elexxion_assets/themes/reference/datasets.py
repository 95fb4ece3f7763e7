"""Insee's reference files and La Poste's postal codes: how they are recognised, and of which vintage they are.

The period is the vintage: vintage 2024 is the geography on 1 January 2024. Lists of communes, départements and régions
do not say it in their columns, and a sample of rows cannot tell one vintage from the next. It is taken from what the
person said (`elexxion drop --vintage 2024`), else from the official name (`v_commune_2024.csv`); a file without either
is refused. Events on communes say it themselves, by their latest date; populations by the names of their columns, and
their period is the year of the population.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping

import narwhals as nw

from elexxion_assets.columns import ANNEE, COMMUNE, DEPARTEMENT, REGION
from elexxion_assets.declare import (
    Column,
    Dataset,
    Frame,
    Kind,
    Match,
    Refusal,
    TextTable,
    match_by_columns,
    rename_columns,
    slug,
)

INSEE = "Institut national de la statistique et des études économiques (Insee)"
COG_PAGE = "https://www.insee.fr/fr/information/2560452"
TYPES = ("COM", "COMA", "COMD", "ARM")


def _vintage_said(table: TextTable) -> str | None:
    """The vintage that the person, or else the name of the file, says; of a file in an archive, its own name first."""
    if "vintage" in table.hints:
        return table.hints["vintage"]
    years = re.findall(r"(?<![0-9])((?:19|20)[0-9]{2})(?![0-9])", table.file)
    return str(years[-1]) if years else None


def period_said(table: TextTable) -> str:
    """The vintage that was said.

    Raises:
        Refusal: `no_vintage`, when nobody said it.
    """
    vintage = _vintage_said(table)
    if vintage is None:
        raise Refusal(
            "no_vintage",
            "Neither the columns nor the name of this file say its vintage: drop it with --vintage 2024, or under its "
            "official name, such as v_commune_2024.csv.",
        )
    return vintage


def period_of_events(table: TextTable) -> nw.Expr | str:
    """The vintage that was said, else the year of the latest event of the whole file."""
    column = table.find(DATE_EFFET.source_names)
    return _vintage_said(table) or nw.col(str(column)).str.strip_chars().str.slice(0, 4).max()


def release_said(table: TextTable, rows: Mapping[str, int]) -> str:
    """The vintage: between two files of one vintage, the one received last counts."""
    return _vintage_said(table) or max(rows, default="")


def match_first(name: str) -> Callable[[Dataset, TextTable], Match]:
    """By columns, of which the first says what a row is: Insee's other lists have the same ones after it."""

    def match(dataset: Dataset, table: TextTable) -> Match:
        found = match_by_columns(dataset, table)
        if found.missing or slug(table.columns[0]) == slug(name):
            return found
        return dataclasses.replace(found, missing=(f"« {name} » as its first column",))

    return match


def _text(name: str, source: str, description: str, **more: object) -> Column:
    return Column(name=name, kind=Kind.TEXT, description=description, source_names=(source,)).but(**more)


def _commune(name: str, source: str, description: str, **more: object) -> Column:
    return COMMUNE.but(name=name, source_names=(source,), description=description).but(**more)


LIBELLE = _text("libelle", "LIBELLE", "Name, as Insee writes it")
CODE_DEPARTEMENT = DEPARTEMENT.but(source_names=("DEP",))
CODE_REGION = REGION.but(source_names=("REG",))
CHEF_LIEU = _commune("chef_lieu", "CHEFLIEU", "Commune that is the chef-lieu")
CODE_COMMUNE = _commune("code_commune", "COM", "Code of the commune or of the part of one")
TYPE = _text(
    "type",
    "TYPECOM",
    "COM commune, COMA commune associée, COMD commune déléguée, ARM arrondissement municipal",
    isin=TYPES,
    examples=("COM", "ARM"),
    counter_examples=("DEP",),
)
DATE_EFFET = Column(
    name="date_effet",
    kind=Kind.DATE,
    description="Day on which the event takes effect",
    source_names=("DATE_EFF",),
    examples=("2024-01-01",),
    counter_examples=("2024-13-01",),
)

COMMUNES = Dataset(
    name="communes",
    title="Code officiel géographique : liste des communes",
    source=INSEE,
    page=COG_PAGE,
    columns=(
        TYPE,
        CODE_COMMUNE,
        LIBELLE,
        CODE_DEPARTEMENT.but(required=False),
        CODE_REGION.but(required=False),
        _commune("code_parent", "COMPARENT", "Commune of which it is a part", required=False),
    ),
    key=("type", "code_commune"),
    period=period_said,
    release=release_said,
    # One archive holds all lists of the vintage and the events.
    addresses=("https://www.insee.fr/fr/statistiques/fichier/8740222/cog_ensemble_2026_csv.zip",),
)
MOUVEMENTS = Dataset(
    name="mouvements",
    title="Code officiel géographique : événements sur les communes depuis 1943",
    source=INSEE,
    page=COG_PAGE,
    columns=(
        Column(
            name="mod",
            kind=Kind.INTEGER,
            description="Kind of event in Insee's nomenclature, such as 32: commune nouvelle",
            source_names=("MOD",),
            examples=("32",),
        ),
        DATE_EFFET,
        TYPE.but(name="type_avant", source_names=("TYPECOM_AV",), description="Type before", required=False),
        _commune("code_avant", "COM_AV", "Code before", required=False),
        LIBELLE.but(name="libelle_avant", source_names=("LIBELLE_AV",), description="Name before", required=False),
        TYPE.but(name="type_apres", source_names=("TYPECOM_AP",), description="Type after"),
        _commune("code_apres", "COM_AP", "Code after"),
        LIBELLE.but(name="libelle_apres", source_names=("LIBELLE_AP",), description="Name after"),
    ),
    key=("date_effet", "mod", "type_avant", "code_avant", "libelle_avant", "type_apres", "code_apres", "libelle_apres"),
    period=period_of_events,
    release=release_said,
)
DEPARTEMENTS = Dataset(
    name="departements",
    title="Code officiel géographique : départements",
    source=INSEE,
    page=COG_PAGE,
    columns=(CODE_DEPARTEMENT, CODE_REGION, CHEF_LIEU, LIBELLE),
    key=("code_departement",),
    period=period_said,
    release=release_said,
    match=match_first("DEP"),
)
REGIONS = Dataset(
    name="regions",
    title="Code officiel géographique : régions",
    source=INSEE,
    page=COG_PAGE,
    columns=(CODE_REGION, CHEF_LIEU, LIBELLE),
    key=("code_region",),
    period=period_said,
    release=release_said,
    match=match_first("REG"),
)
PASSAGE = Dataset(
    name="passage",
    title="Table de passage des communes, de tout millésime à un seul",
    source=INSEE,
    page="https://www.insee.fr/fr/information/7671867",
    columns=(
        _commune("code_avant", "DEPCOM_HIST", "Code in some vintage"),
        _commune("code_apres", "DEPCOM", "Code in the vintage of the table"),
    ),
    key=("code_avant", "code_apres"),
    period=period_said,
    release=release_said,
)
ARRONDISSEMENTS_PLM = Dataset(
    name="arrondissements_plm",
    title="Arrondissements municipaux de Paris, Lyon et Marseille",
    source=INSEE,
    page=COG_PAGE,
    columns=(
        _commune("code_arrondissement", "ARN", "Code of the arrondissement", examples=("75101",)),
        _commune("code_commune", "DEPCOM", "Code of its commune", examples=("75056",)),
    ),
    key=("code_arrondissement",),
    period=period_said,
    release=release_said,
)
CODES_POSTAUX = Dataset(
    name="codes_postaux",
    title="Base officielle des codes postaux",
    source="La Poste",
    page="https://datanova.laposte.fr/datasets/laposte-hexasmal",
    columns=(
        _commune("code_commune", "#Code_commune_INSEE", "Commune"),
        _text("libelle", "Nom_de_la_commune", "Name in capitals, as La Poste writes it"),
        _text("code_postal", "Code_postal", "Postal code", width=5, pattern=r"[0-9]{5}", examples=("01400",)),
        _text("acheminement", "Libellé_d_acheminement", "Name of the post office that delivers"),
        _text("lieu_dit", "Ligne_5", "Place inside the commune", required=False),
    ),
    key=("code_commune", "libelle", "code_postal", "acheminement", "lieu_dit"),
    period=period_said,
    release=release_said,
)

_YEAR, _COUNT = "_annee", "_population"


def _years(table: TextTable) -> dict[str, str]:
    """The column of each year's population: `p23_pop` or `PMUN23`."""
    found = {column: re.fullmatch(r"p(?:mun)?([0-9]{2})(?:_pop)?", column, re.IGNORECASE) for column in table.columns}
    return {f"20{year[1]}": column for column, year in found.items() if year}


def unpivot_population(dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
    """One row per commune and year."""
    years = _years(table)
    if not years:
        raise Refusal("no_year", "one column per year, such as p23_pop")
    plain = [column for column in table.columns if column not in years.values()]
    parts = [
        frame.select("_line", *plain, nw.lit(year).alias(_YEAR), nw.col(column).alias(_COUNT))
        for year, column in years.items()
    ]
    return nw.concat(parts)


def normalise_population(dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
    """The columns of the unpivoted rows under our names."""
    return rename_columns(dataset, frame, dataclasses.replace(table, columns=(*table.columns, _YEAR, _COUNT)))


POPULATION = Dataset(
    name="population",
    title="Population municipale des communes",
    source=INSEE,
    page="https://www.data.gouv.fr/datasets/population-municipale-des-communes-france-entiere",
    columns=(
        _commune("code_commune", "codgeo", "Commune, in the geography of the release"),
        _text("libelle", "libgeo", "Name of the commune"),
        ANNEE.but(source_names=(_YEAR,), optional_in_file=True, description="Year of the population"),
        Column(
            name="population",
            kind=Kind.INTEGER,
            description="Population municipale",
            unit="inhabitants",
            required=False,
            ge=0,
            source_names=(_COUNT,),
            optional_in_file=True,
            examples=("442",),
            counter_examples=("-1",),
        ),
    ),
    key=("code_commune", "annee"),
    period=lambda table: nw.col(_YEAR),
    release=lambda table, rows: max(_years(table), default=""),
    normalise=normalise_population,
    unpivot=unpivot_population,
    addresses=("https://www.data.gouv.fr/fr/datasets/r/630e7917-02db-4838-8856-09235719551c",),
)

DATASETS = (
    COMMUNES,
    MOUVEMENTS,
    DEPARTEMENTS,
    REGIONS,
    PASSAGE,
    ARRONDISSEMENTS_PLM,
    CODES_POSTAUX,
    POPULATION,
)
