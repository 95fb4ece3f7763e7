"""Which political bloc a candidate or a nuance belongs to: a versioned reference table with its sources.

The six blocs are those of the ministry's « blocs de clivages »: circulars INTA1931378J (3 February 2020, municipales),
IOMA2322276J (16 August 2023, sénatoriales) and INTP2602966C (2 February 2026, municipales); « autres » is « divers »
here. No circular has a grid for the other elections. There, the nearest grid in time that means the same party applies,
and the row says `reconstruction`. Where grids, courts or serious observers differ the row is marked disputed.
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files

import narwhals as nw

BLOCS = ("extreme_gauche", "gauche", "divers", "centre", "droite", "extreme_droite")
"""The blocs, from left to right."""


@dataclass(frozen=True, kw_only=True)
class Classification:
    """One row of `blocs.csv`.

    Attributes:
        version: Version of the reference table that the row entered with.
        scrutin: Pattern of scrutin keys, such as `2022-presidentielle-*`.
        candidat: Name and first name of a candidate or of the head of a list, or empty.
        nuance: Nuance of the ministry, or empty.
        bloc: One of `BLOCS`.
        source: Circular, or how the classification was made where there is none.
        disputed: Whether serious sources differ.
    """

    version: int
    scrutin: str
    candidat: str
    nuance: str
    bloc: str
    source: str
    disputed: bool


@cache
def classifications() -> tuple[Classification, ...]:
    """All rows of the reference table."""
    text = files(__package__).joinpath("blocs.csv").read_text(encoding="utf-8")
    return tuple(
        Classification(
            version=int(row["version"]),
            scrutin=row["scrutin"],
            candidat=row["candidat"],
            nuance=row["nuance"],
            bloc=row["bloc"],
            source=row["source"],
            disputed=row["disputed"] == "yes",
        )
        for row in csv.DictReader(text.splitlines())
    )


def version() -> int:
    """Version of the reference table."""
    return max(row.version for row in classifications())


def of_scrutin(scrutin: str) -> Iterator[Classification]:
    """The rows that apply to a scrutin."""
    return (row for row in classifications() if fnmatchcase(scrutin, row.scrutin))


def bloc(scrutin: str) -> nw.Expr:
    """The bloc of every row of a results table, from `candidat`, `nom` and `nuance`; null where it is not known.

    Args:
        scrutin: Key of the scrutin that the rows are about.
    """
    expression = nw.lit(None, dtype=nw.String())
    for name in BLOCS:
        rows = [row for row in of_scrutin(scrutin) if row.bloc == name]
        nuances = [row.nuance for row in rows if row.nuance]
        people = sorted({form for row in rows if row.candidat for form in spellings(row.candidat)})
        if nuances:
            expression = nw.when(nw.col("nuance").is_in(nuances)).then(nw.lit(name)).otherwise(expression)
        if people:
            is_one = (nw.col("candidat").is_in(people) | nw.col("nom").is_in(people)).fill_null(False)
            expression = nw.when(is_one).then(nw.lit(name)).otherwise(expression)
    return expression


@cache
def presidential_candidates() -> Mapping[int, Mapping[str, str]]:
    """Candidates of each présidentielle: from family name to name and first name."""
    found: dict[int, dict[str, str]] = {}
    for row in classifications():
        year, _, kind = row.scrutin.partition("-")
        if kind.startswith("presidentielle") and row.candidat:
            family = " ".join(word for word in row.candidat.split() if word == word.upper())
            found.setdefault(int(year), {})[family] = row.candidat
    return found


@cache
def nuances_of(kind: str) -> Mapping[int, frozenset[str]]:
    """The nuances that candidates or lists of a kind of election had, by year."""
    found: dict[int, set[str]] = {}
    for row in classifications():
        year, _, rest = row.scrutin.partition("-")
        if rest.startswith(kind) and row.nuance:
            found.setdefault(int(year), set()).add(row.nuance)
    return {year: frozenset(nuances) for year, nuances in found.items()}


def plain(text: str) -> str:
    """A text in capitals, without accents, ligatures undone."""
    decomposed = unicodedata.normalize("NFKD", text.replace("œ", "oe").replace("Œ", "OE"))
    return "".join(c for c in decomposed if not unicodedata.combining(c)).upper().strip()


def spellings(name: str) -> set[str]:
    """A name as files write it: with accents, without, in capitals, with the replacement character of lost accents."""
    unaccented = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    lost = "".join(c if c.isascii() else "\ufffd" for c in unicodedata.normalize("NFC", name))
    return {form for spelt in (name, unaccented, lost) for form in (spelt, spelt.upper())}
