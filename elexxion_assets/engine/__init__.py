"""The engine that makes tables: Polars in this process, or an existing Spark cluster (`ELEXXION_ENGINE`).

A table's function is narwhals over lazy frames and never learns which engine runs it. What the engines do not have in
common, the lake asks of an `Engine`. Reading files, the ledger, comparisons with what is published and publishing stay
in this process either way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Literal, Protocol

import narwhals as nw
import polars as pl

from elexxion_assets.declare import Frame, Layer, Table
from elexxion_assets.lake.storage import Storage
from elexxion_assets.settings import settings


class Engine(Protocol):
    """What the making of a table asks for. Frames of one engine are never mixed with those of another."""

    name: str

    def scan(self, storage: Storage, key: str, stack: ExitStack) -> Frame:
        """The rows of a stored Parquet object, for as long as the stack is open."""

    def small(self, rows: pl.DataFrame) -> Frame:
        """Rows of this process as a frame of this engine, to join with."""

    def brought(self, rows: Frame, lines: pl.DataFrame | None = None) -> pl.LazyFrame:
        """Few rows as a frame of this process.

        Args:
            rows: The rows.
            lines: `_line` of the only ones that are wanted, where not all are; others may come with them.
        """

    def numbers(self, *frames: Frame) -> list[int]:
        """The one number that each of the frames holds."""

    def look(self, rows: Frame, lost: nw.Expr, key: Sequence[str]) -> tuple[bool, bool]:
        """Whether any row may be `lost`, and whether two rows may have the same key: what need not be looked for."""

    def once(self, rows: Frame, file: Path, stack: ExitStack, *, few: bool, again: bool) -> Frame:
        """The same rows, worked out once however often they are read, for as long as the stack is open.

        Args:
            rows: The rows.
            file: Where this process may keep them; asked for the same file again, it gives the rows of the first time.
            stack: See above.
            few: Whether they are made of few lines, so that they may fit in memory.
            again: Whether they may be asked for after the stack is closed.
        """

    def join(self, rows: Frame, others: Frame, on: Sequence[str], how: Literal["inner", "anti"]) -> Frame:
        """A join in which a missing value is the same as a missing value."""

    def ordered(
        self, rows: Frame, key: Sequence[str], storage: Storage, scratch: Path, *, large: bool
    ) -> AbstractContextManager[tuple[pl.LazyFrame, Frame | None]]:
        """All rows in order of their key, made now.

        Args:
            rows: The rows.
            key: Columns to sort by, missing values first.
            storage: The lake, for an engine that writes from elsewhere.
            scratch: A folder of this process.
            large: Whether they are too many to be sorted at once in this process.

        Yields:
            The rows as a frame of this process, and where it may count them itself, as a frame of the engine.
        """


def engine_of(theme: str, table: Table, size: Callable[[], int]) -> Engine:
    """The engine that makes a table: the chosen one, or Polars where Spark is chosen and not worth it or not able to.

    Args:
        theme: Name of the theme.
        table: The declaration, which may say why it is made in this process.
        size: Gives the bytes of its inputs.

    Raises:
        SettingsError: Spark is chosen, and pyspark or Java is not there or the cluster does not answer.
    """
    from elexxion_assets.engine.embedded import EMBEDDED

    if settings().engine == "polars":
        return EMBEDDED
    least, reason = settings().spark_from_bytes, table.in_process
    if table.layer is Layer.PLATINUM:
        reason = "it holds the features of some 35,000 communes, for models that are trained in this process"
    if not reason and least and (found := size()) < least:
        reason = f"its inputs have {found:,} bytes, fewer than ELEXXION_SPARK_FROM_BYTES"
    if reason:
        name = f"{theme}/{table.layer}/{table.name}"
        logging.getLogger(__name__).warning("%s is made by Polars on the driver, not by Spark: %s", name, reason)
        return EMBEDDED
    from elexxion_assets.engine.spark import spark_engine

    return spark_engine()
