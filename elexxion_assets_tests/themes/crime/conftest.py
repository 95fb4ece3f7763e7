"""Reads files of the SSMSI as the lake does, without the lake: text, contract, geography, then the table's function."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import narwhals as nw
import polars as pl
import pytest
import python_calamine

from elexxion_assets.declare import Dataset, Layer, TextTable
from elexxion_assets.geography import Cog
from elexxion_assets.lake import layout
from elexxion_assets.lake.build import publish, stage
from elexxion_assets.lake.due import due, settle
from elexxion_assets.lake.intake import Taken, drop, take, waiting
from elexxion_assets.lake.ledger import Ledger, State
from elexxion_assets.lake.storage import DirectoryStorage
from elexxion_assets.quality import checks, contract
from elexxion_assets.themes.crime import THEME

INVENTED = checks.POPULATION
"""Populations of these tests are small numbers."""


@dataclass(frozen=True)
class Delivered:
    """A file read as text and recognised."""

    table: TextTable
    text: pl.LazyFrame
    dataset: Dataset

    @cached_property
    def periods(self) -> dict[str, int]:
        """Rows per period, those without one left out."""
        period = self.dataset.period(self.table)
        assert not isinstance(period, str)
        counted = nw.from_native(self.text).with_columns(period=period).to_native().collect()
        return dict(counted.drop_nulls("period").group_by("period").len().iter_rows())

    @property
    def release(self) -> str:
        return self.dataset.release(self.table, self.periods)

    @cached_property
    def judged(self) -> pl.DataFrame:
        """All rows, typed, with the reason of those that break the contract."""
        normal = self.dataset.normalise(self.dataset, nw.from_native(self.text), self.table)
        return contract.apply(normal, self.dataset.columns).to_native().collect()

    def silver(self, period: str) -> pl.DataFrame:
        """The silver rows that this file alone gives for a year."""
        table = THEME.table(Layer.SILVER, self.dataset.name)
        valid = nw.from_native(
            self.judged.lazy().filter(pl.col(contract.REASON).is_null(), pl.col("annee") == int(period))
        )
        if (geography := self.dataset.geography) is not None:
            level = "arrondissements" if geography.arrondissements else "communes"
            vintage = geography.vintage(self.table, period)
            valid = Cog.builtin().carry(valid, geography.code, vintage=vintage, plm=level)
            valid = valid.filter(~nw.col("code_commune_cible").is_null())
        made = table.function(valid, period=period).select(*(c.name for c in table.columns))
        return made.to_native().collect()

    def gold(self, name: str, period: str, lookback: int = 2) -> pl.DataFrame:
        """The gold table that this file alone gives for a year."""
        table = THEME.table(Layer.GOLD, name)
        years = [str(int(period) - back) for back in range(lookback + 1)]
        silver = pl.concat([self.silver(year) for year in years if year in self.periods])
        made = table.of_rows(nw.from_native(silver.lazy()), period=period)
        return made.select(*(c.name for c in table.columns)).to_native().collect()


def recognise(table: TextTable) -> Dataset | None:
    """The dataset that fits best, as the engine chooses it, or None."""
    matches = [(dataset.match(dataset, table), dataset) for dataset in THEME.datasets]
    fitting = [(match.score, dataset) for match, dataset in matches if not match.missing]
    return max(fitting, key=lambda found: found[0])[1] if fitting else None


def read_text(path: Path) -> tuple[TextTable, pl.LazyFrame]:
    if path.suffix == ".xlsx":
        rows = python_calamine.load_workbook(path).get_sheet_by_index(0).to_python()
        header = [str(name) for name in rows[0]]
        columns = {name: [str(row[i]) for row in rows[1:]] for i, name in enumerate(header)}
        frame = pl.DataFrame(columns, schema=dict.fromkeys(header, pl.String))
    else:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        frame = pl.read_csv(content, separator=";", infer_schema=False)
    table = TextTable(
        file=path.name, columns=tuple(frame.columns), header=tuple(frame.columns), sample=tuple(frame.head(100).rows())
    )
    return table, frame.with_row_index("_line", offset=2).with_columns(pl.col("_line").cast(pl.Int64)).lazy()


@pytest.fixture(scope="session")
def deliver() -> Callable[[Path], Delivered]:
    @cache
    def read(path: Path) -> Delivered:
        table, text = read_text(path)
        dataset = recognise(table)
        assert dataset is not None, f"{path.name} is not recognised"
        return Delivered(table, text, dataset)

    return read


@pytest.fixture
def recognised() -> Callable[[Path], Dataset | None]:
    return lambda path: recognise(read_text(path)[0])


class Lake:
    """A lake in a directory, with the verbs of a pass."""

    def __init__(self, root: Path) -> None:
        self.storage = DirectoryStorage(root)
        self.ledger = Ledger(self.storage)

    def drop(self, path: Path) -> None:
        """Takes a file from `input/` to bronze."""
        themes, taken = {THEME.name: THEME}, Taken()
        drop(self.storage, path.name, path.read_bytes(), {})
        for entry in list(waiting(self.storage, 0)):
            take(self.storage, self.ledger, themes, entry, taken)
        assert [delivery.state for delivery in taken.deliveries] == [State.READ]

    def build(self) -> list[str]:
        """Builds everything due; the names of the tables."""
        built = []
        themes = {THEME.name: THEME}
        while groups := due(self.ledger, themes):
            for group in groups:
                for name in group.tables:
                    built += [self.make(name, period) for period in group.periods]
                settle(self.storage, self.ledger, themes, group)
        return built

    def make(self, name: str, period: str) -> str:
        layer, _, table = name.partition("/")
        with stage(
            self.storage, self.ledger, {THEME.name: THEME}, THEME, THEME.table(Layer(layer), table), period
        ) as staged:
            assert not staged.refused
            assert [result.name for result in staged.results if not result.passed and result.name != INVENTED] == []
            publish(self.storage, staged)
        return f"{name}/{period}"

    def rows(self, name: str, period: str) -> pl.DataFrame:
        layer, _, table = name.partition("/")
        with self.storage.local(layout.table_key(THEME.name, Layer(layer), table, period)) as file:
            return pl.read_parquet(file)

    def forget(self, name: str, period: str) -> None:
        layer, _, table = name.partition("/")
        self.storage.delete(layout.table_key(THEME.name, Layer(layer), table, period))
        self.storage.delete(layout.table_document_key(THEME.name, Layer(layer), table, period))

    def quarantined(self) -> pl.DataFrame:
        """The rejected lines, as they were written, with `_period` and `_reason`."""
        frames = []
        for entry in self.storage.list(layout.QUARANTINE):
            with self.storage.local(entry.key) as file:
                frames.append(pl.read_parquet(file))
        return pl.concat(frames, how="diagonal") if frames else pl.DataFrame()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")
