"""Which period is there, late, due or never was here."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from elexxion_assets.declare import corrected, every_month, every_year
from elexxion_assets.quality.freshness import Freshness, standings
from elexxion_assets.themes import all_themes

CRIME, ELECTION, ASSOCIATION = (all_themes()[name] for name in ("crime", "election", "association"))


def received(*days: tuple[str, str, str]) -> dict[str, dict[str, datetime]]:
    held: dict[str, dict[str, datetime]] = {}
    for dataset, period, day in days:
        held.setdefault(dataset, {})[period] = datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=UTC)
    return held


def states(theme: object, held: object, day: str, dataset: str) -> dict[str, Freshness]:
    found = standings(theme, held, date.fromisoformat(day))  # type: ignore[arg-type]
    return {f"{item.period} {item.due}": item.state for item in found if dataset in item.datasets}


def test_a_year_is_late_once_its_day_has_passed_and_says_where_it_is_published() -> None:
    held = received(("departementale", "2022", "2023-03-01"), ("departementale", "2023", "2024-03-10"))
    assert states(CRIME, held, "2025-04-15", "departementale") == {
        "2022 2023-04-15": Freshness.FRESH,
        "2023 2024-04-15": Freshness.FRESH,
        "2024 2025-04-15": Freshness.LATE,
        "2025 2026-04-15": Freshness.DUE,
    }
    [late] = [item for item in standings(CRIME, held, date(2025, 5, 1)) if item.state is Freshness.LATE]
    assert "2024" in late.words
    assert "16 days ago" in late.words
    assert late.page.startswith("https://www.data.gouv.fr/")
    assert late.page in late.words


def test_a_year_between_others_is_absent_and_only_the_newest_is_late() -> None:
    held = received(("departementale", "2018", "2019-03-01"), ("departementale", "2020", "2021-03-10"))
    found = states(CRIME, held, "2024-05-01", "departementale")
    assert {period[:4]: state for period, state in found.items()} == {
        "2018": Freshness.FRESH,
        "2019": Freshness.ABSENT,
        "2020": Freshness.FRESH,
        "2021": Freshness.ABSENT,
        "2022": Freshness.ABSENT,
        "2023": Freshness.LATE,
        "2024": Freshness.DUE,
    }


def test_the_corrected_release_of_summer_is_waited_for_even_when_the_year_is_there() -> None:
    held = received(("communale", "2024", "2025-03-20"))
    assert states(CRIME, held, "2025-09-01", "communale")["2024 2025-08-15"] is Freshness.LATE
    held = received(("communale", "2024", "2025-07-10"))
    assert states(CRIME, held, "2025-09-01", "communale")["2024 2025-08-15"] is Freshness.FRESH


@pytest.mark.parametrize(
    ("received_on", "day", "state"),
    [
        ("2026-11-03", "2026-11-20", Freshness.FRESH),
        ("2026-10-03", "2026-11-20", Freshness.LATE),
        ("2026-10-03", "2026-11-14", Freshness.FRESH),
        ("2026-10-03", "2026-11-16", Freshness.LATE),
        ("2025-12-05", "2026-01-10", Freshness.FRESH),
    ],
)
def test_a_register_is_renewed_every_month(received_on: str, day: str, state: Freshness) -> None:
    held = received(("rna_waldec", received_on[:4], received_on))
    [(_, found), *_] = states(ASSOCIATION, held, day, "rna_waldec").items()
    assert found is state


def test_an_election_is_waited_for_two_weeks_after_its_day() -> None:
    held = received(
        ("communes", "2017-presidentielle-t1", "2017-05-01"), ("communes", "2017-presidentielle-t2", "2017-05-20")
    )
    assert states(ELECTION, held, "2022-04-20", "communes")["2022-presidentielle-t1 2022-04-24"] is Freshness.DUE
    on_the_day = {
        item.period: item.state
        for item in standings(ELECTION, held, date(2022, 5, 1))
        if "presidentielle" in item.period
    }
    assert on_the_day["2022-presidentielle-t1"] is Freshness.LATE
    assert "2012-presidentielle-t1" not in on_the_day  # the lake begins with 2017
    assert on_the_day["2017-presidentielle-t2"] is Freshness.FRESH


def test_nobody_waits_for_a_kind_of_election_that_was_never_here() -> None:
    found = standings(ELECTION, received(("communes", "2022-presidentielle-t1", "2022-04-20")), date(2026, 11, 21))
    municipales = [item for item in found if "municipales-t1" in item.period]
    assert [(item.period, item.state) for item in municipales] == [("2026-municipales-t1", Freshness.NEVER)]


def test_second_rounds_have_their_own_days() -> None:
    due = {item.period: item.due for item in ELECTION.calendar(date(2026, 1, 1))}  # type: ignore[misc]
    assert due["2022-presidentielle-t2"] == date(2022, 5, 8)
    assert due["2024-legislatives-t2"] == date(2024, 7, 21)
    assert due["2020-municipales-t2"] == date(2020, 7, 12)
    assert "2024-europeennes-t2" not in due
    assert not [period for period in due if ELECTION.periods.problem(period)]


@pytest.mark.parametrize("theme", all_themes().values(), ids=lambda theme: theme.name)
def test_calendars_speak_of_datasets_and_periods_of_their_theme(theme: object) -> None:
    names = {dataset.name for dataset in theme.datasets}  # type: ignore[attr-defined]
    expected = list(theme.calendar(date(2026, 11, 21)))  # type: ignore[attr-defined]
    assert expected
    for item in expected:
        assert set(item.datasets) <= names
        assert theme.periods.problem(item.period) is None  # type: ignore[attr-defined]
        assert item.due.year <= 2027


def test_calendars_cross_the_turn_of_the_year() -> None:
    january = list(every_month("a", day=15)(date(2026, 1, 10)))
    assert [(item.period, item.due) for item in january] == [("2025", date(2025, 12, 15)), ("2026", date(2026, 1, 15))]
    yearly = [item.due for item in every_year("a", first=2023, month=4, day=1)(date(2026, 1, 10))]
    assert yearly == [date(2024, 4, 1), date(2025, 4, 1), date(2026, 4, 1), date(2027, 4, 1)][: len(yearly)]
    assert yearly[-1] > date(2026, 1, 10)
    assert {item.period for item in corrected("a", month=8, day=1, published=(6, 1))(date(2026, 1, 10))} == {
        "2024",
        "2025",
    }
