"""Looks over the whole lake for what reports and alerts speak of; what has not changed since is not read again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import polars as pl

from elexxion_assets.declare import Layer, Theme
from elexxion_assets.lake import layout
from elexxion_assets.lake.ledger import Delivery, Ledger
from elexxion_assets.lake.quarantine import COLUMN, RULE
from elexxion_assets.lake.storage import Entry, Storage
from elexxion_assets.quality.contract import REASON

EXAMPLES = 5
"""Rejected lines that are shown per delivery, period, column and rule."""

_LAYERS = (Layer.SILVER, Layer.GOLD, Layer.PLATINUM, Layer.MODEL)
_PUBLISHED, _REFUSED = ".json", ".refused"
_SHAPE = 2
"""Changes with what is remembered of an object, and with what is told of it."""

_MEMORY = layout.report_key("memory.json")


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What the lake says of itself.

    Attributes:
        deliveries: All deliveries, newest first; their tables without headers and columns.
        tables: A document per published table and period: rows, bytes, checks, history, cost, `deliveries`.
        refused: The same for what was last refused and not published since.
        rejected: Per file of quarantine: theme, dataset, delivery, period, rows, and `rules`: column, rule, count,
            examples (line, reason). Of a dataset with personal columns no reason is shown.
        damaged: Objects that could not be read, with the reason.
        versions: By delivery, what changes whenever anything here that speaks of it does.
    """

    deliveries: list[Delivery]
    tables: list[dict[str, Any]]
    refused: list[dict[str, Any]]
    rejected: list[dict[str, Any]]
    damaged: list[dict[str, str]]
    versions: dict[str, str]


class Memory:
    """What was read of objects, by key and version; the same memory may serve many surveys of one lake."""

    def __init__(self, known: Mapping[str, Any] | None = None) -> None:
        self._known: dict[str, Any] = dict(known or {})
        self._seen: dict[str, Any] = {}
        self.damaged: list[dict[str, str]] = []
        self.changed = False

    @staticmethod
    def load(storage: Storage) -> Memory:
        """The memory of the last report; an empty one where there is none, or one of another shape."""
        try:
            stored = json.loads(storage.read(_MEMORY))
            return Memory(stored["objects"] if stored["shape"] == _SHAPE else {})
        except (KeyError, ValueError, TypeError):
            return Memory()

    def store(self, storage: Storage) -> None:
        """Keeps it for the next report."""
        text = json.dumps({"shape": _SHAPE, "objects": self._known}, ensure_ascii=False)
        storage.write(_MEMORY, text.encode("utf-8", "backslashreplace"))

    def begin(self) -> None:
        """A new survey begins."""
        self._seen, self.damaged, self.changed = {}, [], False

    def end(self) -> None:
        """The survey is over: what it did not meet is forgotten."""
        self.changed |= self._known.keys() != self._seen.keys()
        self._known = self._seen

    def facts(self, entry: Entry, read: Callable[[], Any]) -> Any:
        """What `read` gives for an object, now or when it was last read; None for one that is gone or damaged."""
        known = self._known.get(entry.key)
        if known is None or known[0] != entry.etag:
            try:
                known = [entry.etag, read()]
            except KeyError as error:
                if error.args[:1] == (entry.key,):
                    return None  # removed meanwhile
                return self._damage(entry, error)
            except (ValueError, TypeError, AttributeError, pl.exceptions.PolarsError) as error:
                return self._damage(entry, error)
            self.changed = True
        self._seen[entry.key] = known
        return known[1]

    def _damage(self, entry: Entry, error: Exception) -> None:
        self.damaged.append({"key": entry.key, "problem": f"{type(error).__name__}: {error}"})


def survey(storage: Storage, ledger: Ledger, themes: Mapping[str, Theme], memory: Memory) -> Survey:
    """Looks over the lake: three listings, and one reading of every object that is new.

    Args:
        storage: The lake.
        ledger: The deliveries.
        themes: The themes, which say what is personal.
        memory: What earlier surveys have read; it is brought up to date.
    """
    memory.begin()
    versions: dict[str, list[str]] = {}
    deliveries = []
    for entry, facts in _facts(memory, ledger.records(), lambda key: _delivery(storage.read(key))):
        deliveries.append(Delivery.from_json(json.dumps(facts).encode(), entry.key, entry.etag))
        versions.setdefault(facts["id"], []).append(entry.etag)
    documents: dict[str, list[dict[str, Any]]] = {_PUBLISHED: [], _REFUSED: []}
    for layer in _LAYERS:
        listed = storage.list(f"output/{layer.folder}/")
        wanted = (entry for entry in listed if entry.key.endswith((_PUBLISHED, _REFUSED)))
        for entry, facts in _facts(memory, wanted, lambda key: _document(storage.read(key))):
            documents[_PUBLISHED if entry.key.endswith(_PUBLISHED) else _REFUSED].append(facts)
            for identifier in facts["deliveries"]:
                versions.setdefault(identifier, []).append(f"{entry.key} {entry.etag}")
    rejected = []
    kept = (entry for entry in storage.list(layout.QUARANTINE) if not entry.key.startswith(layout.CLOSED))
    for entry, facts in _facts(memory, kept, lambda key: _rejected(storage, themes, key)):
        rejected.append(facts)
        versions.setdefault(facts["delivery"], []).append(f"{entry.key} {entry.etag}")
    memory.end()
    return Survey(
        deliveries=sorted(deliveries, key=lambda delivery: delivery.id, reverse=True),
        tables=documents[_PUBLISHED],
        refused=documents[_REFUSED],
        rejected=rejected,
        damaged=memory.damaged,
        versions={identifier: " ".join([str(_SHAPE), *sorted(found)]) for identifier, found in versions.items()},
    )


def _facts(
    memory: Memory, entries: Iterable[Entry], read: Callable[[str], dict[str, Any]]
) -> Iterator[tuple[Entry, dict[str, Any]]]:
    """The objects that can be read, with what is known of them."""
    for entry in entries:
        facts = memory.facts(entry, partial(read, entry.key))
        if facts is not None:
            yield entry, facts


def _delivery(text: bytes) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(text)
    for table in facts["tables"]:
        for name in ("columns", "header", "preamble", "bronze"):
            table.pop(name, None)
    facts["drops"] = facts["drops"][-1:]
    return facts


def _document(text: bytes) -> dict[str, Any]:
    document = json.loads(text)
    inputs = document.get("inputs", [])
    names = ("table", "period", "rows", "bytes", "published_at", "refused_at", "synthetic", "counts", "cost", "history")
    return {
        **{name: document[name] for name in names if name in document},
        "checks": [check if not check["passed"] else _held(check) for check in document["checks"]],
        "revisions": _revised(document.get("revisions") or {}),
        "deliveries": sorted({item["delivery"] for item in inputs if "delivery" in item}),
    }


def _held(check: Mapping[str, Any]) -> dict[str, Any]:
    return {name: check[name] for name in ("name", "passed", "blocking")}


def _revised(revisions: Mapping[str, Any]) -> dict[str, Any]:
    """What a release changed, without the columns that it left alone."""
    if not revisions:
        return {}
    columns = revisions.get("columns", {})
    touched = {
        name: facts for name, facts in columns.items() if facts["changed"] or facts["appeared"] or facts["vanished"]
    }
    return {**revisions, "columns": touched}


def _rejected(storage: Storage, themes: Mapping[str, Theme], key: str) -> dict[str, Any]:
    theme, dataset, delivery, _ = key.removeprefix(layout.QUARANTINE).split("/")
    with storage.local(key) as path:
        rows = pl.scan_parquet(path)
        known = rows.collect_schema().names()
        told = [pl.col(name) if name in known else pl.lit("").alias(name) for name in (COLUMN, RULE)]
        reason = pl.lit("***") if _personal(themes, theme, dataset) else pl.col(REASON).str.slice(0, 300)
        shown = rows.select("_line", *told, reason.alias("reason")).with_columns(pl.col(COLUMN, RULE).str.split(";"))
        rules = (
            shown.explode(COLUMN, RULE)
            .group_by(COLUMN, RULE)
            .agg(
                pl.len().alias("count"),
                pl.struct(line="_line", reason="reason").sort_by("_line").head(EXAMPLES).alias("examples"),
            )
            .sort("count", COLUMN, RULE, descending=[True, False, False])
            .rename({COLUMN: "column", RULE: "rule"})
        )
        count, counted = pl.collect_all([rows.select(pl.len()), rules])
    return {
        "theme": theme,
        "dataset": dataset,
        "delivery": delivery,
        "period": layout.quarantined_period(key)[0],
        "rows": int(count.item()),
        "rules": counted.to_dicts(),
    }


def _personal(themes: Mapping[str, Theme], theme: str, dataset: str) -> bool:
    """Whether no value of a dataset is shown."""
    known = themes[theme].datasets if theme in themes else ()
    return any(found.personal for found in known if found.name == dataset)
