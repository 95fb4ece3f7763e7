"""What checks cost beside the making of the tables that they judge, on a communal base of crime of 5 million rows.

`python -m elexxion_assets_tests.benchmarks.checks [--rows N]`

Times are of the processor, not of the clock: others may work on the machine.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from elexxion_assets.declare import Layer
from elexxion_assets.lake import comparison
from elexxion_assets.lake.build import publish, stage
from elexxion_assets.lake.storage import DirectoryStorage
from elexxion_assets.quality import checks
from elexxion_assets.themes import all_themes
from elexxion_assets_tests.benchmarks.generators import communal_base
from elexxion_assets_tests.small_lake import SmallLake

JUDGING = (
    (checks, "judge"),
    (comparison, "kept_whole"),
    (comparison, "against_earlier"),
    (comparison, "revised"),
)


@contextmanager
def timed(spent: dict[str, float]) -> Iterator[None]:
    """Adds up the processor time of everything that judges."""

    def measured(function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            began = time.process_time()
            try:
                return function(*arguments, **named)
            finally:
                spent[name] += time.process_time() - began

        return call

    with mock.patch.multiple(checks, judge=measured(checks.judge, "judge")):
        patched = {name: measured(getattr(module, name), name) for module, name in JUDGING[1:]}
        with mock.patch.multiple(comparison, **patched):
            yield


def main() -> None:
    """Builds silver and gold of every year, then a second release of the first year, and prints the shares."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=5_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="checks-") as folder:
        lake = SmallLake(DirectoryStorage(Path(folder) / "lake"), all_themes())
        base = Path(folder) / "base.csv"
        years = communal_base(base, rows)
        lake.drop("donnee-comm-data.gouv.csv", base)
        theme = lake.themes["crime"]
        for name in ("communale", "communes"):
            layer = Layer.SILVER if name == "communale" else Layer.GOLD
            spent: dict[str, float] = defaultdict(float)
            began, made = time.process_time(), 0
            with timed(spent):
                for year in years:
                    with stage(lake.storage, lake.ledger, lake.themes, theme, theme.table(layer, name), year) as staged:
                        made += staged.rows
                        publish(lake.storage, staged)
            judging = sum(spent.values())
            making = time.process_time() - began - judging
            parts = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in spent.items())
            print(f"{layer}/{name}: {made:,} rows; making {making:.1f} s, judging {judging:.1f} s ({parts})")
            print(f"  ratio {judging / making:.3f}", flush=True)


if __name__ == "__main__":
    main()
