"""A lake of its own for each test: files go in, tables come out."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from elexxion_assets.declare import Layer
from elexxion_assets.lake import layout
from elexxion_assets.lake.build import Staged, publish, stage
from elexxion_assets.lake.intake import Taken, drop, take, waiting
from elexxion_assets.lake.ledger import Delivery, Ledger
from elexxion_assets.lake.storage import DirectoryStorage
from elexxion_assets.themes import all_themes
from elexxion_assets.themes.association import THEME


class Lake:
    """A lake in a directory, among all themes."""

    def __init__(self, root: Path) -> None:
        self.storage = DirectoryStorage(root)
        self.ledger = Ledger(self.storage)

    def take(self, *files: Path, content: dict[str, bytes] | None = None) -> list[Delivery]:
        """Drops files and takes them in; gives what became of them, members of archives too."""
        for file in files:
            drop(self.storage, file.name, file, {})
        for name, data in (content or {}).items():
            drop(self.storage, name, data, {})
        taken = Taken()
        for entry in list(waiting(self.storage, 0)):
            take(self.storage, self.ledger, all_themes(), entry, taken)
        return taken.deliveries

    def build(self, layer: Layer, name: str, period: str) -> tuple[pl.DataFrame, Staged]:
        """Makes and publishes a table; gives its rows and how it was judged."""
        with stage(self.storage, self.ledger, all_themes(), THEME, THEME.table(layer, name), period) as staged:
            publish(self.storage, staged)
            return pl.read_parquet(staged.file), staged

    def registre(self, period: str) -> pl.DataFrame:
        return self.build(Layer.SILVER, "registre", period)[0]

    def quarantined(self) -> pl.DataFrame:
        found = []
        for entry in self.storage.list(layout.QUARANTINE):
            with self.storage.local(entry.key) as file:
                found.append(pl.read_parquet(file))
        return pl.concat(found, how="diagonal") if found else pl.DataFrame()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")
