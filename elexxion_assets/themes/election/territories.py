"""Codes and names of the territory that a row of an election file is about, as text expressions."""

from __future__ import annotations

import narwhals as nw

from elexxion_assets.declare import Frame, once_per_text
from elexxion_assets.geography.ministry import (
    commune_of_codes,
    departement_insee,
    departement_of_commune,
    published_codes,
    sector,
)
from elexxion_assets.themes.election.layouts import Layout

_COMMUNE = "_commune_insee"

_CODES_OF = {
    "region": ("code_region",),
    "departement": ("code_departement",),
    "circonscription": ("code_departement", "code_circonscription"),
    "canton": ("code_departement", "code_canton"),
    "commune": ("code_departement", "code_commune"),
    "bureau": ("code_departement", "code_commune", "code_bureau"),
}
"""Published codes that together name a territory of each level."""


def with_communes(frame: Frame, layout: Layout) -> Frame:
    """The rows of a file with the INSEE code of their commune, where they have one, in a column for `territory`."""
    if layout.level not in ("commune", "bureau"):
        return frame
    published = published_codes(_column(layout, "code_departement"), _column(layout, "code_commune"))
    return once_per_text(frame.with_columns(published.alias(_COMMUNE)), **{_COMMUNE: commune_of_codes})


def territory(layout: Layout) -> list[nw.Expr]:
    """The columns `niveau`, `code_territoire`, ..., `libelle` of a file with one territory per row.

    Args:
        layout: Roles of the file's columns; its level decides which codes are read.

    Returns:
        Expressions over the rows of `with_communes`.
    """
    level = layout.level
    commune = bureau = nw.lit(None, dtype=nw.String())
    niveau = nw.lit(level)
    if level in ("commune", "bureau"):
        published = _column(layout, "code_commune")
        commune = nw.col(_COMMUNE)
        departement = departement_of_commune(commune)
        code = nw.concat_str([commune, sector(published)])
        if level == "commune" and "code_circonscription" in layout.head:
            # A large commune has one row per circonscription there; the row is a part of the commune.
            code = nw.concat_str([code, nw.lit("_C"), _last_two(_column(layout, "code_circonscription"))])
        if level == "bureau":
            number = _column(layout, "code_bureau").str.strip_chars().str.replace_all(r"\.0$", "")
            number = nw.when(number.str.contains(r"^[0-9]{1,4}$")).then(number.str.zfill(4)).otherwise(number)
            bureau = nw.when(number != "").then(number)
            # Some elections of the aggregated files stop at the commune.
            is_bureau = ~bureau.is_null()
            niveau = nw.when(is_bureau).then(nw.lit("bureau")).otherwise(nw.lit("commune"))
            code = nw.when(is_bureau).then(nw.concat_str([commune, nw.lit("_"), bureau])).otherwise(code)
    elif level == "region":
        departement = nw.lit(None, dtype=nw.String())
        code = _column(layout, "code_region").str.strip_chars().str.zfill(2)
    elif level == "departement":
        code = departement = departement_insee(_column(layout, "code_departement"))
    else:
        departement, code = _inside_departement(layout, level)
    return [
        niveau.alias("niveau"),
        code.alias("code_territoire"),
        departement.alias("code_departement"),
        commune.alias("code_commune"),
        bureau.alias("code_bureau"),
        _published(layout, level).alias("code_publie"),
        _column(layout, "libelle_commune" if level == "bureau" else f"libelle_{level}").alias("libelle"),
    ]


def _inside_departement(layout: Layout, level: str) -> tuple[nw.Expr, nw.Expr]:
    """Département and code of a circonscription or canton, published alone (`1`) or with its département (`0101`)."""
    published = _column(layout, f"code_{level}").str.strip_chars().str.to_uppercase().str.replace_all(r"\.0$", "")
    own = published.str.replace_all(r"^(.*)(.{2})$", "$1")
    whole = nw.when(published.str.contains(r"^(?:[0-9]{3,5}|2[AB][0-9][0-9]|Z[A-Z][0-9][0-9])$")).then(own)
    given = _column(layout, "code_departement")
    is_code = given.str.contains(r"^\s*(?:[0-9]{1,3}(?:\.0)?|2[ABab]|Z[A-Z])\s*$").fill_null(False)
    departement = departement_insee(nw.when(is_code).then(given).otherwise(whole))
    return departement, nw.concat_str([departement, _last_two(published)])


def _last_two(code: nw.Expr) -> nw.Expr:
    return code.str.strip_chars().str.replace_all(r"\.0$", "").str.zfill(2).str.slice(-2)


def _published(layout: Layout, level: str) -> nw.Expr:
    parts = [nw.col(layout.head[field]) for field in _CODES_OF[level] if field in layout.head]
    return nw.concat_str(parts, separator="|", ignore_nulls=True)


def _column(layout: Layout, field: str) -> nw.Expr:
    found = layout.head.get(field)
    return nw.lit(None, dtype=nw.String()) if found is None else nw.col(found)
