"""Chooses what is read or built again, and leaves the marks by which daemons or a pass without them do it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from elexxion_assets.declare import Layer, Theme
from elexxion_assets.lake.build import periods_of
from elexxion_assets.lake.intake import Taken, read_again
from elexxion_assets.lake.ledger import Delivery, Ledger, State
from elexxion_assets.lake.storage import Storage

READABLE = frozenset({State.LANDED, State.READ, State.REFUSED})
"""States in which the bytes of a delivery can be read again."""


class NothingSelected(Exception):
    """No delivery answers a selection, said in words."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What is done again.

    Attributes:
        layer: Layer from which on it is done: bronze reads raw bytes, the others begin with tables.
        readings: Deliveries to read again.
        builds: Periods to build, as theme, period and the delivery because of which.
    """

    layer: Layer
    readings: list[Delivery] = field(default_factory=list)
    builds: list[tuple[str, str, str]] = field(default_factory=list)


def select(
    storage: Storage,
    ledger: Ledger,
    themes: Mapping[str, Theme],
    *,
    delivery: str = "",
    theme: str = "",
    period: str = "",
    layer: Layer = Layer.BRONZE,
) -> Selection:
    """What a delivery, a theme, a period and a layer choose together; an empty one chooses all.

    Args:
        storage: The lake.
        ledger: The deliveries.
        themes: The themes.
        delivery: Identifier of a delivery, or its name or a part of it; an archive stands for its members.
        theme: Name of a theme.
        period: A period.
        layer: Layer from which on it is done again.

    Returns:
        What to read or build; what follows from it is found when that is done.

    Raises:
        NothingSelected: nothing answers the selection.
    """
    found = _of_text(ledger, delivery) if delivery else ledger.all(theme or None)
    chosen = [
        item
        for item in found
        if item.state in READABLE
        and theme in ("", item.theme)
        and (not period or any(period in facts["periods"] for facts in item.tables))
    ]
    if layer is Layer.BRONZE:
        selection = Selection(layer=layer, readings=sorted(chosen, key=lambda item: item.id))
    else:
        names = {theme} if theme else {item.theme for item in chosen}
        builds = [build for name in sorted(names & {*themes}) for build in _builds(themes[name], chosen, period)]
        if not delivery:
            covered = {(name, key) for name, key, _ in builds}
            for name in sorted(names & {*themes}):
                builds += _uncovered(storage, ledger, themes[name], layer, period, covered)
        selection = Selection(layer=layer, builds=builds)
    if not selection.readings and not selection.builds:
        said = {"delivery": delivery, "theme": theme, "period": period}
        words = ", ".join(f"{what} « {value} »" for what, value in said.items() if value)
        raise NothingSelected(f"no delivery that was read answers {words or 'that'}")
    return selection


def _of_text(ledger: Ledger, text: str) -> list[Delivery]:
    """The deliveries that a text names: of exactly that name, or else with it in their name; members of archives."""
    found = ledger.find(text)
    found = [item for item in found if text.strip() in (item.id, item.name)] or found
    parents = {item.id for item in found if item.state is State.EXPANDED}
    members = sorted(ledger.all(), key=lambda item: item.id) if parents else []
    while more := [item for item in members if item.parent in parents and item.id not in {d.id for d in found}]:
        found += more
        parents |= {item.id for item in more}
    return found


def _builds(theme: Theme, chosen: Iterable[Delivery], period: str) -> list[tuple[str, str, str]]:
    """The periods of these deliveries, each because of as few of them as bring all its datasets."""
    known: dict[str, set[str]] = {}
    builds = []
    for item in chosen:
        if item.theme != theme.name or item.state is not State.READ:
            continue
        for key in sorted({key for facts in item.tables for key in facts["periods"] if period in ("", key)}):
            brought = {facts["dataset"] for facts in item.tables if key in facts["periods"]}
            if not brought <= known.setdefault(key, set()):
                known[key] |= brought
                builds.append((theme.name, key, item.id))
    return builds


def _uncovered(
    storage: Storage, ledger: Ledger, theme: Theme, layer: Layer, period: str, covered: set[tuple[str, str]]
) -> list[tuple[str, str, str]]:
    """Published periods that no delivery covers, such as those of tables that look back."""
    published = {
        key
        for table in theme.tables
        if list(Layer).index(table.layer) >= list(Layer).index(layer)
        for key in periods_of(storage, theme, table.layer, table.name)
        if period in ("", key) and (theme.name, key) not in covered
    }
    if not published:
        return []
    known: set[str] = set()
    builds = []
    for item in ledger.all(theme.name):
        brought = {facts["dataset"] for facts in item.tables}
        if item.state is State.READ and not brought <= known:
            known |= brought
            builds += [(theme.name, key, item.id) for key in sorted(published)]
    return builds


def mark(ledger: Ledger, selection: Selection) -> None:
    """Notes what was selected; whoever passes by does it, and what follows from it."""
    for item in selection.readings:
        ledger.mark_reading(item.id)
    for theme, period, identifier in selection.builds:
        ledger.mark_pending(theme, period, identifier, "" if selection.layer is Layer.SILVER else str(selection.layer))


def read_marked(storage: Storage, ledger: Ledger, themes: Mapping[str, Theme], marked: str, taken: Taken) -> None:
    """Reads a marked delivery again and forgets the mark.

    Args:
        storage: The lake.
        ledger: The deliveries.
        themes: Themes that it can belong to.
        marked: The mark, as `Ledger.readings` gave it.
        taken: Report of the pass, to which the delivery is added.
    """
    delivery = ledger.get(marked)
    if delivery is not None and delivery.state in READABLE:
        taken.deliveries.append(read_again(storage, ledger, themes, delivery, taken))
    ledger.clear_reading(marked)
