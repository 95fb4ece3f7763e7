"""Makes one table for one period: reads its inputs, judges the result, only then puts it in place of the old one."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import narwhals as nw
import polars as pl

from elexxion_assets.columns import COMMUNE_CIBLE, MOTIF, PART
from elexxion_assets.declare import Column, Dataset, Evolution, Frame, Geography, Kind, Layer, Table, TextTable, Theme
from elexxion_assets.engine import Engine, engine_of
from elexxion_assets.engine.embedded import SORTED_AT_ONCE
from elexxion_assets.lake import comparison, layout
from elexxion_assets.lake.cost import Meter
from elexxion_assets.lake.edition import Edition, edition_of, populations_of
from elexxion_assets.lake.ledger import Delivery, Ledger, State
from elexxion_assets.lake.quarantine import quarantine, reasons_by_line, set_apart
from elexxion_assets.lake.storage import Entry, Storage
from elexxion_assets.quality import checks, contract
from elexxion_assets.quality.typed import apply as apply_contract
from elexxion_assets.synthetic import is_synthetic_release

ORIGIN = ("_delivery", "_line")
"""Where a silver row comes from: the delivery (and, after a dot, which of its tables) and the line."""

PROVENANCE = (*ORIGIN, contract.RESCUED)
"""Columns at the end of every silver table: where the row comes from, and what of its line found no other place."""

CORRECTS = "corrects"
"""Hint of a delivery that corrects rejected rows of another one: which."""

COUNTS, HOME = "_correction_counts", "_correction_home"
"""Columns of a correction's bronze: whether the row belongs to this period or was only taken out of it, and where it
was rejected."""

NAME = "name"
"""Hint of a delivery whose bytes came again under a name that tells more."""

TARGET = (COMMUNE_CIBLE.name, PART.name, MOTIF.name)
"""Columns that a dataset with a geography gets: where the row's figures count, for what share, and why."""

_POLARS = {
    Kind.TEXT: pl.String(),
    Kind.INTEGER: pl.Int64(),
    Kind.NUMBER: pl.Float64(),
    Kind.DATE: pl.Date(),
    Kind.BOOLEAN: pl.Boolean(),
}


@dataclass(frozen=True, kw_only=True)
class Staged:
    """A table made for one period, judged, not yet published.

    Attributes:
        theme: Name of the theme.
        table: The declaration.
        period: The period.
        file: Local Parquet file.
        rows: Number of rows.
        results: One result per check.
        inputs: Where the rows come from: deliveries for silver, tables otherwise.
        counts: Source rows, rows in quarantine, rows of older releases, rows that came again (silver).
        cog: Of the COG by which codes were carried or populations were given, the target vintage and the versions;
            empty where none was needed.
        replaces: Version of the published table when the making began, or empty where there was none.
        profile: How its values are spread, see `quality.profile`; empty for platinum.
        revisions: What it changes in the published table, see `quality.drift.revisions`; empty where nothing is new.
        cost: What making and judging it took, see `lake.cost`.
        engine: What made it: `polars` or `spark`.
    """

    theme: str
    table: Table
    period: str
    file: Path
    rows: int
    results: list[checks.CheckResult]
    inputs: list[dict[str, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    cog: dict[str, str] = field(default_factory=dict)
    replaces: str = ""
    profile: dict[str, Any] = field(default_factory=dict)
    revisions: dict[str, Any] = field(default_factory=dict)
    cost: dict[str, float] = field(default_factory=dict)
    engine: str = "polars"

    @property
    def synthetic(self) -> bool:
        """Whether any input is a synthetic file or a table made of one."""
        return any(item["synthetic"] == "true" for item in self.inputs)

    @property
    def refused(self) -> list[checks.CheckResult]:
        """The failed checks that forbid publishing."""
        return [result for result in self.results if result.blocking and not result.passed]


def empty_frame(columns: Sequence[Column], provenance: Sequence[str] = ()) -> pl.LazyFrame:
    """A frame without rows that has the columns of a contract."""
    schema: dict[str, Any] = {column.name: _POLARS[column.kind] for column in columns}
    schema |= {name: pl.Int64() if name == "_line" else pl.String() for name in provenance}
    return pl.LazyFrame(schema=schema)


@contextmanager
def stage(
    storage: Storage, ledger: Ledger, themes: Mapping[str, Theme], theme: Theme, table: Table, period: str
) -> Iterator[Staged]:
    """Makes a table for one period in a temporary file and judges it. Nothing in the lake changes but quarantine.

    Args:
        storage: The lake.
        ledger: The deliveries.
        themes: All themes, for the tables that read those of others.
        theme: Theme of the table.
        table: Declaration of the table.
        period: Period to make.

    Yields:
        The staged table; its file lives as long as the context.
    """
    meter = Meter()
    engine = engine_of(theme.name, table, lambda: _bytes_behind(storage, themes, theme, table, period))
    published = storage.stat(layout.table_key(theme.name, table.layer, table.name, period))
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(TemporaryDirectory(prefix="elexxion-")))
        inputs: list[dict[str, str]] = []
        counts: dict[str, int] = {}
        frames: list[Frame] = []
        sources: list[Frame] = []
        edition = edition_of(storage) if needs_cog(theme, table) else None
        rescued: list[pl.DataFrame] = []
        for name in table.inputs:
            if table.layer is Layer.SILVER:
                source = _Contracted(
                    storage, ledger, theme, theme.dataset(name), period, scratch, stack, edition, engine
                )
                frames.append(source.rows())
                sources.append(frames[-1])
                inputs += source.inputs
                rescued += source.rescued
                for what, count in source.counts.items():
                    counts[what] = counts.get(what, 0) + count
            else:
                owner, parent, wanted = _parent(storage, themes, theme, table, name, period)
                periods, read = _scan(storage, owner, parent, wanted, stack, engine)
                frames.append(nw.concat(periods))
                inputs += read
                if table.prepared is None:
                    sources.append(frames[-1])
                else:
                    title = f"{theme.name}-{table.layer}-{table.name}"
                    sources.append(_prepared(table.prepared, title, storage, periods, read, stack, engine))
        cog: dict[str, str] = {}
        given: dict[str, Frame] = {}
        if edition is not None:
            cog = cog_of(storage, table, edition)
            inputs += map(dict, edition.sources)
        if table.populations:
            given["populations"] = engine.small(populations_of(storage).table)
        provenance = PROVENANCE if table.layer is Layer.SILVER else ()
        origin = ORIGIN if table.layer is Layer.SILVER else ()
        # Engines count in types of their own; the lake holds one integer and one floating type.
        columns = [nw.col(column.name).cast(column.kind.dtype) for column in table.columns]
        made = table.function(*sources, period=period, **given).select(*columns, *origin)
        file = scratch / "staged.parquet"
        large = counts.get("source_rows", 0) > 2 * SORTED_AT_ONCE
        with engine.ordered(made, table.key, storage, scratch, large=large) as (ordered, cluster):
            if provenance:
                ordered = _with_rescued(ordered, rescued)
            ordered.sink_parquet(file, metadata=_footer(theme, table, period, inputs, cog))
            del ordered  # it may be held in memory, and what follows looks at the file
            staged = _judged(
                storage,
                theme,
                table,
                period,
                file,
                inputs,
                published,
                meter,
                counts,
                frames,
                given,
                cog,
                edition,
                cluster,
            )
        yield replace(staged, engine=engine.name)


@contextmanager
def stage_rows(
    storage: Storage, theme: Theme, table: Table, period: str, rows: pl.LazyFrame, inputs: list[dict[str, str]]
) -> Iterator[Staged]:
    """Stages rows that were made elsewhere, by a model for one, as `stage` does those that a table's function makes."""
    meter = Meter()
    published = storage.stat(layout.table_key(theme.name, table.layer, table.name, period))
    with TemporaryDirectory(prefix="elexxion-") as scratch:
        file = Path(scratch) / "staged.parquet"
        columns = [pl.col(column.name).cast(_POLARS[column.kind]) for column in table.columns]
        rows.select(columns).sort(*table.key).sink_parquet(file, metadata=_footer(theme, table, period, inputs, {}))
        yield _judged(storage, theme, table, period, file, inputs, published, meter)


def _judged(
    storage: Storage,
    theme: Theme,
    table: Table,
    period: str,
    file: Path,
    inputs: list[dict[str, str]],
    published: Entry | None,
    meter: Meter,
    counts: Mapping[str, int] = MappingProxyType({}),
    frames: Sequence[Frame] = (),
    given: Mapping[str, Frame] = MappingProxyType({}),
    cog: Mapping[str, str] = MappingProxyType({}),
    edition: Edition | None = None,
    cluster: Frame | None = None,
) -> Staged:
    """The staged table with the result of every check: its own, against its inputs, against what was published."""
    provenance = PROVENANCE if table.layer is Layer.SILVER else ()
    rows = pl.scan_parquet(file)
    judged = checks.judge(table, rows, provenance, communes_of(storage, table, edition), cluster)
    results, revisions = judged.results, dict[str, Any]()
    if judged.profile or judged.rows:
        results += comparison.kept_whole(table, rows, judged.profile, counts, frames, given, period)
        old = comparison.Published.read(storage, theme.name, table, period) if published else None
        known = periods_of(storage, theme, table.layer, table.name)
        results += comparison.against_earlier(storage, theme.name, table, period, judged, old, known)
        if checks.REVISIONS in checks.check_names(table):
            change, revisions = comparison.revised(storage, theme.name, table, period, rows, inputs, old)
            results.append(change)
    return Staged(
        theme=theme.name,
        table=table,
        period=period,
        file=file,
        rows=judged.rows,
        results=results,
        inputs=inputs,
        counts=dict(counts),
        cog=dict(cog),
        replaces=published.etag if published else "",
        profile=judged.profile,
        revisions=revisions,
        cost=meter.read(),
    )


def communes_of(storage: Storage, table: Table, edition: Edition | None = None) -> Mapping[str, int]:
    """The communes, with their populations, that a table is checked against, of the edition at hand; none if not."""
    if not {checks.KNOWN_COMMUNES, checks.POPULATION} & set(checks.check_names(table)):
        return {}
    edition = edition or edition_of(storage)
    return edition.cog.inhabitants(edition.target)


def needs_cog(theme: Theme, table: Table) -> bool:
    """Whether a table depends on the edition of the COG: it carries codes, or is given populations."""
    carries = table.layer is Layer.SILVER and any(theme.dataset(name).geography for name in table.inputs)
    return carries or table.populations


def cog_of(storage: Storage, table: Table, edition: Edition) -> dict[str, str]:
    """By what a table is made now: the target vintage, the version of the edition, that of the populations."""
    made_by = {"target": str(edition.target), "version": edition.version}
    return made_by | ({"populations": populations_of(storage).version} if table.populations else {})


def outdated(storage: Storage, theme: Theme, table: Table, periods: Iterable[str]) -> list[str]:
    """The periods, of these, for which a table is published by another edition of the COG than the lake has now."""
    if not needs_cog(theme, table):
        return []
    now = cog_of(storage, table, edition_of(storage))
    found = []
    for period in periods:
        key = layout.table_document_key(theme.name, table.layer, table.name, period)
        try:
            if json.loads(storage.read(key)).get("cog") != now:
                found.append(period)
        except KeyError:
            continue  # not published
    return found


def _with_rescued(made: pl.LazyFrame, rescued: list[pl.DataFrame]) -> pl.LazyFrame:
    """Adds to each row what was rescued of its line; few deliveries have anything."""
    if not rescued:
        return made.with_columns(pl.lit(None, pl.String).alias(contract.RESCUED))
    return made.join(pl.concat(rescued).lazy(), on=list(ORIGIN), how="left", maintain_order="left")


def publish(storage: Storage, staged: Staged) -> dict[str, Any]:
    """Puts a staged table in place of the old one, in one step; readers see the old or the new, never half.

    Returns:
        The table's document: rows, bytes, inputs, checks.

    Raises:
        ValueError: a blocking check failed.
        Conflict: another build published the table since this one began; it may have seen more, so begin again.
    """
    if staged.refused:
        raise ValueError(f"{staged.table.name} {staged.period}: {', '.join(r.name for r in staged.refused)}")
    layer, name, period = staged.table.layer, staged.table.name, staged.period
    key = layout.table_key(staged.theme, layer, name, period)
    if staged.replaces:
        entry = storage.write(key, staged.file, if_match=staged.replaces)
    else:
        entry = storage.write(key, staged.file, if_absent=True)
    before = comparison.Published.read(storage, staged.theme, staged.table, period)
    document = {
        "table": f"{staged.theme}/{layer}/{name}",
        "period": period,
        "key": entry.key,
        "rows": staged.rows,
        "bytes": entry.size,
        "published_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "inputs": staged.inputs,
        "counts": staged.counts,
        "cost": staged.cost,
        "engine": staged.engine,
        "cog": staged.cog,
        "synthetic": staged.synthetic,
        "checks": [result.as_json() for result in staged.results],
        "revisions": staged.revisions,
        "history": before.history() if before else [],
    }
    if staged.profile:
        profile = json.dumps(staged.profile, ensure_ascii=False)
        storage.write(layout.profile_key(staged.theme, layer, name, period), profile.encode())
    text = json.dumps(document, ensure_ascii=False, indent=1, default=str)
    storage.write(layout.table_document_key(staged.theme, layer, name, period), text.encode())
    refused = layout.refused_key(staged.theme, layer, name, period)
    if storage.stat(refused) is not None:
        storage.delete(refused)
    return document


def note_refusal(storage: Storage, staged: Staged) -> None:
    """Keeps beside the table, which stays as it is, why what was to replace it was refused."""
    layer, name = staged.table.layer, staged.table.name
    document = {
        "table": f"{staged.theme}/{layer}/{name}",
        "period": staged.period,
        "rows": staged.rows,
        "refused_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "inputs": staged.inputs,
        "counts": staged.counts,
        "checks": [result.as_json() for result in staged.results],
    }
    text = json.dumps(document, ensure_ascii=False, indent=1, default=str)
    storage.write(layout.refused_key(staged.theme, layer, name, staged.period), text.encode())


def table_documents(storage: Storage, theme: str = "") -> Iterator[dict[str, Any]]:
    """The documents of all published tables, in order of layer, theme, table and period."""
    for layer in (Layer.SILVER, Layer.GOLD, Layer.PLATINUM, Layer.MODEL):
        for entry in storage.list(f"output/{layer.folder}/" + (f"{theme}/" if theme else "")):
            if entry.key.endswith(".json"):
                yield json.loads(storage.read(entry.key))


def periods_of(storage: Storage, theme: Theme, layer: Layer, name: str) -> list[str]:
    """The periods for which a table or a bronze dataset holds something, in order."""
    if layer is Layer.BRONZE:
        prefix = layout.bronze_prefix(theme.name, name)
        return sorted({entry.key.removeprefix(prefix).split("/")[0] for entry in storage.list(prefix)})
    prefix = layout.table_prefix(theme.name, layer, name)
    keys = (entry.key.removeprefix(prefix) for entry in storage.list(prefix))
    return sorted(key.removesuffix(".parquet") for key in keys if key.endswith(".parquet"))


def _footer(
    theme: Theme, table: Table, period: str, inputs: list[dict[str, str]], cog: dict[str, str]
) -> dict[str, str]:
    return {
        "elexxion.table": f"{theme.name}/{table.layer}/{table.name}",
        "elexxion.period": period,
        "elexxion.inputs": json.dumps(inputs, ensure_ascii=False),
        "elexxion.cog": json.dumps(cog),
    }


def _within(periods: Sequence[str], period: str, lookback: int) -> list[str]:
    """A period, if it is among those, and the `lookback` ones before it."""
    earlier = [key for key in periods if key < period]
    return earlier[len(earlier) - lookback if lookback < len(earlier) else 0 :] + [
        key for key in periods if key == period
    ]


def _parent(
    storage: Storage, themes: Mapping[str, Theme], theme: Theme, table: Table, name: str, period: str
) -> tuple[Theme, Table, list[str]]:
    """The table that an input names, with its theme, and the periods of it that are read."""
    *abroad, layer, input_name = name.split("/")
    owner = themes[abroad[0]] if abroad else theme
    parent = owner.table(Layer(layer), input_name)
    known = periods_of(storage, owner, parent.layer, parent.name)
    return owner, parent, known if abroad else _within(known, period, table.lookback)


def _bytes_behind(storage: Storage, themes: Mapping[str, Theme], theme: Theme, table: Table, period: str) -> int:
    """The size of the objects that a table is made of."""
    if table.layer is Layer.SILVER:
        prefixes = [layout.bronze_prefix(theme.name, name, period) for name in table.inputs]
        return sum(entry.size for prefix in prefixes for entry in storage.list(prefix))
    found = 0
    for name in table.inputs:
        owner, parent, wanted = _parent(storage, themes, theme, table, name, period)
        keys = (layout.table_key(owner.name, parent.layer, parent.name, key) for key in wanted)
        found += sum(entry.size for entry in map(storage.stat, keys) if entry is not None)
    return found


def _scan(
    storage: Storage, theme: Theme, table: Table, periods: Sequence[str], stack: ExitStack, engine: Engine
) -> tuple[list[Frame], list[dict[str, str]]]:
    """One lazy frame per period of a table, and what it is; one without rows where there is none."""
    provenance = PROVENANCE if table.layer is Layer.SILVER else ()
    frames, inputs = list[Frame](), []
    for key in periods:
        name = layout.table_key(theme.name, table.layer, table.name, key)
        entry = storage.stat(name)
        if entry is None:
            continue
        frames.append(_as_declared(engine.scan(storage, name, stack), table, provenance))
        document = json.loads(storage.read(layout.table_document_key(theme.name, table.layer, table.name, key)))
        inputs.append(
            {
                "table": f"{theme.name}/{table.layer}/{table.name}",
                "period": key,
                "etag": entry.etag,
                "synthetic": str(document["synthetic"]).lower(),
            }
        )
    if not frames:
        return [engine.small(empty_frame(table.columns, provenance).collect())], inputs
    return frames, inputs


def _prepared(
    prepare: Callable[[Frame], Frame],
    title: str,
    storage: Storage,
    periods: Sequence[Frame],
    inputs: Sequence[Mapping[str, str]],
    stack: ExitStack,
    engine: Engine,
) -> Frame:
    """What a table prepares of each period of its input, as earlier builds of this process left it where they did.

    The process keeps no more than what the last build of the table has read: at most `lookback` + 1 periods.
    """
    if not inputs:
        return prepare(periods[0])
    files = []
    for item in inputs:
        version = hashlib.sha256(f"{storage.url} {item['etag']}".encode()).hexdigest()[:16]
        files.append(Path(_shared().name) / f"{title}-prepared-{item['period']}-{version}.parquet")
    for kept in Path(_shared().name).glob(f"{title}-prepared-*.parquet"):
        if kept not in files:
            kept.unlink()
    made = [
        engine.once(prepare(rows), file, stack, few=False, again=True)
        for rows, file in zip(periods, files, strict=True)
    ]
    return nw.concat(made)


@cache
def _shared() -> TemporaryDirectory[str]:
    """What several builds of one process are made of, typed rows for one; gone with it."""
    return TemporaryDirectory(prefix="elexxion-")


def _as_declared(rows: Frame, table: Table, provenance: Sequence[str]) -> Frame:
    """A published period in today's columns and types: one made by older code may lack some until it is made again."""
    known = rows.collect_schema().names()
    columns = [
        (nw.col(column.name) if column.name in known else nw.lit(None, nw.String()))
        .cast(column.kind.dtype)
        .alias(column.name)
        for column in table.columns
    ]
    own = [nw.col(name) if name in known else nw.lit(None, nw.String()).alias(name) for name in provenance]
    return rows.select(*columns, *own)


class _Contracted:
    """The rows of a dataset for one period: normalised, typed, the bad ones in quarantine, the newest release."""

    def __init__(
        self,
        storage: Storage,
        ledger: Ledger,
        theme: Theme,
        dataset: Dataset,
        period: str,
        scratch: Path,
        stack: ExitStack,
        edition: Edition | None,
        engine: Engine,
    ) -> None:
        self.edition = edition
        self.engine = engine
        self.storage = storage
        self.ledger = ledger
        self.theme = theme
        self.dataset = dataset
        self.period = period
        self.scratch = scratch
        self.stack = stack
        self.inputs: list[dict[str, str]] = []
        self.rescued: list[pl.DataFrame] = []
        self.counts = {"source_rows": 0, "quarantined": 0, "older_release": 0}

    def rows(self) -> Frame:
        """The rows that the silver table is made of."""
        parts: list[tuple[tuple[str, str, int], Frame, int]] = []
        held: dict[tuple[str, int], Entry] = {}
        corrected: dict[tuple[str, int], list[tuple[Delivery, Entry]]] = {}
        for entry in self.storage.list(layout.bronze_prefix(self.theme.name, self.dataset.name, self.period)):
            identifier, position = layout.delivery_of(entry.key)
            delivery = self.ledger.get(identifier)
            if delivery is None or delivery.state is not State.READ:
                continue  # its reading has not ended: whoever ends it asks for this table again
            if not any(entry.key in facts["bronze"] for facts in delivery.tables):
                continue  # what an earlier reading of the delivery left
            if CORRECTS in delivery.hints:
                corrected.setdefault((delivery.hints[CORRECTS], position), []).append((delivery, entry))
            else:
                held[identifier, position] = entry
        for identifier, position in sorted({*held, *corrected}):
            delivery = self.ledger.get(identifier)
            if delivery is None or delivery.state is not State.READ or position >= len(delivery.tables):
                continue
            facts = delivery.tables[position]
            own = held.get((identifier, position))
            corrections = corrected.get((identifier, position), [])
            corrections.sort(key=lambda found: found[0].received_at)
            source = self._source(own, [made for _, made in corrections])
            etag = " ".join(made.etag for made in [*filter(None, [own]), *(made for _, made in corrections)])
            kept, lines = self._contract(source, etag, delivery, facts, position)
            order = (str(facts["release"]), delivery.received_at.isoformat(), position)
            parts.append((order, kept, lines))
            for made in [delivery, *(correction for correction, _ in corrections)]:
                self.inputs.append(
                    {
                        "dataset": f"{self.theme.name}/{self.dataset.name}",
                        "delivery": made.id,
                        "file": made.name,
                        "release": str(facts["release"]),
                        "synthetic": delivery.hints.get("synthetic", "false"),
                    }
                )
        return self._newest(parts)

    def _source(self, bronze: Entry | None, corrections: Sequence[Entry]) -> Frame:
        """The rows of one table of a delivery, those that were corrected in the place of those they correct."""
        if bronze is not None:
            source = self.engine.scan(self.storage, bronze.key, self.stack)
            if not corrections:
                return source
        # People have corrected them: they are few.
        said = [pl.scan_parquet(self.stack.enter_context(self.storage.local(entry.key))) for entry in corrections]
        last = pl.concat(said, how="diagonal").collect().unique("_line", keep="last", maintain_order=True)
        rows = self.engine.small(last.filter(COUNTS).drop(COUNTS, HOME))
        if bronze is None:
            return rows
        untouched = self.engine.join(source, self.engine.small(last.select("_line")), ["_line"], "anti")
        names = source.collect_schema().names()
        known = rows.collect_schema().names()
        own = [nw.col(name) if name in known else nw.lit(None, nw.String()).alias(name) for name in names]
        return nw.concat([untouched, rows.select(own)])

    def _contract(
        self, source: Frame, etag: str, delivery: Delivery, facts: dict[str, Any], position: int
    ) -> tuple[Frame, int]:
        """Types one delivery's rows; gives the valid ones and the number of source lines that they come from.

        A source line with anything wrong in it goes to quarantine whole, with all that is wrong in it.
        """
        columns, engine = self.dataset.columns, self.engine
        table = text_table(facts, delivery)
        [source_rows] = engine.numbers(source.select(nw.len()))
        normalised = self.dataset.normalise(self.dataset, source, table)
        judged = apply_contract(normalised, columns, self.dataset.rescued)
        if self.dataset.geography is not None and self.edition is not None:
            judged = self._carried(judged, self.dataset.geography, self.edition, table)
            etag += f" {self.edition.target} {self.edition.version}"
        again = sum(self.dataset.name in table.inputs for table in self.theme.tables) > 1
        file = self._typed_file(etag, delivery.id, position, again=again)
        typed = engine.once(judged, file, self.stack, few=source_rows <= SORTED_AT_ONCE, again=again)

        is_valid = nw.col(contract.BREACHES).is_null()
        wrong = [typed.filter(~is_valid).select("_line", contract.BREACHES)]
        valid = typed.filter(is_valid)
        bad = engine.brought(wrong[0].select("_line").unique()).collect()
        if bad.height:
            # A line with anything wrong goes whole: its other rows are no doubles of anybody.
            valid = valid.join(engine.small(bad), on="_line", how="anti")
        lost = nw.lit(value=False)
        if self.dataset.geography is not None:
            lost = nw.col(TARGET[0]).is_null() & ~nw.col(self.dataset.geography.code).is_null()
        key = [*self.dataset.key, *(TARGET[:1] if self.dataset.geography else ())]
        any_lost, any_again = engine.look(valid, lost, key)
        if self.dataset.geography is not None and any_lost:
            code = self.dataset.geography.code
            said = _breach(code, "geography", nw.lit("« "), nw.col(code), nw.lit(" » "), nw.col(TARGET[2]))
            wrong.append(valid.filter(lost).select("_line", said))
            valid = valid.filter(~lost)
        if any_again:
            wrong.append(self._doubles(valid, key))
        [lines] = engine.numbers(typed.select(nw.col("_line").n_unique()))
        if lines < source_rows:
            unread = source.select("_line").join(typed.select("_line"), on="_line", how="anti")
            said = _breach("line", "unread", nw.lit("nothing that the dataset expects was found in it"))
            wrong.append(unread.select("_line", said))
        reasons = reasons_by_line(engine.brought(nw.concat(wrong)))
        of_those = engine.brought(source, reasons) if reasons.height else engine.brought(source.head(0))
        rejected = quarantine(
            self.storage,
            set_apart(of_those).join(reasons.lazy(), on="_line", how="inner"),
            theme=self.theme.name,
            dataset=self.dataset.name,
            delivery=delivery.id,
            file=delivery.name,
            member=table.member,
            period=self.period,
            position=position,
        )
        self.counts["source_rows"] += source_rows
        self.counts["quarantined"] += rejected
        if rejected:
            valid = valid.join(engine.small(reasons.select("_line")), on="_line", how="anti")
        names = [*(column.name for column in columns), *(TARGET if self.dataset.geography else ())]
        self._rescue(source, typed, reasons, delivery, position)
        origin = nw.lit(layout.origin(delivery.id, position)).alias("_delivery")
        return valid.select(*names, origin, "_line"), source_rows - rejected

    def _doubles(self, valid: Frame, key: list[str]) -> Frame:
        """The breaches of rows with the key of an earlier line of the same file."""
        doubles = valid.group_by(key).agg(nw.len().alias("copies"), nw.col("_line").min().alias("first"))
        doubles = doubles.filter(nw.col("copies") > 1)
        again = self.engine.join(valid, doubles, key, "inner")
        again = again.filter(nw.col("_line") != nw.col("first"))
        first = nw.col("first").cast(nw.String())
        said = _breach(
            ", ".join(self.dataset.key), "unique_key", nw.lit("the same as in line "), first, nw.lit(" of the file")
        )
        return again.select("_line", said)

    def _rescue(self, source: Frame, typed: Frame, reasons: pl.DataFrame, delivery: Delivery, position: int) -> None:
        """Gathers what the lines that are not rejected hold and no column of silver takes; the document counts it."""
        if self.dataset.evolution is not Evolution.RESCUE:
            return
        table = text_table(delivery.tables[position], delivery)
        found = [typed.filter(~nw.col(contract.RESCUED).is_null()).select("_line", contract.RESCUED)]
        known = source.collect_schema().names()
        texts = {name: nw.col(name) for name in self.dataset.unknown(self.dataset, table) if name in known}
        if texts:
            said = source.select("_line", contract.json_object(texts).alias(contract.RESCUED))
            found.append(said.drop_nulls())
        parts = self.engine.brought(nw.concat(found)).join(reasons.lazy().select("_line"), on="_line", how="anti")
        rescued = _by_line(parts.collect(engine="streaming"))
        counts = _count_by_name(rescued, [*sorted(self.dataset.rescued), *texts])
        self.ledger.note_rescued(delivery, position, self.period, counts)
        if rescued.height:
            origin = pl.lit(layout.origin(delivery.id, position)).alias("_delivery")
            self.rescued.append(rescued.select(origin, "_line", contract.RESCUED))

    def _typed_file(self, etag: str, delivery: str, position: int, *, again: bool) -> Path:
        """Where the typed rows go: kept for the rest of the process when another silver table is made of them too."""
        name = f"{self.theme.name}-{self.dataset.name}-{self.period}-{delivery}-{position}"
        if not again:
            return self.scratch / f"{name}.parquet"
        version = hashlib.sha256(etag.encode()).hexdigest()[:16]
        return Path(_shared().name) / f"{name}-{version}.parquet"

    def _carried(self, rows: Frame, geography: Geography, edition: Edition, table: TextTable) -> Frame:
        cog, target = edition.cog, edition.target
        vintage = geography.vintage(table, self.period)
        return cog.carry(
            rows,
            geography.code,
            # A file newer than the target is followed code by code; what came to be since is said, in quarantine.
            vintage=vintage if vintage is not None and vintage in cog.vintages and vintage <= target else None,
            target=target,
            plm="arrondissements" if geography.arrondissements else "communes",
        )

    def _newest(self, parts: list[tuple[tuple[str, str, int], Frame, int]]) -> Frame:
        """Keeps the newest release; inside it, where two deliveries have the same key, the one received last."""
        if not parts:
            added = (COMMUNE_CIBLE, PART, MOTIF) if self.dataset.geography else ()
            return self.engine.small(empty_frame((*self.dataset.columns, *added), PROVENANCE).collect())
        parts.sort(key=lambda part: part[0])
        newest = parts[-1][0][0]
        if self.dataset.part is None:
            stay = {newest}
        else:
            # Made-up samples are no part of anything real.
            stay = {
                release
                for (release, _, _), _, _ in parts
                if is_synthetic_release(release) == is_synthetic_release(newest)
            }
        current = [frame for (release, _, _), frame, _ in parts if release in stay]
        self.counts["older_release"] += sum(lines for (release, _, _), _, lines in parts if release not in stay)
        if self.dataset.part is not None and len(stay) > 1:
            told = [release for (release, _, _), _, _ in parts if release in stay]
            current = self._newest_of_each_part(self.dataset.part, list(zip(told, current, strict=True)))
        if len(current) == 1:
            return current[0]
        key = list(self.dataset.key)
        # Keys alone first: a join of whole rows would hold all of them in memory, and keys seldom come twice.
        seen = nw.concat([frame.select(*key, nw.lit(rank).alias("_rank")) for rank, frame in enumerate(current)])
        last = seen.group_by(key).agg(nw.col("_rank").min().alias("_first"), nw.col("_rank").max().alias("_last"))
        twice = self.engine.brought(last.filter(nw.col("_first") < nw.col("_last"))).collect(engine="streaming")
        kept = []
        for rank, frame in enumerate(current):
            older = twice.filter(pl.col("_first") <= rank, pl.col("_last") > rank).select(*key)
            if not older.height:
                kept.append(frame)
                continue
            kept.append(self.engine.join(frame, self.engine.small(older), key, "anti"))
            lines = (part.select(nw.col("_line").n_unique()) for part in (frame, kept[-1]))
            there, left = self.engine.numbers(*lines)
            self.counts["same_key"] = self.counts.get("same_key", 0) + there - left
        return nw.concat(kept)

    def _newest_of_each_part(self, part: nw.Expr, deliveries: list[tuple[str, Frame]]) -> list[Frame]:
        """What newer releases leave of each delivery, given from the oldest release to the newest."""
        held: list[dict[Any, int]] = []
        for _, frame in deliveries:
            lines = frame.select("_line", _part=part).group_by("_part").agg(nw.col("_line").n_unique())
            held.append(dict(self.engine.brought(lines).collect(engine="streaming").iter_rows()))
        releases: dict[str, Counter[Any]] = {}
        for (release, _), counts in zip(deliveries, held, strict=True):
            releases.setdefault(release, Counter()).update(counts)
        # The newest release that is whole beside the last whole one; with it goes all that is older, patched or not.
        since: dict[Any, str] = {}
        before: dict[Any, int] = {}
        for release, found in releases.items():
            since |= {p: release for p, count in found.items() if 2 * count >= before.get(p, 0)}
            before |= {p: count for p, count in found.items() if since[p] == release}
        kept = []
        for (release, frame), counts in zip(deliveries, held, strict=True):
            replaced = [p for p in counts if release < since[p]]
            self.counts["older_release"] += sum(counts[p] for p in replaced)
            if len(replaced) < len(counts):
                kept.append(frame.filter(~part.is_in(replaced)) if replaced else frame)
        return kept


def _breach(column: str, rule: str, *words: nw.Expr) -> nw.Expr:
    """A reason that the contract of a single row does not know, in the form of those that it knows."""
    parts = [nw.lit(column + contract.PART), *words, nw.lit(contract.PART + rule + contract.PART)]
    return nw.concat_str(parts).alias(contract.BREACHES)


def _by_line(rescued: pl.DataFrame) -> pl.DataFrame:
    """One JSON object per line; where a line gave several, a name that comes again is numbered as in headers."""
    lines = rescued.group_by("_line").agg(pl.col(contract.RESCUED).unique(maintain_order=True))
    alone = pl.col(contract.RESCUED).list.len() == 1
    merged = [(line, _merged(objects)) for line, objects in lines.filter(~alone).iter_rows()]
    return pl.concat(
        [
            lines.filter(alone).with_columns(pl.col(contract.RESCUED).list.first()),
            pl.DataFrame(merged, {"_line": pl.Int64, contract.RESCUED: pl.String}, orient="row"),
        ]
    )


def _merged(objects: Sequence[str]) -> str:
    found: dict[str, str] = {}
    for name, text in dict.fromkeys(pair for said in objects for pair in json.loads(said).items()):
        names = (name if number == 1 else f"{name}.{number}" for number in itertools.count(1))
        found[next(free for free in names if free not in found)] = text
    return json.dumps(found, ensure_ascii=False)


def _count_by_name(rescued: pl.DataFrame, names: Sequence[str]) -> dict[str, int]:
    """How many texts were rescued, by column; columns without any are left out."""
    found = {}
    for name in names if rescued.height else ():
        said = re.escape(json.dumps(name, ensure_ascii=False)[:-1]) + r'(?:\.[0-9]+)?": "'
        found[name] = int(rescued[contract.RESCUED].str.count_matches(said).sum())
    return {name: count for name, count in found.items() if count}


def text_table(facts: dict[str, Any], delivery: Delivery) -> TextTable:
    """The facts of a table as its delivery's document remembers them, without the sample."""
    return TextTable(
        file=delivery.hints.get(NAME, delivery.name),
        member=facts["member"],
        columns=tuple(facts["columns"]),
        header=tuple(facts["header"]),
        header_line=facts["header_line"],
        encoding=facts["encoding"],
        separator=facts["separator"],
        preamble=tuple(facts["preamble"]),
        hints=delivery.hints,
        defects=tuple(facts["defects"]),
    )
