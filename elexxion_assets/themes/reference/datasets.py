"""Insee's reference files and La Poste's postal codes: how they are recognised, and of which vintage they are.

The period is the vintage: vintage 2024 is the geography on 1 January 2024. It is taken from what the person said
(`elexxion drop --vintage 2024`), else from the official name (`v_commune_2024.csv`) or the title of the table, else
from the content where that is of one geography only: a list of all communes, the communes that a passage table leads to
(two vintages between which nothing changed are one geography, filed under the newer). Events on communes say it by
their latest date, annual passage tables and populations by the names of their columns; the period of populations is
their year. Lists of départements, of régions and of arrondissements have been the same for years, and postal codes are
of no vintage whole: without a year in the name they are refused.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from datetime import date

import narwhals as nw

from elexxion_assets.columns import ANNEE, CODE_ZONE_EMPLOI, COMMUNE, DEPARTEMENT, REGION, ZONAGE
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
    rename_columns,
    slug,
)
from elexxion_assets.geography import Cog

INSEE = "Institut national de la statistique et des études économiques (Insee)"
COG_PAGE = "https://www.insee.fr/fr/information/2560452"
TYPES = ("COM", "COMA", "COMD", "ARM")


def _not_ahead(year: str) -> str:
    """The same year, unless it is later than the next one: a slip of the keyboard would date every table by it."""
    next_year = date.today().year + 1
    if year.isdecimal() and int(year) > next_year:
        raise Refusal(
            "vintage_ahead",
            f"This file says that it is of {year}, and nothing is published yet of a year after {next_year}: correct "
            "its name or its columns, or drop it with --vintage 2024.",
        )
    return year


def _vintage_said(table: TextTable) -> str | None:
    """The vintage that the person, or else the name of the file, says; of a file in an archive, its own name first."""
    if "vintage" in table.hints:
        return _not_ahead(table.hints["vintage"])
    years = re.findall(r"(?<![0-9])((?:19|20)[0-9]{2})(?![0-9])", table.file)
    return _not_ahead(str(years[-1])) if years else None


def period_said(table: TextTable) -> str:
    """The vintage that was said.

    Raises:
        Refusal: `no_vintage`, when nobody said it.
    """
    vintage = _vintage_said(table)
    if vintage is None:
        raise Refusal(
            "no_vintage",
            "Neither the columns nor the name of this file say its vintage, and its content fits several: drop it with "
            "--vintage 2024 (a list of communes may also bear its official name, such as v_commune_2024.csv).",
        )
    return vintage


def period_of_communes(column: str, kind: str | None = None) -> Callable[[TextTable, Frame], str]:
    """The vintage that was said, else the one whose communes are exactly those of a column.

    Args:
        column: Name of the column in official files.
        kind: Name of the column that says `COM` where the row is a commune, if there is one.
    """

    def period(table: TextTable, rows: Frame) -> str:
        if said := _vintage_said(table):
            return said
        code, what = table.find((column,)), table.find((kind,)) if kind else None
        if what is not None:
            rows = rows.filter(nw.col(what).str.strip_chars() == "COM")
        codes = rows.select(nw.col(str(code)).str.strip_chars().alias("code")).collect()["code"].drop_nulls().unique()
        vintage = Cog.builtin().vintage_of(codes.to_list())
        if vintage is None:
            raise Refusal(
                "no_vintage",
                "The name of this file does not say its vintage, and its communes are not exactly those of any vintage "
                f"up to {Cog.builtin().newest}: drop it with --vintage 2024, or under its official name, such as "
                "v_commune_2024.csv.",
            )
        return str(vintage)

    return period


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
    period_of_rows=period_of_communes("COM", "TYPECOM"),
    release=release_said,
    # One archive holds all lists of the vintage and the events.
    addresses=("https://www.insee.fr/fr/statistiques/fichier/8740222/cog_ensemble_2026_csv.zip",),
    not_taken=("ctcd", "arr", "tncc", "ncc", "nccenr", "can"),
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
    not_taken=("(?:tncc|ncc|nccenr)(?:av|ap)",),
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
    not_taken=("tncc", "ncc", "nccenr"),
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
    not_taken=("tncc", "ncc", "nccenr"),
)
_INITIAL = "CODGEO_INI"
_VINTAGE, _BEFORE, _AFTER = "_millesime_avant", "_code_avant", "_code_apres"


def _vintages(table: TextTable) -> dict[int, str]:
    """The column of each vintage of an annual passage table, in order: `CODGEO_2003`."""
    found = {column: re.fullmatch(r"codgeo((?:19|20)[0-9]{2})", slug(column)) for column in table.columns}
    return dict(sorted((int(year[1]), column) for column, year in found.items() if year))


def match_passage(dataset: Dataset, table: TextTable) -> Match:
    """By the columns of the historical table, or by those of the annual one."""
    if table.find((_INITIAL,)) is None:
        return match_by_columns(dataset, table)
    years = _vintages(table)
    missing = () if years else ("a column of a vintage, such as « CODGEO_2024 »",)
    return Match(score=1 + len(years), missing=missing)


def period_of_passage(table: TextTable, rows: Frame) -> str:
    """The last vintage of an annual table; of the historical one, the vintage of the communes that it leads to."""
    years = _vintages(table)
    return _not_ahead(str(max(years))) if years else period_of_communes("DEPCOM")(table, rows)


def normalise_passage(dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
    """Pairs of codes; of an annual table, from its initial code and from each vintage to the last one."""
    years = _vintages(table)
    if not years:
        return rename_columns(dataset, frame, table)
    initial, last = str(table.find((_INITIAL,))), years.pop(max(years))

    def pairs(vintage: int | None, column: str) -> Frame:
        told = nw.lit(None if vintage is None else str(vintage), dtype=nw.String())
        return frame.select(
            "_line",
            told.alias("millesime_avant"),
            nw.col(column).alias("code_avant"),
            nw.col(last).alias("code_apres"),
        )

    def once(rows: Frame) -> Frame:
        # A row is an initial code: a commune of a later vintage has one for each that went into it.
        there = rows.filter(~nw.col("code_avant").is_null(), ~nw.col("code_apres").is_null())
        return there.unique(["code_avant", "code_apres"], keep="first", order_by="_line")

    return nw.concat([pairs(None, initial), *(once(pairs(year, column)) for year, column in years.items())])


PASSAGE = Dataset(
    name="passage",
    title="Tables de passage des communes, de tout millésime à un seul (historique) ou d'année en année (annuelle)",
    source=INSEE,
    page="https://www.insee.fr/fr/information/7671867",
    columns=(
        Column(
            name="millesime_avant",
            kind=Kind.INTEGER,
            description="Vintage of code_avant; null where it is a code of any vintage",
            required=False,
            ge=1943,
            le=2100,
            optional_in_file=True,
        ),
        _commune("code_avant", "DEPCOM_HIST", "Code in the vintage before, or in some vintage"),
        _commune("code_apres", "DEPCOM", "Code in the vintage of the table"),
    ),
    key=("millesime_avant", "code_avant", "code_apres"),
    period=period_said,
    period_of_rows=period_of_passage,
    release=release_said,
    match=match_passage,
    normalise=normalise_passage,
)

_ZONE = re.compile(r"ze((?:19|20)[0-9]{2})")
_NAMED = re.compile(r"table-appartenance-geo-communes-(?:20)?([0-9]{2})(?![0-9])")
_TITLED = re.compile(r"1er janvier ((?:19|20)[0-9]{2})")


def _zonage(table: TextTable) -> tuple[str, str]:
    """Of the newest zoning into zones d'emploi, its year and its column: `ZE2020`."""
    found = ((_ZONE.fullmatch(slug(column)), column) for column in table.columns)
    return max((year[1], column) for year, column in found if year)


def period_of_appartenance(table: TextTable, rows: Frame) -> str:
    """The vintage that was said, else that of the title or of the official name, else that of its communes."""
    if "vintage" in table.hints:
        return _not_ahead(table.hints["vintage"])
    if titled := _TITLED.search(" ".join(table.preamble)):
        return _not_ahead(titled[1])
    if named := _NAMED.search(table.file):
        return _not_ahead(f"20{named[1]}")
    return period_of_communes("CODGEO")(table, rows)


def normalise_appartenance(dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
    """The columns of the newest zoning that the file holds."""
    year, column = _zonage(table)
    older = [name for name in table.columns if name != column and _ZONE.fullmatch(slug(name))]
    rest = dataclasses.replace(table, columns=tuple(name for name in table.columns if name not in older))
    return rename_columns(dataset, frame.drop(older), rest).with_columns(zonage=nw.lit(year))


APPARTENANCE = Dataset(
    name="appartenance",
    title="Table d'appartenance géographique des communes",
    source=INSEE,
    page="https://www.insee.fr/fr/information/7671844",
    columns=(
        _commune("code_commune", "CODGEO", "Commune, or arrondissement of Paris, Lyon or Marseille"),
        _text("libelle", "LIBGEO", "Name, as Insee writes it"),
        CODE_DEPARTEMENT,
        CODE_REGION,
        _text(
            "code_epci",
            "EPCI",
            "Intercommunalité (EPCI with own taxes) or Métropole de Lyon; null for islands that have none",
            required=False,
            pattern=r"[0-9]{9}",
            missing=(*MISSING, "ZZZZZZZZZ"),
            optional_in_file=True,
            examples=("200069193",),
            counter_examples=("20006919",),
        ),
        ZONAGE,
        CODE_ZONE_EMPLOI.but(
            required=False, optional_in_file=False, source_names=("ZE2020", "ZE2010"), missing=(*MISSING, "ZZZZ")
        ),
    ),
    key=("code_commune",),
    period=period_said,
    period_of_rows=period_of_appartenance,
    release=release_said,
    normalise=normalise_appartenance,
    geography=Geography(vintage=lambda table, period: int(period), arrondissements=True),
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
    not_taken=("coordonneesgps",),
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
    _not_ahead(max(years))
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
    not_taken=("p(?:mun)?[0-9]{2}(?:pop)?", "reg", "dep", "cv"),
)

DATASETS = (
    COMMUNES,
    MOUVEMENTS,
    DEPARTEMENTS,
    REGIONS,
    PASSAGE,
    APPARTENANCE,
    ARRONDISSEMENTS_PLM,
    CODES_POSTAUX,
    POPULATION,
)
