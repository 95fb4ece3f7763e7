"""What has to be built: the tables and periods that deliveries asked for, in as few runs as possible."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from elexxion_assets.declare import Layer, Table, Theme
from elexxion_assets.lake import layout
from elexxion_assets.lake.build import needs_cog, outdated, periods_of
from elexxion_assets.lake.edition import THEME as REFERENCE
from elexxion_assets.lake.edition import edition_of
from elexxion_assets.lake.ledger import Delivery, Ledger, State
from elexxion_assets.lake.storage import Storage


@dataclass(frozen=True, kw_only=True)
class Due:
    """Tables to build together for some periods.

    Attributes:
        theme: Name of the theme.
        tables: `layer/table`, in order of building.
        periods: Periods, in order.
        deliveries: Per period, the deliveries that asked for it.
    """

    theme: str
    tables: tuple[str, ...]
    periods: tuple[str, ...]
    deliveries: Mapping[str, tuple[str, ...]]

    @property
    def key(self) -> str:
        """A short name that is the same as long as the same is due."""
        said = repr((self.theme, self.tables, self.periods, sorted(self.deliveries.items())))
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    def one_by_one(self) -> list[Due]:
        """The same, a period each: a period that fails then does not hold up the others."""
        return [
            Due(
                theme=self.theme,
                tables=self.tables,
                periods=(period,),
                deliveries={p: found for p, found in self.deliveries.items() if p == period},
            )
            for period in self.periods
        ]


def due(ledger: Ledger, themes: Mapping[str, Theme]) -> list[Due]:
    """Groups the pending periods by the tables that they concern.

    A table is concerned by a period when a delivery brought rows for one of the datasets it is made of, directly or
    through other tables. A delivery that brought no row for the period concerns the tables that look further: back on
    its periods, or at its theme. The geography comes first: by it the codes of all other themes are carried.
    """
    groups: list[Due] = []
    for name, pending in ledger.pending().items():
        if (theme := themes.get(name)) is None:
            continue
        asked: dict[str, set[str]] = {}
        deliveries: dict[str, tuple[str, ...]] = {}
        for period, marks in pending.items():
            found = {mark: ledger.get(mark) for mark in marks}
            ready = {mark: delivery for mark, delivery in found.items() if delivery and delivery.state is State.READ}
            deliveries[period] = tuple(sorted(ready))
            asked[period] = set()
            for layer in {_layer_of(mark) for mark in ready}:
                causes = [delivery for mark, delivery in ready.items() if _layer_of(mark) == layer]
                asked[period] |= _from_layer(layer, _asked(ledger.storage, theme, period, causes))
        groups += _grouped(theme, asked, deliveries)
    looks_abroad = {name for name, theme in themes.items() if any(map(_names_abroad, theme.tables))}
    return sorted(
        groups, key=lambda group: (group.theme != REFERENCE, group.theme in looks_abroad, group.theme, group.periods)
    )


def _layer_of(mark: str) -> str:
    """The layer from which on a mark asks for a period; nothing for all of them."""
    _, _, layer = mark.partition(".")[2].partition(".")
    return layer


def _from_layer(layer: str, tables: set[str]) -> set[str]:
    """Of some tables, those of a layer and of the layers made from it."""
    wanted = list(Layer)[list(Layer).index(Layer(layer)) :] if layer else list(Layer)
    return {table for table in tables if Layer(table.partition("/")[0]) in wanted}


def _asked(storage: Storage, theme: Theme, period: str, deliveries: Collection[Delivery]) -> set[str]:
    """The tables that these deliveries concern for a period; of those that look back, the ones that are there."""
    tables: set[str] = set()
    for delivery in deliveries:
        held = {facts["dataset"] for facts in delivery.tables if period in facts["periods"]}
        if delivery.theme == theme.name and held:
            tables |= _concerned(theme, held)
            # A table is not begun by a dataset that only adds to it, and is renewed by it.
            touched = _concerned(theme, held, begun=True) - tables
            tables |= {name for name in touched if _published(storage, theme, name, period)}
        elif delivery.theme == theme.name:
            behind = _concerned(theme, {facts["dataset"] for facts in delivery.tables})
            back = {f"{t.layer}/{t.name}" for t in theme.tables if t.lookback} & behind
            tables |= {name for name in back | _concerned(theme, back) if _published(storage, theme, name, period)}
        else:
            # Its own theme may have been built because of the geography, and this one because of that.
            further = {f"{t.layer}/{t.name}" for t in theme.tables if t.lookback or _names_abroad(t)}
            further = {name for name in further if _has_inputs(storage, theme, name, period)}
            tables |= further | _concerned(theme, further)
    if any(delivery.theme == REFERENCE for delivery in deliveries):
        by_cog = [table for table in theme.tables if needs_cog(theme, table)]
        late = {f"{t.layer}/{t.name}" for t in by_cog if outdated(storage, theme, t, [period])}
        if not late | tables:
            # Another build was quicker: made once more, so that what was asked for is done.
            late = {name for t in by_cog if _published(storage, theme, name := f"{t.layer}/{t.name}", period)}
        tables |= late | _concerned(theme, late)
    return tables


def _has_inputs(storage: Storage, theme: Theme, table: str, period: str) -> bool:
    """Whether a table of the theme that this one is made of is published for the period."""
    layer, _, name = table.partition("/")
    own = [name for name in theme.table(Layer(layer), name).inputs if name.count("/") == 1]
    return any(_published(storage, theme, name, period) for name in own)


def _published(storage: Storage, theme: Theme, table: str, period: str) -> bool:
    layer, _, name = table.partition("/")
    return storage.stat(layout.table_key(theme.name, Layer(layer), name, period)) is not None


def _grouped(theme: Theme, asked: Mapping[str, set[str]], deliveries: Mapping[str, tuple[str, ...]]) -> list[Due]:
    """Puts together the periods for which the same tables are asked."""
    together: dict[frozenset[str], list[str]] = {}
    for period in sorted(asked):
        if asked[period]:
            together.setdefault(frozenset(asked[period]), []).append(period)
    order = [f"{table.layer}/{table.name}" for table in theme.tables]
    return [
        Due(
            theme=theme.name,
            tables=tuple(table for table in order if table in tables),
            periods=tuple(periods),
            deliveries={period: deliveries[period] for period in periods if deliveries.get(period)},
        )
        for tables, periods in together.items()
    ]


def _concerned(theme: Theme, datasets: Iterable[str], *, begun: bool = False) -> set[str]:
    """The tables made of these datasets, directly or through other tables: those that they begin, or that are begun."""
    brought = {name for name in datasets if "/" not in name}
    touched = set(datasets)
    for table in theme.tables:
        fed = begun or table.datasets is None or not brought or brought.intersection(table.datasets)
        if fed and touched.intersection(table.inputs):
            touched.add(f"{table.layer}/{table.name}")
    return {name for name in touched if "/" in name}


def settle(storage: Storage, ledger: Ledger, themes: Mapping[str, Theme], done: Due) -> None:
    """Notes that what was due has been built, and what follows from it: the marks of that are written first."""
    causes = sorted({mark.partition(".")[0] for marks in done.deliveries.values() for mark in marks})
    whole = _outdated(storage, themes, done)
    found = {(theme, period, "") for theme, period in whole}
    found |= {each for each in _following(storage, themes, done) if each[:2] not in whole}
    for theme, period, layer in sorted(found) if causes else ():
        for cause in causes:
            ledger.mark_pending(theme, period, cause, layer)
    for period, marks in done.deliveries.items():
        ledger.clear_pending(done.theme, period, list(marks))


def _following(storage: Storage, themes: Mapping[str, Theme], done: Due) -> set[tuple[str, str, str]]:
    """Periods of tables that look back on what was built, or at its theme from another one, each with its layer.

    Only that layer is asked for: the delivery that is the cause may hold rows of the later period too, which are built.
    """
    found: set[tuple[str, str, str]] = set()
    built = set(done.tables)
    for table in themes[done.theme].tables:
        if not table.lookback or not built.intersection(table.inputs):
            continue
        known = periods_of(storage, themes[done.theme], table.layer, table.name)
        for period in done.periods:
            later = [key for key in known if key > period][: table.lookback]
            found |= {(done.theme, key, table.layer.value) for key in later if key not in done.periods}
    for theme in themes.values():
        for table in theme.tables:
            if theme.name != done.theme and built.intersection(_names_abroad(table, done.theme)):
                own = [name.split("/") for name in table.inputs if name.count("/") == 1]
                found |= {
                    (theme.name, period, table.layer.value)
                    for layer, name in own
                    for period in periods_of(storage, theme, Layer(layer), name)
                }
    return found


def _outdated(storage: Storage, themes: Mapping[str, Theme], done: Due) -> set[tuple[str, str]]:
    """Periods of tables by another edition of the COG: all of them once it may have changed, else what was just built.

    What was just built may be out of date when the edition changed while it was made.
    """
    everything = done.theme == REFERENCE
    if not everything and not edition_of(storage).sources:
        return set()
    found: set[tuple[str, str]] = set()
    for theme in themes.values() if everything else (themes[done.theme],):
        for table in theme.tables:
            if needs_cog(theme, table) and (everything or f"{table.layer}/{table.name}" in done.tables):
                periods = periods_of(storage, theme, table.layer, table.name) if everything else done.periods
                found |= {(theme.name, period) for period in outdated(storage, theme, table, periods)}
    return found


def _names_abroad(table: Table, theme: str | None = None) -> set[str]:
    """The tables of another theme, or of any other, that a table reads, as `layer/table`."""
    parts = (name.split("/") for name in table.inputs if name.count("/") == 2)
    return {f"{layer}/{name}" for owner, layer, name in parts if theme in {None, owner}}
