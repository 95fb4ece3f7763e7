"""Says, for every file, where each of its rows is, and which of its communes are in the target vintage of the COG.

Everything is counted anew from what lies in the lake: bronze, silver, quarantine and the ledger. What a build said of
its own counts is not trusted, so that rows in = silver + older releases + told by another file + quarantine is a proof.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import narwhals as nw
import polars as pl

from elexxion_assets.columns import COMMUNE_CIBLE, MOTIF, PART
from elexxion_assets.declare import Dataset, Layer, Table, TextTable, Theme
from elexxion_assets.lake import layout
from elexxion_assets.lake.bronze import NO_PERIOD
from elexxion_assets.lake.build import CORRECTS, text_table
from elexxion_assets.lake.ledger import Delivery, Ledger, State
from elexxion_assets.lake.quarantine import COLUMN, RULE
from elexxion_assets.lake.storage import Storage
from elexxion_assets.quality import contract

_ADDED = ("_delivery", "_file", "_member", COLUMN, RULE, contract.REASON)
_HALF = 0.5
"""Sums of shares of whole numbers: less than this is rounding."""


@dataclass(kw_only=True)
class Counts:
    """A sum that must survive, such as the votes of an election.

    Attributes:
        read: Sum over all rows read.
        placed: Sum in silver, in communes of the target vintage and units kept beside them.
        above: Sum in silver of rows above the communes (départements, circonscriptions).
        quarantined: Sum of rows in quarantine.
        elsewhere: Sum of rows of older releases, and of those that another file tells.
    """

    read: float = 0
    placed: float = 0
    above: float = 0
    quarantined: float = 0
    elsewhere: float = 0

    @property
    def missing(self) -> float:
        """What is nowhere."""
        return self.read - self.placed - self.above - self.quarantined - self.elsewhere

    def add(self, other: Counts) -> None:
        """Adds the sums of another period."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


@dataclass(kw_only=True)
class Coverage:
    """What became of one table of one file.

    Attributes:
        file: Name under which it was dropped.
        member: Sheet, or empty.
        delivery: Identifier of the delivery.
        dataset: `theme/dataset`, empty for a file that was refused.
        release: Release to which it belongs.
        periods: Its periods.
        rows: Rows read; those of a wide file count once per period.
        silver: Rows from which silver has something.
        older: Rows that a newer release replaced.
        told_elsewhere: Rows whose key silver has from another file of the theme.
        quarantined: Rows in quarantine by reason, without the values.
        communes: Published codes of communes in silver and quarantine; None for a dataset without communes.
        communes_placed: Those among them that have a commune of the target vintage, or a unit kept beside the COG.
        motifs: Published codes by what became of them.
        counted: What is summed up in `counts`, such as « voix », or empty.
        counts: The sums.
        refusals: Why the file, or some of its sheets, were not taken.
        problems: What does not add up, in words; empty when every row is accounted for.
    """

    file: str
    member: str = ""
    delivery: str
    dataset: str = ""
    release: str = ""
    periods: list[str] = field(default_factory=list)
    rows: int = 0
    silver: int = 0
    older: int = 0
    told_elsewhere: int = 0
    quarantined: dict[str, int] = field(default_factory=dict)
    communes: int | None = None
    communes_placed: int | None = None
    motifs: dict[str, int] = field(default_factory=dict)
    counted: str = ""
    counts: Counts | None = None
    refusals: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def missing(self) -> int:
        """Rows that are nowhere; 0 is the promise of the lake."""
        return self.rows - self.silver - self.older - self.told_elsewhere - sum(self.quarantined.values())

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        facts = {**vars(self), "missing": self.missing}
        if self.counts is not None:
            facts["counts"] = {**vars(self.counts), "missing": self.counts.missing}
        return facts


def coverage(
    storage: Storage, ledger: Ledger, themes: Mapping[str, Theme], deliveries: Iterable[Delivery]
) -> Iterator[Coverage]:
    """What became of every table of these deliveries, in their order.

    Args:
        storage: The lake.
        ledger: All deliveries, among them those that replaced others.
        themes: The themes.
        deliveries: What is asked about; archives and files that were only seen have no tables of their own.
    """
    lake = _Lake(storage, ledger, themes)
    for delivery in deliveries:
        if CORRECTS in delivery.hints:
            continue  # its rows are those of the delivery that it corrects
        refusals = [reason["reason"] for reason in delivery.reasons]
        if delivery.state in {State.SEEN, State.LANDED}:
            said = "its reading has not ended: `elexxion run` takes it up again"
            yield Coverage(file=delivery.name, delivery=delivery.id, problems=[said])
        elif delivery.state is State.REFUSED or (delivery.state is State.EXPANDED and refusals):
            yield Coverage(file=delivery.name, delivery=delivery.id, refusals=refusals)
        elif delivery.state is State.READ:
            for position in range(len(delivery.tables)):
                found = lake.of_table(delivery, position)
                # A sheet that was left out is said once, with the first of those that were taken.
                found.refusals, refusals = refusals, []
                yield found


class _Lake:
    """The lake, with what was counted of its silver tables kept for the next file."""

    def __init__(self, storage: Storage, ledger: Ledger, themes: Mapping[str, Theme]) -> None:
        self.storage = storage
        self.ledger = ledger
        self.themes = themes
        self._kept: dict[tuple[str, str, str], dict[str, int]] = {}
        self._releases: dict[tuple[str, str, str], set[str]] = {}

    def of_table(self, delivery: Delivery, position: int) -> Coverage:
        """What became of one table of a delivery."""
        facts = delivery.tables[position]
        theme = self.themes[delivery.theme]
        dataset = theme.dataset(facts["dataset"])
        found = Coverage(
            file=delivery.name,
            member=facts["member"],
            delivery=delivery.id,
            dataset=f"{theme.name}/{dataset.name}",
            release=str(facts["release"]),
            periods=sorted(facts["periods"]),
            rows=facts["rows"],
            counted=dataset.counted,
            counts=Counts() if dataset.counted else None,
        )
        codes: dict[str, str | None] = {}
        for period in (*found.periods, *self._odd_periods(theme, dataset, delivery, facts)):
            _Period(self, theme, dataset, delivery, position, period).add_to(found, codes)
        if dataset.geography is not None:
            found.communes = len(codes)
            found.communes_placed = sum(motif is not None for motif in codes.values())
            found.motifs = dict(Counter(motif or "not placed" for motif in codes.values()).most_common())
        if found.missing:
            found.problems.append(
                f"{found.missing:,} rows are nowhere" if found.missing > 0 else f"{-found.missing:,} rows are twice"
            )
        if found.counts is not None and abs(found.counts.missing) > _HALF:
            found.problems.append(f"{found.counts.missing:,.0f} {found.counted} are nowhere")
        return found

    def _odd_periods(self, theme: Theme, dataset: Dataset, delivery: Delivery, facts: Mapping[str, Any]) -> set[str]:
        """Where rows were quarantined whose period cannot be told or is none of the theme's."""
        prefix = f"{layout.QUARANTINE}{theme.name}/{dataset.name}/{delivery.id}/"
        names = (entry.key.removeprefix(prefix).removesuffix(".parquet") for entry in self.storage.list(prefix))
        return {re.sub(r"\.[0-9]+$", "", name) for name in names} - set(facts["periods"]) | {NO_PERIOD}

    def kept(self, theme: Theme, dataset: Dataset, period: str) -> dict[str, int]:
        """Lines in silver of every table of every delivery, over all silver tables that are made of the dataset."""
        key = (theme.name, dataset.name, period)
        if key not in self._kept:
            with ExitStack() as stack:
                frames = [frame.select("_delivery", "_line") for _, frame in self.silver(theme, dataset, period, stack)]
                counted = (
                    pl.concat(frames).group_by("_delivery").agg(pl.col("_line").n_unique()).collect(engine="streaming")
                    if frames
                    else pl.DataFrame({"_delivery": [], "_line": []})
                )
            self._kept[key] = dict(counted.iter_rows())
        return self._kept[key]

    def silver(
        self, theme: Theme, dataset: Dataset, period: str, stack: ExitStack
    ) -> Iterator[tuple[Table, pl.LazyFrame]]:
        """The published silver tables of a period that are made of a dataset."""
        for table in theme.tables:
            key = layout.table_key(theme.name, table.layer, table.name, period)
            if table.layer is Layer.SILVER and dataset.name in table.inputs and self.storage.stat(key):
                yield table, pl.scan_parquet(stack.enter_context(self.storage.local(key)))

    def releases(self, theme: Theme, dataset: Dataset, period: str) -> set[str]:
        """The releases that hold rows of a dataset for a period."""
        key = (theme.name, dataset.name, period)
        if key not in self._releases:
            found = set()
            for entry in self.storage.list(layout.bronze_prefix(*key)):
                identifier, position = layout.delivery_of(entry.key)
                delivery = self.ledger.get(identifier)
                if delivery is not None and delivery.state is State.READ and position < len(delivery.tables):
                    found.add(str(delivery.tables[position]["release"]))
            self._releases[key] = found
        return self._releases[key]


class _Period:
    """One period of one table of a delivery."""

    def __init__(
        self, lake: _Lake, theme: Theme, dataset: Dataset, delivery: Delivery, position: int, period: str
    ) -> None:
        self.lake = lake
        self.theme = theme
        self.dataset = dataset
        self.delivery = delivery
        self.position = position
        self.period = period
        self.facts = delivery.tables[position]
        self.table: TextTable = text_table(self.facts, delivery)
        self.origin = layout.origin(delivery.id, position)

    def add_to(self, found: Coverage, codes: dict[str, str | None]) -> None:
        """Adds this period to what is known of the table; `codes` are published communes and their motif."""
        with ExitStack() as stack:
            bronze = self._object(layout.bronze_key(*self._place(), self.delivery.id, self.position), stack)
            rejected = self._object(
                layout.quarantine_key(*self._place()[:2], self.delivery.id, self.period, self.position), stack
            )
            rows = self.facts["periods"].get(self.period, 0)
            there = 0 if bronze is None else int(bronze.select(pl.len()).collect().item())
            if there != rows:
                found.problems.append(f"{self.period}: bronze has {there:,} rows, {rows:,} were read")
            reasons = _reasons(rejected)
            for reason, count in reasons.items():
                found.quarantined[reason] = found.quarantined.get(reason, 0) + count
            if bronze is None:
                return
            silver = list(self.lake.silver(self.theme, self.dataset, self.period, stack))
            kept = self.lake.kept(self.theme, self.dataset, self.period).get(self.origin, 0)
            rest = rows - kept - sum(reasons.values())
            found.silver += kept
            if rest > 0 and max(self.lake.releases(self.theme, self.dataset, self.period)) > found.release:
                found.older += rest
            elif rest > 0 and silver:
                found.told_elsewhere += self._told(bronze, rejected, silver)
            elif rest > 0:
                found.problems.append(f"{self.period}: silver is not built; `elexxion run` builds it")
            self._see_communes(silver, rejected, codes)
            if found.counts is not None:
                found.counts.add(self._sums(bronze, rejected, silver))

    def _place(self) -> tuple[str, str, str]:
        return self.theme.name, self.dataset.name, self.period

    def _object(self, key: str, stack: ExitStack) -> pl.LazyFrame | None:
        if self.lake.storage.stat(key) is None:
            return None
        return pl.scan_parquet(stack.enter_context(self.lake.storage.local(key)))

    def _own(self, silver: pl.LazyFrame) -> pl.LazyFrame:
        return silver.filter(pl.col("_delivery") == self.origin)

    def _typed(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Rows of bronze or of quarantine under the dataset's names and types."""
        plain = rows.drop(_ADDED, strict=False)
        normal = self.dataset.normalise(self.dataset, nw.from_native(plain), self.table)
        typed: pl.LazyFrame = contract.apply(normal, self.dataset.columns).to_native()
        return typed

    def _left_out(
        self, bronze: pl.LazyFrame, rejected: pl.LazyFrame | None, silver: list[tuple[Table, pl.LazyFrame]]
    ) -> pl.LazyFrame:
        """The rows of bronze that are neither in silver nor in quarantine."""
        here = [self._own(frame).select("_line") for _, frame in silver]
        if rejected is not None:
            here.append(rejected.select("_line"))
        return bronze.join(pl.concat(here), on="_line", how="anti") if here else bronze

    def _told(
        self, bronze: pl.LazyFrame, rejected: pl.LazyFrame | None, silver: list[tuple[Table, pl.LazyFrame]]
    ) -> int:
        """How many of the rows that are left out have their key in silver, from another file."""
        told = []
        left = self._typed(self._left_out(bronze, rejected, silver))
        known = {column.name for column in self.dataset.columns}
        for table, frame in silver:
            others = frame.filter(pl.col("_delivery") != self.origin)
            key = [name for name in table.key if name in known]
            if key:
                told.append(left.join(others.select(key).unique(), on=key, how="semi", nulls_equal=True))
            if len(table.key) == 1:
                told += [
                    left.join(others, left_on=name, right_on=table.key[0], how="semi")
                    for name in self.dataset.other_keys
                ]
        lines = pl.concat([frame.select("_line") for frame in told])
        return int(lines.select(pl.col("_line").n_unique()).collect().item())

    def _see_communes(
        self,
        silver: list[tuple[Table, pl.LazyFrame]],
        rejected: pl.LazyFrame | None,
        codes: dict[str, str | None],
    ) -> None:
        if self.dataset.geography is None:
            return
        code = self.dataset.geography.code
        if rejected is not None:
            for published in self._typed(rejected).select(code).drop_nulls().unique().collect().to_series():
                codes.setdefault(published, None)
        for table, frame in silver:
            if {code, MOTIF.name} <= {column.name for column in table.columns}:
                placed = self._own(frame).filter(pl.col(COMMUNE_CIBLE.name).is_not_null())
                codes.update(placed.group_by(code).agg(pl.col(MOTIF.name).min()).collect().iter_rows())

    def _sums(
        self, bronze: pl.LazyFrame, rejected: pl.LazyFrame | None, silver: list[tuple[Table, pl.LazyFrame]]
    ) -> Counts:
        name = self.dataset.counted
        sums = Counts(read=_sum(self._typed(bronze), name))
        if rejected is not None:
            sums.quarantined = _sum(self._typed(rejected), name)
        for table, frame in silver:
            if name in (column.name for column in table.columns):
                own = self._own(frame)
                places = {column.name for column in table.columns}
                if COMMUNE_CIBLE.name not in places:
                    sums.above = _sum(own, name)
                    continue
                shared = own.with_columns(pl.col(name) * pl.col(PART.name).fill_null(1.0))
                sums.placed = _sum(shared.filter(pl.col(COMMUNE_CIBLE.name).is_not_null()), name)
                sums.above = _sum(shared.filter(pl.col(COMMUNE_CIBLE.name).is_null()), name)
        sums.elsewhere = _sum(self._typed(self._left_out(bronze, rejected, silver)), name)
        return sums


def _sum(rows: pl.LazyFrame, name: str) -> float:
    return float(rows.select(pl.col(name).sum()).collect(engine="streaming").item() or 0)


def _reasons(rejected: pl.LazyFrame | None) -> dict[str, int]:
    """Rows by reason, the values in the reasons left out."""
    if rejected is None:
        return {}
    reason = (
        pl.col(contract.REASON)
        .str.replace_all(r"(?s)« .*? »", "« … »")
        .str.replace_all(r"as in line [0-9]+ of", "as in line … of")
    )
    counted = rejected.group_by(reason.alias("reason")).agg(pl.len().alias("rows")).collect()
    return dict(counted.sort("rows", "reason", descending=[True, False]).iter_rows())
