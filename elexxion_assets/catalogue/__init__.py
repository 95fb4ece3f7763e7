"""Brings the publishers' new releases into `input/`: where datasets lie, what is new there, and a safe download.

What belongs here: HTTP, and what is remembered of the last release of an address. What does not: what a file means; a
fetched file is dropped like any other and recognised by its content.
"""

from elexxion_assets.catalogue.download import FetchFailed, Limits, Release
from elexxion_assets.catalogue.fetch import Fetched, Outcome, describe, fetch, limits
from elexxion_assets.catalogue.sources import Source, select, sources

__all__ = [
    "FetchFailed",
    "Fetched",
    "Limits",
    "Outcome",
    "Release",
    "Source",
    "describe",
    "fetch",
    "limits",
    "select",
    "sources",
]
