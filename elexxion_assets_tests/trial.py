"""A lake of its own for a test, and the verbs of a person: drop a file, run, look."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from elexxion_assets.declare import Layer, Theme
from elexxion_assets.lake import layout
from elexxion_assets.lake.build import periods_of, publish, stage
from elexxion_assets.lake.coverage import Coverage, coverage
from elexxion_assets.lake.due import due, settle
from elexxion_assets.lake.intake import Taken, drop, take, waiting
from elexxion_assets.lake.ledger import Delivery, Ledger
from elexxion_assets.lake.storage import DirectoryStorage
from elexxion_assets.themes import all_themes


class Lake:
    """A lake in a directory that knows some themes, by default all of them."""

    def __init__(self, root: Path, themes: Mapping[str, Theme] | None = None) -> None:
        self.storage = DirectoryStorage(root)
        self.ledger = Ledger(self.storage)
        self.themes = themes or all_themes()
        self.refused: dict[str, list[str]] = {}

    def drop(self, name: str, content: bytes | Path, **hints: str) -> Delivery:
        """Drops a file and takes it in; gives its delivery, of an archive that of its first member."""
        drop(self.storage, name, content, hints)
        taken = Taken()
        for entry in list(waiting(self.storage, 0)):
            take(self.storage, self.ledger, self.themes, entry, taken)
        return taken.deliveries[0]

    def build(self) -> None:
        """Builds everything due; blocking checks that fail are noted in `refused`."""
        while groups := due(self.ledger, self.themes):
            for group in groups:
                theme = self.themes[group.theme]
                for name in group.tables:
                    for period in group.periods:
                        self._build(theme, name, period)
                settle(self.storage, self.ledger, self.themes, group)

    def _build(self, theme: Theme, name: str, period: str) -> None:
        layer, _, table = name.partition("/")
        declared = theme.table(Layer(layer), table)
        with stage(self.storage, self.ledger, self.themes, theme, declared, period) as staged:
            if staged.refused:
                self.refused[f"{theme.name}/{name}/{period}"] = [result.name for result in staged.refused]
            else:
                publish(self.storage, staged)

    def rows(self, name: str, period: str | None = None) -> pl.DataFrame:
        """The rows of a table, `theme/layer/table`, of one period or of all."""
        theme, layer, table = name.split("/")
        known = periods_of(self.storage, self.themes[theme], Layer(layer), table)
        found = []
        for key in known if period is None else [period]:
            with self.storage.local(layout.table_key(theme, Layer(layer), table, key)) as file:
                found.append(pl.read_parquet(file))
        return pl.concat(found)

    def quarantined(self) -> list[str]:
        """The reasons of all rows in quarantine."""
        found: list[str] = []
        for entry in self.storage.list(layout.QUARANTINE):
            with self.storage.local(entry.key) as file:
                found += pl.read_parquet(file)["_reason"].to_list()
        return found

    def coverage(self, *deliveries: Delivery) -> list[Coverage]:
        """What became of the rows of these deliveries, or of all."""
        asked = [self.ledger.get(delivery.id) or delivery for delivery in deliveries] or list(self.ledger.all())
        return list(coverage(self.storage, self.ledger, self.themes, sorted(asked, key=lambda each: each.name)))

    def make(self, name: str, period: str) -> pl.DataFrame:
        """Builds one table, `theme/layer/table`, for one period, and gives its rows."""
        theme, _, table = name.partition("/")
        self._build(self.themes[theme], table, period)
        return self.rows(name, period)
