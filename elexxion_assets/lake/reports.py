"""Writes what people are told of quality: a document per delivery, and one page on the whole lake."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from elexxion_assets.declare import Theme
from elexxion_assets.lake import layout
from elexxion_assets.lake.cost import CPU, PEAK, SECONDS, total
from elexxion_assets.lake.ledger import Delivery, Ledger, State
from elexxion_assets.lake.received import received
from elexxion_assets.lake.storage import Storage
from elexxion_assets.lake.survey import EXAMPLES, Memory, Survey, survey
from elexxion_assets.quality.checks import COVERAGE, DRIFT, REVISIONS, VOLUME
from elexxion_assets.quality.freshness import Freshness, Standing, standings

COMPARING = (VOLUME, COVERAGE, DRIFT, REVISIONS)
"""Checks that compare a table with what was there before."""

SHOWN = 200
"""Deliveries and failed checks that the page shows, the newest; the commands and the documents know all of them."""

DAYS = 60
"""Days with publications of which the page tells."""


def renew(storage: Storage, ledger: Ledger, themes: Mapping[str, Theme], today: date) -> dict[str, Any]:
    """Writes the page, and the document of every delivery of which anything changed.

    Returns:
        What the page says, see `quality_facts`.
    """
    from elexxion_assets.quality.report_page import report_page

    memory = Memory.load(storage)
    found = survey(storage, ledger, themes, memory)
    _write_delivery_reports(storage, found)
    facts = quality_facts(storage.url, found, themes, today)
    _write(storage, layout.report_key("quality.json"), facts)
    storage.write(layout.report_key("quality.html"), report_page(facts).encode("utf-8", "backslashreplace"))
    if memory.changed:
        memory.store(storage)
    return facts


def _write(storage: Storage, key: str, facts: Any) -> None:
    text = json.dumps(facts, ensure_ascii=False, indent=1, default=str)
    # Names from a file system may hold bytes that are no text; JSON can say them as escapes.
    storage.write(key, text.encode("utf-8", "backslashreplace"))


def _write_delivery_reports(storage: Storage, found: Survey) -> None:
    """Writes the documents whose delivery, tables or quarantine are not those of the last time."""
    index = layout.report_key("versions.json")
    try:
        written: dict[str, str] = json.loads(storage.read(index))
    except (KeyError, ValueError):
        written = {}
    now = {
        delivery.id: hashlib.sha256(found.versions[delivery.id].encode()).hexdigest()[:16]
        for delivery in found.deliveries
    }
    stale = [delivery for delivery in found.deliveries if written.get(delivery.id) != now[delivery.id]]
    for report in delivery_reports(found, stale):
        _write(storage, layout.delivery_report_key(report["delivery"]), report)
    if now != written:
        _write(storage, index, now)


def delivery_reports(found: Survey, deliveries: Iterable[Delivery]) -> Iterable[dict[str, Any]]:
    """What is known of the quality of some deliveries.

    Yields:
        `delivery`, `name`, `theme`, `state`, `received_at`, `size`, `sha256`, `reasons` (why it was refused), `tables`
        (what was read), `rows`, `rejected`, `rules` (per dataset, column and rule: count and examples of the lines in
        quarantine), `checks` (those that failed in silver tables made of it: count, rows, examples) and `held` (number
        of those that hold).
    """
    rejected: dict[str, list[dict[str, Any]]] = {}
    for part in found.rejected:
        rejected.setdefault(part["delivery"], []).append(part)
    tables: dict[str, list[dict[str, Any]]] = {}
    for document in (*found.tables, *found.refused):
        for identifier in document["deliveries"]:
            tables.setdefault(identifier, []).append(document)
    for delivery in deliveries:
        parts, made = rejected.get(delivery.id, []), tables.get(delivery.id, [])
        yield {
            **_head(delivery),
            "sha256": delivery.sha256,
            "reasons": delivery.reasons,
            "tables": delivery.tables,
            "rows": sum(table["rows"] for table in delivery.tables),
            "rejected": sum(part["rows"] for part in parts),
            "rules": _by_rule(parts),
            "checks": [
                _failed(document, check) for document in made for check in document["checks"] if not check["passed"]
            ],
            "held": sum(check["passed"] for document in made for check in document["checks"]),
        }


def _head(delivery: Delivery) -> dict[str, Any]:
    return {
        "delivery": delivery.id,
        "name": delivery.name,
        "theme": delivery.theme,
        "state": str(delivery.state),
        "received_at": delivery.received_at.isoformat(timespec="seconds"),
        "size": delivery.size,
    }


def _by_rule(parts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rejected lines of several files of quarantine by dataset, column and rule, the most frequent first."""
    counted: dict[tuple[str, str, str, str], dict[str, Any]] = {}
    for part in parts:
        for rule in part["rules"]:
            place = (part["theme"], part["dataset"], rule["column"], rule["rule"])
            known = counted.setdefault(
                place,
                {**dict(zip(("theme", "dataset", "column", "rule"), place, strict=True)), "count": 0, "examples": []},
            )
            known["count"] += rule["count"]
            known.setdefault("files", set()).add(part["delivery"])
            examples = [{"period": part["period"], **example} for example in rule["examples"]]
            known["examples"] = [*known["examples"], *examples][:EXAMPLES]
    found = sorted(counted.values(), key=lambda rule: (-rule["count"], rule["dataset"], rule["column"], rule["rule"]))
    return [{**rule, "files": len(rule["files"])} for rule in found]


def _failed(document: Mapping[str, Any], check: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "table": document["table"],
        "period": document["period"],
        "state": "published" if "published_at" in document else "refused",
        "at": document.get("published_at") or document["refused_at"],
        "rule": check["name"],
        "description": check["description"],
        "blocking": check["blocking"],
        "count": check["broken"],
        "rows": check["rows"],
        "examples": check["examples"],
    }


def quality_facts(lake: str, found: Survey, themes: Mapping[str, Theme], today: date) -> dict[str, Any]:
    """What the page says, as plain values.

    Args:
        lake: Address of the lake.
        found: The survey of it.
        themes: The themes, for their calendars.
        today: The day by which freshness is judged.

    Returns:
        `lake`, `made_at`, `day`, `totals`, `deliveries`, `grid` (per theme: periods, and tables with a cell each),
        `checks` (failed), `history` (per day: states published, and how many of them with a failed check),
        `quarantine` (by rule), `freshness`, `drift`, `revisions`, `cost`, `damaged`.
    """
    standing = standings_of(found, themes, today)
    failed = [
        _failed(document, check)
        for document in (*found.tables, *found.refused)
        for check in document["checks"]
        if not check["passed"]
    ]
    failed.sort(key=lambda check: (not check["blocking"], check["table"], check["period"]))
    compared = [check for check in failed if check["rule"] in COMPARING]
    states = Counter(str(delivery.state) for delivery in found.deliveries)
    return {
        "lake": lake,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "day": today.isoformat(),
        "synthetic": any(document.get("synthetic") for document in found.tables),
        "totals": {
            "deliveries": len(found.deliveries),
            "refused": states[State.REFUSED],
            "tables": len({document["table"] for document in found.tables}),
            "periods": len(found.tables),
            "rows": sum(document["rows"] for document in found.tables),
            "bytes": sum(document["bytes"] for document in found.tables),
            "refused_tables": len(found.refused),
            "warnings": sum(not check["blocking"] for check in failed),
            "rejected": sum(part["rows"] for part in found.rejected),
            "late": sum(item.state is Freshness.LATE for item in standing),
        },
        "deliveries": _recent(found),
        "grid": _grid(found),
        "checks": failed,
        "history": _history(found.tables),
        "quarantine": _by_rule(found.rejected),
        "freshness": [item.as_json() for item in standing],
        "drift": compared,
        "revisions": [
            {"table": document["table"], "period": document["period"], **document["revisions"]}
            for document in found.tables
            if document["revisions"]
        ],
        "cost": _cost(found.tables),
        "damaged": found.damaged,
    }


def standings_of(found: Survey, themes: Mapping[str, Theme], today: date) -> list[Standing]:
    """How things stand with everything that the themes expect, the late ones first, then the latest."""
    order = [Freshness.LATE, Freshness.DUE, Freshness.ABSENT, Freshness.NEVER, Freshness.FRESH]
    standing = [
        item
        for theme in themes.values()
        for item in standings(theme, received(d for d in found.deliveries if d.theme == theme.name), today)
    ]
    standing.sort(key=lambda item: (item.due, item.theme), reverse=True)
    return sorted(standing, key=lambda item: order.index(item.state))


def _recent(found: Survey) -> list[dict[str, Any]]:
    """The newest deliveries, with their rows and those that were rejected."""
    rejected: Counter[str] = Counter()
    for part in found.rejected:
        rejected[part["delivery"]] += part["rows"]
    return [
        {
            **_head(delivery),
            "datasets": sorted({table["dataset"] for table in delivery.tables}),
            "rows": sum(table["rows"] for table in delivery.tables),
            "rejected": rejected[delivery.id],
            "reason": "; ".join(reason["reason"] for reason in delivery.reasons),
        }
        for delivery in found.deliveries[:SHOWN]
    ]


def _grid(found: Survey) -> list[dict[str, Any]]:
    """Per theme its periods and, per table, a cell for each: `ok`, `warning`, `refused`, or None where nothing is."""
    cells: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
    for document in found.tables:
        failed = [check["name"] for check in document["checks"] if not check["passed"]]
        cell = {"state": "warning" if failed else "ok", "rows": document["rows"], "failed": failed}
        theme, _, table = document["table"].partition("/")
        cells.setdefault(theme, {}).setdefault(table, {})[document["period"]] = cell
    for document in found.refused:
        failed = [check["name"] for check in document["checks"] if not check["passed"] and check["blocking"]]
        theme, _, table = document["table"].partition("/")
        cell = {"state": "refused", "rows": document["rows"], "failed": failed}
        cells.setdefault(theme, {}).setdefault(table, {})[document["period"]] = cell
    grid = []
    for theme, tables in sorted(cells.items()):
        periods = sorted({period for row in tables.values() for period in row})
        rows = [{"table": table, "cells": [row.get(period) for period in periods]} for table, row in tables.items()]
        grid.append({"theme": theme, "periods": periods, "tables": rows})
    return grid


def _history(documents: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Per day, how many states of tables were published, and in how many of them a check failed."""
    published: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for document in documents:
        now = {
            "published_at": document["published_at"],
            "failed": [check["name"] for check in document["checks"] if not check["passed"]],
        }
        for state in (now, *document.get("history", ())):
            day = state["published_at"][:10]
            published[day] += 1
            failed[day] += bool(state["failed"])
    return [{"day": day, "published": published[day], "failed": failed[day]} for day in sorted(published)][-DAYS:]


def _cost(documents: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the published states of every table took together, the dearest first."""
    by_table: dict[str, list[Mapping[str, Any]]] = {}
    for document in documents:
        by_table.setdefault(document["table"], []).append(document)
    found = [
        {
            "table": table,
            "periods": len(made),
            "rows": sum(document["rows"] for document in made),
            "bytes": sum(document["bytes"] for document in made),
            **({SECONDS: None, CPU: None, PEAK: None} | total(document.get("cost", {}) for document in made)),
        }
        for table, made in by_table.items()
    ]
    return sorted(found, key=lambda item: -(item[CPU] or 0))
