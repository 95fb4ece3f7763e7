"""Which dataset a table is, by its columns and values."""

from __future__ import annotations

from collections.abc import Mapping

from elexxion_assets.declare import Dataset, Match, Refusal, TextTable, Theme

_TOLD = 6


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
    named = [name for name in table.header if name.strip()][:8]
    said += f" Its columns: {', '.join(named)}…" if named else " It has no header."
    return Refusal("unknown_dataset", said)


def _what(table: TextTable) -> str:
    return f"Sheet « {table.member} »" if table.member else "The table"
