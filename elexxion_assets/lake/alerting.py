"""Finds what is wrong in the lake, and remembers what every receiver was told of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from elexxion_assets.declare import Theme
from elexxion_assets.lake import layout
from elexxion_assets.lake.ledger import State
from elexxion_assets.lake.reports import standings_of
from elexxion_assets.lake.storage import Conflict, Storage
from elexxion_assets.lake.survey import Survey
from elexxion_assets.quality.alerts import Kind, News, Problem, Problems, news
from elexxion_assets.quality.freshness import Freshness

LEASE = timedelta(minutes=2)
"""Time after which a message that was being sent is sent again: who sent it is gone."""


def lake_problems(found: Survey, themes: Mapping[str, Theme], today: date, webserver: str) -> Problems:
    """Files that were refused, tables that were refused by a check, releases that are late.

    Args:
        found: The survey of the lake.
        themes: The themes, for their calendars.
        today: The day by which freshness is judged.
        webserver: Address of the Dagster UI, for links.
    """
    return {problem.key: problem for problem in _problems(found, themes, today, webserver)}


def _problems(found: Survey, themes: Mapping[str, Theme], today: date, webserver: str) -> Iterable[Problem]:
    for delivery in found.deliveries:
        if delivery.state is State.REFUSED:
            yield Problem(
                key=f"refused:{delivery.id}",
                kind=Kind.REFUSED,
                title=delivery.name,
                words="; ".join(reason["reason"] for reason in delivery.reasons),
                link=f"{webserver}/assets/intake/deliveries",
            )
    for document in found.refused:
        failed = [check for check in document["checks"] if not check["passed"] and check["blocking"]]
        yield Problem(
            key=f"check:{document['table']}:{document['period']}",
            kind=Kind.CHECK,
            title=f"{document['table']} {document['period']}",
            words="; ".join(f"{check['name']}: {check['broken']:,} of {check['rows']:,}" for check in failed),
            link=f"{webserver}/assets/{quote(document['table'])}?view=checks",
        )
    for item in standings_of(found, themes, today):
        if item.state is Freshness.LATE:
            # Days pass; the problem stays the same.
            yield Problem(
                key=f"late:{item.theme}:{','.join(item.datasets)}:{item.period}:{item.due}",
                kind=Kind.LATE,
                title=f"{item.theme} {item.period}",
                words=item.words,
            )


def tell(
    storage: Storage,
    target: str,
    send: Callable[[News], None],
    problems: Callable[[Problems], Problems],
    at: datetime,
) -> str:
    """Tells a receiver what it does not know yet; what cannot be sent is kept for the next time.

    Args:
        storage: The lake, which remembers what the receiver knows.
        target: Name of the receiver.
        send: Sends the news; raises when the receiver did not take it.
        problems: Gives all problems there are; it is shown those that the receiver knows.
        at: The time.

    Returns:
        What was done, in words.
    """
    key = layout.alerts_key(target)
    entry = storage.stat(key)
    state = _state(storage, key) if entry else {}
    if (since := state.get("sending")) and at - datetime.fromisoformat(since) < LEASE:
        return f"{target}: a message is being sent already"
    told, unsent = (_read(state.get(name, {})) for name in ("told", "unsent"))
    now = problems(told)
    found = news(now, told, unsent)
    if not found:
        return f"{target}: nothing new"
    unsent = {problem.key: problem for problem in found.new}
    claim = {"told": _plain(told), "unsent": _plain(unsent), "sending": at.isoformat()}
    try:
        claimed = _write(storage, key, claim, entry.etag if entry else None)
    except Conflict:
        return f"{target}: another look is telling it"
    try:
        send(found)
    except Exception as error:
        _write(storage, key, {**claim, "sending": ""}, claimed)
        return f"{target}: could not be told, the next look tries again: {type(error).__name__}: {str(error)[:200]}"
    _write(storage, key, {"told": _plain(now), "unsent": {}, "sending": ""}, claimed)
    return f"{target}: {found.subject.removeprefix('Elexxion: ')}"


def _state(storage: Storage, key: str) -> dict[str, Any]:
    """What was remembered; what a person has damaged counts as nothing: rather told twice than never."""
    try:
        state = json.loads(storage.read(key))
        _read(state["told"]), _read(state["unsent"])
    except (KeyError, ValueError, TypeError):
        return {}
    return dict(state)


def _read(problems: Mapping[str, Mapping[str, str]]) -> Problems:
    return {key: Problem.from_json(facts) for key, facts in problems.items()}


def _plain(problems: Problems) -> dict[str, Any]:
    return {key: asdict(problem) for key, problem in problems.items()}


def _write(storage: Storage, key: str, state: Mapping[str, Any], etag: str | None) -> str:
    text = json.dumps(state, indent=1).encode()
    return (storage.write(key, text, if_match=etag) if etag else storage.write(key, text, if_absent=True)).etag
