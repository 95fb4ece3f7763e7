"""Job seekers on the lists of France Travail (DEFM): DARES by commune, Pôle emploi's workbook by EPCI.

DARES rounds every count to a multiple of 5. A quarter is the mean of its three ends of month. Files are extracts of one
territory or another: they add up, and where two say the same thing the one received last wins. The national file also
has rows whose commune is « Total »: they are no communes and go to quarantine.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

import narwhals as nw

from elexxion_assets.columns import ANNEE
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
)
from elexxion_assets.synthetic import release_named
from elexxion_assets.themes.emploi.files import (
    CODE_COMMUNE,
    MISSING_OR_SECRET,
    MOIS,
    TRIMESTRE,
    UNKNOWN_VINTAGE,
    is_secret,
    lacks_communes,
    secret_flag,
)

NOMBRE = Column(
    name="nombre",
    kind=Kind.INTEGER,
    description="Job seekers",
    unit="persons",
    required=False,
    ge=0,
    missing=MISSING_OR_SECRET,
    source_names=("Nombre de demandeurs d'emploi", "Nombre de demandeurs d'emploi inscrits"),
    examples=("15", "0"),
    counter_examples=("-5", "7,5"),
    warning="DARES rounds to multiples of 5: sums differ from totals by a few units. Null where it is withheld.",
)
EST_SECRET = secret_flag("est_secret", "nombre")
CATEGORIE = Column(
    name="categorie",
    kind=Kind.TEXT,
    description="Categories counted: A no work, B short and C long reduced activity, D and E without duty to search",
    pattern="[A-G]{1,7}",
    source_names=("Catégorie",),
    examples=("A", "ABC", "ABCDE"),
    counter_examples=("H", "toutes"),
)


# --- DARES, by commune ------------------------------------------------------------------------------------------------


def _dimension(name: str, source: str, description: str, *values: str) -> Column:
    return Column(
        name=name,
        kind=Kind.TEXT,
        description=description,
        isin=values or None,
        source_names=(source,),
        optional_in_file=True,
        examples=values[:1],
        counter_examples=("?",) if values else (),
    )


DATE = Column(
    name="date",
    kind=Kind.TEXT,
    description="Quarter (2015-T4) or month (2017-12) that the count is about",
    pattern="[0-9]{4}-(?:T[1-4]|0[1-9]|1[0-2])",
    source_names=("Date",),
    examples=("2015-T4", "2017-12"),
    counter_examples=("2015", "T5 2015"),
)
_DEFAULTS = {"type_donnees": "Brutes", "sexe": "Total", "tranche_age": "Total"}
"""What a file means that does not have the column at all."""

_SPELLINGS = {"Homme": "Hommes", "Femme": "Femmes", "Ensemble": "Total"}


def _date(text: nw.Expr) -> nw.Expr:
    """Any spelling of a quarter or a month as `2015-T4` or `2017-12`; anything else stays as it is."""
    spellings = {
        r"^([0-9]{4})[-_ ]?T([1-4])$": "$1-T$2",
        r"^T([1-4])[-_ ]?([0-9]{4})$": "$2-T$1",
        r"^([0-9]{4})[-/]([0-9]{2})(?:[-/][0-9]{2})?(?:[T ].*)?$": "$1-$2",
        r"^(?:[0-9]{2}/)?([0-9]{2})/([0-9]{4})$": "$2-$1",
    }
    date = text.str.strip_chars()
    for pattern, spelling in spellings.items():
        date = date.str.replace_all(pattern, spelling)
    return date


def period_of_dares(table: TextTable) -> nw.Expr:
    """The year of every row's date, null where there is none."""
    column = table.find(DATE.source_names)
    if column is None:
        raise Refusal("no_year", "the table has no column « Date »: the year of its rows cannot be told")
    year = _date(nw.col(column)).str.slice(0, 4)
    return nw.when(year.str.contains("^(?:19|20)[0-9]{2}$")).then(year)


def match_dares(dataset: Dataset, table: TextTable) -> Match:
    """By columns, and by codes of communes."""
    by_columns = match_by_columns(dataset, table)
    return dataclasses.replace(by_columns, missing=(*by_columns.missing, *lacks_communes(dataset, table)))


def release_of_dares(table: TextTable, rows: Mapping[str, int]) -> str:
    """One release for all extracts: each covers a territory of its own."""
    return release_named(table, "extrait")


def normalise_dares(dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
    """One text row per source line: the date in one spelling, the dimensions that the file lacks filled in."""
    named = rename_columns(dataset, frame, table)
    lacking = [c.name for c in dataset.columns if c.name in _DEFAULTS and table.find(c.source_names) is None]
    date = _date(nw.col("date"))
    ending = date.str.slice(5)
    category = nw.col("categorie").str.to_uppercase().str.replace_all("^CAT[EÉ]GORIES? ", "")
    return named.with_columns(
        *(nw.lit(_DEFAULTS[name]).alias(name) for name in lacking),
        *(_spelled(nw.col(name)).alias(name) for name in ("sexe", "tranche_age") if name not in lacking),
        date=date,
        annee=date.str.slice(0, 4),
        trimestre=nw.when(ending.str.starts_with("T")).then(ending.str.slice(1)),
        mois=nw.when(~ending.str.starts_with("T")).then(ending),
        categorie=category.str.replace_all("[, ]", ""),
        est_secret=is_secret(nw.col("nombre")),
    )


def _spelled(text: nw.Expr) -> nw.Expr:
    text = text.str.strip_chars()
    return text.replace_strict(list(_SPELLINGS), list(_SPELLINGS.values()), default=text, return_dtype=nw.String())


DEMANDEURS_EMPLOI = Dataset(
    name="demandeurs_emploi",
    title="Demandeurs d'emploi inscrits à France Travail, par commune",
    source="Direction de l'animation de la recherche, des études et des statistiques (Dares), France Travail",
    page="https://data.dares.travail-emploi.gouv.fr/explore/dataset/dares_defm_communales-brutes/",
    columns=(
        CODE_COMMUNE.but(source_names=("Code commune", "CODGEO")),
        ANNEE.but(source_names=(), optional_in_file=True),
        DATE,
        TRIMESTRE.but(source_names=(), optional_in_file=True, description="Quarter, where the count is of a quarter"),
        MOIS.but(source_names=(), optional_in_file=True, description="Month, where the count is of a month's end"),
        _dimension("type_donnees", "Type de données", "Whether seasonally adjusted (CVS-CJO) or not (Brutes)"),
        CATEGORIE,
        _dimension("sexe", "Sexe", "Sex of the job seekers", "Total", "Hommes", "Femmes"),
        _dimension("tranche_age", "Tranche d'âge", "Age class; Total for all ages"),
        NOMBRE,
        EST_SECRET,
    ),
    key=("code_commune", "date", "type_donnees", "categorie", "sexe", "tranche_age"),
    period=period_of_dares,
    release=release_of_dares,
    match=match_dares,
    normalise=normalise_dares,
    geography=UNKNOWN_VINTAGE,
    addresses=(
        "https://data.dares.travail-emploi.gouv.fr/api/explore/v2.1/catalog/datasets/dares_defm_communales-brutes/exports/csv?use_labels=true",
    ),
    not_taken=("coderegion", "region", "codedepartement", "departement", "commune"),
)


# --- Pôle emploi, by EPCI ---------------------------------------------------------------------------------------------

_MONTHS = {
    "janvier": 1,
    "février": 2,
    "mars": 3,
    "avril": 4,
    "mai": 5,
    "juin": 6,
    "juillet": 7,
    "août": 8,
    "septembre": 9,
    "octobre": 10,
    "novembre": 11,
    "décembre": 12,
}
_TITLE_DATE = re.compile(rf"en ({'|'.join(_MONTHS)}) ((?:19|20)[0-9]{{2}})", re.IGNORECASE)
_TITLE_CATEGORIES = re.compile(r"en catégories? ([A-E](?:, ?[A-E])*)")
_TOTAL = re.compile(r"total(?: - .*)?", re.IGNORECASE)


def _month(table: TextTable) -> tuple[str, int] | None:
    """Year and month that the title above the table says."""
    found = _TITLE_DATE.search(" ".join(table.preamble))
    return (found[2], _MONTHS[found[1].lower()]) if found else None


def _counts(table: TextTable) -> list[tuple[str, str, str, str]]:
    """The columns of counts: name, category, breakdown, modality."""
    titled = _TITLE_CATEGORIES.search(" ".join(table.preamble))
    category = re.sub("[, ]", "", titled[1]) if titled else ""
    above = table.preamble[-1].split("\t") if table.preamble and table.preamble[-1].startswith("\t") else []
    found, group = [], ""
    for position, column in enumerate(table.columns):
        group = above[position].strip() if position < len(above) and above[position].strip() else group
        header = table.header[position].strip() if position < len(table.header) else ""
        if not header or position == 0:
            continue
        of_category = re.fullmatch(r"catégorie ([A-E]+)", header, re.IGNORECASE)
        breakdown = "" if group.lower().startswith("catégorie") else group
        if of_category:
            found.append((column, of_category[1].upper(), "Catégorie", "Total"))
        else:
            modality = "Total" if _TOTAL.fullmatch(header) else header
            found.append((column, category, breakdown or "Ancienneté", modality))
    return found


def period_of_epci(table: TextTable) -> str:
    """The year of the month in the title."""
    month = _month(table)
    if month is None:
        raise Refusal("no_year", "no title above the table says the month, such as « en décembre 2017 »")
    return month[0]


def match_epci(dataset: Dataset, table: TextTable) -> Match:
    """A column of EPCI, a title that says job seekers and the month, counts whose category is known."""
    title = " ".join(table.preamble).replace("’", "'")
    counts = _counts(table)
    found = {
        "column « EPCI » (name of the EPCI)": table.find(("EPCI",)),
        "a title above the table that says « demandeurs d'emploi » and the month": _month(table)
        and "demandeurs d'emploi" in title,
    }
    missing = [words for words, there in found.items() if not there]
    if missing:
        return Match(score=len(found) - len(missing), missing=tuple(missing))
    if not counts or not all(category for _, category, _, _ in counts):
        missing.append("columns of counts with their category")
    return Match(score=len(found) + len(counts), missing=tuple(missing))


def normalise_epci(dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
    """One row per EPCI and count."""
    year, month = _month(table) or ("", 0)
    name = nw.col(table.find(("EPCI",)) or "EPCI")
    is_total = name.str.strip_chars().str.to_lowercase() == "total"
    return nw.concat(
        [
            frame.select(
                "_line",
                name.alias("epci"),
                nw.when(is_total).then(nw.lit("true")).otherwise(nw.lit("false")).alias("est_total"),
                nw.lit(year).alias("annee"),
                nw.lit(str(month)).alias("mois"),
                nw.lit(category).alias("categorie"),
                nw.lit(breakdown).alias("ventilation"),
                nw.lit(modality).alias("modalite"),
                nw.col(column).alias("nombre"),
                is_secret(nw.col(column)).alias("est_secret"),
            )
            for column, category, breakdown, modality in _counts(table)
        ],
        how="vertical",
    )


DEMANDEURS_EMPLOI_EPCI = Dataset(
    name="demandeurs_emploi_epci",
    title="Demandeurs d'emploi inscrits à Pôle emploi, par EPCI",
    source="Pôle emploi, statistiques mensuelles du marché du travail (STMT)",
    page="https://statistiques.pole-emploi.org/stmt/defm",
    columns=(
        Column(
            name="epci",
            kind=Kind.TEXT,
            description="Name of the EPCI (the file has no codes); « Hors EPCI » for communes outside",
            examples=("Bordeaux Métropole",),
        ),
        Column(name="est_total", kind=Kind.BOOLEAN, description="Whether the row is the total of all the others"),
        ANNEE,
        MOIS.but(required=True),
        CATEGORIE,
        Column(name="ventilation", kind=Kind.TEXT, description="What the count is broken down by; Homme, Femme by age"),
        Column(name="modalite", kind=Kind.TEXT, description="Class of the breakdown; Total for all"),
        # A lone comma is how a missing value of SAS prints.
        NOMBRE.but(missing=(*MISSING_OR_SECRET, ",", ".")),
        EST_SECRET,
    ),
    key=("epci", "annee", "mois", "categorie", "ventilation", "modalite"),
    period=period_of_epci,
    release=release_of_dares,
    match=match_epci,
    normalise=normalise_epci,
    # Each of its columns is a count of its own.
    not_taken=(".*",),
)
