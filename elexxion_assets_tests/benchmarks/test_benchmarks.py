"""The runner on tiny files, and that the opponents make the very gold that we make: else no figure would mean much."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import polars as pl
import pytest

from elexxion_assets_tests.benchmarks.__main__ import COLUMNS, run, table
from elexxion_assets_tests.benchmarks.measuring import CommandFailed, measure
from elexxion_assets_tests.benchmarks.workloads import OURS, WORKLOADS, differences

HAS_DUCKDB = importlib.util.find_spec("duckdb") is not None


@pytest.mark.parametrize("name", ["crime", "bureaux"])
def test_every_opponent_makes_the_gold_that_the_lake_makes(name: str, tmp_path: Path) -> None:
    wanted = [OURS, "pandas_chunks", "pandas_whole", "polars", *(["duckdb"] if HAS_DUCKDB else [])]
    found = run(name, WORKLOADS[name].least, 1, tmp_path / "work", wanted, tmp_path / "history")
    assert list(found) == wanted
    lines = [json.loads(line) for line in (tmp_path / "history" / "history.jsonl").read_text().splitlines()]
    assert [line["way"] for line in lines] == wanted
    assert all(line["cpu"] > 0 and line["peak"] > 20 << 20 and line["machine"]["cores"] for line in lines)
    assert lines[0]["told"]["rows"]["gold"] > 0
    shown = table(found)
    assert all(column in shown for column in COLUMNS)
    assert "| elexxion |" in shown


def test_other_gold_is_noticed() -> None:
    ours = {"2020": pl.DataFrame({"code": ["01001", "01002"], "total": [1.0, None]})}
    near = {"2020": pl.DataFrame({"code": ["01002", "01001"], "total": [None, 1.0 + 1e-12]})}
    other = {"2020": pl.DataFrame({"code": ["01001", "01002"], "total": [1.0, 0.0]}), "2021": ours["2020"]}
    assert differences(ours, near, ("code",)) == []
    assert differences(ours, other, ("code",)) == ["2021 is there only once", "2020: total differs in 1 rows"]


def test_the_descendants_of_a_process_count_in_what_it_took() -> None:
    work = "import time\nbegan = time.process_time()\nkept = bytearray(60 << 20)\nwhile time.process_time() < 0.3: pass"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}], check=True)"
    found = measure([sys.executable, "-c", child])
    assert found.cpu > 0.3
    assert found.peak > 60 << 20


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(CommandFailed, match="no such thing"):
        measure([sys.executable, "-c", "raise SystemExit('no such thing')"])
