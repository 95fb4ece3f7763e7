"""When what is due: the days by which the publishers' releases are expected, per dataset and period."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, kw_only=True)
class Expected:
    """One release that should be there.

    Attributes:
        datasets: Datasets of the theme, one of which is enough.
        period: The period that it covers.
        due: Day by which it should have arrived: the usual day of publication and some grace.
        since: Where the period alone does not tell, the day from which on a delivery counts as this release.
    """

    datasets: tuple[str, ...]
    period: str
    due: date
    since: date | None = None


Calendar = Callable[[date], Iterator[Expected]]
"""From a day, everything that was or will be due, up to a year later; order does not matter."""


def every_year(*datasets: str, first: int, month: int, day: int, lag: int = 1) -> Calendar:
    """The figures of a year, due on a day of the year `lag` years later."""

    def calendar(today: date) -> Iterator[Expected]:
        for year in range(first, today.year + 2 - lag):
            yield Expected(datasets=datasets, period=str(year), due=date(year + lag, month, day))

    return calendar


def corrected(*datasets: str, month: int, day: int, published: tuple[int, int], lag: int = 1) -> Calendar:
    """A second release of the newest year, due on a day; what arrived since `published` (month, day) is it."""

    def calendar(today: date) -> Iterator[Expected]:
        for year in (today.year - 1, today.year):
            yield Expected(
                datasets=datasets, period=str(year - lag), due=date(year, month, day), since=date(year, *published)
            )

    return calendar


def every_month(*datasets: str, day: int) -> Calendar:
    """A register of which a new snapshot is due on a day of every month; only the last one is waited for."""

    def calendar(today: date) -> Iterator[Expected]:
        first = today.replace(day=1)
        before = date(first.year - (first.month == 1), (first.month - 2) % 12 + 1, 1)
        month = first if today.day > day else before
        after = date(month.year + (month.month == 12), month.month % 12 + 1, 1)
        for start in (month, after):
            yield Expected(datasets=datasets, period=str(start.year), due=start.replace(day=day), since=start)

    return calendar


def together(*calendars: Calendar) -> Calendar:
    """What is due by any of the calendars."""

    def calendar(today: date) -> Iterator[Expected]:
        for each in calendars:
            yield from each(today)

    return calendar
