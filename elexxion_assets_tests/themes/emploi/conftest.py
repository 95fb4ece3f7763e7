"""A lake in a directory into which files of employment are dropped, from bytes to gold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl
import pytest

from elexxion_assets.declare import Layer, Table
from elexxion_assets.lake import layout
from elexxion_assets.lake.build import Staged, periods_of, publish, stage
from elexxion_assets.lake.due import due, settle
from elexxion_assets.lake.intake import Taken, drop, take, waiting
from elexxion_assets.lake.ledger import Delivery, Ledger
from elexxion_assets.lake.storage import DirectoryStorage
from elexxion_assets.themes import all_themes
from elexxion_assets.themes.emploi import THEME


class Lake:
    """The verbs of a pass over `input/`, with what each silver table counted."""

    def __init__(self, root: Path) -> None:
        self.storage = DirectoryStorage(root)
        self.ledger = Ledger(self.storage)
        self.counts: dict[tuple[str, str], Mapping[str, int]] = {}
        self.failed: list[tuple[str, str, str]] = []

    def drop(self, name: str, source: bytes | Path, **hints: str) -> Delivery:
        drop(self.storage, name, source, hints)
        taken = Taken()
        for entry in list(waiting(self.storage, 0)):
            take(self.storage, self.ledger, all_themes(), entry, taken)
        assert not taken.left
        return taken.deliveries[0]

    def build(self) -> None:
        """Builds what is due until nothing is: a table marks what looks back on it."""
        while groups := due(self.ledger, all_themes()):
            for group in groups:
                for name in group.tables:
                    layer, _, table = name.partition("/")
                    for period in group.periods:
                        self._build(THEME.table(Layer(layer), table), period)
                settle(self.storage, self.ledger, all_themes(), group)

    def _build(self, table: Table, period: str) -> None:
        with stage(self.storage, self.ledger, all_themes(), THEME, table, period) as staged:
            self.failed += [(table.name, period, result.name) for result in staged.results if not result.passed]
            self._count(staged)
            if not staged.refused:
                publish(self.storage, staged)

    def _count(self, staged: Staged) -> None:
        if staged.table.layer is Layer.SILVER:
            lines = pl.scan_parquet(staged.file).select("_delivery", "_line").unique()
            counted = int(lines.select(pl.len()).collect().item())
            self.counts[staged.table.name, staged.period] = {**staged.counts, "lines": counted}

    def rows(self, layer: Layer, table: str, period: str) -> pl.DataFrame:
        with self.storage.local(layout.table_key("emploi", layer, table, period)) as file:
            return pl.read_parquet(file)

    def silver(self, table: str, period: str) -> pl.DataFrame:
        return self.rows(Layer.SILVER, table, period)

    def gold(self, table: str, period: str) -> pl.DataFrame:
        return self.rows(Layer.GOLD, table, period)

    def periods(self, layer: Layer, table: str) -> list[str]:
        return periods_of(self.storage, THEME, layer, table)

    def quarantined(self) -> list[dict[str, object]]:
        rows: list[dict[str, object]] = []
        for entry in self.storage.list(layout.QUARANTINE):
            with self.storage.local(entry.key) as file:
                rows += pl.read_parquet(file).to_dicts()
        return rows


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture(scope="session")
def new_lake(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Lake]:
    return lambda: Lake(tmp_path_factory.mktemp("lake"))
