"""One pass of the lake over some files, from raw to gold, without the orchestrator: the way that is compared.

`python -m elexxion_assets_tests.benchmarks.ours HOME FILE...` prints, as JSON, what each stage took and the rows.
Recognition, contracts, quarantine, lineage, checks and profiles are on: it is what a run does. A folder stands for the
files in it; those of one that is called `scrutin=2022-presidentielle-t1` come with that hint.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
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


def files_of(paths: Iterable[Path]) -> list[Path]:
    """Files, and those of folders, in order."""
    return [file for path in paths for file in (sorted(path.rglob("*.*")) if path.is_dir() else [path])]


def build(home: Path, files: list[Path]) -> dict[str, Any]:
    """Takes the files and builds silver and gold of all that they concern.

    Returns:
        `stages`, seconds of processor of each, `themes`, those of the tables of each, and `rows`, those of each layer.

    Raises:
        SystemExit: a file or a table was refused.
    """
    storage = DirectoryStorage(home)
    ledger = Ledger(storage)
    themes = all_themes()
    stages: dict[str, float] = defaultdict(float)
    spent: dict[str, float] = defaultdict(float)
    rows: dict[str, int] = defaultdict(int)
    for file in files:
        name, said, value = file.parent.name.partition("=")
        drop(storage, file.name, file, {name: value} if said else {})
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
                stages[layer] += (took := time.process_time() - began)
                spent[theme.name] += took
        settle(storage, ledger, themes, group)
    stages, spent = ({name: round(took, 2) for name, took in found.items()} for found in (stages, spent))
    return {"stages": stages, "themes": spent, "rows": rows}


if __name__ == "__main__":
    print(json.dumps(build(Path(sys.argv[1]), files_of(Path(name) for name in sys.argv[2:]))))
