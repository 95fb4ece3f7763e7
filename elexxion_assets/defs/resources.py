"""The lake as a Dagster resource and as an IO manager.

No `from __future__ import annotations` here: Dagster reads the annotations of resources at run time.
"""

import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from elexxion_assets.declare import Layer, Table, Theme
from elexxion_assets.lake import layout
from elexxion_assets.lake.build import Staged, publish
from elexxion_assets.lake.ledger import Ledger
from elexxion_assets.lake.storage import Storage, open_storage
from elexxion_assets.settings import settings
from elexxion_assets.themes import all_themes

if TYPE_CHECKING:
    import pandas as pd

WORKER = "elexxion/worker"
"""Tag of a run: host, process and start time of its worker, to tell a dead run from a slow one."""


def worker_mark(pid: int) -> str:
    """Names a process of this host so that a later one with the same number is told apart; Linux only, else no time."""
    try:
        started = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except OSError:
        started = ""
    return f"{socket.gethostname()}:{pid}:{started}"


class LakeResource(dg.ConfigurableResource[None]):
    """The lake that the settings name."""

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Marks the run with the process that works for it."""
        if context.run is not None and context.instance is not None:
            context.instance.add_run_tags(context.run.run_id, {WORKER: worker_mark(os.getpid())})

    @cached_property
    def storage(self) -> Storage:
        """The objects."""
        return open_storage(settings())

    @cached_property
    def ledger(self) -> Ledger:
        """The deliveries."""
        return Ledger(self.storage)

    @property
    def themes(self) -> dict[str, Theme]:
        """The themes of this code location."""
        return all_themes()


class LakeIOManager(dg.ConfigurableIOManager):
    """Publishes staged tables in the lake and loads tables from it, one period or many."""

    lake: dg.ResourceDependency[LakeResource]

    def handle_output(self, context: dg.OutputContext, obj: Mapping[str, Staged]) -> None:
        """Publishes the staged table of every period; only judged tables get here."""
        documents = [publish(self.lake.storage, staged) for staged in obj.values()]
        context.add_output_metadata(
            {
                "dagster/row_count": sum(document["rows"] for document in documents),
                "bytes": sum(document["bytes"] for document in documents),
                "dagster/uri": f"{self.lake.storage.url}/{documents[0]['key']}",
            }
        )

    def load_input(self, context: dg.InputContext) -> "pd.DataFrame":
        """The declared columns of one period or of several, as one pandas frame that pandera has judged."""
        theme, layer, name = context.asset_key.path
        table = self.lake.themes[theme].table(Layer(layer), name)
        return load_rows(self.lake.storage, theme, table, sorted(context.asset_partition_keys))


class OldTable(Exception):
    """A table that older code made lacks columns that it has today, said in words."""


def load_rows(storage: Storage, theme: str, table: Table, periods: Sequence[str]) -> "pd.DataFrame":
    """The declared columns of one period of a table or of several, as one pandas frame that pandera has judged.

    Raises:
        OldTable: A period lacks columns: empty ones would be learnt from as if nothing was known.
    """
    from elexxion_assets.quality.schema import pandera_schema

    names = [column.name for column in table.columns]
    with ExitStack() as stack:
        files = [
            stack.enter_context(storage.local(layout.table_key(theme, table.layer, table.name, period)))
            for period in periods
        ]
        for period, file in zip(periods, files, strict=True):
            if lacking := [name for name in names if name not in pl.read_parquet_schema(file)]:
                shown = ", ".join(lacking[:5]) + (" …" if len(lacking) > 5 else "")
                raise OldTable(
                    f"{theme}/{table.layer}/{table.name} {period} was made before it had {shown}; build it again: "
                    f"`elexxion replay --theme {theme} --layer {table.layer}`"
                )
        rows = pl.scan_parquet(files).select(names).collect().to_pandas()
    judged: pd.DataFrame = pandera_schema(table.columns, table.key if len(periods) == 1 else ()).validate(
        rows, lazy=True
    )
    return judged


def resources() -> dict[str, Any]:
    """The resources of the code location."""
    lake = LakeResource()
    return {"lake": lake, "lake_io": LakeIOManager(lake=lake)}
