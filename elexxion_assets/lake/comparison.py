"""What a staged table is compared with: the tables it is made from, its release before, its period before."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from elexxion_assets.declare import Frame, Layer, Table
from elexxion_assets.lake import layout
from elexxion_assets.lake.storage import Storage
from elexxion_assets.quality import drift
from elexxion_assets.quality.checks import CONSERVATION, STANDARD, TOTALS, CheckResult, Judgement

REMEMBERED = 20
"""Earlier states of a table's period that its document tells of."""


@dataclass(frozen=True)
class Published:
    """What is known of a published period of a table.

    Attributes:
        document: Its document.
        profile: How its values are spread; of tables published by older code, their rows only.
    """

    document: Mapping[str, Any]
    profile: Mapping[str, Any]

    @staticmethod
    def read(storage: Storage, theme: str, table: Table, period: str) -> Published | None:
        """The published period; None where there is no document."""
        place = (theme, table.layer, table.name, period)
        try:
            document = json.loads(storage.read(layout.table_document_key(*place)))
        except KeyError:
            return None
        try:
            profile = json.loads(storage.read(layout.profile_key(*place)))
        except KeyError:
            profile = {"rows": document["rows"], "columns": {}, "places": {}}
        return Published(document, profile)

    def history(self) -> list[dict[str, Any]]:
        """The states of the period so far, newest first: when it was published, its rows, what failed, the releases."""
        state = {
            "published_at": self.document["published_at"],
            "rows": self.document["rows"],
            "failed": [check["name"] for check in self.document["checks"] if not check["passed"]],
            "releases": sorted({item["release"] for item in self.document["inputs"] if "release" in item}),
        }
        return [state, *self.document.get("history", [])][:REMEMBERED]


def kept_whole(
    table: Table,
    rows: pl.LazyFrame,
    profile: Mapping[str, Any],
    counts: Mapping[str, int],
    inputs: Sequence[Frame],
    given: Mapping[str, Frame],
    period: str,
) -> list[CheckResult]:
    """`conservation` of source lines and `totals` of counts, where they can be told.

    Args:
        table: The declaration.
        rows: The staged rows.
        profile: Their profile, for the sums.
        counts: Source rows and what became of them.
        inputs: The frames that the table was made from.
        given: What its function was given beside them.
        period: The period.
    """
    found = []
    if table.layer is Layer.SILVER and len(table.inputs) == 1:
        lines = rows.group_by("_delivery").agg(pl.col("_line").n_unique()).select(pl.col("_line").sum())
        there = int(lines.collect(engine="streaming").item() or 0)
        told = {"in the table": there, **{name.replace("_", " "): counts.get(name, 0) for name in _ELSEWHERE}}
        lost = counts["source_rows"] - sum(told.values())
        words = [{"source lines": counts["source_rows"], **told}] if lost else []
        found.append(_result(CONSERVATION, abs(lost), counts["source_rows"], words))
    if table.totals is not None:
        wanted = table.totals(*inputs, period=period, **given).collect(backend="polars")
        wrong = []
        for name in wanted.columns:
            ours, theirs = profile["columns"][name]["sum"] or 0, wanted[name][0] or 0
            if abs(ours - theirs) > 1e-9 * max(abs(ours), abs(theirs)):
                wrong.append({"column": name, "sum here": ours, f"sum in {', '.join(table.inputs)}": theirs})
        found.append(_result(TOTALS, len(wrong), len(wanted.columns), wrong))
    return found


_ELSEWHERE = ("quarantined", "older_release", "same_key")


def _result(name: str, broken: int, rows: int, examples: list[dict[str, Any]]) -> CheckResult:
    return CheckResult(
        name=name,
        passed=broken == 0,
        blocking=True,
        description=STANDARD[name],
        broken=broken,
        rows=rows,
        examples=examples,
    )


def against_earlier(
    storage: Storage,
    theme: str,
    table: Table,
    period: str,
    judged: Judgement,
    release: Published | None,
    periods: Sequence[str],
) -> list[CheckResult]:
    """`volume`, `coverage` and `drift` against what is published of the period, and of the period before."""
    before = drift.period_before(periods, period)
    earlier = Published.read(storage, theme, table, before) if before else None
    return drift.compared(
        table,
        judged.profile or {"rows": judged.rows, "columns": {}, "places": {}},
        release.profile if release else None,
        earlier.profile if earlier else None,
        before or "",
    )


def revised(
    storage: Storage,
    theme: str,
    table: Table,
    period: str,
    rows: pl.LazyFrame,
    inputs: Sequence[Mapping[str, str]],
    release: Published | None,
) -> tuple[CheckResult, dict[str, Any]]:
    """`revisions`, where other deliveries or tables than those of the published one went into the staged one."""
    if release is None or release.document["inputs"] == list(inputs):
        return drift.nothing_replaced(), {}
    with storage.local(layout.table_key(theme, table.layer, table.name, period)) as path:
        published = pl.scan_parquet(path)
        names = published.collect_schema().names()
        if not {column.name for column in table.columns} <= set(names):
            return drift.nothing_replaced(), {}  # made by older code, in other columns
        return drift.revisions(table, rows, published)
