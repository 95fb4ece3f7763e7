"""What the lake has received, per dataset and period: what freshness is judged by."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from elexxion_assets.declare import Theme
from elexxion_assets.lake.ledger import Delivery, Ledger, State
from elexxion_assets.quality.freshness import Standing, standings


def received(deliveries: Iterable[Delivery]) -> dict[str, dict[str, datetime]]:
    """By dataset and period, when the latest delivery of it was dropped; synthetic ones are no deliveries."""
    found: dict[str, dict[str, datetime]] = {}
    for delivery in deliveries:
        if delivery.state is not State.READ or delivery.hints.get("synthetic") == "true":
            continue
        last = max([delivery.received_at, *(datetime.fromisoformat(drop["at"]) for drop in delivery.drops)])
        for facts in delivery.tables:
            periods = found.setdefault(facts["dataset"], {})
            for period in facts["periods"]:
                periods[period] = max(last, periods.get(period, last))
    return found


def standing(ledger: Ledger, theme: Theme, today: date) -> list[Standing]:
    """How things stand with everything that a theme expects."""
    return standings(theme, received(ledger.all(theme.name)), today)
