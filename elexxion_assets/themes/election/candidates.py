"""From a file's blocks of candidates to one row per territory and candidate, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import narwhals as nw

from elexxion_assets.declare import Column, Frame
from elexxion_assets.themes.election import blocs
from elexxion_assets.themes.election.columns import CANDIDATURE, PARTICIPATION, TERRITOIRE, VOIX
from elexxion_assets.themes.election.layouts import Layout
from elexxion_assets.themes.election.scrutins import presidentielle_of
from elexxion_assets.themes.election.territories import territory

_FEMALE = ("F", "MME", "MLLE", "FEMININ", "FÉMININ", "MADAME")
_MALE = ("M", "M.", "MASCULIN", "MONSIEUR")

_UNIT = [column.name for column in (*TERRITOIRE, *PARTICIPATION)]
_VOTE = [column.name for column in (*CANDIDATURE, VOIX)]


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
    parts = []
    for rank, block in enumerate(layout.blocks):
        fields = {field: nw.col(f"_{rank}_{field}") for field in block}
        rows = base if rank == 0 else base.filter(_is_filled(fields))
        parts.append(rows.select("_line", *_UNIT, *_candidature(fields), nw.lit(rank + 1).alias("_rank")))
    rows = parts[0] if len(parts) == 1 else nw.concat(parts)
    # Only the législatives have so many candidates on one line (Paris: more than 300) that two have one name.
    if len(parts) > 1 and {"nom", "nuance"} <= layout.fields():
        rows = _tell_namesakes_apart(rows)
    return rows.select("_line", *_UNIT, *_VOTE)


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
    return frame.select("_line", *territory(layout), *participation, *named)


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
