"""Empties a lake: the objects under its own prefixes and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from elexxion_assets.lake import layout
from elexxion_assets.lake.storage import Entry, Storage

OWN = ("input/", "output/", layout.QUARANTINE, layout.REPORTS, "metadata/", layout.RAW, layout.ARCHIVE)
"""Prefixes that only a lake writes to, in the order in which they are emptied: what others are made from goes last."""

MARKERS = ("notebooks/.keep", "scripts/.keep")
"""What the lake itself wrote into the folders that belong to people."""


def own_objects(storage: Storage) -> Iterator[Entry]:
    """Everything that a lake holds; objects of others in the same bucket or directory are not among it."""
    for prefix in OWN:
        yield from storage.list(prefix)
    for key in MARKERS:
        if (entry := storage.stat(key)) is not None:
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
        while page := [entry.key for _, entry in zip(range(1000), storage.list(prefix), strict=False)]:
            for key in page:
                storage.delete(key)
            removed += len(page)
            progress(removed)
    return removed
