"""The two files of the national register of associations: how they are recognised, and which year they are about.

`rna_waldec` holds the associations registered by the software WALDEC (since 2009), `rna_import` those taken over from
the files before it. Each is published every month as a whole, one ZIP archive with one CSV per département. Since about
2020 they come without telephone and mail, the import also without the code of the commune.

**The period of a snapshot** is the year that it closes: the year of the day before its publication, so that the
snapshot of 1 January says how the year before ended, and wins over all earlier snapshots of that year. The date is in
the official name (`rna_waldec_20240601_dpt_01.csv`, `rna_import_20240601.zip`) and is then the release, one for all
files of an archive. A file without that date is of the year of its latest update (`maj_time`, over all its rows, not
only the first ones). Its release is only that year, so that any dated file of the year wins over it, two undated
snapshots of one year mix, and a small département that saw no update in January stays in the year before. A file that
has neither is refused.

Releases compete **per département**: one of a later month, dropped alone, replaces that one and leaves the others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import narwhals as nw

from elexxion_assets.columns import COMMUNE
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
from elexxion_assets.synthetic import release_named

PAGE = "https://www.data.gouv.fr/datasets/repertoire-national-des-associations/"
NO_TEXT = ("", "_")
"""What stands for an empty text; an association may well be called NA or NULL."""

NO_CODE = (*MISSING, "_")
NO_DATE = (
    *NO_CODE,
    *(f"{day}{time}" for day in ("0001-01-01", "1900-01-01", "1901-01-01") for time in ("", " 00:00:00")),
)
"""What stands for a missing date. The law itself is of July 1901: the first day of that year is a filler too."""

WALDEC_NUMBER = r"W[0-9A-Z]{9}"


def _text(name: str, description: str, *source_names: str, **more: Any) -> Column:
    """A text that may be missing, in the file too."""
    given = {"missing": NO_TEXT, "required": False, "optional_in_file": True} | more
    return Column(name=name, kind=Kind.TEXT, description=description, source_names=source_names).but(**given)


def _date(name: str, description: str, *source_names: str, **more: Any) -> Column:
    return Column(
        name=name,
        kind=Kind.DATE,
        description=description,
        required=False,
        source_names=source_names,
        missing=NO_DATE,
        examples=("2014-06-17", "2015-02-09 12:51:34"),
        counter_examples=("2014-02-30", "hier"),
    ).but(**more)


ID_ASSOCIATION = Column(
    name="id_association",
    kind=Kind.TEXT,
    description="Number of the association: W and nine characters (WALDEC), or the number of the files before it",
    missing=NO_CODE,
    source_names=("id",),
    examples=("W632007046", "W9T1002867", "751P00085568"),
)
ANCIEN_ID = _text("ancien_id", "Number in the files before WALDEC, as the greffe wrote it", "id_ex", missing=NO_CODE)
SIRET = _text(
    "siret", "SIRET number of the seat", "siret", missing=NO_CODE, warning="As declared: neither verified nor kept up."
)
DATE_CREATION = _date("date_creation", "Day of the declaration of creation", "date_creat")
DATE_DECLARATION = _date("date_declaration", "Day of the last declaration", "date_decla", optional_in_file=True)
DATE_PUBLICATION = _date(
    "date_publication",
    "Day of publication of the creation in the Journal officiel",
    "date_publi",
    optional_in_file=True,
)
DATE_DISSOLUTION = _date("date_dissolution", "Day of the declaration of dissolution", "date_disso")
NATURE = _text(
    "nature",
    "Kind of association: D declared, R of public utility, ...",
    "nature",
    examples=("D", "R"),
    missing=NO_CODE,
)
GROUPEMENT = _text("groupement", "S simple, U union, F federation", "groupement", examples=("S",), missing=NO_CODE)
TITRE = _text("titre", "Name of the association", "titre", optional_in_file=False)
OBJET = _text("objet", "Object, as the statutes say it", "objet")
OBJET_SOCIAL1 = _text(
    "objet_social1",
    "Main social object, a code of the WALDEC nomenclature",
    "objet_social1",
    width=6,
    pattern=r"[0-9]{6}",
    missing=(*NO_CODE, "000000", "0"),
    optional_in_file=False,
    examples=("006030", "6030", "011075"),
    counter_examples=("musique", "0060301"),
)
CODE_COMMUNE = COMMUNE.but(
    description="Commune of the seat (INSEE), as published",
    required=False,
    missing=(*NO_CODE, "00000"),
    source_names=("adrs_codeinsee",),
    warning=(
        "In the geography of the day on which it was declared; in Paris, Lyon and Marseille the arrondissement. Text, "
        "never a number: 01001 is not 1001."
    ),
)
CODE_POSTAL = _text(
    "code_postal", "Postal code of the seat", "adrs_codepostal", width=5, missing=NO_CODE, examples=("63000", "1000")
)
LIBELLE_COMMUNE = _text("libelle_commune", "Name of the commune of the seat, as declared", "adrs_libcommune")
POSITION = Column(
    name="position",
    kind=Kind.TEXT,
    description="A active, D dissolved, S suppressed, R taken over by WALDEC (import only)",
    isin=("A", "D", "R", "S"),
    missing=NO_CODE,
    source_names=("position",),
    examples=("A", "D"),
    counter_examples=("X", "active"),
)
DATE_MAJ = _date("date_maj", "Day of the last update in the register", "maj_time", optional_in_file=True)
ID_REPRIS = _text(
    "id_repris",
    "Number under which WALDEC took the association over (import only)",
    "observation",
    pattern=WALDEC_NUMBER,
    missing=NO_CODE,
    examples=("W751085568",),
)

MANAGER = tuple(
    _text(name, description, name, personal=True, warning="Personal data: masked in everything that is served.")
    for name, description in (
        ("dir_civilite", "Title of the manager (civilité)"),
        ("telephone", "Telephone; in files before about 2020"),
        ("email", "Mail address; in files before about 2020"),
        ("siteweb", "Web site"),
    )
)
"""Personal data of the manager, in both files."""

MANAGER_ADDRESS = tuple(
    _text(name, description, name, personal=True, warning="Personal data: masked in everything that is served.")
    for name, description in (
        ("adrg_declarant", "Address of the management: name of the declarant"),
        ("adrg_complemid", "Address of the management: complement of identity"),
        ("adrg_complemgeo", "Address of the management: complement of place"),
        ("adrg_libvoie", "Address of the management: number and street"),
        ("adrg_distrib", "Address of the management: distribution"),
        ("adrg_codepostal", "Address of the management: postal code"),
        ("adrg_achemine", "Address of the management: town"),
        ("adrg_pays", "Address of the management: country"),
    )
)
"""The manager's address; WALDEC only."""


def snapshot(table: TextTable) -> date | None:
    """The day of publication that the official name of the file, or else of its archive, says; None without one."""
    for year, month, day in reversed(
        re.findall(r"rna[_-](?:waldec|import)[_-]([0-9]{4})([0-9][0-9])([0-9][0-9])(?![0-9])", table.file)
    ):
        try:
            return date(int(year), int(month), int(day))
        except ValueError:
            continue
    return None


def _day(text: nw.Expr) -> nw.Expr:
    """The day of an update as text, null where there is none."""
    day = text.str.strip_chars().str.slice(0, 10)
    return nw.when(day.str.contains(r"^(?:19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}$")).then(day)


def period(table: TextTable) -> nw.Expr | str:
    """The year that the snapshot closes, from the name of the file or else from the latest update of all its rows."""
    updated = table.find(DATE_MAJ.source_names)
    seen = [] if updated is None else table.values(updated)
    updates = [found[0] for value in seen if (found := re.match(r"\s*(?:19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}", value))]
    published = snapshot(table)
    if published is not None:
        if updates and max(updates).strip() > (published + timedelta(days=31)).isoformat():
            raise Refusal(
                "contradictory_date",
                f"The name says that the register is of {published}, but an association was updated on "
                f"{max(updates).strip()}: give the file its official name.",
            )
        return str((published - timedelta(days=1)).year)
    if updated is None or not updates:
        raise Refusal(
            "no_snapshot_date",
            "Of which day this register is cannot be told: neither from a name such as rna_waldec_20240601_dpt_01.csv "
            "nor from a column maj_time.",
        )
    return _day(nw.col(updated)).max().str.slice(0, 4)


def release(table: TextTable, rows: Mapping[str, int]) -> str:
    """The day of publication, the same for all files of one archive; without one the year.

    Our synthetic samples sort before everything real.
    """
    published = snapshot(table)
    text = published.isoformat() if published is not None else max(rows, default="0000")
    return release_named(table, text)


def match(dataset: Dataset, table: TextTable) -> Match:
    """By columns; a summary of new associations per département is told apart from the register."""
    by_columns = match_by_columns(dataset, table)
    if by_columns.missing and any(slug(column).startswith("creationnouvellesassociations") for column in table.columns):
        said = "one row per association: this is a summary of creations per département, without a publisher"
        return Match(score=len(table.columns), missing=(said,))
    return by_columns


def normalise_import(dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
    """One row per line; a remark is the number of the association in WALDEC or nothing that the register needs."""
    remark = nw.col("id_repris").str.strip_chars()
    is_number = remark.str.contains(f"^{WALDEC_NUMBER}$")
    return rename_columns(dataset, frame, table).with_columns(id_repris=nw.when(is_number).then(remark))


GEOGRAPHY = Geography(vintage=lambda table, period: None)
"""Codes are those of the day of each declaration: any vintage. Arrondissements count in Paris, Lyon and Marseille."""

PART = nw.col("id_association").str.replace_all("^W", "").str.slice(0, 2)
"""The département of the greffe that gave the number, so that months of single départements replace their own only."""

RNA_WALDEC = Dataset(
    name="rna_waldec",
    title="Répertoire national des associations, fichier WALDEC",
    source="Ministère de l'Intérieur (DLPAJ)",
    page=PAGE,
    columns=(
        ID_ASSOCIATION.but(
            pattern=WALDEC_NUMBER, examples=("W632007046", "W9T1002867"), counter_examples=("751P00085568",)
        ),
        ANCIEN_ID,
        SIRET,
        DATE_CREATION,
        DATE_DECLARATION,
        DATE_PUBLICATION,
        DATE_DISSOLUTION,
        NATURE,
        GROUPEMENT,
        TITRE,
        OBJET,
        OBJET_SOCIAL1,
        CODE_COMMUNE,
        CODE_POSTAL,
        LIBELLE_COMMUNE.but(optional_in_file=False),
        POSITION,
        DATE_MAJ,
        *MANAGER,
        *MANAGER_ADDRESS,
    ),
    key=("id_association",),
    period=period,
    release=release,
    match=match,
    geography=GEOGRAPHY,
    part=PART,
    addresses=("https://www.data.gouv.fr/api/1/datasets/r/c2334d19-c752-413f-b64b-38006d9d0513",),
    not_taken=("rupmi", "gestion", "titrecourt", "objetsocial2", "adr[sg].*", "publiweb", "observation"),
)
RNA_IMPORT = Dataset(
    name="rna_import",
    title="Répertoire national des associations, fichier des associations d'avant WALDEC",
    source="Ministère de l'Intérieur (DLPAJ)",
    page=PAGE,
    columns=(
        ID_ASSOCIATION,
        ANCIEN_ID,
        SIRET,
        DATE_CREATION,
        DATE_PUBLICATION,
        NATURE,
        GROUPEMENT,
        TITRE,
        OBJET,
        OBJET_SOCIAL1,
        CODE_COMMUNE.but(optional_in_file=True),
        CODE_POSTAL,
        LIBELLE_COMMUNE.but(source_names=("libcom",), optional_in_file=False),
        POSITION,
        DATE_MAJ,
        ID_REPRIS,
        *MANAGER,
    ),
    key=("id_association",),
    period=period,
    release=release,
    match=match,
    geography=GEOGRAPHY,
    normalise=normalise_import,
    part=PART,
    other_keys=(ID_REPRIS.name,),
    not_taken=("rupmi", "gestion", "objetsocial2", "adr[123]"),
)
