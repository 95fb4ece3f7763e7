"""One pass of the lake over some files, from raw to gold, without the orchestrator: the way that is compared.

`python -m elexxion_assets_tests.benchmarks.ours HOME FILE...` prints, as JSON, what each stage took and the rows.
Recognition, contracts, quarantine, lineage, checks and profiles are on: it is what a run does.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from elexxion_assets.declare import Layer
from elexxion_assets.lake.build import publish, stage
from elexxion_assets.lake.due import due, settle
from elexxion_assets.lake.intake import Taken, drop, take, waiting
from elexxion_assets.lake.ledger import Ledger, State
from elexxion_assets.lake.storage import DirectoryStorage
from elexxion_assets.themes import all_themes

LAYERS = (Layer.SILVER, Layer.GOLD)


def build(home: Path, files: list[Path]) -> dict[str, Any]:
    """Takes the files and builds silver and gold of all that they concern.

    Returns:
        `stages`, seconds of processor of each, and `rows`, those of each layer.

    Raises:
        SystemExit: a file or a table was refused.
    """
    storage = DirectoryStorage(home)
    ledger = Ledger(storage)
    themes = all_themes()
    stages: dict[str, float] = defaultdict(float)
    rows: dict[str, int] = defaultdict(int)
    for file in files:
        drop(storage, file.name, file, {})
    began = time.process_time()
    taken = Taken()
    for entry in list(waiting(storage, 0)):
        take(storage, ledger, themes, entry, taken)
    stages["bronze"] = time.process_time() - began
    for delivery in taken.deliveries:
        if delivery.state is State.REFUSED:
            raise SystemExit(f"{delivery.name} was refused: {delivery.reasons}")
        rows["bronze"] += sum(facts["rows"] for facts in delivery.tables)
    for group in due(ledger, themes):
        theme = themes[group.theme]
        for name in group.tables:
            layer, _, table = name.partition("/")
            if Layer(layer) not in LAYERS:
                continue
            for period in group.periods:
                began = time.process_time()
                with stage(storage, ledger, themes, theme, theme.table(Layer(layer), table), period) as staged:
                    if staged.refused:
                        raise SystemExit(f"{name} {period} was refused: {staged.refused}")
                    publish(storage, staged)
                    rows[layer] += staged.rows
                stages[layer] += time.process_time() - began
        settle(storage, ledger, themes, group)
    return {"stages": {name: round(seconds, 2) for name, seconds in stages.items()}, "rows": rows}


if __name__ == "__main__":
    print(json.dumps(build(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])))
