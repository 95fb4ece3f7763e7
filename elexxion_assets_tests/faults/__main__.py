"""The whole campaign: `python -m elexxion_assets_tests.faults --seeds 20`."""

from __future__ import annotations

import argparse
import os
import sys
import time

from elexxion_assets_tests.faults.trials import FAMILIES, arenas, attempt, concerns


def main() -> int:
    """Runs the trials that are asked for; prints a line per family and ground, and why any trial was not good."""
    parser = argparse.ArgumentParser(prog="python -m elexxion_assets_tests.faults", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="trials of each family on each ground")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--on", nargs="*", default=["directory", "minio"], help="directory, minio, moto")
    parser.add_argument("--only", default="", help="families whose name holds this")
    parser.add_argument("--but", default="-", help="families whose name does not hold this")
    asked = parser.parse_args()
    totals = [0, 0, 0, 0, 0, 0, 0]
    heads = ("trials", "hit", "losses", "duplicates", "unreadable", "other", "reads")
    print(f"{'ground':10} {'family':36} " + " ".join(f"{head:>10}" for head in heads) + "    seconds")
    with arenas(*asked.on) as grounds:
        for arena in grounds:
            for name in (n for n in FAMILIES if asked.only in n and asked.but not in n and concerns(n, arena)):
                began, outcomes = time.monotonic(), []
                for seed in range(asked.first, asked.first + asked.seeds):
                    outcome = attempt(arena, name, seed)
                    outcomes.append(outcome)
                    if not outcome.good:
                        print(f"    seed {seed}: {outcome}"[:2000], flush=True)
                line = [
                    len(outcomes),
                    sum(outcome.hit for outcome in outcomes),
                    sum(len(outcome.losses) for outcome in outcomes),
                    sum(len(outcome.duplicates) for outcome in outcomes),
                    sum(len(outcome.unreadable) for outcome in outcomes),
                    sum(len(outcome.problems) for outcome in outcomes),
                    sum(outcome.reads for outcome in outcomes),
                ]
                totals = [sum(pair) for pair in zip(totals, line, strict=True)]
                figures = " ".join(f"{figure:10}" for figure in line)
                print(f"{arena.ground.name:10} {name:36} {figures} {time.monotonic() - began:10.0f}", flush=True)
    print(f"{'all':10} {'':36} " + " ".join(f"{figure:10}" for figure in totals))
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 1 if any(totals[2:6]) else 0


if __name__ == "__main__":
    sys.exit(main())
