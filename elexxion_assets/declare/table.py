"""What a table of the lake is: a layer, columns, a key, its inputs, rules, and the function that makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import narwhals as nw

from elexxion_assets.declare.column import Column
from elexxion_assets.declare.dataset import Frame


class Layer(StrEnum):
    """The four layers, from faithful to ready for models, and what models say of themselves."""

    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"
    PLATINUM = "platinum"
    MODEL = "model"

    @property
    def folder(self) -> str:
        """Folder of the layer under `output/`."""
        return {
            Layer.BRONZE: "bronze",
            Layer.SILVER: "argent",
            Layer.GOLD: "or",
            Layer.PLATINUM: "platine",
            Layer.MODEL: "modeles",
        }[self]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule on the rows of a table that columns alone cannot say.

    Attributes:
        name: Name of the check, snake case.
        description: What must hold, in words.
        broken: Expression that is true for the rows that break the rule (null counts as kept).
        blocking: Whether a broken rule keeps the table from being replaced.
        holds: In place of `broken`, for a rule of a `rules.yaml`: SQL that is true for what keeps the rule.
        whole: Whether `holds` speaks of the table as a whole, by aggregates.
        allowed: Share of the rows, 0 to 1, that may break the rule.
    """

    name: str
    description: str
    broken: nw.Expr | None = None
    blocking: bool = False
    holds: str = ""
    whole: bool = False
    allowed: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """How far a table may be from its release before, and from the period before, until somebody is warned.

    Attributes:
        volume: Least number of rows, as a share of those before.
        communes: Least number of communes (and no fewer départements), as a share of those before.
        nulls: Largest change of a column's share of missing values, 0 to 1.
        psi: Largest population stability index of a column; 0.25 is the usual sign of another population.
        revised: Largest share of a column's values, 0 to 1, that a new release may change by more than `moved`.
        moved: Relative change of a value that counts as a revision worth a warning.
    """

    volume: float = 0.8
    communes: float = 0.97
    nulls: float = 0.15
    psi: float = 0.25
    revised: float = 0.05
    moved: float = 0.1


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table of a theme.

    Attributes:
        layer: Layer of the table.
        name: Name inside the layer, a noun.
        description: What one row is, for the dictionary and the UI.
        columns: Columns in order. Silver tables get `_delivery` and `_line` after them: where each row comes from.
        key: Columns that identify a row; the table is sorted by them.
        inputs: For silver, names of the theme's datasets; for the others `layer/table` of the theme first, then, if
            need be, `theme/layer/table` of other themes.
        function: Called with one lazy frame per input, in order, and `period`; gives the columns (silver: `_delivery`,
            `_line` kept). A silver input holds typed, valid rows of the release that won; a dataset that has nothing
            for the period is an empty frame. Other inputs hold `period` and the `lookback` periods before it; those of
            other themes hold every period, and the function takes what was known.
        lookback: Number of earlier periods that the inputs also hold (gold and platinum).
        prepared: Of a table with one input that is no dataset, what is made of the rows of each of its periods alone,
            whatever the period that is built; `function` is called with that, of all periods, in place of the rows. A
            process works it out once for all periods whose `lookback` reaches it.
        datasets: Datasets without which the table has no rows: it is built only for the periods that one of them
            covers. By default those of its inputs.
        rules: Rules beyond the columns' own.
        totals: Called as `function` is: one row of sums, each under the name of a column of counts. The sums of those
            columns in the table must be equal: nothing is lost or counted twice on the way.
        thresholds: What is told as drift.
        may_be_empty: Whether no row is a right answer, as for what is known before the first period. Such a table is
            published empty, so that it is built again when an earlier period arrives.
        in_process: Why it is made by Polars in the driver's process when Spark is chosen (few rows, for one); empty for
            the others.
        populations: Whether the function is also given `populations`, a lazy frame of `code_commune, annee, population,
            source`: the populations municipales known, of every year, in the communes of the target vintage.
    """

    layer: Layer
    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    inputs: tuple[str, ...]
    function: Callable[..., Frame]
    lookback: int = 0
    prepared: Callable[[Frame], Frame] | None = None
    datasets: tuple[str, ...] | None = None
    rules: tuple[Rule, ...] = ()
    totals: Callable[..., Frame] | None = None
    thresholds: Thresholds = Thresholds()
    may_be_empty: bool = False
    in_process: str = ""
    populations: bool = False

    def __post_init__(self) -> None:
        """Refuses what the lake cannot build.

        Raises:
            ValueError: `prepared` is given to a table that is made of datasets or of several tables.
        """
        if self.prepared is not None and (self.layer is Layer.SILVER or len(self.inputs) != 1):
            raise ValueError(
                f"{self.layer}/{self.name}: only what is made of one table can be prepared period by period"
            )

    def of_rows(self, *inputs: Frame, period: str, **given: Frame) -> Frame:
        """What the table's function makes for a period of the rows of its inputs, of all periods together."""
        prepared = [self.prepared(rows) for rows in inputs] if self.prepared is not None else inputs
        return self.function(*prepared, period=period, **given)
