"""Finds, in the header of an election file, what each column is: territory, participation, and blocks of candidates.

The ministry publishes one line per territory with a block of columns per candidate. The blocks repeat with the same
names, with numbered names (`Voix 1`, `Voix_candi1`, `1_Voix`), or without any names after the first one. A file with
one line per territory and candidate is the same layout with a single block.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from elexxion_assets.declare import TextTable, slug

HEAD: Mapping[str, tuple[str, ...]] = {
    "id_election": ("id_election",),
    "tour": ("N° tour", "Numéro de tour", "Tour"),
    "id_bureau": ("id_brut_miom",),
    "code_region": ("Code de la région", "Code région", "CodReg"),
    "libelle_region": ("Libellé de la région", "Libellé région", "LibReg"),
    "code_departement": ("Code du département", "Code département", "CodDpt", "Code dpt", "dep", "dpt"),
    "libelle_departement": (
        "Libellé du département",
        "Libellé département",
        "LibDpt",
        "Libellé de la section électorale",
    ),
    "code_circonscription": (
        "Code de la circonscription",
        "Code circonscription",
        "Code circonscription législative",
        "Code de la circonscription législative",
        "CodCirElec",
        "circonscription",
    ),
    "libelle_circonscription": (
        "Libellé de la circonscription",
        "Libellé circonscription",
        "Libellé circonscription législative",
        "LibCirElec",
    ),
    "code_canton": ("Code du canton", "Code canton", "CodCan"),
    "libelle_canton": ("Libellé du canton", "Libellé canton", "LibCan"),
    "code_commune": ("Code de la commune", "Code commune", "CodSubCom", "CodCom", "Code INSEE"),
    "libelle_commune": (
        "Libellé de la commune",
        "Libellé commune",
        "LibSubCom",
        "commune_libelle",
        "Nom commune",
        "Nom de la commune",
    ),
    "code_bureau": (
        "Code du b.vote",
        "Code B.Vote",
        "Code BV",
        "Code bureau de vote",
        "Code du bureau de vote",
        "CodBurVot",
        "N° de bureau de vote",
        "No bureau vote",
        "bureau",
    ),
    "etat_saisie": ("Etat saisie",),
    "inscrits": ("Inscrits", "Nombre d'inscrits"),
    "abstentions": ("Abstentions",),
    "votants": ("Votants",),
    "blancs_et_nuls": ("Blancs et nuls", "Blancs ou nuls", "BlNuls"),
    "blancs": ("Blancs", "Votes blancs"),
    "nuls": ("Nuls", "Votes nuls"),
    "exprimes": ("Exprimés", "Suffrages exprimés"),
}
"""What stands before the candidates, and its names in official files."""

BARE = {"departement": ("code_departement", "libelle_departement"), "commune": ("code_commune", "libelle_commune")}
"""Names that mean a code where no other column holds the code, and a label where one does."""

BLOCK: Mapping[str, tuple[str, ...]] = {
    "numero_panneau": (
        "N°Panneau",
        "N.Pan.",
        "Numéro de panneau",
        "no_panneau",
        "NumPanneauCand",
        "numPanneau",
        "N°Liste",
        "Numéro de liste",
        "N° de dépôt de la liste",
        "N° de dépôt du candidat",
    ),
    "sexe": ("Sexe", "Sexe candidat", "CivilitePsn", "Civilité"),
    "nom": ("Nom", "Nom candidat", "Nom du candidat", "Nom du candidat tête de liste", "NomPsn"),
    "prenom": ("Prénom", "Prénom candidat", "Prénom du candidat", "Prénom du candidat tête de liste", "PrenomPsn"),
    "nuance": (
        "Nuance",
        "Code Nuance",
        "Nuance candidat",
        "Nuance liste",
        "Nuance binôme",
        "Code nuance du candidat",
        "Code nuance de la liste",
        "CodNuaCand",
        "CodNuaListe",
        "CodNua",
    ),
    "liste": ("Libellé Etendu Liste", "Libellé étendu de liste", "Libellé de liste", "Libellé liste", "Liste"),
    "liste_abregee": ("Libellé Abrégé Liste", "Libellé abrégé de liste"),
    "tete_de_liste": ("Nom Tête de Liste", "Tête de liste"),
    "binome": ("Binôme", "Composition du binôme"),
    "voix": ("Voix", "NbVoix", "Nombre de voix"),
}
"""What a candidate's block holds, and its names in official files."""

_SILENT = re.compile(
    r"^(%|ratio|rapport|pourcentage|sieges|elu|libnua|libellenuance|nbsie|nbsap|codelocalisation|libellelocalisation)"
)
_UNNAMED = re.compile(r"^(_[0-9]+|unnamed:?[ _]?[0-9]+.*|\.{3}[0-9]+)?$", re.IGNORECASE)
_NUMBER_AT_END = re.compile(r"^(.*?\D)(?:[ ._-]*candi?(?:dat)?)?[ ._-]*?([0-9]{1,3})$", re.IGNORECASE)
_NUMBER_AT_START = re.compile(r"^(?:cand(?:idat)?|liste)?[ _]?([0-9]{1,3})[ ._-]+(\D.*)$", re.IGNORECASE)

_HEAD_FIELD = {slug(name): field for field, names in HEAD.items() for name in names}
_BLOCK_FIELD = {slug(name): field for field, names in BLOCK.items() for name in names}

LEVELS = ("bureau", "commune", "canton", "circonscription", "departement", "region")
"""Territorial levels, the finest first; a file is at the finest one whose code it has."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What the columns of an election file are.

    Attributes:
        head: From field to column, for what stands outside the candidates' blocks.
        blocks: From field to column, one mapping per candidate.
        silent: Columns that say nothing more (percentages, seats).
        unknown: Columns with a name that no official file has.
        level: Territorial level, or an empty text where the file has no territory.
        names_only: Whether candidates are named but no votes are given.
    """

    head: Mapping[str, str]
    blocks: tuple[Mapping[str, str], ...]
    silent: tuple[str, ...]
    unknown: tuple[str, ...]
    level: str
    names_only: bool

    @property
    def explained(self) -> int:
        """Number of columns whose role is known."""
        return len(self.head) + sum(map(len, self.blocks)) + len(self.silent)

    def fields(self) -> frozenset[str]:
        """The fields that at least one block has."""
        return frozenset().union(*self.blocks)


def read_layout(table: TextTable) -> Layout:
    """Tells the role of every column of a table from its header alone."""
    names = [_name(table, position) for position in range(len(table.columns))]
    head: dict[str, str] = {}
    bare: dict[str, str] = {}
    silent: list[str] = []
    unknown: list[str] = []
    found: list[tuple[int, str, int | None]] = []  # position, field of a block, number in the name
    for position, (name, column) in enumerate(zip(names, table.columns, strict=True)):
        field, number = _block_field(name)
        key = slug(name)
        if field is not None:
            found.append((position, field, number))
        elif key in _HEAD_FIELD and _HEAD_FIELD[key] not in head:
            head[_HEAD_FIELD[key]] = column
        elif key in BARE:
            bare[key] = column
        elif not name:
            continue
        elif _SILENT.match(key):
            silent.append(column)
        else:
            unknown.append(column)
    for key, column in bare.items():
        code, label = BARE[key]
        head.setdefault(label if code in head else code, column)
    blocks = _blocks(table.columns, names, found)
    level = next((level for level in LEVELS if f"code_{level}" in head), "")
    if level == "bureau" and "code_commune" not in head:
        level = ""
    return Layout(
        head=head,
        blocks=blocks,
        silent=tuple(silent),
        unknown=tuple(unknown),
        level=level,
        names_only=not blocks and any(field in ("nom", "nuance", "liste") for _, field, _ in found),
    )


def _name(table: TextTable, position: int) -> str:
    """The name of a column as the file writes it, empty where the file gives none."""
    name = table.header[position] if position < len(table.header) else ""
    return "" if _UNNAMED.match(name.strip()) else name.strip()


def _block_field(name: str) -> tuple[str | None, int | None]:
    """The field that a name has in a candidate's block, and the number it carries."""
    if slug(name) in _BLOCK_FIELD:
        return _BLOCK_FIELD[slug(name)], None
    if match := _NUMBER_AT_END.match(name):
        stem, number = match.group(1), int(match.group(2))
    elif match := _NUMBER_AT_START.match(name):
        stem, number = match.group(2), int(match.group(1))
    else:
        return None, None
    field = _BLOCK_FIELD.get(slug(stem))
    return field, number if field is not None else None


def _blocks(
    columns: tuple[str, ...], names: list[str], found: list[tuple[int, str, int | None]]
) -> tuple[Mapping[str, str], ...]:
    """Groups the columns of blocks by candidate; a group without votes is no candidate."""
    if not found:
        return ()
    start = found[0][0]
    unnamed = next((position for position in range(start, len(names)) if not names[position]), None)
    grouped: dict[int, dict[str, str]] = {}
    if unnamed is not None and all(position < unnamed for position, _, _ in found):
        again = next((p for p, field, _ in found[1:] if field == found[0][1]), unnamed)
        length = again - start
        pattern = [(position - start, field) for position, field, _ in found if position < again]
        for first in range(start, len(columns) - length + 1, length):
            grouped[first] = {field: columns[first + offset] for offset, field in pattern}
    else:
        all_numbered = all(number is not None for _, _, number in found)
        seen: dict[str, int] = {}
        for position, field, number in found:
            seen[field] = seen.get(field, 0) + 1
            rank = number if all_numbered and number is not None else seen[field]
            grouped.setdefault(rank, {}).setdefault(field, columns[position])
    return tuple(block for _, block in sorted(grouped.items()) if "voix" in block)
