"""From a file's blocks of candidates to one row per territory and candidate, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import narwhals as nw
import polars as pl

from elexxion_assets.declare import Column, Frame
from elexxion_assets.themes.election import blocs
from elexxion_assets.themes.election.columns import CANDIDATURE, PARTICIPATION, TERRITOIRE, VOIX
from elexxion_assets.themes.election.layouts import Layout
from elexxion_assets.themes.election.scrutins import presidentielle_of
from elexxion_assets.themes.election.territories import territory, with_communes

_FEMALE = ("F", "MME", "MLLE", "FEMININ", "FÉMININ", "MADAME")
_MALE = ("M", "M.", "MASCULIN", "MONSIEUR")

_UNIT = [column.name for column in (*TERRITOIRE, *PARTICIPATION)]
_VOTE = [column.name for column in (*CANDIDATURE, VOIX)]

_GIVEN = "_given_"
"""Before the name of a block's field: what the file says there."""

_ROWS_TOGETHER = 200_000
"""Rows that are laid out together, so that few of many candidates are held in memory at a time."""


def long_rows(frame: Frame, layout: Layout) -> Frame:
    """One row per line of the file and candidate.

    Args:
        frame: Bronze rows: all text, with `_line`.
        layout: Roles of the columns.

    Returns:
        The columns of the datasets' contract, all text, and `_line`. A line without any candidate gives one row, so
        that the contract can say what it lacks. Candidates that a line does not fill give none.
    """
    votes = {f"_{rank}_{field}": column for rank, block in enumerate(layout.blocks) for field, column in block.items()}
    base = _base(frame, layout, votes)
    if not layout.blocks:
        return base.select("_line", *_UNIT, *(_absent(name) for name in _VOTE))
    if base.implementation.is_polars():
        return _laid_out_in_batches(base, layout)
    parts = []
    for rank, block in enumerate(layout.blocks):
        fields = {field: nw.col(f"_{rank}_{field}") for field in block}
        rows = base if rank == 0 else base.filter(_is_filled(fields))
        parts.append(rows.select("_line", *_UNIT, *_candidature(fields), nw.lit(rank + 1).alias("_rank")))
    rows = parts[0] if len(parts) == 1 else nw.concat(parts)
    if _may_have_namesakes(layout):
        rows = _tell_namesakes_apart(rows)
    return rows.select("_line", *_UNIT, *_VOTE)


def _may_have_namesakes(layout: Layout) -> bool:
    """Only the législatives have so many candidates on one line (Paris: more than 300) that two have one name."""
    return len(layout.blocks) > 1 and {"nom", "nuance"} <= layout.fields()


def _laid_out_in_batches(base: Frame, layout: Layout) -> Frame:
    """The rows of all blocks, batch of lines by batch of lines: what a batch says again and again is looked at once."""
    lines = max(1, _ROWS_TOGETHER // len(layout.blocks))

    def batch(rows: pl.DataFrame) -> pl.DataFrame:
        parts = [_laid_out(part, layout) for part in rows.iter_slices(lines)]
        return pl.concat(parts) if parts else pl.DataFrame(schema=schema)

    schema: dict[str, Any] = {"_line": pl.Int64(), **dict.fromkeys((*_UNIT, *_VOTE), pl.String())}
    native: pl.LazyFrame = base.to_native()
    return nw.from_native(native.map_batches(batch, schema=schema, streamable=True))


def _laid_out(base: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """The rows of all blocks of some lines."""
    fields = sorted(layout.fields())
    unit = base.select("_line", *_UNIT)
    blocks = pl.concat(
        base.select(
            (pl.col(f"_{rank}_{field}") if field in block else pl.lit(None, pl.String)).alias(f"{_GIVEN}{field}")
            for field in fields
        )
        for rank, block in enumerate(layout.blocks)
    )
    given = {field: nw.col(f"{_GIVEN}{field}") for field in fields}
    filled = nw.from_native(blocks).select(filled=_is_filled(given)).to_native()["filled"].fill_null(value=False)
    votes = _once_per_run(blocks, [f"{_GIVEN}{field}" for field in fields if field != "voix"], _candidature(given))
    parts = []
    for rank in range(len(layout.blocks)):
        here = filled.slice(rank * base.height, base.height)
        rows = unit.hstack(votes.slice(rank * base.height, base.height))
        rows = rows.with_columns(pl.lit(rank + 1).alias("_rank"))
        parts.append(rows if rank == 0 or here.all() else rows.filter(here))
    rows = pl.concat(parts)
    if _may_have_namesakes(layout):
        rows = _tell_namesakes_apart(nw.from_native(rows.lazy())).to_native().collect(engine="in-memory")
    return rows.select("_line", *_UNIT, *_VOTE)


def _once_per_run(rows: pl.DataFrame, names: Sequence[str], made: Sequence[nw.Expr]) -> pl.DataFrame:
    """What is made of each row, worked out once where rows below one another say the same but for their votes.

    Args:
        rows: The rows.
        names: The columns that `made` is made of, but for those of votes.
        made: Expressions; the last one is the votes as they stand.
    """
    starts = rows.select(pl.any_horizontal(pl.col(names).ne_missing(pl.col(names).shift(1)))).to_series()
    if not rows.height or starts.sum() * 2 > rows.height:
        return _made(rows, made)
    starts = starts.scatter(0, True)
    runs = _made(rows.filter(starts), made)
    which = starts.cum_sum() - 1
    return (
        runs.select(_VOTE[:-1]).rechunk().select(pl.all().gather(which)).hstack([rows[f"{_GIVEN}voix"].alias("voix")])
    )


def _made(rows: pl.DataFrame, made: Sequence[nw.Expr]) -> pl.DataFrame:
    done: pl.DataFrame = nw.from_native(rows).select(*made).to_native()
    return done


def long_rows_of_columns(frame: Frame, layout: Layout, candidates: Sequence[str]) -> Frame:
    """One row per line and candidate of a file that has one column of votes per candidate or nuance.

    Args:
        frame: Bronze rows: all text, with `_line`.
        layout: Roles of the other columns.
        candidates: The columns of votes; their names are family names of a présidentielle, or nuances.
    """
    base = _base(frame, layout, {f"_{rank}": column for rank, column in enumerate(candidates)})
    presidential = presidentielle_of(candidates).kind is not None
    people = {blocs.plain(k): v for names in blocs.presidential_candidates().values() for k, v in names.items()}
    parts = []
    for rank, column in enumerate(candidates):
        if presidential:
            said = {"candidat": nw.lit(people.get(blocs.plain(column), column))}
        else:
            said = {"candidat": nw.lit(column), "nuance": nw.lit(column)}
        said["voix"] = nw.col(f"_{rank}")
        vote = [said[name].alias(name) if name in said else _absent(name) for name in _VOTE]
        parts.append(base.select("_line", *_UNIT, *vote))
    return nw.concat(parts)


def _base(frame: Frame, layout: Layout, votes: Mapping[str, str]) -> Frame:
    """One row per line: territory, participation, and the columns of votes under names of our own."""
    participation = [
        nw.col(layout.head[column.name]).alias(column.name) if column.name in layout.head else _absent(column.name)
        for column in PARTICIPATION
    ]
    named = [nw.col(column).alias(name) for name, column in votes.items()]
    return with_communes(frame, layout).select("_line", *territory(layout), *participation, *named)


def _absent(name: str) -> nw.Expr:
    return nw.lit(None, dtype=nw.String()).alias(name)


def _present(value: nw.Expr) -> nw.Expr:
    """The text without blanks around it, null where nothing is left."""
    text = value.str.strip_chars()
    return nw.when(text != "").then(text)


def _is_filled(fields: Mapping[str, nw.Expr]) -> nw.Expr:
    """Whether a line has a candidate here: a vote or a name."""
    told = [fields[field] for field in ("voix", "nom", "nuance", "liste", "liste_abregee", "binome") if field in fields]
    return nw.any_horizontal(*((value.str.strip_chars() != "") for value in told), ignore_nulls=True)


def _candidature(fields: Mapping[str, nw.Expr]) -> list[nw.Expr]:
    """The columns of `CANDIDATURE` and `voix` from one block."""
    value = {field: _present(expression) for field, expression in fields.items()}
    nothing = nw.lit(None, dtype=nw.String())
    nom = value.get("nom", nothing).str.to_uppercase()
    prenom = value.get("prenom", nothing)
    whole_name = nw.when(~nom.is_null()).then(nw.concat_str([nom, prenom], separator=" ", ignore_nulls=True))
    titles = [value[field] for field in ("liste", "liste_abregee") if field in value]
    others = [value[field] for field in ("binome", "tete_de_liste", "nuance") if field in value]
    names = [_usual_spelling(whole_name)] if "nom" in value else []
    candidates = [*titles, *names, *others]
    civility = value.get("sexe", nothing).str.to_uppercase()
    sexe = nw.when(civility.is_in(_FEMALE)).then(nw.lit("F")).otherwise(civility)
    sexe = nw.when(civility.is_in(_MALE)).then(nw.lit("M")).otherwise(sexe)
    made = {
        "numero_panneau": value.get("numero_panneau", nothing),
        "candidat": nw.coalesce(*candidates) if candidates else nothing,
        "nom": nw.coalesce(nom, value.get("tete_de_liste", nothing)),
        "prenom": prenom,
        "sexe": sexe,
        "nuance": value.get("nuance", nothing),
        "voix": fields["voix"],
    }
    return [made[name].alias(name) for name in _VOTE]


def _usual_spelling(name: nw.Expr) -> nw.Expr:
    """The one spelling of candidates of présidentielles, whose accents some files have lost."""
    spellings = _lost_accents()
    return name.replace_strict(list(spellings), list(spellings.values()), default=name, return_dtype=nw.String())


@cache
def _lost_accents() -> Mapping[str, str]:
    """From spellings without accents to the usual one."""
    everybody = (name for names in blocs.presidential_candidates().values() for name in names.values())
    accented = (name for name in everybody if not name.isascii())
    return {form: name for name in accented for form in sorted(blocs.spellings(name) - {name})}


def _tell_namesakes_apart(rows: Frame) -> Frame:
    """Adds the panel, or the place in the line, to candidates of one line who have the same name."""
    copies = nw.len().over("_line", "candidat")
    which = nw.coalesce(nw.col("numero_panneau"), nw.col("_rank").cast(nw.String()))
    named = nw.concat_str([nw.col("candidat"), nw.lit(" ("), which, nw.lit(")")])
    apart = nw.when((copies > 1) & ~nw.col("candidat").is_null()).then(named).otherwise(nw.col("candidat"))
    return rows.with_columns(apart.alias("candidat"))


COLUMNS: tuple[Column, ...] = (*TERRITOIRE, *PARTICIPATION, *CANDIDATURE, VOIX)
"""Contract of the rows."""
