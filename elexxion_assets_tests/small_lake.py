"""A lake of some themes into which a few files are dropped, from bytes to gold, without the orchestrator."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from elexxion_assets.declare import Layer, Theme
from elexxion_assets.lake import layout
from elexxion_assets.lake.build import note_refusal, publish, stage
from elexxion_assets.lake.due import due, settle
from elexxion_assets.lake.explain import explain
from elexxion_assets.lake.intake import Taken, drop, take, waiting
from elexxion_assets.lake.ledger import Delivery, Ledger
from elexxion_assets.lake.storage import Storage


class SmallLake:
    """The verbs of a pass over `input/`; tables are named `theme/layer/table`."""

    def __init__(self, storage: Storage, themes: Mapping[str, Theme]) -> None:
        self.storage = storage
        self.ledger = Ledger(storage)
        self.themes = dict(themes)

    def drop(self, name: str, content: str | bytes | Path, **hints: str) -> Delivery:
        drop(self.storage, name, content.encode() if isinstance(content, str) else content, hints)
        taken = Taken()
        for entry in list(waiting(self.storage, 0)):
            take(self.storage, self.ledger, self.themes, entry, taken)
        [delivery] = taken.deliveries
        return delivery

    def build(self) -> list[str]:
        """Builds what is due until nothing is; gives the tables published with their periods, in order."""
        built = []
        while groups := due(self.ledger, self.themes):
            for group in groups:
                for name in group.tables:
                    built += [self._build(f"{group.theme}/{name}", period) for period in group.periods]
                settle(self.storage, self.ledger, self.themes, group)
        return [name for name in built if name]

    def _build(self, name: str, period: str) -> str:
        theme, layer, table = name.split("/")
        declared = self.themes[theme].table(Layer(layer), table)
        with stage(self.storage, self.ledger, self.themes, self.themes[theme], declared, period) as staged:
            if staged.refused:
                note_refusal(self.storage, staged)
                return ""
            publish(self.storage, staged)
            return f"{name}/{period}"

    def rows(self, name: str, period: str) -> pl.DataFrame:
        theme, layer, table = name.split("/")
        with self.storage.local(layout.table_key(theme, Layer(layer), table, period)) as file:
            return pl.read_parquet(file)

    def document(self, name: str, period: str) -> dict[str, Any]:
        theme, layer, table = name.split("/")
        return json.loads(self.storage.read(layout.table_document_key(theme, Layer(layer), table, period)))  # type: ignore[no-any-return]

    def why(self, name: str) -> str:
        """The story of the one file that a name means."""
        [story] = explain(self.storage, self.ledger, self.themes, name)
        return " ".join(story["story"])
