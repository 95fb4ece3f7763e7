"""Every table of a lake, its newest period, by both engines: `python -m elexxion_assets_tests.engine LAKE [TABLE...]`.

LAKE is the directory of a lake that may be written to (quarantine is); TABLE is a part of the names wanted.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from elexxion_assets.declare import Layer
from elexxion_assets.lake.build import periods_of
from elexxion_assets_tests.engine.both import chosen, made, write_configuration
from elexxion_assets_tests.trial import Lake


def main() -> None:
    """Prints a line per table; exits with 1 where one differs."""
    lake, wanted = Lake(Path(sys.argv[1])), sys.argv[2:]
    differing = 0
    with tempfile.TemporaryDirectory() as folder:
        write_configuration(Path(folder), {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "4"})
        with chosen(SPARK_CONF_DIR=folder, SPARK_LOCAL_IP="127.0.0.1"):
            for theme in lake.themes.values():
                for table in theme.tables:
                    name = f"{theme.name}/{table.layer}/{table.name}"
                    known = periods_of(lake.storage, theme, table.layer, table.name)
                    on_the_driver = table.in_process or table.layer is Layer.PLATINUM
                    if known and not on_the_driver and (not wanted or any(part in name for part in wanted)):
                        differing += not _same(lake, name, known[-1])
    sys.stdout.flush()
    os._exit(int(differing > 0))  # Spark's own threads would keep the process for a while


def _same(lake: Lake, name: str, period: str) -> bool:
    began = time.monotonic()
    ours, theirs = made(lake, name, period, "polars"), made(lake, name, period, "spark")
    compared = {
        "rows": ours.rows.equals(theirs.rows),
        "checks": ours.results == theirs.results,
        "counts": ours.staged.counts == theirs.staged.counts,
        "quarantine": ours.quarantine.keys() == theirs.quarantine.keys()
        and all(rows.equals(theirs.quarantine[key]) for key, rows in ours.quarantine.items()),
    }
    wrong = [what for what, same in compared.items() if not same]
    said = "equal" if not wrong else f"DIFFERENT {', '.join(wrong)}"
    print(f"{name} {period}: {ours.rows.height:,} rows, {said}, {time.monotonic() - began:.0f} s", flush=True)
    return not wrong


if __name__ == "__main__":
    main()
