"""Walks back from rows of a table to the deliveries, files and lines that they were made from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from elexxion_assets.columns import COMMUNE_CIBLE
from elexxion_assets.declare import Layer, Table, Theme
from elexxion_assets.lake import layout
from elexxion_assets.lake.ledger import Ledger
from elexxion_assets.lake.storage import Storage

_LINES = 100
"""Stretches of lines that are told of one file."""


def trace(
    storage: Storage,
    ledger: Ledger,
    themes: Mapping[str, Theme],
    table: str,
    period: str,
    key: Mapping[str, str],
) -> dict[str, Any]:
    """Where rows of a table come from.

    Rows of a table are followed into those of its inputs that have the same values in the columns of the same name; a
    commune is followed to the published communes whose figures count in it.

    Args:
        storage: The lake.
        ledger: The deliveries.
        themes: The themes.
        table: `theme/layer/table`, silver, gold or platinum.
        period: Period of the table.
        key: Values of columns, as text; all rows without any.

    Returns:
        `table`, `period`, `key`, `rows` (their number), `published_at`; `from`, the same of each input, for gold and
        platinum; `files` for silver: `delivery`, `name`, `member`, `dataset`, `release`, `raw`, `page`, `rows` and
        `lines`.

    Raises:
        KeyError: the table has no such period; its argument says so.
        ValueError: the table has no such column.
    """
    owner, layer, name = table.split("/")
    declared = themes[owner].table(Layer(layer), name)
    unknown = sorted(set(key) - {column.name for column in declared.columns})
    if unknown:
        raise ValueError(f"{table} has no column {', '.join(unknown)}; its key is {', '.join(declared.key)}")
    return _trace(storage, ledger, themes, table, period, dict(key))


def _trace(
    storage: Storage, ledger: Ledger, themes: Mapping[str, Theme], table: str, period: str, key: dict[str, str]
) -> dict[str, Any]:
    owner, layer, name = table.split("/")
    theme = themes[owner]
    declared = theme.table(Layer(layer), name)
    place = (owner, declared.layer, name, period)
    document = json.loads(storage.read(layout.table_document_key(*place)))
    said: dict[str, Any] = {"table": table, "period": period, "key": key, "published_at": document["published_at"]}
    with storage.local(layout.table_key(*place)) as path:
        rows = pl.scan_parquet(path).filter(*(pl.col(c).cast(pl.String) == value for c, value in key.items()))
        if declared.layer is Layer.SILVER:
            found = rows.select("_delivery", "_line").collect()
            return {**said, "rows": found.height, "files": _files(ledger, theme, declared, found)}
        said["rows"] = int(rows.select(pl.len()).collect().item())
    # A table may look at several periods of an input, and at several inputs.
    said["from"] = [
        _trace(storage, ledger, themes, item["table"], item["period"], _key_in(themes, item["table"], key))
        for item in document["inputs"]
        if item.get("table") and _followed(themes, declared, theme, item["table"])
        if storage.stat(layout.table_document_key(*_place(item["table"]), item["period"])) is not None
    ]
    said["from"] = [item for item in said["from"] if item["rows"]]
    return said


def _place(table: str) -> tuple[str, Layer, str]:
    theme, layer, name = table.split("/")
    return theme, Layer(layer), name


def _followed(themes: Mapping[str, Theme], table: Table, theme: Theme, source: str) -> bool:
    """Whether a table is an input of another one, and not what only codes were carried by."""
    names = {name if name.count("/") == 2 else f"{theme.name}/{name}" for name in table.inputs}
    return source in names and source.split("/")[0] in themes


def _key_in(themes: Mapping[str, Theme], table: str, key: Mapping[str, str]) -> dict[str, str]:
    """The values of a key under the names that another table has for them."""
    owner, layer, name = _place(table)
    columns = {column.name for column in themes[owner].table(layer, name).columns}
    found = {}
    for column, value in key.items():
        carried = column == "code_commune" and COMMUNE_CIBLE.name in columns
        own = COMMUNE_CIBLE.name if carried else column
        # The year of a row is told by the period; an input that looks back has others.
        if own in columns and own not in ("annee", "scrutin"):
            found[own] = value
    return found


def _files(ledger: Ledger, theme: Theme, table: Table, rows: pl.DataFrame) -> list[dict[str, Any]]:
    found = []
    for origin, lines in rows.group_by("_delivery").agg(pl.col("_line").sort()).sort("_delivery").iter_rows():
        identifier, _, position = origin.partition(".")
        delivery = ledger.get(identifier)
        if delivery is None:
            found.append({"delivery": identifier, "rows": len(lines), "lines": stretches(lines)})
            continue
        facts = delivery.tables[int(position or 0)]
        found.append(
            {
                "delivery": identifier,
                "name": delivery.name,
                "member": facts["member"],
                "dataset": f"{theme.name}/{facts['dataset']}",
                "release": facts["release"],
                "raw": delivery.raw,
                "page": theme.dataset(facts["dataset"]).page,
                "rows": len(lines),
                "lines": stretches(lines),
            }
        )
    return found


def stretches(lines: Sequence[int]) -> str:
    """Sorted numbers of lines in few words.

    >>> stretches([3, 4, 4, 5, 9])
    '3-5, 9'
    """
    found: list[list[int]] = []
    for line in lines:
        if found and line <= found[-1][1] + 1:
            found[-1][1] = line
        else:
            found.append([line, line])
    words = [str(first) if first == last else f"{first}-{last}" for first, last in found[:_LINES]]
    return ", ".join(words) + (f" and {len(found) - _LINES} more stretches" if len(found) > _LINES else "")
