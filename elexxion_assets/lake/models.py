"""Models in the lake: a card per period, which names the text of the models that it speaks of.

A text is never changed and lies under its own digest; the card is what is swapped, in one step, so that readers see the
old release or the new one, and every model that ever was in force stays.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from elexxion_assets.lake import layout
from elexxion_assets.lake.storage import Conflict, Storage


@dataclass(frozen=True, kw_only=True)
class Published:
    """A release in the lake.

    Attributes:
        card: Its card.
        etag: Version of the card.
        text: The texts of the model and of its baseline.
    """

    card: Mapping[str, Any]
    etag: str
    text: Mapping[str, str]


def read_model(storage: Storage, theme: str, model: str, period: str) -> Published | None:
    """The release of a model for a period, or None."""
    key = layout.model_key(theme, model, period, "json")
    entry = storage.stat(key)
    if entry is None:
        return None
    card = json.loads(storage.read(key))
    return Published(card=card, etag=entry.etag, text=json.loads(storage.read(card["text"])))


def released_periods(storage: Storage, theme: str, model: str) -> list[str]:
    """The periods for which a model has a release, in order."""
    prefix = f"{layout.MODELS}{theme}/{model}/"
    names = (entry.key.removeprefix(prefix) for entry in storage.list(prefix))
    return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))


def write_text(storage: Storage, theme: str, model: str, period: str, text: Mapping[str, str]) -> str:
    """Keeps the texts of a release; gives their key."""
    content = json.dumps(text, ensure_ascii=False, indent=1, sort_keys=True).encode()
    key = layout.model_text_key(theme, model, period, hashlib.sha256(content).hexdigest()[:16])
    with suppress(Conflict):  # the same bytes are there already
        storage.write(key, content, if_absent=True)
    return key


def write_card(storage: Storage, card: Mapping[str, Any], page: str, replaces: str) -> None:
    """Puts a release in force.

    Args:
        storage: The lake.
        card: The card; the text that it names is there.
        page: The card as HTML.
        replaces: Version of the card that was there when the making began, or empty.

    Raises:
        Conflict: Another release came meanwhile.
    """
    theme, model, period = card["theme"], card["model"], card["period"]
    content = json.dumps(card, ensure_ascii=False, indent=1).encode()
    key = layout.model_key(theme, model, period, "json")
    if replaces:
        storage.write(key, content, if_match=replaces)
    else:
        storage.write(key, content, if_absent=True)
    storage.write(layout.model_key(theme, model, period, "html"), page.encode())
