"""What has to be built: the tables and periods that deliveries asked for, in as few runs as possible."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from elexxion_assets.declare import Theme
from elexxion_assets.lake.build import periods_of
from elexxion_assets.lake.ledger import Ledger, State
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


def due(storage: Storage, ledger: Ledger, themes: Mapping[str, Theme]) -> list[Due]:
    """Groups the pending periods by the tables that they concern.

    A table is concerned by a period when a delivery brought rows for one of the datasets it is made of, directly or
    through other tables, or when it looks back on such a period.
    """
    groups: list[Due] = []
    for name, pending in ledger.pending().items():
        if (theme := themes.get(name)) is None:
            continue
        asked: dict[str, set[str]] = {}
        deliveries: dict[str, tuple[str, ...]] = {}
        for period, identifiers in pending.items():
            datasets, ready = _brought(ledger, period, identifiers)
            deliveries[period] = ready
            asked.setdefault(period, set()).update(_concerned(theme, datasets))
        for period, tables in list(asked.items()):
            for table, later in _looking_back(storage, theme, period, set(tables)):
                asked.setdefault(later, set()).add(table)
        groups += _grouped(theme, asked, deliveries)
    return sorted(groups, key=lambda group: (group.theme, group.periods))


def _brought(ledger: Ledger, period: str, identifiers: Iterable[str]) -> tuple[set[str], tuple[str, ...]]:
    """The datasets for which these deliveries hold rows of a period, and those of them whose reading has ended."""
    datasets: set[str] = set()
    ready = []
    for identifier in identifiers:
        delivery = ledger.get(identifier)
        if delivery is not None and delivery.state is State.READ:
            ready.append(identifier)
            datasets |= {facts["dataset"] for facts in delivery.tables if period in facts["periods"]}
    return datasets, tuple(sorted(ready))


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


def _concerned(theme: Theme, datasets: Iterable[str]) -> set[str]:
    """The tables made of these datasets, directly or through other tables."""
    brought = {name for name in datasets if "/" not in name}
    touched = set(datasets)
    for table in theme.tables:
        fed = table.datasets is None or not brought or brought.intersection(table.datasets)
        if fed and touched.intersection(table.inputs):
            touched.add(f"{table.layer}/{table.name}")
    return {name for name in touched if "/" in name}


def _looking_back(storage: Storage, theme: Theme, period: str, tables: set[str]) -> list[tuple[str, str]]:
    """The tables of later periods that look back on this one, and everything made of them."""
    found: list[tuple[str, str]] = []
    for table in theme.tables:
        if not table.lookback or not tables.intersection(table.inputs):
            continue
        later = [key for key in periods_of(storage, theme, table.layer, table.name) if key > period]
        for key in later[: table.lookback]:
            name = f"{table.layer}/{table.name}"
            found += [(concerned, key) for concerned in {name} | _concerned(theme, [name])]
    return found


def settle(ledger: Ledger, done: Due) -> None:
    """Notes that what was due has been built."""
    for period, deliveries in done.deliveries.items():
        ledger.clear_pending(done.theme, period, list(deliveries))
