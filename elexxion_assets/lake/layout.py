"""Where things lie in the lake: the only place that spells a key."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from elexxion_assets.declare import Layer, Theme

INPUT = "input/"
RAW = "raw/"
QUARANTINE = "quarantine/"
ARCHIVE = "archive/"
CLOSED = "quarantine/closed/"
"""Rejected rows that a correction took, as they were."""
MODELS = "models/"
REPORTS = "reports/"
SCRATCH = "output/scratch/"
"""Parts of a table that Spark has written and the driver has not joined yet."""
NAMES = {
    ARCHIVE: r"\d{4}-\d\d_\w+\.(?:tar\.gz|json)",
    MODELS: r"[^/]+/[^/]+/[^/]+(?:\.(?:json|html)|/[0-9a-f]{16}\.txt)",
    REPORTS: r"(?:quality\.(?:html|json)|(?:memory|versions)\.json|deliveries/[^/]+\.json)",
}
"""The names, as regular expressions, that the lake gives under prefixes where people may keep files of theirs."""
COMPANION = ".elexxion.json"
"""Suffix of the object that carries what a person said of the file dropped beside it."""


def tree(themes: Iterable[Theme]) -> list[str]:
    """The folders of an empty lake."""
    folders = ["input", "notebooks", "scripts"]
    for theme in themes:
        folders += [f"metadata/{theme.name}", f"raw/{theme.name}"]
        folders += [f"output/{layer.folder}/{theme.name}" for layer in Layer if layer is not Layer.MODEL]
    return sorted(folders)


def safe_name(name: str) -> str:
    """A name for use in a key: ASCII letters, digits, `.`, `-` and `_`; the middle of a long one is left out.

    >>> safe_name("Élections 2022/T1 (définitif).csv")
    'Elections_2022_T1__definitif_.csv'
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    safe = re.sub(r"[^A-Za-z0-9.-]", "_", plain)
    return safe if len(safe) <= 150 else f"{safe[:99]}_{safe[-50:]}"


def raw_key(theme: str, delivery: str, name: str) -> str:
    """Where a delivery's bytes are kept: `raw/<theme>/<UTC stamp>-<hash>_<name>`."""
    return f"{RAW}{theme}/{delivery}_{safe_name(name)}"


def bronze_key(theme: str, dataset: str, period: str, delivery: str, position: int = 0) -> str:
    """Where the rows of one table of a delivery lie for one period."""
    return f"{bronze_prefix(theme, dataset, period)}{delivery}{f'.{position}' if position else ''}.parquet"


def bronze_prefix(theme: str, dataset: str, period: str = "") -> str:
    """Where all deliveries of a dataset (and period) lie."""
    return f"output/{Layer.BRONZE.folder}/{theme}/{dataset}/" + (f"{period}/" if period else "")


def origin(delivery: str, position: int) -> str:
    """A table of a delivery, as `_delivery` of its rows names it."""
    return f"{delivery}.{position}" if position else delivery


def delivery_of(bronze: str) -> tuple[str, int]:
    """Delivery and position of the table inside it, from the key of bronze or of what a correction took."""
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
    return f"{table_prefix(theme, layer, table)}{period}.json"


def profile_key(theme: str, layer: Layer, table: str, period: str) -> str:
    """Where it lies how the values of a table's period are spread (JSON; no document of a table)."""
    return f"{table_prefix(theme, layer, table)}{period}.profile"


def refused_key(theme: str, layer: Layer, table: str, period: str) -> str:
    """Where the checks lie for which a table's period was last refused (JSON), until one is published."""
    return f"{table_prefix(theme, layer, table)}{period}.refused"


def lineage_key(theme: str, layer: Layer, table: str) -> str:
    """Where it lies from which columns each column of a table is made (JSON)."""
    return f"{table_prefix(theme, layer, table)}columns.lineage"


def model_key(theme: str, model: str, period: str, suffix: str) -> str:
    """Where the card of a model's period lies (`json`, `html`)."""
    return f"{MODELS}{theme}/{model}/{period}.{suffix}"


def model_text_key(theme: str, model: str, period: str, digest: str) -> str:
    """Where the text of a model lies; the card says which is the one."""
    return f"{MODELS}{theme}/{model}/{period}/{digest}.txt"


def quarantine_key(theme: str, dataset: str, delivery: str, period: str, position: int = 0) -> str:
    """Where the rejected rows of a delivery lie for one period."""
    return f"{quarantine_prefix(theme, dataset, delivery)}{period}{f'.{position}' if position else ''}.parquet"


def quarantine_prefix(theme: str, dataset: str, delivery: str) -> str:
    """Where all rejected rows of a delivery lie."""
    return f"{QUARANTINE}{theme}/{dataset}/{delivery}/"


def quarantined_period(key: str) -> tuple[str, int]:
    """Period and position of the table, from the key of rejected rows."""
    return delivery_of(key)


def closed_key(theme: str, dataset: str, delivery: str, correction: str, position: int = 0) -> str:
    """Where the rejected rows of a delivery lie that a correction took."""
    return f"{closed_prefix(theme, dataset, delivery)}{correction}{f'.{position}' if position else ''}.parquet"


def closed_prefix(theme: str, dataset: str, delivery: str) -> str:
    """Where all rejected rows of a delivery lie that some correction took."""
    return f"{CLOSED}{theme}/{dataset}/{delivery}/"


def report_key(name: str) -> str:
    """Where a report on the lake as a whole lies: `quality.html`, `quality.json`."""
    return f"{REPORTS}{name}"


def delivery_report_key(delivery: str) -> str:
    """Where the report on a delivery lies (JSON)."""
    return f"{REPORTS}deliveries/{delivery}.json"


def alerts_key(target: str) -> str:
    """Where it is remembered what a receiver of alerts was told (JSON)."""
    return f"metadata/alerts/{target}.json"


def catalogue_key(theme: str, dataset: str) -> str:
    """Where it is remembered what was last fetched of a dataset from its publisher."""
    return f"metadata/catalogue/{theme}/{dataset}.json"
