"""Reads INSEE's own geography files, as frames of text: communes, events on communes, passage tables.

Layouts (Insee, « Code officiel géographique » since 2019, « Table de passage annuelle »; names in either case):

- communes (`v_commune_YYYY`, `commune_YYYY`): `TYPECOM, COM, REG, DEP, ..., LIBELLE, ..., COMPARENT`;
- events (`v_mvt_commune_YYYY`, `mvtcommune_YYYY`, `mouvements-communes`): `MOD, DATE_EFF, TYPECOM_AV, COM_AV, ...,
  TYPECOM_AP, COM_AP, ...`;
- passage tables: `DEPCOM_HIST, DEPCOM`, or `CODGEO_INI, ..., CODGEO_2003, ..., CODGEO_YYYY`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

import polars as pl

from elexxion_assets.declare import Refusal
from elexxion_assets.geography.passage import RESTORATION, Movement
from elexxion_assets.geography.plm import COMMUNE_OF

NEW_COMMUNE, CHEF_LIEU = 32, 50


def read_communes(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Communes and their subdivisions, from INSEE's list of communes.

    Args:
        frame: The file as text, one column per field.

    Returns:
        `code_commune, libelle, code_departement, code_region`, and `type, code, libelle, code_commune`.

    Raises:
        Refusal: If a column is missing, or no row is a commune.
    """
    table = _columns(frame, ("TYPECOM", "COM", "REG", "DEP", "LIBELLE", "COMPARENT"), "list of communes")
    communes = table.filter(pl.col("TYPECOM") == "COM").select(
        pl.col("COM").alias("code_commune"),
        pl.col("LIBELLE").alias("libelle"),
        pl.col("DEP").alias("code_departement"),
        pl.col("REG").alias("code_region"),
    )
    if communes.is_empty():
        raise Refusal("no_commune", "no row of the list of communes has TYPECOM = COM")
    parts = table.filter(pl.col("TYPECOM").is_in(["COMD", "COMA", "ARM"])).select(
        pl.col("TYPECOM").alias("type"),
        pl.col("COM").alias("code"),
        pl.col("LIBELLE").alias("libelle"),
        pl.col("COMPARENT").alias("code_commune"),
    )
    return communes.sort("code_commune"), parts.sort("type", "code")


def read_movements(frame: pl.DataFrame) -> pl.DataFrame:
    """Movements from commune to commune, from INSEE's file of events on communes.

    Args:
        frame: The file as text. Events on delegated and associated communes are left out: no commune moves by them.

    Returns:
        `date_effet, mod, code_avant, code_apres`; no code before where a commune was made of no other.

    Raises:
        Refusal: If a column is missing or a date is not one.
    """
    names = ("MOD", "DATE_EFF", "TYPECOM_AV", "COM_AV", "TYPECOM_AP", "COM_AP")
    table = _columns(frame, names, "file of events on communes")
    rows = table.filter(pl.col("TYPECOM_AP") == "COM", pl.col("TYPECOM_AV").fill_null("").is_in(["", "COM"]))
    try:
        return rows.select(
            pl.col("DATE_EFF").str.to_date("%Y-%m-%d").alias("date_effet"),
            pl.col("MOD").cast(pl.Int64).alias("mod"),
            pl.col("COM_AV").replace("", None).alias("code_avant"),
            pl.col("COM_AP").alias("code_apres"),
        ).sort("date_effet", "code_avant", "code_apres")
    except pl.exceptions.PolarsError as error:
        raise Refusal("bad_event", f"a date or a kind of event cannot be read: {error}") from error


def read_passage(frame: pl.DataFrame, target: int | None = None) -> pl.DataFrame:
    """Official pairs of codes, from a passage table in either layout.

    Args:
        frame: The file as text.
        target: Vintage that a `DEPCOM_HIST, DEPCOM` table leads to; the other layout says it in its column names.

    Returns:
        `vintage, target, code_source, code_cible`; a null vintage for codes of any vintage. Municipal arrondissements
        are left out: they are no communes.

    Raises:
        Refusal: If the layout is neither of the two, or the target is not said.
    """
    table = frame.rename(str.upper)
    years = sorted(int(name[-4:]) for name in table.columns if re.fullmatch(r"CODGEO_\d{4}", name))
    if {"DEPCOM_HIST", "DEPCOM"} <= set(table.columns):
        if target is None:
            raise Refusal("no_target", "a passage table of DEPCOM_HIST to DEPCOM does not say its vintage: give it")
        pairs = [_pairs(table, None, target, "DEPCOM_HIST", "DEPCOM")]
    elif "CODGEO_INI" in table.columns and years:
        *sources, last = years
        pairs = [_pairs(table, None, last, "CODGEO_INI", f"CODGEO_{last}")]
        pairs += [_pairs(table, year, last, f"CODGEO_{year}", f"CODGEO_{last}") for year in sources]
    else:
        raise Refusal(
            "not_a_passage_table", "a passage table has columns DEPCOM_HIST and DEPCOM, or CODGEO_INI and CODGEO_YYYY"
        )
    return pl.concat(pairs)


def movements_between(
    day: date, before: set[str], after: set[str], was_part: dict[str, str], is_part: dict[str, str]
) -> tuple[list[Movement], list[str]]:
    """Movements that explain two lists of communes, where no file of events is at hand.

    Args:
        day: Day to give to them: 1 January of the later list.
        before: Codes of the earlier list.
        after: Codes of the later list.
        was_part: Commune of every delegated or associated commune of the earlier edition.
        is_part: Commune of every delegated, associated or former commune of the later edition.

    Returns:
        The movements, in order, and the codes that nothing explains.
    """
    movements, unexplained = set(), set()
    for code in before - after:
        heir = is_part.get(code)
        if heir is None or heir not in after:
            unexplained.add(code)
        elif heir in before:
            movements |= {Movement(day, NEW_COMMUNE, code, heir), Movement(day, NEW_COMMUNE, heir, heir)}
        else:
            movements.add(Movement(day, CHEF_LIEU, code, heir))
    reached = {movement.after for movement in movements}
    for code in after - before - reached:
        parent = was_part.get(code)
        if parent is None or parent not in before & after:
            unexplained.add(code)
        else:
            movements |= {Movement(day, RESTORATION, parent, code), Movement(day, RESTORATION, parent, parent)}
    return sorted(movements, key=lambda m: (m.before or "", m.after)), sorted(unexplained)


def _columns(frame: pl.DataFrame, names: Sequence[str], what: str) -> pl.DataFrame:
    table = frame.rename(str.upper)
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise Refusal(
            "missing_columns", f"INSEE's {what} has columns {', '.join(names)}; missing here: {', '.join(missing)}"
        )
    return table


def _pairs(table: pl.DataFrame, vintage: int | None, target: int, source: str, to: str) -> pl.DataFrame:
    return (
        table.select(
            pl.lit(vintage, dtype=pl.Int64).alias("vintage"),
            pl.lit(target, dtype=pl.Int64).alias("target"),
            pl.col(source).alias("code_source"),
            pl.col(to).alias("code_cible"),
        )
        .filter(pl.col("code_source") != "", pl.col("code_cible") != "", ~pl.col("code_source").is_in(list(COMMUNE_OF)))
        .unique(maintain_order=True)
    )
