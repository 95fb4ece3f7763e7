"""From the movements of communes, where the figures of every commune of one vintage go in another.

Vintage Y is the list of communes on 1 January Y. A movement is a row (date, kind, code before, code after); kinds are
those of INSEE's file of events (Code officiel géographique, « Événements sur les communes », `MOD`). A commune that
takes part and stays has a row to itself; a commune with several rows on one day is split.

How a split is shared: a former commune that gets its independence back takes its own former figures, whole; figures of
the commune that had absorbed it are shared by population (the year nearest to the split in which all parts have one),
equally when no population is known. A commune created from parts of k others counts 1/k of its population in each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

FIRST_VINTAGE = 1943
"""INSEE's file of events begins in 1943."""

CREATION = 20
RESTORATION = 21
RENUMBERINGS = (41, 50)
"""Change of département, transfer of chef-lieu: the code changes, the commune does not."""


class Motif(StrEnum):
    """Why a code went where it went, or why it could not be placed."""

    UNCHANGED = "unchanged"
    RENUMBERED = "renumbered"
    MERGED = "merged"
    SPLIT_BY_POPULATION = "split, shared by population"
    SPLIT_EQUALLY = "split, shared equally: no population known"
    OFFICIAL = "official passage table"
    DELEGATED = "delegated or associated commune, counted in its commune"
    ARRONDISSEMENT = "municipal arrondissement, counted in its commune"
    ABROAD = "outside the COG: French people abroad"
    OTHER_VINTAGE = "not in the stated vintage: followed from the newest vintage that has it"
    NO_CODE = "not placed: no code"
    LATER = "not placed: the code first exists after the target vintage"
    UNKNOWN = "not placed: no vintage of the COG has this code"


_BY_RANK = (Motif.UNCHANGED, Motif.RENUMBERED, Motif.MERGED, Motif.SPLIT_BY_POPULATION, Motif.SPLIT_EQUALLY)


@dataclass(frozen=True)
class Movement:
    """One commune before and one after, on one day; `before` is None for a commune made of no other."""

    day: date
    kind: int
    before: str | None
    after: str


@dataclass(frozen=True)
class Part:
    """Share of a source's figures that goes to one target."""

    target: str
    share: float
    motif: Motif


@dataclass
class Step:
    """All movements of one day.

    Attributes:
        day: The day.
        vintage: First vintage in which they show.
        targets: Per commune before, the communes after, each with the kind of movement.
        parents: Per commune after, the communes before.
        born: Communes made of no other.
        passing: Codes that lived within the day only: renumbered and merged at once.
    """

    day: date
    vintage: int
    targets: dict[str, dict[str, int]]
    parents: dict[str, set[str]]
    born: set[str]
    passing: set[str]


Weight = Callable[[Step, Collection[str]], dict[str, float] | None]


def vintage_of(day: date) -> int:
    """The first vintage in which a movement of that day shows."""
    return day.year if (day.month, day.day) == (1, 1) else day.year + 1


def steps(movements: Iterable[Movement]) -> list[Step]:
    """The movements by day, oldest first; what becomes a passing code becomes what the passing code becomes."""
    days: dict[date, list[Movement]] = defaultdict(list)
    for movement in movements:
        days[movement.day].append(movement)
    result = []
    for day in sorted(days):
        rows: dict[str, dict[str, int]] = defaultdict(dict)
        born = set()
        for movement in days[day]:
            if movement.before is None:
                born.add(movement.after)
            else:
                rows[movement.before].setdefault(movement.after, movement.kind)
        afters = {after for row in rows.values() for after in row}
        passing = {code for code in afters if code in rows and code not in rows[code]}
        targets = {
            before: {
                end: kind
                for after in row
                for end, kind in (rows[after] if after in passing else {after: row[after]}).items()
            }
            for before, row in rows.items()
        }
        parents: dict[str, set[str]] = defaultdict(set)
        for before, row in targets.items():
            if before not in passing:
                for after in row:
                    parents[after].add(before)
        result.append(Step(day, vintage_of(day), targets, dict(parents), born, passing))
    return result


def lifetimes(
    days: list[Step], newest_codes: Iterable[str], newest: int
) -> tuple[dict[str, list[tuple[int, int]]], list[str]]:
    """Per code, the vintages in which it exists, as (first, first without it); and what does not add up, in words.

    The newest list is walked back through the movements: the communes after a day give way to those before it.
    """
    opened = dict.fromkeys(newest_codes, newest + 1)
    spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
    problems = []
    for step in reversed(days):
        if step.vintage > newest:
            continue
        before = set(step.targets) - step.passing
        after = set(step.parents) | step.born
        for code in sorted(after - before):
            if code not in opened:
                problems.append(f"{code} begins on {step.day} but is not in the vintage that follows")
                continue
            spans[code].append((step.vintage, opened.pop(code)))
        problems.extend(
            f"{code} is there after {step.day} but not in the vintage that follows"
            for code in sorted(after & before)
            if code not in opened
        )
        for code in sorted(before - after):
            if code in opened:
                problems.append(f"{code} ends on {step.day} but is in the vintage that follows")
            opened[code] = step.vintage
    for code, end in opened.items():
        spans[code].append((FIRST_VINTAGE, end))
    return {code: sorted(found) for code, found in spans.items()}, problems


@dataclass
class _Source:
    """Figures under way: the territory they cover, as the codes of the communes absorbed so far, and how they moved."""

    territory: set[str]
    rank: int = 0


class _Territories:
    """Of every commune, the codes of the communes that it has absorbed since 1943 and not given back."""

    def __init__(self) -> None:
        self._absorbed: dict[str, set[str]] = {}

    def of(self, code: str) -> set[str]:
        return self._absorbed.get(code, {code})

    def pass_day(self, step: Step) -> None:
        gathered: dict[str, set[str]] = defaultdict(set)
        for before, row in step.targets.items():
            if before in step.passing:
                continue
            held = self.of(before)
            others = row.keys() - {before}
            for after in row:
                if len(row) == 1:
                    gathered[after] |= held | {after}
                elif after == before:
                    gathered[after] |= held - others
                else:
                    gathered[after] |= {after}
        for before in step.targets:
            self._absorbed.pop(before, None)
        self._absorbed.update(gathered)


def follow(
    days: list[Step],
    start: Callable[[Step, str], bool],
    last: int,
    weight: Weight,
) -> dict[str, list[Part]]:
    """Carries sources through the movements up to vintage `last`.

    Args:
        days: Movements by day, oldest first.
        start: Whether the figures of a commune that takes part in the movements of a day start there as a source (if
            it is not one already).
        last: Target vintage.
        weight: Shares of the communes after a split; None when no population is known.

    Returns:
        Per source that took part in a movement, its parts; the shares of a source add up to 1.
    """
    territories = _Territories()
    sources: dict[str, _Source] = {}
    held: dict[str, dict[str, float]] = {}
    for step in days:
        if step.vintage > last:
            break
        for code in step.targets:
            if code not in sources and start(step, code):
                sources[code] = _Source(set(territories.of(code)))
                held.setdefault(code, {})[code] = 1.0
        leaving = {code: held.pop(code) for code in step.targets if code in held}
        for code, shares in leaving.items():
            for name, share in shares.items():
                for after, portion in _portions(step, code, sources[name], weight).items():
                    there = held.setdefault(after, {})
                    there[name] = there.get(name, 0.0) + share * portion
        territories.pass_day(step)
    parts: dict[str, list[Part]] = defaultdict(list)
    for code, shares in held.items():
        for name, share in shares.items():
            back = code == name and share == 1.0
            parts[name].append(Part(code, share, Motif.UNCHANGED if back else _BY_RANK[sources[name].rank]))
    return dict(parts)


def _portions(step: Step, before: str, source: _Source, weight: Weight) -> dict[str, float]:
    """How the figures of a source that are in `before` go to the communes after."""
    row = step.targets[before]
    if len(row) == 1:
        ((after, kind),) = row.items()
        if kind in RENUMBERINGS:
            source.rank = max(source.rank, 1)
            if before in source.territory:
                source.territory.add(after)
        elif after != before:
            source.rank = max(source.rank, 2)
        return {after: 1.0}
    among: Collection[str] = row
    if CREATION not in row.values():
        own = [after for after in row if after in source.territory]
        if len(own) == 1:
            return {own[0]: 1.0}
        if own:
            among = own
        elif before in row:
            return {before: 1.0}
    shares = weight(step, among)
    source.rank = max(source.rank, 3 if shares else 4)
    return shares or dict.fromkeys(among, 1 / len(among))
