"""What a theme is: its periods, its datasets, its tables."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from elexxion_assets.declare.calendar import Calendar
from elexxion_assets.declare.dataset import Dataset
from elexxion_assets.declare.model import Model
from elexxion_assets.declare.predicted import predicted
from elexxion_assets.declare.table import Layer, Table


class Periods(Protocol):
    """The family of keys by which a theme's tables are partitioned; keys sort in order of time."""

    @property
    def description(self) -> str:
        """What a key looks like, in words."""

    @property
    def pattern(self) -> str:
        """Regular expression that every key matches whole; keys that match it may still be no period."""

    def problem(self, key: str) -> str | None:
        """Why `key` is not a period of this family, in words, or None when it is one."""


@dataclass(frozen=True)
class Yearly:
    """Years, from the first that the theme knows."""

    first: int
    last: int = 2100
    description: str = "a year, such as 2022"
    pattern: str = r"[0-9]{4}"

    def problem(self, key: str) -> str | None:
        """Why `key` is not a year of this theme, or None."""
        if not re.fullmatch(self.pattern, key):
            return f"« {key} » is not a year of four digits"
        if not self.first <= int(key) <= self.last:
            return f"{key} is outside the years {self.first} to {self.last}"
        return None


@dataclass(frozen=True, kw_only=True)
class Theme:
    """One subject of the lake.

    Attributes:
        name: Folder and group name.
        title: Title for people.
        owner: Team that answers for it (`team:x` or a mail address).
        periods: Keys of its partitions.
        fresh_within: Age above which the theme's tables are stale.
        datasets: Official datasets that feed it.
        tables: Tables made from them, silver first.
        calendar: What is due when, per dataset and period; None where nothing is waited for.
        models: Models of its platinum tables.
        samples: Writes small synthetic files in the official layouts into a folder, from a seed; gives their paths.
    """

    name: str
    title: str
    owner: str
    periods: Periods
    fresh_within: timedelta
    datasets: tuple[Dataset, ...]
    tables: tuple[Table, ...]
    calendar: Calendar | None = None
    models: tuple[Model, ...] = ()
    samples: Callable[[Path, int], list[Path]] | None = None

    def dataset(self, name: str) -> Dataset:
        """The dataset of that name; KeyError if there is none."""
        return {dataset.name: dataset for dataset in self.datasets}[name]

    def table(self, layer: Layer, name: str) -> Table:
        """The table of that layer and name; KeyError if there is none."""
        return {(table.layer, table.name): table for table in self.all_tables}[layer, name]

    @property
    def all_tables(self) -> tuple[Table, ...]:
        """Its tables, and those that its models fill."""
        return (*self.tables, *predicted(self.models, self.tables))

    def model(self, name: str) -> Model:
        """The model of that name; KeyError if there is none."""
        return {model.name: model for model in self.models}[name]

    @property
    def lookback(self) -> int:
        """Largest lookback of its tables: a change of one period is felt that many periods later."""
        return max((table.lookback for table in self.tables), default=0)
