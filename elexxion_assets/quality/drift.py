"""Compares a staged table with the release that it replaces and with the period before: warnings, never a refusal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from elexxion_assets.declare import Kind, Layer, Table
from elexxion_assets.quality import profile
from elexxion_assets.quality.checks import COVERAGE, DRIFT, EXAMPLES, REVISIONS, STANDARD, VOLUME, CheckResult

Profile = Mapping[str, Any]
_SHOWN = 20
ENOUGH = 500
"""Rows that both tables must have before their shares are compared: of fewer, chance moves them."""

ENOUGH_PLACES = 13
"""Territories that a table must have had before one is missed: the régions of mainland France."""


def period_before(periods: Sequence[str], period: str) -> str | None:
    """The latest earlier period of the same kind: the year before, or the last scrutin of the same kind and round.

    >>> period_before(["2017-presidentielle-t1", "2021-regionales-t1"], "2022-presidentielle-t1")
    '2017-presidentielle-t1'
    """
    kind = re.sub(r"^[0-9]+", "", period)
    return max((key for key in periods if key < period and re.sub(r"^[0-9]+", "", key) == kind), default=None)


def compared(
    table: Table, now: Profile, release: Profile | None, earlier: Profile | None, earlier_period: str = ""
) -> list[CheckResult]:
    """`volume`, `coverage` and `drift` of a profile.

    Args:
        table: The declaration, with its thresholds.
        now: Profile of the staged table.
        release: Profile of the published one that it would replace, or None.
        earlier: Profile of the period before, or None.
        earlier_period: Its key.

    Returns:
        One result each; a check that has nothing to compare with holds.
    """
    if not now:
        return []
    others = [(words, other) for words, other in (("the release before", release), (earlier_period, earlier)) if other]
    found = {
        VOLUME: [row for words, other in others for row in _fewer_rows(table, now, other, words)],
        COVERAGE: [row for words, other in others for row in _missing_places(table, now, other, words)],
        DRIFT: [row for words, other in others for row in _moved_columns(table, now, other, words)],
    }
    if table.layer is Layer.PLATINUM:
        del found[DRIFT]
    if table.layer is Layer.PLATINUM or profile.place_of(table) is None:
        del found[COVERAGE]
    return [_warning(name, rows, int(now["rows"])) for name, rows in found.items()]


def _warning(name: str, rows: list[dict[str, Any]], total: int) -> CheckResult:
    return CheckResult(
        name=name,
        passed=not rows,
        blocking=False,
        description=STANDARD[name],
        broken=len(rows),
        rows=total,
        examples=rows[:_SHOWN],
    )


def _fewer_rows(table: Table, now: Profile, before: Profile, words: str) -> list[dict[str, Any]]:
    # Of small tables half may go: a release of three rows that has two is no news.
    least = table.thresholds.volume if before["rows"] >= ENOUGH else min(0.5, table.thresholds.volume)
    if now["rows"] >= least * before["rows"]:
        return []
    return [{"compared with": words, "rows before": before["rows"], "rows now": now["rows"]}]


def _missing_places(table: Table, now: Profile, before: Profile, words: str) -> list[dict[str, Any]]:
    first, second = sum(before.get("places", {}).values()), sum(now["places"].values())
    if first < ENOUGH_PLACES:
        return []
    gone = sorted(set(before["places"]) - set(now["places"]))
    found = [{"compared with": words, "missing": place, "places before": before["places"][place]} for place in gone]
    if second < table.thresholds.communes * first:
        found.append({"compared with": words, "missing": f"{first - second} places in all", "places before": first})
    return found


def _moved_columns(table: Table, now: Profile, before: Profile, words: str) -> list[dict[str, Any]]:
    found = []
    years = {column.name for column in table.columns if column.unit == "year"}
    for name, facts in now["columns"].items():
        other = before["columns"].get(name)
        if other is None or name in {*years, *table.key[:1]} or min(now["rows"], before["rows"]) < ENOUGH:
            continue
        nulls, earlier = facts["nulls"] / now["rows"], other["nulls"] / before["rows"]
        # A column that was empty and fills is one that nobody published before.
        if abs(nulls - earlier) > table.thresholds.nulls and earlier < 1:
            said = f"{earlier:.1%} of the values were missing, now {nulls:.1%}"
            found.append({"compared with": words, "column": name, "found": said})
        constant = min(facts.get("distinct", 0), other.get("distinct", 0)) <= 1  # a year, a scrutin
        index = None if constant else profile.psi(other, facts)
        if index is not None and index > table.thresholds.psi:
            said = f"its values are spread otherwise (population stability index {index:.2f})"
            found.append({"compared with": words, "column": name, "found": said})
    return found


def revisions(table: Table, staged: pl.LazyFrame, published: pl.LazyFrame) -> tuple[CheckResult, dict[str, Any]]:
    """How many values a new release moves, and by how much, on the key.

    Args:
        table: The declaration.
        staged: The rows that are about to be published.
        published: Those that they replace, in the same columns.

    Returns:
        The check, and a summary: `rows_added`, `rows_removed`, and per column of numbers `compared`, `changed`,
        `appeared`, `vanished`, `median_change` and `largest_change` (relative), `total_before`, `total_now`.
    """
    key = list(table.key)
    names = [c.name for c in table.columns if c.kind in (Kind.INTEGER, Kind.NUMBER) and c.name not in key]
    old = published.select(*key, *(pl.col(name).alias(f"{name}/before") for name in names), pl.lit(1).alias("/before"))
    new = staged.select(*key, *names, pl.lit(1).alias("/now"))
    both = old.join(new, on=key, how="full", coalesce=True, nulls_equal=True)
    [counted] = (
        both.select(
            pl.col("/before").is_null().sum().alias("added"),
            pl.col("/now").is_null().sum().alias("removed"),
            *(expression for name in names for expression in _moves(name, table.thresholds.moved)),
        )
        .collect(engine="streaming")
        .to_dicts()
    )
    columns = {}
    warned = []
    for name in names:
        facts = {what: _plain(counted[f"{what}/{name}"]) for what in _FACTS}
        columns[name] = facts
        touched = facts["moved"] + facts["appeared"] + facts["vanished"]
        if facts["compared"] >= ENOUGH and touched > table.thresholds.revised * max(
            1, facts["compared"] + facts["appeared"] + facts["vanished"]
        ):
            warned.append({"column": name, **facts})
    summary = {"rows_added": int(counted["added"]), "rows_removed": int(counted["removed"]), "columns": columns}
    result = CheckResult(
        name=REVISIONS,
        passed=not warned,
        blocking=False,
        description=STANDARD[REVISIONS],
        broken=sum(item["moved"] + item["appeared"] + item["vanished"] for item in warned),
        rows=sum(facts["compared"] for facts in columns.values()),
        examples=warned[: 2 * EXAMPLES],
    )
    return result, summary


_FACTS = (
    "compared",
    "changed",
    "moved",
    "appeared",
    "vanished",
    "median_change",
    "largest_change",
    "total_before",
    "total_now",
)


def _moves(name: str, threshold: float) -> list[pl.Expr]:
    before, now = pl.col(f"{name}/before").cast(pl.Float64), pl.col(name).cast(pl.Float64)
    there = pl.col("/before").is_not_null() & pl.col("/now").is_not_null()
    known = there & before.is_not_null() & now.is_not_null()
    change = (now - before).abs()
    changed = known & (change > 1e-9 * pl.max_horizontal(before.abs(), now.abs()))
    relative = change / pl.max_horizontal(before.abs(), pl.lit(1e-12))
    of_changed = pl.when(changed).then(relative)
    return [
        known.sum().alias(f"compared/{name}"),
        changed.sum().alias(f"changed/{name}"),
        (changed & (relative > threshold)).sum().alias(f"moved/{name}"),
        (there & before.is_null() & now.is_not_null()).sum().alias(f"appeared/{name}"),
        (there & before.is_not_null() & now.is_null()).sum().alias(f"vanished/{name}"),
        of_changed.median().alias(f"median_change/{name}"),
        of_changed.max().alias(f"largest_change/{name}"),
        before.sum().alias(f"total_before/{name}"),
        now.sum().alias(f"total_now/{name}"),
    ]


def _plain(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else int(value or 0)


def nothing_replaced() -> CheckResult:
    """`revisions` where there is no release before."""
    return _warning(REVISIONS, [], 0)
