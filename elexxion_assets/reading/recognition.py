"""Which dataset a table is, by its columns and values."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping

from elexxion_assets.declare import Dataset, Evolution, Match, Refusal, TextTable, Theme, slug

_TOLD = 6
_ALIKE = 0.6
"""Share of common letters from which on two names are taken for one that was changed."""


def recognise(table: TextTable, themes: Mapping[str, Theme]) -> tuple[Theme, Dataset]:
    """The dataset that explains most columns of the table, among all themes.

    Raises:
        Refusal: `unknown_dataset`, naming the nearest one and what it lacks, or `ambiguous_dataset`, naming the equals.
    """
    matches = [(_match(dataset, table), theme, dataset) for theme in themes.values() for dataset in theme.datasets]
    candidates = [found for found in matches if not found[0].missing]
    if not candidates:
        raise _unknown(table, matches)
    best = max(match.score for match, _, _ in candidates)
    winners = [(theme, dataset) for match, theme, dataset in candidates if match.score == best]
    if len(winners) > 1:
        names = " and ".join(f"{theme.name}/{dataset.name} ({dataset.title})" for theme, dataset in winners)
        raise Refusal("ambiguous_dataset", f"{_what(table)} fits {names} equally well.")
    return winners[0]


def check_evolution(dataset: Dataset, table: TextTable) -> None:
    """Refuses a table with columns that its dataset does not know, where that is the dataset's policy.

    Raises:
        Refusal: `unknown_columns`.
    """
    unknown = dataset.unknown(dataset, table)
    if dataset.evolution is not Evolution.REFUSE or not unknown:
        return
    said = ", ".join(f"« {name} »" for name in unknown[:_TOLD]) + (" and others" if len(unknown) > _TOLD else "")
    raise Refusal(
        "unknown_columns",
        f"{_what(table)} has columns that {dataset.name} ({dataset.title}) does not know, and such a file is refused: "
        f"{said}." + "".join(f" {words}" for words in renamed(dataset, table)),
    )


def renamed(dataset: Dataset, table: TextTable, wanted: Collection[str] = ()) -> list[str]:
    """Columns that nobody declared and whose names are like one that the file lacks, in words.

    Args:
        dataset: The dataset.
        table: The table.
        wanted: Official names that the file lacks, beside those of the contract.
    """
    lacked = {slug(name): name for name in wanted}
    for column in dataset.columns:
        names = column.source_names or (column.name,)
        if table.find(names) is None:
            lacked |= {slug(name): name for name in names if not name.startswith("_")}
    near = {
        name: difflib.get_close_matches(slug(name), lacked, n=1, cutoff=_ALIKE)
        for name in dataset.unknown(dataset, table)
    }
    return [
        f"Did you mean: column « {name} » looks like « {lacked[alike[0]]} »?" for name, alike in near.items() if alike
    ]


def _match(dataset: Dataset, table: TextTable) -> Match:
    try:
        return dataset.match(dataset, table)
    except Refusal as refusal:
        return Match(score=0, missing=(refusal.reason,))


def _unknown(table: TextTable, matches: list[tuple[Match, Theme, Dataset]]) -> Refusal:
    if not matches:
        return Refusal("unknown_dataset", "No dataset is known yet.")
    match, theme, dataset = max(matches, key=lambda found: (found[0].score - len(found[0].missing), found[0].score))
    said = f"{_what(table)} is none of the known datasets."
    if match.score:
        said += f" The nearest is {theme.name}/{dataset.name} ({dataset.title}); it lacks " + "; ".join(
            match.missing[:_TOLD]
        )
        if len(match.missing) > _TOLD:
            said += f"; and {len(match.missing) - _TOLD} more"
        said = "; ".join([said, *match.differences[:_TOLD]]) + "."
    said += "".join(f" {words}" for words in renamed(dataset, table, _named(match))[:_TOLD]) if match.score else ""
    named = [name for name in table.header if name.strip()][:8]
    said += f" Its columns: {', '.join(named)}…" if named else " It has no header."
    return Refusal("unknown_dataset", said)


def _named(match: Match) -> list[str]:
    """The names of columns in what a match misses."""
    return [name for said in match.missing for name in re.findall(r"columns? « ([^»]+) »", said)]


def _what(table: TextTable) -> str:
    return f"Sheet « {table.member} »" if table.member else "The table"
