"""Says of every theme which period is there, which is late, which is due next, and where it is published."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from elexxion_assets.declare import Expected, Theme


class Freshness(StrEnum):
    """How things stand with what is expected."""

    FRESH = "fresh"
    LATE = "late"
    DUE = "due"
    ABSENT = "absent"
    NEVER = "never"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How things stand with one expected release.

    Attributes:
        theme: Name of the theme.
        datasets: Datasets, one of which is enough.
        period: The period.
        due: Day by which it is expected.
        state: `fresh`: it is there; `late`: it is not, and should be; `due`: it is not, and need not be yet;
            `absent`: it is not, and nobody waits for it any more, since a newer one is there or due; `never`: nothing
            of the kind was ever here, so that nobody waits for it.
        words: The same, for a person: what is missing, since when, where it is published.
        page: Address of the publisher's page.
    """

    theme: str
    datasets: tuple[str, ...]
    period: str
    due: date
    state: Freshness
    words: str
    page: str

    def as_json(self) -> dict[str, Any]:
        """The standing as plain values."""
        return {**asdict(self), "due": self.due.isoformat(), "state": str(self.state)}


Held = Mapping[str, Mapping[str, datetime]]
"""By dataset and period, when the latest delivery of it was received."""


def standings(theme: Theme, held: Held, today: date) -> list[Standing]:
    """How things stand with everything that a theme's calendar expects.

    A period counts as missing from the earliest one of its kind that the lake has: who begins with 2022 does not miss
    2016, and who has only présidentielles does not miss municipales. Of one kind at most the newest is late.

    Args:
        theme: The theme, with its calendar.
        held: What was received.
        today: The day.

    Returns:
        In order of their days. Of what is not due yet, the next one of each kind; of what never was here, the last one.
    """
    expected = sorted(theme.calendar(today), key=lambda item: (item.due, item.period)) if theme.calendar else []
    newest = {_kind_of(item): item for item in expected if item.due <= today}
    found, ahead = [], set()
    for item in expected:
        kind = _kind_of(item)
        if item.due > today:
            if kind in ahead:
                continue
            ahead.add(kind)
        alike = sorted(p for p in _periods(item.datasets, held) if _kind(p) == _kind(item.period))
        if alike and item.period < alike[0]:
            continue
        if item.due > today:
            missing = Freshness.DUE
        elif not alike:
            missing = Freshness.NEVER
        else:
            waited_for = item is newest[kind] and item.period >= alike[-1]
            missing = Freshness.LATE if waited_for else Freshness.ABSENT
        found.append((kind, _standing(theme, item, held, today, missing)))
    last = {kind: position for position, (kind, item) in enumerate(found) if item.state is Freshness.NEVER}
    return [
        item
        for position, (kind, item) in enumerate(found)
        if item.state is not Freshness.NEVER or last[kind] == position
    ]


def _kind_of(item: Expected) -> tuple[tuple[str, ...], str, bool]:
    return item.datasets, _kind(item.period), item.since is not None


def _kind(period: str) -> str:
    return re.sub(r"^[0-9]+", "", period)


def _periods(datasets: Iterable[str], held: Held) -> set[str]:
    return {period for dataset in datasets for period in held.get(dataset, {})}


def _standing(theme: Theme, item: Expected, held: Held, today: date, missing: Freshness) -> Standing:
    received = max(
        (held[name][item.period] for name in item.datasets if item.period in held.get(name, {})), default=None
    )
    there = received is not None and (item.since is None or received.date() >= item.since)
    state = Freshness.FRESH if there else missing
    datasets = [theme.dataset(name) for name in item.datasets]
    what = f"{theme.name}/{' or '.join(item.datasets)} for {item.period}" if len(datasets) < 4 else item.period
    release = f", a release of {item.since:%Y-%m-%d} or later" if item.since else ""
    page = datasets[0].page
    days = (today - item.due).days
    words = {
        Freshness.FRESH: f"{what} is here" + (f", received on {received:%Y-%m-%d}" if received else ""),
        Freshness.LATE: f"{what} is missing{release}: it was due on {item.due} ({days} days ago); published at {page}",
        Freshness.DUE: f"{what} is due on {item.due}{release}; it will be published at {page}",
        Freshness.ABSENT: f"{what} is not here{release}: it was due on {item.due}; published at {page}",
        Freshness.NEVER: f"{what}: nothing of the kind was ever dropped here; published at {page}",
    }[state]
    return Standing(
        theme=theme.name, datasets=item.datasets, period=item.period, due=item.due, state=state, words=words, page=page
    )
