"""The three bases of recorded crime of the SSMSI: how their files are recognised and brought to one form.

Communal, departmental and regional bases come in two layouts: `classe;annee;...;faits;POP` with years of two digits
(releases 2022 and 2023) and `annee;indicateur;...;nombre;insee_pop` with years of four (since 2024). Every release
publishes all years since 2016 again, with revised figures.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import narwhals as nw

from elexxion_assets.columns import ANNEE, COMMUNE, DEPARTEMENT, REGION
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
    once_per_text,
    rename_columns,
    slug,
)
from elexxion_assets.synthetic import release_named
from elexxion_assets.themes.crime.indicators import (
    CODES,
    UNITS,
    indicator_of,
    is_known,
    unit_of,
    unit_of_indicator,
)

PAGE = (
    "https://www.data.gouv.fr/datasets/bases-statistiques-communale-departementale-et-regionale-de-la-delinquance-"
    "enregistree-par-la-police-et-la-gendarmerie-nationales/"
)

MASKED = "ndiff"
"""What the publisher writes for a figure under statistical secrecy. It is not zero, and not always small."""

CODE_COMMUNE = COMMUNE.but(
    pattern=r"(?:[0-8][0-9]|9[0-8]|2[AB])[0-9]{3}",
    counter_examples=(*COMMUNE.counter_examples, "99100"),
    source_names=("CODGEO", *(f"CODGEO_{year}" for year in range(2016, 2051)), "code_commune"),
    warning=(
        "Text, never a number: 01001 is not 1001. The base holds Paris, Lyon and Marseille as communes and also their "
        "arrondissements: adding up all rows counts them twice."
    ),
)
CODE_DEPARTEMENT = DEPARTEMENT.but(source_names=("Code_departement", "Code.département"))
CODE_REGION = REGION.but(source_names=("Code_region", "Code.région"))

INDICATEUR = Column(
    name="indicateur",
    kind=Kind.TEXT,
    description="Code of the indicator, one over all its published names",
    isin=CODES,
    source_names=("indicateur", "classe"),
    examples=("homicides", "cambriolages_logement"),
    counter_examples=("Cambriolages de grottes",),
)
UNITE = Column(
    name="unite",
    kind=Kind.TEXT,
    description="What is counted (unité de compte)",
    isin=UNITS,
    source_names=("unite_de_compte", "unité.de.compte"),
    optional_in_file=True,
    examples=("victime", "mis en cause"),
    counter_examples=("euro",),
)
NOMBRE = Column(
    name="nombre",
    kind=Kind.INTEGER,
    description="Number recorded by police and gendarmerie during the year",
    unit="of `unite`",
    required=False,
    ge=0,
    missing=(*MISSING, MASKED),
    source_names=("nombre", "faits"),
    examples=("0", "1437", "38 759", "710.0"),
    counter_examples=("-1", "7,5", "beaucoup"),
    warning="Null where it is not published; null is not zero.",
)
TAUX = Column(
    name="taux_pour_mille",
    kind=Kind.NUMBER,
    description="Published rate per 1,000 inhabitants; for cambriolages_logement per 1,000 dwellings",
    unit="‰",
    required=False,
    ge=0,
    # A hamlet may have more facts than inhabitants; a spreadsheet that loses the comma gives far more.
    le=100_000,
    missing=(*MISSING, MASKED),
    source_names=("taux_pour_mille", "tauxpourmille"),
    optional_in_file=True,
    examples=("2,25085170536868073", "7,83177350511023e-03", "0.5"),
    counter_examples=("-0,1", "1,2,3", "4.34468E+15"),
)
EST_DIFFUSE = Column(
    name="est_diffuse",
    kind=Kind.BOOLEAN,
    description="Whether the figure is published; false under statistical secrecy",
    source_names=("est_diffuse", "valeur.publiée"),
    optional_in_file=True,
    examples=("true", "false"),
    counter_examples=("peut-être",),
    warning="A commune's figure is published when more than 5 facts, or none, were recorded three years running.",
)
POPULATION = Column(
    name="population",
    kind=Kind.INTEGER,
    description="Population municipale of reference",
    unit="inhabitants",
    required=False,
    ge=0,
    of_population=(0.5, 2.0),
    source_names=("insee_pop", "POP"),
    optional_in_file=True,
    examples=("638425",),
    counter_examples=("-3",),
    warning="The newest census known to the release: its last years repeat one population (see millesime_population).",
)
LOGEMENTS = Column(
    name="logements",
    kind=Kind.NUMBER,
    description="Dwellings of reference",
    unit="dwellings",
    required=False,
    ge=0,
    source_names=("insee_log", "LOG"),
    optional_in_file=True,
    examples=("308491,1600513844", "308491"),
    counter_examples=("-3",),
)
MILLESIME_POPULATION = Column(
    name="millesime_population",
    kind=Kind.INTEGER,
    description="Year of the population of reference",
    unit="year",
    required=False,
    ge=1990,
    le=2100,
    source_names=("insee_pop_millesime", "millPOP"),
    optional_in_file=True,
    examples=("2016",),
    counter_examples=("16",),
)
MILLESIME_LOGEMENTS = MILLESIME_POPULATION.but(
    name="millesime_logements",
    description="Year of the number of dwellings",
    source_names=("insee_log_millesime", "millLOG"),
)
COMPLEMENT_NOMBRE = Column(
    name="complement_info_nombre",
    kind=Kind.NUMBER,
    description="Mean number among the département's communes under secrecy, for this indicator and year",
    required=False,
    ge=0,
    source_names=("complement_info_nombre", "complementinfoval"),
    optional_in_file=True,
    examples=("2,05",),
    counter_examples=("-1",),
    warning="A mean of the département, never the commune's own figure.",
)
COMPLEMENT_TAUX = COMPLEMENT_NOMBRE.but(
    name="complement_info_taux",
    description="Mean rate among the département's communes under secrecy, for this indicator and year",
    unit="‰",
    source_names=("complement_info_taux", "complementinfotaux"),
)
GEOGRAPHIE = Column(
    name="geographie",
    kind=Kind.TEXT,
    description="Year of the geography (COG) of the codes, where the file says it",
    required=False,
    pattern=r"20[0-9]{2}",
    optional_in_file=True,
    examples=("2024",),
    counter_examples=("24",),
)
MEASURES = (
    ANNEE,
    INDICATEUR,
    UNITE,
    NOMBRE,
    TAUX,
    EST_DIFFUSE,
    POPULATION,
    MILLESIME_POPULATION,
    LOGEMENTS,
    MILLESIME_LOGEMENTS,
)
"""What all three bases say of an indicator in a year."""


def full_year(text: nw.Expr) -> nw.Expr:
    """A year with four digits: « 16 », « 16.0 » and « 2016 » all give « 2016 »; anything else stays as it is."""
    year = text.str.strip_chars().str.replace_all(r"[.,]0+$", "")
    return nw.when(year.str.contains(r"^[0-9]{2}$")).then(nw.concat_str([nw.lit("20"), year])).otherwise(year)


def period(table: TextTable) -> nw.Expr:
    """The year of every row as four digits, null where the file does not say one."""
    column = table.find(ANNEE.source_names)
    if column is None:
        raise Refusal("no_year", "the table has no column « annee »: the year of its rows cannot be told")
    year = full_year(nw.col(column))
    return nw.when(year.str.contains(r"^(?:19|20)[0-9]{2}$")).then(year)


def geography_in_columns(table: TextTable) -> str | None:
    """The year that stands in the name of the column of commune codes, such as CODGEO_2024, or None."""
    found = (re.fullmatch(r"codgeo([0-9]{4})", slug(column)) for column in table.columns)
    return next((match[1] for match in found if match), None)


def geography(table: TextTable) -> str | None:
    """The year of the geography, from the columns or else from the file's name, or None."""
    in_name = re.search(r"geographie(20[0-9]{2})", table.file)
    return geography_in_columns(table) or (in_name[1] if in_name else None)


def vintage(table: TextTable, period: str) -> int | None:
    """The vintage of the codes: a release says all its years in one geography."""
    year = geography(table)
    return None if year is None else int(year)


def release(table: TextTable, rows: Mapping[str, int]) -> str:
    """The release: last year covered, geography of the columns, date of production in the file's name.

    A release appears in the year after the last one that it covers, so that a geography says the release even of an
    extract of earlier years. A copy that lost the date sorts before the dated file of the same year, and our synthetic
    samples before everything real.

    >>> table = TextTable(file="donnee-dep-geographie2024-produit-le2024-07-05.csv", columns=("classe",), header=())
    >>> release(table, {"2022": 1616, "2023": 1616})
    '2023 2024-07-05'
    >>> release(TextTable(file="extrait.csv", columns=("CODGEO_2024", "classe"), header=()), {"2016": 24588})
    '2023 2024'
    """
    codgeo = geography_in_columns(table)
    years = [year for year in rows if re.fullmatch(r"[0-9]{4}", year)]
    if codgeo is not None:
        years.append(str(int(codgeo) - 1))
    produced = re.search(r"produit-?le-?([0-9]{4}-[0-9]{2}-[0-9]{2})", table.file)
    words = [max(years, default="0000"), codgeo, produced[1] if produced else None]
    text = " ".join(word for word in words if word)
    return release_named(table, text)


def match(dataset: Dataset, table: TextTable) -> Match:
    """By columns, and by values: some label or unit of the first rows must be one that the SSMSI uses."""
    by_columns = match_by_columns(dataset, table)
    label = table.find(INDICATEUR.source_names)
    if label is None or not table.sample:
        return by_columns
    unit = table.find(UNITE.source_names)
    seen = [value for column in (label, unit) if column is not None for value in table.values(column)]
    if any(is_known(value) for value in seen):
        return by_columns
    first = f"« {seen[0]} »" if seen else "nothing"
    unknown = f"an indicator of the SSMSI in column « {label} » (found {first})"
    return Match(score=by_columns.score, missing=(*by_columns.missing, unknown), differences=by_columns.differences)


def normalise(dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
    """One text row per source line: years of four digits, codes of indicators, units in one spelling, secrecy."""
    has_unit = table.find(UNITE.source_names) is not None
    rows = once_per_text(
        rename_columns(dataset, frame, table),
        annee=full_year,
        indicateur=indicator_of,
        unite=unit_of,
        est_diffuse=_is_diffused,
        millesime_population=full_year,
        millesime_logements=full_year,
    ).with_columns(geographie=nw.lit(geography(table), dtype=nw.String()))
    if not has_unit:
        rows = rows.with_columns(unite=unit_of_indicator(nw.col("indicateur")))
    if dataset.name != "communale":
        return rows.with_columns(est_diffuse=nw.lit("true"))
    if table.find(EST_DIFFUSE.source_names) is None:
        nothing = nw.col("nombre").is_null() | nw.col("nombre").str.strip_chars().is_in([*NOMBRE.missing])
        rows = rows.with_columns(est_diffuse=nw.when(nothing).then(nw.lit("false")).otherwise(nw.lit("true")))
    return rows


def _is_diffused(said: nw.Expr) -> nw.Expr:
    """Whether a figure is published, as the contract reads it, from what newer files say of it."""
    text = said.str.strip_chars()
    return text.replace_strict(["diff", MASKED], ["true", "false"], default=text, return_dtype=nw.String())


def _base(
    name: str, title: str, columns: tuple[Column, ...], geography: Geography | None = None, *addresses: str
) -> Dataset:
    return Dataset(
        name=name,
        title=title,
        source="Service statistique ministériel de la sécurité intérieure (SSMSI)",
        page=PAGE,
        columns=columns,
        key=(columns[0].name, "annee", "indicateur"),
        period=period,
        release=release,
        match=match,
        normalise=normalise,
        geography=geography,
        addresses=addresses,
    )


COMMUNALE = _base(
    "communale",
    "Base statistique communale de la délinquance enregistrée",
    (CODE_COMMUNE, *MEASURES, COMPLEMENT_NOMBRE, COMPLEMENT_TAUX, GEOGRAPHIE),
    Geography(vintage=vintage, arrondissements=True),
    "https://www.data.gouv.fr/fr/datasets/r/3f51212c-f7d2-4aec-b899-06be6cdd1030",
)
DEPARTEMENTALE = _base(
    "departementale",
    "Base statistique départementale de la délinquance enregistrée",
    (CODE_DEPARTEMENT, CODE_REGION.but(required=False, optional_in_file=True), *MEASURES, GEOGRAPHIE),
    None,
    "https://www.data.gouv.fr/fr/datasets/r/acc332f6-92be-42af-9721-f3609bea8cfc",
)
REGIONALE = _base(
    "regionale",
    "Base statistique régionale de la délinquance enregistrée",
    (CODE_REGION, *MEASURES, GEOGRAPHIE),
)
