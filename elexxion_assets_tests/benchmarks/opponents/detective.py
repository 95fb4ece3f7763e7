"""csv-detective on some files: `python detective.py FILE...`, in an environment that has it."""

import json
import sys
import time

from csv_detective import routine

began = time.process_time()
found = []
for name in sys.argv[1:]:
    analysis = routine(name, save_results=False)
    found.append({column: kind["format"] for column, kind in analysis["columns"].items()})
print(json.dumps({"found": found, "seconds": round(time.process_time() - began, 3)}))
