"""Empties a lake: the objects under its own prefixes and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from elexxion_assets.lake import layout
from elexxion_assets.lake.storage import Entry, Storage

OWN = ("input/", "output/", layout.QUARANTINE, layout.REPORTS, layout.MODELS, "metadata/", layout.RAW, layout.ARCHIVE)
"""Prefixes that a lake writes to, in the order in which they are emptied: what others are made from goes last."""

_SPELT = {prefix: re.compile(names) for prefix, names in layout.NAMES.items()}

MARKERS = ("notebooks/.keep", "scripts/.keep")
"""What the lake itself wrote into the folders that belong to people."""


def own_objects(storage: Storage) -> Iterator[Entry]:
    """Everything that a lake holds; objects of others in the same bucket or directory are not among it."""
    for prefix in OWN:
        yield from _own(storage, prefix)
    for key in MARKERS:
        if (entry := storage.stat(key)) is not None:
            yield entry


def _own(storage: Storage, prefix: str) -> Iterator[Entry]:
    """What a lake holds under a prefix; where people put files of theirs too, only names that it gives itself."""
    spelt = _SPELT.get(prefix)
    for entry in storage.list(prefix):
        if spelt is None or spelt.fullmatch(entry.key.removeprefix(prefix)):
            yield entry


def empty(storage: Storage, progress: Callable[[int], None] = lambda removed: None) -> int:
    """Removes everything that the lake holds; gives how many objects that was.

    Args:
        storage: The lake.
        progress: Told how many are gone, now and then.
    """
    removed = 0
    for prefix in (*OWN, *MARKERS):
        # A page at a time: a listing may not go on over what is removed under it.
        while page := [entry.key for _, entry in zip(range(1000), _own(storage, prefix), strict=False)]:
            for key in page:
                storage.delete(key)
            removed += len(page)
            progress(removed)
    return removed
