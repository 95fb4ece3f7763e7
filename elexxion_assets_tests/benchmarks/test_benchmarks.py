"""The runner on tiny files, and that the opponents make the very gold that we make: else no figure would mean much."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import polars as pl
import pytest

from elexxion_assets_tests.benchmarks import generators
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


def test_files_of_many_themes_reach_gold(tmp_path: Path) -> None:
    run("mixed", WORKLOADS["mixed"].least, 1, tmp_path / "work", (), tmp_path / "history")
    [line] = [json.loads(line) for line in (tmp_path / "history" / "history.jsonl").read_text().splitlines()]
    assert line["bytes"] == WORKLOADS["mixed"].least
    assert line["told"]["rows"].keys() == {"bronze", "silver", "gold"}
    assert set(line["told"]["themes"]) == {"association", "crime", "election", "emploi"}


def test_the_files_of_a_size_are_of_that_size_and_always_the_same(tmp_path: Path) -> None:
    sizes, contents = [], []
    for name in ("first", "again"):
        (tmp_path / name).mkdir()
        generators.small_files(tmp_path / name, 2_000_000)
        files = sorted((tmp_path / name).iterdir())
        contents.append([file.read_bytes() for file in files])
        sizes.append(sum(map(len, contents[-1])))
    assert contents[0] == contents[1]
    assert len(contents[0]) > 5
    assert sizes[0] == pytest.approx(2_000_000, rel=0.2)


def test_cp1252_has_bytes_of_its_own_and_the_same_gold(tmp_path: Path) -> None:
    found = run("encodings", WORKLOADS["encodings"].least, 1, tmp_path / "work", [OURS, "cp1252"])
    assert list(found) == [OURS, "cp1252"]
    [file] = (tmp_path / "work" / "cp1252" / "files").iterdir()
    assert set("œ’€".encode("cp1252")) <= set(file.read_bytes())


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
