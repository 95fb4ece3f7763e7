"""Says what became of a file, in words."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from elexxion_assets.declare import Refusal, TextTable, Theme
from elexxion_assets.lake import edition, layout
from elexxion_assets.lake.archive import archive_of
from elexxion_assets.lake.build import CORRECTS, text_table
from elexxion_assets.lake.corrections import corrections_of, is_correction, rejections
from elexxion_assets.lake.intake import hints_of, is_delivery
from elexxion_assets.lake.ledger import Delivery, Ledger, State
from elexxion_assets.lake.storage import Storage
from elexxion_assets.reading import is_archive, look, recognise, renamed

_LOOKED_AT = 20
"""Waiting files whose beginning is looked at: of thousands that would take minutes."""


def explain(storage: Storage, ledger: Ledger, themes: dict[str, Theme], text: str) -> list[dict[str, Any]]:
    """Every file that a name or a delivery's identifier means, with its story.

    Args:
        storage: The lake.
        ledger: The deliveries.
        themes: The themes.
        text: Name, part of a name, or identifier.

    Returns:
        One dictionary per file: `name`, `delivery`, `state`, `story` (sentences), `document` for a delivery.
    """
    found = [_of_delivery(storage, ledger, themes, delivery) for delivery in ledger.find(text)]
    waiting = 0
    for entry in storage.list(layout.INPUT):
        name = entry.key.removeprefix(layout.INPUT)
        if text.lower() in name.lower() and is_delivery(entry.key):
            story = [
                f"It waits in {layout.INPUT} since {entry.modified:%Y-%m-%d %H:%M} UTC ({entry.size} bytes).",
                "It is taken by the next `elexxion run`, or by the sensor `input_sensor` when Dagster's daemon runs.",
            ]
            waiting += 1
            if waiting <= _LOOKED_AT:
                story += _of_beginning(storage, themes, entry.key, name)
            found.append({"name": name, "delivery": "", "state": "waiting", "story": story})
    return found


def _of_beginning(storage: Storage, themes: dict[str, Theme], key: str, name: str) -> list[str]:
    """What the beginning of a file that waits tells: what it is, or why it would be refused."""
    said = []
    try:
        with storage.local(key) as file, TemporaryDirectory(prefix="elexxion-") as scratch:
            if is_archive(file):
                return ["It is an archive: each of its files will be a delivery of its own."]
            hints = hints_of(storage, key, file)
            if is_correction(file, hints):
                return ["It is a correction of rejected rows."]
            tables = look(file, name, Path(scratch), hints)
    except (KeyError, FileNotFoundError):
        return []  # it has just been taken
    except Refusal as refusal:
        return [f"It would be refused: {refusal.reason.rstrip('.')}."]
    for table in tables:
        where = f"sheet « {table.member} »: " if table.member else ""
        try:
            theme, dataset = recognise(table, themes)
        except Refusal as refusal:
            said.append(f"{where}{refusal.reason.rstrip('.')}.")
        else:
            said.append(f"{where}It looks like {theme.name}/{dataset.name} ({dataset.title}){_read_as(table)}.")
    return said


def _read_as(table: TextTable) -> str:
    if not table.separator:
        return ""
    return f": {table.encoding}, separator « {table.separator} », header on line {table.header_line}"


def _of_delivery(storage: Storage, ledger: Ledger, themes: dict[str, Theme], delivery: Delivery) -> dict[str, Any]:
    story = [f"It was received on {delivery.received_at:%Y-%m-%d at %H:%M:%S} UTC ({delivery.size} bytes)."]
    if delivery.parent:
        parent = ledger.get(delivery.parent)
        story.append(f"It was inside the archive {parent.name if parent else delivery.parent}.")
    if delivery.hints:
        story.append("It was dropped with: " + ", ".join(f"{k} = {v}" for k, v in sorted(delivery.hints.items())) + ".")
    story += _STATES[delivery.state](delivery)
    if delivery.raw and storage.stat(delivery.raw) is None:
        moved = archive_of(storage, delivery)
        where = f"were moved into {moved}" if moved else "are not there any more, nor in any archive"
        story.append(f"Its bytes {where}.")
    story += [f"{reason['reason'].rstrip('.')}." for reason in delivery.reasons]
    if delivery.drops:
        story.append(f"The same bytes were dropped {len(delivery.drops) + 1} times; they count once.")
    for facts in delivery.tables:
        story += _of_table(storage, delivery, facts)
        story += _beyond_its_columns(themes, delivery, facts)
        if delivery.theme == edition.THEME:
            story += [
                f"{said}."
                for period in facts["periods"]
                for said in edition.standing(storage, facts["dataset"], int(period))
            ]
    story += _of_corrections(storage, ledger, delivery)
    pending = {
        period
        for period, marks in ledger.pending(delivery.theme or None).get(delivery.theme, {}).items()
        if any(mark.startswith(delivery.id) for mark in marks)
    }
    if delivery.state is State.READ and pending:
        story.append(f"Tables still to be built from it: {', '.join(sorted(pending))}.")
    return {
        "name": delivery.name,
        "delivery": delivery.id,
        "state": str(delivery.state),
        "theme": delivery.theme,
        "raw": delivery.raw,
        "story": story,
        "document": json.loads(delivery.to_json()),
    }


_STATES = {
    State.SEEN: lambda d: ["Its reading began and has not ended; the next pass begins it again."],
    State.LANDED: lambda d: [f"It is safe as {d.raw}; its reading has not ended, the next pass begins it again."],
    State.READ: lambda d: [f"It is safe as {d.raw} and was read."],
    State.REFUSED: lambda d: [f"It was refused, and is kept as {d.raw}. The reason:"],
    State.EXPANDED: lambda d: [f"It is an archive, kept as {d.raw}; each of its files is a delivery of its own."],
    State.SUPERSEDED: lambda d: [f"It is kept as {d.raw}; a newer version took its place."],
}


def _of_corrections(storage: Storage, ledger: Ledger, delivery: Delivery) -> list[str]:
    """What was corrected of a delivery, by what, and what is still open."""
    if not delivery.tables or not (corrections := corrections_of(storage, ledger, delivery)):
        return []
    said = [
        f"{sum(n for facts in made.tables for n in facts['corrected'].values())} of its rejected rows were corrected "
        f"by {made.name} ({made.id}), received on {made.received_at:%Y-%m-%d at %H:%M:%S} UTC."
        for made in corrections
    ]
    left = rejections(storage, ledger, theme=delivery.theme, delivery=delivery.id)
    closed, still = sum(item["closed"] for item in left), sum(item["open"] for item in left)
    return [*said, f"Rejected rows: {closed} closed by a correction, {still} open."]


def _of_table(storage: Storage, delivery: Delivery, facts: dict[str, Any]) -> list[str]:
    where = f"sheet « {facts['member']} »: " if facts["member"] else ""
    if CORRECTS in delivery.hints:
        rows = ", ".join(f"{period} ({rows} rows)" for period, rows in sorted(facts["corrected"].items()) if rows)
        told = f"{where}It corrects rejected rows of delivery {facts['corrects']} ({delivery.theme}/{facts['dataset']})"
        return [f"{told}, for {rows or 'no period that can be told'}."]
    periods = ", ".join(f"{period} ({rows} rows)" for period, rows in sorted(facts["periods"].items()))
    read = (
        f"{facts['encoding'] or 'no text encoding'}, separator « {facts['separator']} »" if facts["separator"] else ""
    )
    said = [
        f"{where}It is {delivery.theme}/{facts['dataset']}, release « {facts['release']} »"
        + (f" ({read}, header on line {facts['header_line']})" if read else "")
        + f": {facts['rows']} rows, for {periods}."
    ]
    said += [f"{where}Noticed: {defect}." for defect in facts["defects"]]
    prefix = f"{layout.QUARANTINE}{delivery.theme}/{facts['dataset']}/{delivery.id}/"
    kept = [entry.key.removeprefix(prefix) for entry in storage.list(prefix)]
    if kept:
        said.append(f"{where}Rows that break the contract are in {prefix} ({', '.join(kept)}), each with its reason.")
    return said


def _beyond_its_columns(themes: dict[str, Theme], delivery: Delivery, facts: dict[str, Any]) -> list[str]:
    """What of a table has no column in silver, and what became of it."""
    where = f"sheet « {facts['member']} »: " if facts["member"] else ""
    said = []
    if unknown := facts.get("unknown"):
        names = ", ".join(f"« {name} »" for name in unknown)
        said.append(f"{where}Columns that nobody declared: {names}; bronze keeps them.")
    counts: Counter[str] = Counter()
    for found in facts.get("rescued", {}).values():
        counts.update(found)
    if counts:
        kept = ", ".join(f"{count} of « {name} »" for name, count in counts.most_common())
        said.append(f"{where}Texts kept in `_rescued` of the silver tables: {kept}.")
    theme = themes.get(delivery.theme)
    if unknown and theme is not None and facts["dataset"] in {dataset.name for dataset in theme.datasets}:
        said += [where + words for words in renamed(theme.dataset(facts["dataset"]), text_table(facts, delivery))]
    return said
