"""A small share of the campaign; `python -m elexxion_assets_tests.faults` is the whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from elexxion_assets_tests.faults.trials import Arena, arenas, attempt

SHARE = [
    ("killed at: ledger record", 1),
    ("killed at: copy to raw", 2),
    ("killed at: table", 1),
    ("killed at: input removed", 3),
    ("killed at: materialisation", 4),
    ("two workers, one killed", 1),
    ("events twice and out of order", 2),
    ("overwritten while it is read", 3),
    ("disk full", 2),
]
SHARE_ON_S3 = [("killed at: bronze", 1), ("multipart upload", 1), ("two workers", 2), ("S3 fails", 2)]


@pytest.fixture(scope="module")
def grounds() -> Iterator[dict[str, Arena]]:
    with arenas("directory", "moto") as found:
        yield {arena.ground.name: arena for arena in found}


@pytest.mark.parametrize(
    ("ground", "family", "seed"),
    [("directory", *trial) for trial in SHARE] + [("moto", *trial) for trial in SHARE_ON_S3],
)
def test_nothing_is_lost_or_doubled_and_tables_stay_readable(
    grounds: dict[str, Arena], ground: str, family: str, seed: int
) -> None:
    outcome = attempt(grounds[ground], family, seed)
    assert outcome.good, outcome
    assert outcome.reads
