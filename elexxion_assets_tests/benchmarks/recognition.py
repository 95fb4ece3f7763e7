"""What recognition alone costs: from the bytes of files to theme, dataset, encoding, separator and columns.

`python -m elexxion_assets_tests.benchmarks.recognition OUT FILE...` prints, as JSON, what it found and the seconds of
processor that it took after the imports.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from elexxion_assets.reading import look, recognise
from elexxion_assets.themes import all_themes


def main() -> None:
    """Recognises every file."""
    themes = all_themes()
    began = time.process_time()
    found = []
    for name in sys.argv[2:]:
        file = Path(name)
        with tempfile.TemporaryDirectory(prefix="recognition-") as scratch:
            for table in look(file, file.name, Path(scratch)):
                theme, dataset = recognise(table, themes)
                found.append(f"{theme.name}/{dataset.name} {table.encoding} {table.separator}")
    print(json.dumps({"found": found, "seconds": round(time.process_time() - began, 3)}))


if __name__ == "__main__":
    main()
