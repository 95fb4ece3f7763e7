"""Where things lie in the lake: the only place that spells a key."""

from __future__ import annotations

import re
from collections.abc import Iterable

from elexxion_assets.declare import Layer, Theme

INPUT = "input/"
RAW = "raw/"
QUARANTINE = "quarantine/"
TABLE_DOCUMENTS = "metadata/tables/"
COMPANION = ".elexxion.json"
"""Suffix of the object that carries what a person said of the file dropped beside it."""


def tree(themes: Iterable[Theme]) -> list[str]:
    """The folders of an empty lake."""
    folders = ["input", "notebooks", "scripts"]
    for theme in themes:
        folders += [f"metadata/{theme.name}", f"raw/{theme.name}"]
        folders += [f"output/{layer.folder}/{theme.name}" for layer in Layer]
    return sorted(folders)


def safe_name(name: str) -> str:
    """The last part of a file's name without control characters, at most 120 bytes, its ending kept."""
    last = re.sub(r"[\x00-\x1f\x7f\\]", "_", name.rsplit("/", 1)[-1]).strip() or "file"
    if last in {".", ".."}:
        last = "file"
    stem, dot, ending = last.rpartition(".")
    ending = (dot + ending)[:20] if stem else ""
    stem = stem or last
    while len((stem + ending).encode()) > 120:
        stem = stem[:-1]
    return stem + ending


def raw_key(theme: str, delivery: str, name: str) -> str:
    """Where a delivery's bytes are kept: `raw/<theme>/<UTC stamp>-<hash>_<name>`."""
    return f"{RAW}{theme}/{delivery}_{safe_name(name)}"


def bronze_key(theme: str, dataset: str, period: str, delivery: str, position: int = 0) -> str:
    """Where the rows of one table of a delivery lie for one period."""
    return f"{bronze_prefix(theme, dataset, period)}{delivery}{f'.{position}' if position else ''}.parquet"


def bronze_prefix(theme: str, dataset: str, period: str = "") -> str:
    """Where all deliveries of a dataset (and period) lie."""
    return f"output/{Layer.BRONZE.folder}/{theme}/{dataset}/" + (f"{period}/" if period else "")


def delivery_of(bronze: str) -> tuple[str, int]:
    """Delivery and position of the table inside it, from a bronze or quarantine key."""
    delivery, *position = bronze.rsplit("/", 1)[-1].removesuffix(".parquet").split(".")
    return delivery, int(position[0]) if position else 0


def table_key(theme: str, layer: Layer, table: str, period: str) -> str:
    """Where a table lies for one period."""
    return f"{table_prefix(theme, layer, table)}{period}.parquet"


def table_prefix(theme: str, layer: Layer, table: str) -> str:
    """Where all periods of a table lie."""
    return f"output/{layer.folder}/{theme}/{table}/"


def table_document_key(theme: str, layer: Layer, table: str, period: str) -> str:
    """Where the description of a table's period lies: rows, inputs, checks."""
    return f"{TABLE_DOCUMENTS}{theme}/{layer}/{table}/{period}.json"


def quarantine_key(theme: str, dataset: str, delivery: str, period: str, position: int = 0) -> str:
    """Where the rejected rows of a delivery lie for one period."""
    return f"{QUARANTINE}{theme}/{dataset}/{delivery}/{period}{f'.{position}' if position else ''}.parquet"
