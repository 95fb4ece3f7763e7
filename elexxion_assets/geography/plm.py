"""Paris, Lyon and Marseille: a table may hold the commune, its arrondissements, or both; both count it twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import narwhals as nw

from elexxion_assets.declare import Frame

COMMUNE_OF: dict[str, str] = {
    **{f"751{number:02}": "75056" for number in range(1, 21)},
    **{f"6938{number}": "69123" for number in range(1, 10)},
    **{f"132{number:02}": "13055" for number in range(1, 17)},
}
"""Commune of each municipal arrondissement (law of 31 December 1982; Code officiel géographique, `ARM`)."""

Level = Literal["communes", "arrondissements"]


def double_counted(code: str, by: Sequence[str] = (), keep: Level = "communes") -> nw.Expr:
    """Whether a row repeats what rows of the other level already count.

    Args:
        code: Column of commune codes.
        by: The other columns of the table's key, such as year and indicator: a double count happens within them.
        keep: The level that stays where a group holds both.

    Returns:
        A Boolean expression, to filter or to quarantine by. With `keep="communes"`, true for arrondissements beside
        their commune; with `keep="arrondissements"`, true for a commune beside all its arrondissements.
    """
    repeated = nw.lit(value=False)
    for commune in sorted(set(COMMUNE_OF.values())):
        arrondissements = [one for one, parent in COMMUNE_OF.items() if parent == commune]
        whole, part = nw.col(code) == commune, nw.col(code).is_in(arrondissements)
        if keep == "communes":
            repeated |= part & (_count(whole, by) > 0)
        else:
            repeated |= whole & (_count(part, by) >= len(arrondissements))
    return repeated.fill_null(value=False)


def _count(rows: nw.Expr, by: Sequence[str]) -> nw.Expr:
    counted = rows.cast(nw.Int64).sum()
    return counted.over(*by) if by else counted


def without_double_count(frame: Frame, code: str, by: Sequence[str] = (), keep: Level = "communes") -> Frame:
    """The rows of a table without those that `double_counted` points at."""
    return frame.filter(~double_counted(code, by, keep))
