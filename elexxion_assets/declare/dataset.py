"""What an official dataset is: how its files are recognised, what one row holds, which period it is about."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import narwhals as nw

from elexxion_assets.declare.column import Column, Kind
from elexxion_assets.declare.text_table import Refusal, TextTable, slug

Frame = nw.LazyFrame[Any]


@dataclass(frozen=True, kw_only=True)
class Match:
    """How well a table of text fits a dataset.

    Attributes:
        score: Number of the file's columns that the dataset explains; the highest score wins.
        missing: Required things that the file lacks, in words; empty when the file is this dataset.
        differences: What else differs, in words.
    """

    score: int
    missing: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()


SECRET = ("s", "ndiff", "nd", "s.s", "(O)", "_")
"""Texts that stand for a value that is kept secret or was not published: they say nothing about the column's type."""

_SHAPES = {
    Kind.INTEGER: r"[+-]?\d[\d\s]*(?:[.,]0+)?",
    Kind.NUMBER: r"[+-]?(?:\d[\d\s]*)?[.,]?\d+(?:[eE][+-]?\d+)?\s*%?",
    Kind.DATE: r"\d{4}-\d\d-\d\d.*|\d\d?/\d\d?/\d{4}.*",
}


def match_by_columns(dataset: Dataset, table: TextTable) -> Match:
    """Compares header names with the source names of the dataset's columns, and sampled values with their contract.

    Values count once all names are there: a column of which more than a tenth of the sampled values, normalised, break
    its pattern or its kind is missing under its good name.
    """
    explained, missing = 0, []
    for column in dataset.columns:
        names = column.source_names or (column.name,)
        if table.find(names) is not None:
            explained += 1
        elif not column.optional_in_file:
            missing.append(f"column « {names[0]} » ({column.description})")
    return Match(score=explained, missing=tuple(missing or _broken_values(dataset, table)))


def _broken_values(dataset: Dataset, table: TextTable) -> list[str]:
    if not table.sample:
        return []
    cells = dict(zip(table.columns, map(list, zip(*table.sample, strict=True)), strict=True))
    schema = {**dict.fromkeys(table.columns, nw.String()), "_line": nw.Int64()}
    frame = nw.from_dict({**cells, "_line": list(range(len(table.sample)))}, schema, backend="polars").lazy()
    try:
        if dataset.unpivot is not None:
            frame = dataset.unpivot(dataset, frame, table)
        rows = dataset.normalise(dataset, frame, table).collect()
    except Refusal as refusal:
        return [refusal.reason]
    broken = []
    for column in dataset.columns:
        empty = {None, *column.missing, *SECRET}
        values = [str(value) for value in rows[column.name].to_list() if value not in empty]
        wrong = [value for value in values if not _fits(column, value.strip())]
        # One odd value among a few is no evidence.
        if 10 * len(wrong) > len(values) and len(wrong) > min(1, len(values) - 1):
            broken.append(
                f"{len(wrong)} of {len(values)} sampled values of « {column.name} » ({column.description}) "
                f"do not fit, such as « {'***' if dataset.personal else wrong[0][:40]} »"
            )
    return broken


def _fits(column: Column, value: str) -> bool:
    if column.kind is not Kind.TEXT:
        return column.kind not in _SHAPES or re.fullmatch(_SHAPES[column.kind], value) is not None
    if column.pattern is None:
        return True
    code = re.sub(r"(?<=\d)\.0$", "", value)
    if column.width and code.isdecimal():
        code = code.zfill(column.width)
    return re.fullmatch(column.pattern, code) is not None


def rename_columns(dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
    """Gives the dataset's names to the columns of a bronze frame; a column that the file lacks becomes null."""
    expressions = []
    for column in dataset.columns:
        found = table.find(column.source_names or (column.name,))
        value = nw.lit(None, dtype=nw.String) if found is None else nw.col(found)
        expressions.append(value.alias(column.name))
    return frame.select("_line", *expressions)


class Evolution(StrEnum):
    """What a dataset does when its files change.

    REFUSE: a file with a column that no declaration knows is refused. EVOLVE: such a column is accepted, stays in
    bronze and is listed in the delivery's document. RESCUE: its values are kept in `_rescued` of silver, and so are the
    texts of optional columns that are not of their type; with the other two such a text rejects its line.
    """

    REFUSE = "refuse"
    EVOLVE = "evolve"
    RESCUE = "rescue"


def unknown_columns(dataset: Dataset, table: TextTable) -> tuple[str, ...]:
    """The columns of a file that are neither in the contract nor among the official ones that it does without."""
    taken = {slug(name) for column in dataset.columns for name in column.source_names or (column.name,)}
    left = [column for column in table.columns if slug(column) not in taken]
    return tuple(column for column in left if not any(re.fullmatch(name, slug(column)) for name in dataset.not_taken))


@dataclass(frozen=True, kw_only=True)
class Geography:
    """How the commune codes of a dataset are carried to the target vintage of the COG.

    The typed rows get `code_commune_cible`, `part` (the share of the row's counts that goes there, 1 but for split
    communes, which get several rows) and `motif`. A code that cannot be placed sends its line to quarantine; a row
    without a code keeps none.

    Attributes:
        code: Column of the contract that holds the code, in INSEE form.
        vintage: From the facts of a table and the period, the vintage of its codes, or None where it is not known.
        arrondissements: Whether the municipal arrondissements of Paris, Lyon and Marseille stay what they are, for a
            dataset that holds their communes beside them, instead of counting in their commune.
    """

    code: str = "code_commune"
    vintage: Callable[[TextTable, str], int | None]
    arrondissements: bool = False


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One official dataset of a theme, in every layout in which it was ever published.

    Attributes:
        name: Name inside the theme, such as `communale`.
        title: Title for people.
        source: Publisher.
        page: Address of the publisher's page.
        columns: Contract of one normalised row.
        key: Columns that identify a normalised row inside a delivery and a period.
        period: From the facts of a table, the period of every row: an expression over the bronze columns that gives the
            period as text (null where it cannot be told), or one text for the whole table. May raise `Refusal`.
        release: From the facts of a table and the number of rows per period, the release it belongs to, as a text that
            sorts in order of publication.
        match: How well a table fits.
        normalise: From a bronze frame (all text, with `_line`) to the contract's columns, still text, with `_line`. One
            source line may give several rows.
        geography: How its commune codes are carried; None for a dataset without communes.
        unpivot: For a layout in which one row covers several periods, side by side in its columns: gives bronze one row
            per source row and period. All text, `_line` kept, nothing left out. `period` and `normalise` then see these
            rows, and `TextTable.columns` stays the file's own.
        period_of_rows: For a file whose facts may leave the period open: asked instead of `period`, with all rows too,
            gives one text for the whole table. May raise `Refusal`.
        evolution: What happens to a file with columns that nobody declared.
        not_taken: Regular expressions of the slugs of official columns that are known and not in the contract.
        unknown: From the facts of a table, the columns that nobody declared.
        addresses: Where `elexxion fetch` finds its newest release; only addresses that public text confirms.
        licence: Licence under which the publisher gives what lies there.
        part: For a dataset published in parts that a person may drop one by one (one file per département): gives the
            part of each typed row. A newer release then replaces the parts of which it holds at least half as many rows
            as the last whole one, in that one and in all older ones, and elsewhere only the rows whose key it holds.
            Without it the newest release wins whole.
        counted: Column of counts of which none may be lost, such as votes; `elexxion coverage` adds them up.
        other_keys: Columns that hold the key, of one column, under which another dataset may tell the same thing.
    """

    name: str
    title: str
    source: str
    page: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    period: Callable[[TextTable], nw.Expr | str]
    release: Callable[[TextTable, Mapping[str, int]], str]
    match: Callable[[Dataset, TextTable], Match] = match_by_columns
    normalise: Callable[[Dataset, Frame, TextTable], Frame] = rename_columns
    geography: Geography | None = None
    unpivot: Callable[[Dataset, Frame, TextTable], Frame] | None = None
    period_of_rows: Callable[[TextTable, Frame], str] | None = None
    evolution: Evolution = Evolution.RESCUE
    not_taken: tuple[str, ...] = ()
    unknown: Callable[[Dataset, TextTable], tuple[str, ...]] = unknown_columns
    addresses: tuple[str, ...] = ()
    licence: str = "Licence Ouverte 2.0"
    part: nw.Expr | None = None
    counted: str = ""
    other_keys: tuple[str, ...] = ()

    @property
    def personal(self) -> bool:
        """Whether some values are personal; cells may have slid, so that none of them is shown as an example."""
        return any(column.personal for column in self.columns)

    @property
    def rescued(self) -> frozenset[str]:
        """The columns whose texts are kept in `_rescued` when they are not of their type.

        They are the optional numbers, dates and flags outside the key. A code is no such thing: without it a row would
        count nowhere, and nobody would miss it.
        """
        if self.evolution is not Evolution.RESCUE:
            return frozenset()
        kept = (column for column in self.columns if not column.required and column.kind is not Kind.TEXT)
        return frozenset(column.name for column in kept) - {*self.key}
