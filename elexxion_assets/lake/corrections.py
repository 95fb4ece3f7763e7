"""Corrections of rejected rows: what is open, what leaves for a spreadsheet, and how a corrected file comes back.

    quarantine/<theme>/<dataset>/<delivery>/<period>.parquet              rejected rows: open
    quarantine/closed/<theme>/<dataset>/<delivery>/<correction>.parquet   the same as they were when a correction came
    output/bronze/<theme>/<dataset>/<period>/<correction>.parquet         the same, corrected

A corrected file is a delivery of its own, kept byte for byte in `raw/`, whose hint `corrects` names the delivery that
it corrects. Bronze of that delivery stays faithful to its file. When silver is made, the corrected rows take the place
of the lines that they correct, and all are judged by the same contract: what is still wrong is rejected again. A row is
closed when it is in `closed/` and no longer open.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import narwhals as nw
import polars as pl

from elexxion_assets.declare import Dataset, Refusal, Theme
from elexxion_assets.lake import layout
from elexxion_assets.lake.bronze import NO_PERIOD, known_period
from elexxion_assets.lake.build import CORRECTS, COUNTS, HOME, text_table
from elexxion_assets.lake.ledger import Delivery, Ledger, State
from elexxion_assets.lake.quarantine import COLUMN, PROVENANCE, RULE, name_in_file, quarantine
from elexxion_assets.lake.storage import Storage
from elexxion_assets.quality.contract import REASON

PERIOD = "_period"
EXPORTED = ("_delivery", "_file", "_member", PERIOD, "_line", COLUMN, RULE, REASON)
"""What stands before the original columns in an exported file."""

_FORMULA = re.compile(r"[=+\-@\t\r']")
_NUMBER = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)?")
_TOLD = 20
_Place = tuple[str, str, str, int, str]
"""Theme, dataset, delivery, table of the delivery, period."""


def escape(text: str | None) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe before it, also before one of its own.

    >>> escape("=1+1"), escape("'t Zand"), escape("-12,5"), escape(None)
    ("'=1+1", "''t Zand", '-12,5', '')
    """
    if text is None:
        return ""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def unescape(cell: str) -> str | None:
    """The text of a cell; null where it is empty.

    >>> unescape("'=1+1"), unescape("''t Zand"), unescape("")
    ('=1+1', "'t Zand", None)
    """
    return cell.removeprefix("'") or None


def rejections(
    storage: Storage, ledger: Ledger, *, theme: str = "", delivery: str = "", period: str = ""
) -> list[dict[str, Any]]:
    """What is in quarantine: one dictionary per delivery, dataset, table and period.

    Args:
        storage: The lake.
        ledger: The deliveries.
        theme: Only of this theme.
        delivery: Only of the delivery with this identifier.
        period: Only of this period.

    Returns:
        `theme`, `dataset`, `delivery`, `file`, `member`, `period`, `open` and `closed` (rows), `rules` (open rows by
        column and rule).
    """
    opened: dict[_Place, pl.Series] = {}
    rules: dict[_Place, dict[str, int]] = {}
    taken: dict[_Place, set[int]] = {}
    members: dict[_Place, str] = {}
    for entry in storage.list(layout.QUARANTINE + (f"{theme}/" if theme else "")):
        if entry.key.startswith(layout.CLOSED) or not entry.key.endswith(".parquet"):
            continue
        of_theme, dataset, identity, _ = entry.key.removeprefix(layout.QUARANTINE).split("/")
        key, position = layout.quarantined_period(entry.key)
        if delivery in ("", identity) and period in ("", key):
            place = (of_theme, dataset, identity, position, key)
            with storage.local(entry.key) as file:
                rows = pl.scan_parquet(file)
                rules[place] = _count_rules(rows)
                opened[place] = rows.select("_line").collect().to_series()
                members[place] = rows.select(pl.first("_member")).collect().item()
    for entry in storage.list(layout.CLOSED + (f"{theme}/" if theme else "")):
        of_theme, dataset, identity, _ = entry.key.removeprefix(layout.CLOSED).split("/")
        position = layout.delivery_of(entry.key)[1]
        # A row without a reason was closed by an earlier correction.
        with storage.local(entry.key) as file:
            known = pl.scan_parquet(file).filter(pl.col(REASON).is_not_null())
            closed = known.select(PERIOD, "_line", "_member").collect()
        for (key,), part in closed.group_by(PERIOD):
            if delivery in ("", identity) and period in ("", key):
                place = (of_theme, dataset, identity, position, str(key))
                taken.setdefault(place, set()).update(part["_line"])
                members[place] = part["_member"][0]
    names = {place[2]: found.name if (found := ledger.get(place[2])) else "" for place in members}
    return [
        {
            "theme": place[0],
            "dataset": place[1],
            "delivery": place[2],
            "file": names[place[2]],
            "member": members[place],
            "period": place[4],
            "open": len(opened.get(place, ())),
            "closed": len(taken[place].difference(opened.get(place, ()))) if place in taken else 0,
            "rules": rules.get(place, {}),
        }
        for place in sorted(members)
    ]


def _count_rules(rows: pl.LazyFrame) -> dict[str, int]:
    if COLUMN not in rows.collect_schema():
        return {}  # written before columns and rules were told
    pairs = rows.select(pl.col(COLUMN).str.split(";"), pl.col(RULE).str.split(";")).explode(COLUMN, RULE)
    counted = pairs.group_by(COLUMN, RULE).len().sort("len", COLUMN, RULE, descending=[True, False, False])
    return {": ".join(filter(None, (column, rule))): count for column, rule, count in counted.collect().iter_rows()}


def export(storage: Storage, delivery: Delivery, sink: Path) -> int:
    """Writes the open rows of a delivery for a spreadsheet: UTF-8 with BOM, `;`, formulas made harmless.

    Args:
        storage: The lake.
        delivery: The delivery.
        sink: The file to write.

    Returns:
        The number of rows.
    """
    parts = []
    names: dict[str, None] = {}
    for position, facts in enumerate(delivery.tables):
        for key, period in _open_files(storage, delivery.theme, facts["dataset"], delivery.id, position):
            with storage.local(key) as rejected:
                names |= dict.fromkeys(pl.read_parquet_schema(rejected))
            parts.append((position, period, key))
    originals = [name for name in names if name not in PROVENANCE]
    count = 0
    with sink.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=";", lineterminator="\r\n")
        writer.writerow([*EXPORTED, *map(escape, originals)])
        for position, period, key in parts:
            for row in _read(storage, key).sort("_line").iter_rows(named=True):
                row |= {"_delivery": layout.origin(delivery.id, position), PERIOD: period}
                texts = (row.get(name) for name in (*EXPORTED, *originals))
                writer.writerow([escape(None if text is None else str(text)) for text in texts])
                count += 1
    return count


def is_correction(file: Path, hints: Mapping[str, str]) -> bool:
    """Whether a file is an exported one that comes back."""
    with file.open("rb") as source:
        first = source.read(1 << 16)
    if b"_line" not in first:
        return False
    names = next(_rows_of(first.decode("utf-8-sig", "replace").partition("\n")[0]), [])
    return "_line" in names and ("_delivery" in names or CORRECTS in hints)


@dataclass
class Correction:
    """A corrected file, read and compared with what it corrects.

    Attributes:
        id: Delivery of the correction.
        parent: The delivery that it corrects.
        theme: Theme of both.
        rows: Per table of the parent, its corrected rows: `texts` by original column, `_line`, where the row was
            rejected and where it belongs now (a period each), and the row as it was, under `before`.
        refused: Rows that correct nothing, in words.
    """

    id: str
    parent: Delivery
    theme: Theme
    rows: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Number of corrected rows."""
        return sum(map(len, self.rows.values()))


def read_correction(
    storage: Storage,
    ledger: Ledger,
    themes: Mapping[str, Theme],
    identity: str,
    file: Path,
    hints: Mapping[str, str],
    parent: Delivery | None = None,
) -> Correction:
    """Reads a corrected file and finds the rejected row of each of its rows. Nothing is written.

    Args:
        storage: The lake.
        ledger: The deliveries.
        themes: The themes.
        identity: Delivery of the correction; empty where it is none yet.
        file: The corrected file.
        hints: `corrects`: the delivery that it corrects, where the file does not say it.
        parent: That delivery, where the ledger does not know its newest reading yet.

    Returns:
        What it corrects.

    Raises:
        Refusal: `not_a_correction`, or `corrects_nothing` where no row of it differs from a rejected one.
    """
    told = _cells(file)
    named = hints.get(CORRECTS) or next((_origin(row)[0] for row in told if _origin(row)[0]), "")
    parent = parent if parent is not None and parent.id == named else ledger.get(named)
    if parent is None or parent.state is not State.READ or CORRECTS in parent.hints or parent.theme not in themes:
        raise Refusal("not_a_correction", f"« {named} » is no delivery that was read: column _delivery must name one.")
    found = Correction(identity, parent, themes[parent.theme])
    places: dict[int, dict[str, str | None]] = {}
    for number, row in enumerate(told, start=2):
        try:
            places[number] = row | {"_place": _table_of(row, parent)}
        except Refusal as refusal:
            found.refused.append(Refusal(refusal.rule, f"row {number}: {refusal.reason}"))
    for position, facts in enumerate(parent.tables):
        mine = {number: row for number, row in places.items() if row["_place"] == str(position)}
        if mine:
            _compare(storage, ledger, found, position, facts, mine)
    if not found.count:
        said = "; ".join(refusal.reason for refusal in found.refused[:_TOLD])
        raise Refusal("corrects_nothing", said or "no row of the file differs from the rejected one")
    return found


def write_correction(storage: Storage, found: Correction) -> list[dict[str, Any]]:
    """Writes what a correction brings: its own bronze, and the rejected rows as they were; gives the facts.

    Everything can be written again: after a crash, or when the corrected delivery is read anew.
    """
    facts = []
    for position, rows in sorted(found.rows.items()):
        of = found.parent.tables[position]
        dataset = of["dataset"]
        closed = layout.closed_key(found.theme.name, dataset, found.parent.id, found.id, position)
        if storage.stat(closed) is None:
            _write(storage, closed, [row["before"] for row in rows])
        periods = sorted({p for row in rows for p in (row[HOME], row[PERIOD]) if not _problem(found.theme, p)})
        keys = []
        for period in periods:
            key = layout.bronze_key(found.theme.name, dataset, period, found.id, position)
            here = [row for row in rows if period in (row[HOME], row[PERIOD])]
            _write(
                storage,
                key,
                [
                    {**row["texts"], "_line": row["_line"], HOME: row[HOME], COUNTS: row[PERIOD] == period}
                    for row in here
                ],
            )
            keys.append(key)
        _move_among_those_without_a_period(storage, found, position, rows)
        facts.append(
            {
                **{name: of[name] for name in of if name not in {"rescued", "unknown"}},
                "rows": 0,
                "periods": dict.fromkeys(periods, 0),
                "quarantined": 0,
                "bronze": keys,
                "corrects": found.parent.id,
                "corrected": {p: sum(row[PERIOD] == p for row in rows) for p in periods},
            }
        )
    return facts


def corrections_of(storage: Storage, ledger: Ledger, delivery: Delivery) -> list[Delivery]:
    """The corrections of a delivery, oldest first."""
    found: dict[str, Delivery] = {}
    for dataset in {facts["dataset"] for facts in delivery.tables}:
        for entry in storage.list(layout.closed_prefix(delivery.theme, dataset, delivery.id)):
            correction = ledger.get(layout.delivery_of(entry.key)[0])
            if correction is not None:
                found[correction.id] = correction
    return sorted(found.values(), key=lambda correction: correction.received_at)


# --- the file ---------------------------------------------------------------------------------------------------------


def _cells(file: Path) -> list[dict[str, str | None]]:
    """The rows of a corrected file, each with all its cells by name."""
    content = file.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")  # what a French spreadsheet writes when it is not told
    header, *rows = list(_rows_of(text)) or [[]]
    names = [unescape(name.strip()) or "" for name in header]
    if "_line" not in names:
        raise Refusal("not_a_correction", "column _line is missing: correct a file of `elexxion quarantine export`.")
    if twice := sorted({name for name in names if name and names.count(name) > 1}):
        raise Refusal("not_a_correction", f"columns stand twice: {', '.join(twice)}")
    kept = [row for row in rows if any(cell.strip() for cell in row)]
    if wrong := [number for number, row in enumerate(kept, start=2) if len(row) > len(names)]:
        raise Refusal("not_a_correction", f"row {wrong[0]} has more cells than the header")
    return [{name: unescape(cell) for name, cell in zip(names, row, strict=False) if name} for row in kept]


def _rows_of(text: str) -> Iterator[list[str]]:
    first = text.split("\n", 1)[0]
    separator = max(";,\t", key=first.count)
    csv.field_size_limit(sys.maxsize)
    return csv.reader(io.StringIO(text, newline=""), delimiter=separator)


def _origin(row: Mapping[str, str | None]) -> tuple[str, str]:
    identity, _, position = (row.get("_delivery") or "").strip().partition(".")
    return identity, position or "0"


def _table_of(row: Mapping[str, str | None], parent: Delivery) -> str:
    """The table of the delivery that a row belongs to."""
    identity, position = _origin(row)
    if identity not in ("", parent.id):
        raise Refusal("unknown_line", f"it is of delivery {identity}, not of {parent.id}")
    if not re.fullmatch(r"[0-9]+", (row.get("_line") or "").strip()):
        raise Refusal("unknown_line", f"« {row.get('_line')} » is no line")
    if not (position.isdecimal() and int(position) < len(parent.tables)):
        raise Refusal("unknown_line", f"delivery {parent.id} has no table {position}")
    return str(int(position))


# --- what it corrects -------------------------------------------------------------------------------------------------


def _compare(
    storage: Storage,
    ledger: Ledger,
    found: Correction,
    position: int,
    facts: Mapping[str, Any],
    told: Mapping[int, Mapping[str, str | None]],
) -> None:
    """Finds the rejected row of each row of one table, and keeps those that differ from it."""
    dataset = found.theme.dataset(facts["dataset"])
    lines = sorted({int(str(row["_line"])) for row in told.values()})
    known = _rejected(storage, ledger, found, position, facts, lines)
    done: set[tuple[str, int]] = set()
    for number, row in told.items():
        line, period = int(str(row["_line"])), (row.get(PERIOD) or "").strip()
        homes = [home for home, of in known if of == line and period in ("", home)]
        if len(homes) != 1 or (homes[0], line) in done:
            why = "is none that was rejected" if not homes else "stands twice or needs its _period"
            where = f" for {period}" if period else ""
            words = f"row {number}: line {line}{where} of {found.parent.name} ({found.parent.id}) {why}"
            found.refused.append(Refusal("unknown_line", words))
            continue
        done.add((homes[0], line))
        before = known[homes[0], line]
        original = {name: before[name] for name in _originals(before)}
        texts = {name_in_file(name): row.get(name, text) for name, text in original.items()}
        if list(texts.values()) != list(original.values()):
            corrected = {"_line": line, HOME: homes[0], PERIOD: homes[0], "texts": texts, "before": before}
            found.rows.setdefault(position, []).append(corrected)
    if position in found.rows:
        _place(storage, found, position, facts, dataset)


def _rejected(
    storage: Storage,
    ledger: Ledger,
    found: Correction,
    position: int,
    facts: Mapping[str, Any],
    lines: Sequence[int],
) -> dict[tuple[str, int], dict[str, Any]]:
    """The rows that may be corrected, by period and line: what this correction took before, else what is open or was.

    A row that an earlier correction closed is there as that correction left it.
    """
    theme, dataset, parent = found.theme.name, facts["dataset"], found.parent
    known: dict[tuple[str, int], dict[str, Any]] = {}
    for correction in corrections_of(storage, ledger, parent):
        if correction.id == found.id:
            break
        known |= _as_corrected(storage, parent, correction, dataset, position, lines, known)
    for key, period in _open_files(storage, theme, dataset, parent.id, position):
        for row in _some(storage, key, lines):
            known[period, row["_line"]] = row | {PERIOD: period}
    own = layout.closed_key(theme, dataset, parent.id, found.id, position)
    if found.id and storage.stat(own):
        known |= {(row[PERIOD], row["_line"]): row for row in _some(storage, own, lines)}
    return known


def _as_corrected(
    storage: Storage,
    parent: Delivery,
    correction: Delivery,
    dataset: str,
    position: int,
    lines: Sequence[int],
    known: Mapping[tuple[str, int], dict[str, Any]],
) -> dict[tuple[str, int], dict[str, Any]]:
    """The rows that a correction took, with the texts that it gave them."""
    closed = layout.closed_key(parent.theme, dataset, parent.id, correction.id, position)
    nothing = {COLUMN: None, RULE: None, REASON: None}
    rows = _some(storage, closed, lines) if storage.stat(closed) else []
    found = {(row[PERIOD], row["_line"]): row | nothing for row in rows}
    keys = [key for made in correction.tables if made["dataset"] == dataset for key in made["bronze"]]
    for key in keys:
        for row in _some(storage, key, lines) if layout.delivery_of(key)[1] == position else ():
            place = (row[HOME], row["_line"])
            if (before := found.get(place) or known.get(place)) is not None:
                found[place] = before | {name: row.get(name_in_file(name)) for name in _originals(before)}
    return found


def _originals(row: Mapping[str, Any]) -> list[str]:
    """The columns of a rejected row that are its file's own."""
    return [name for name in row if name not in {*PROVENANCE, PERIOD}]


def _place(storage: Storage, found: Correction, position: int, facts: Mapping[str, Any], dataset: Dataset) -> None:
    """Tells where each corrected row is taken from today, and in which period it belongs now."""
    rows = found.rows[position]
    table = text_table(dict(facts), found.parent)
    parts = {key.rsplit("/", 2)[1]: key for key in facts["bronze"] if layout.delivery_of(key)[1] == position}
    moved = {row["_line"] for row in rows if row[HOME] not in parts and not _problem(found.theme, row[HOME])}
    for period, key in parts.items() if moved else ():
        # The delivery was read again, for other periods than when its rows were rejected.
        here = {row["_line"] for row in _some(storage, key, sorted(moved), ["_line"])}
        for row in rows:
            if row["_line"] in here and row[HOME] not in parts:
                row[HOME] = row[PERIOD] = period
    try:
        said = dataset.period(table)
    except Refusal:
        return  # told once, from the whole file: no row changes it
    for home in {row[HOME] for row in rows}:
        mine = [row for row in rows if row[HOME] == home]
        frame = pl.LazyFrame(
            [row["texts"] | {"_line": row["_line"]} for row in mine],
            {**dict.fromkeys(mine[0]["texts"], pl.String), "_line": pl.Int64},
        )
        if home in parts:
            with storage.local(parts[home]) as file:
                others = pl.scan_parquet(file).join(frame.select("_line"), on="_line", how="anti")
                told = _told(found.theme, said, pl.concat([others, frame], how="diagonal"), mine)
        else:
            told = _told(found.theme, said, frame, mine)
        for row in mine:
            row[PERIOD] = told[row["_line"]]


def _told(theme: Theme, said: nw.Expr | str, frame: pl.LazyFrame, rows: Iterable[Mapping[str, Any]]) -> dict[int, str]:
    period = known_period(theme, said).alias(PERIOD)
    found = nw.from_native(frame).select("_line", period).to_native()
    lines = [row["_line"] for row in rows]
    return {line: key or NO_PERIOD for line, key in found.filter(pl.col("_line").is_in(lines)).collect().iter_rows()}


def _move_among_those_without_a_period(
    storage: Storage, found: Correction, position: int, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Takes corrected rows out of the rejections that no build writes, and puts back those still without a period."""
    of = found.parent.tables[position]
    theme, dataset, parent = found.theme, of["dataset"], found.parent
    touched = sorted({p for row in rows for p in (row[HOME], row[PERIOD]) if _problem(theme, p)})
    for period in touched:
        key = layout.quarantine_key(theme.name, dataset, parent.id, period, position)
        taken = {row["_line"] for row in rows if row[HOME] == period}
        kept = [] if storage.stat(key) is None else _read(storage, key).to_dicts()
        kept = [row for row in kept if row["_line"] not in taken]
        there = {row["_line"] for row in kept}
        said = {COLUMN: "", RULE: "period", REASON: _problem(theme, period)}
        kept += [
            {**dict(zip(_originals(row["before"]), row["texts"].values(), strict=True)), **said, "_line": row["_line"]}
            for row in rows
            if row[PERIOD] == period and row["_line"] not in there
        ]
        if not kept:
            storage.delete(key)
            continue
        names = dict.fromkeys(name for row in kept for name in row if name not in {"_delivery", "_file", "_member"})
        schema = {name: pl.Int64 if name == "_line" else pl.String for name in names}
        quarantine(
            storage,
            pl.LazyFrame([{name: row.get(name) for name in names} for row in kept], schema),
            theme=theme.name,
            dataset=dataset,
            delivery=parent.id,
            file=parent.name,
            member=of["member"],
            period=period,
            position=position,
        )


def _problem(theme: Theme, period: str) -> str:
    """Why something is no period of a theme; empty where it is one."""
    if period == NO_PERIOD:
        return f"the period of the row cannot be told; expected {theme.periods.description}"
    return theme.periods.problem(period) or ""


# --- Parquet ----------------------------------------------------------------------------------------------------------


def _open_files(storage: Storage, theme: str, dataset: str, delivery: str, position: int) -> Iterator[tuple[str, str]]:
    """The objects that hold a table's open rows, each with its period."""
    for entry in list(storage.list(layout.quarantine_prefix(theme, dataset, delivery))):
        period, at = layout.quarantined_period(entry.key)
        if at == position:
            yield entry.key, period


def _read(storage: Storage, key: str) -> pl.DataFrame:
    with storage.local(key) as file:
        return pl.read_parquet(file)


def _some(
    storage: Storage, key: str, lines: Sequence[int], columns: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    with storage.local(key) as file:
        rows = pl.scan_parquet(file).filter(pl.col("_line").is_in(lines))
        return rows.select(columns or pl.all()).collect().to_dicts()


def _write(storage: Storage, key: str, rows: Sequence[Mapping[str, Any]]) -> None:
    kinds: dict[str, Any] = {"_line": pl.Int64, COUNTS: pl.Boolean}
    names = dict.fromkeys(name for row in rows for name in row)
    with TemporaryDirectory(prefix="elexxion-") as scratch:
        staged = Path(scratch) / "rows.parquet"
        pl.DataFrame(
            [{name: row.get(name) for name in names} for row in rows],
            {name: kinds.get(name, pl.String) for name in names},
        ).write_parquet(staged)
        storage.write(key, staged)
