"""The command line, as a person or a program uses it: real processes, a lake in a directory."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from elexxion_assets.themes import all_themes

ELEXXION = str(Path(sys.executable).with_name("elexxion"))


class Person:
    """Somebody in front of a terminal, in a directory of their own."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ELEXXION_", "DAGSTER_"))}
        self.environment = {**kept, **environment}

    def types(
        self, *arguments: str, code: int = 0, given: bytes | None = None, **environment: str
    ) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run(
            [ELEXXION, *arguments],
            cwd=self.home,
            env={**self.environment, **environment},
            input=given,
            capture_output=True,
            check=False,
        )
        assert done.returncode == code, (done.stdout + done.stderr).decode()
        return done

    def reads(self, *arguments: str, code: int = 0, **environment: str) -> str:
        return self.types(*arguments, code=code, **environment).stdout.decode()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Person:
    """A person whose lake holds the samples of the theme crime, and one file that is nothing known."""
    person = Person(tmp_path_factory.mktemp("person"))
    person.types("init")
    samples = all_themes()["crime"].samples
    assert samples is not None
    (person.home / "samples").mkdir()
    files = samples(person.home / "samples", 1)
    (person.home / "notes.csv").write_text("colour;taste\nred;sweet\nblue;sour\n")
    person.types("drop", "notes.csv", *(str(file) for file in files))
    person.types("run", "--strict", code=3)
    return person


def test_init_says_what_it_made_and_then_that_there_is_nothing_to_do(tmp_path: Path) -> None:
    person = Person(tmp_path)
    made = json.loads(person.reads("init", "--json"))["made"]
    assert {"input", "raw/crime", "output/platine/election"} <= set(made)
    assert (tmp_path / ".elexxion" / "elexxion-bucket" / "raw" / "crime").is_dir()
    assert json.loads(person.reads("init", "--json"))["made"] == []


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    person = Person(tmp_path)
    said = person.types("tables", code=1, ELEXXION_BATCH="many").stderr.decode()
    assert "ELEXXION_BATCH" in said
    said = person.types("tables", code=1, ELEXXION_S3_ENDPOINT="http://127.0.0.1:9").stderr.decode()
    assert "ELEXXION_S3_ACCESS_KEY" in said
    assert "Traceback" not in said


def test_drop_reads_the_standard_input_and_says_where_it_put_the_file(tmp_path: Path) -> None:
    person = Person(tmp_path)
    person.types("drop", "-", "--name", "a b.csv", given=b"x;y\n1;2\n")
    assert (tmp_path / ".elexxion/elexxion-bucket/input/a b.csv").read_bytes() == b"x;y\n1;2\n"
    said = person.reads("why", "a b.csv")
    assert "waits" in said
    assert "is none of the known datasets" in said


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["drop", "absent.csv"], "absent.csv"),
        (["drop", "-"], "--name"),
        (["drop", "-", "--name", "a.csv", "--scrutin", "last year"], "scrutin"),
        (["show", "crime/gold/comunes"], "crime/gold/communes"),
        (["show", "crime/gold/communes"], "no period yet"),
        (["why", "nothing.csv"], "nothing.csv"),
    ],
)
def test_a_mistake_is_told_in_one_line(tmp_path: Path, arguments: list[str], word: str) -> None:
    said = Person(tmp_path).types(*arguments, code=1).stderr.decode()
    assert word in said
    assert "Traceback" not in said
    assert len(said.strip().splitlines()) == 1


def test_nothing_to_do_is_said(tmp_path: Path) -> None:
    assert "nothing to do" in Person(tmp_path).reads("run")


def test_tables_lists_layers_periods_rows_bytes_and_path(built: Person) -> None:
    found = {item["table"]: item for item in json.loads(built.reads("tables", "--json"))}
    gold = found["crime/gold/departements"]
    assert gold["layer"] == "gold"
    assert gold["rows"] > 0
    assert gold["bytes"] == sum(f.stat().st_size for f in Path(gold["path"].removeprefix("file://")).glob("*.parquet"))
    assert gold["periods"] == sorted(gold["periods"])
    assert "crime/gold/departements" in built.reads("tables")


def test_show_gives_the_same_rows_in_every_format(built: Person) -> None:
    table = ["show", "crime/silver/departementale", "--limit", "30"]
    rows = json.loads(built.reads(*table, "--format", "json"))
    assert len(rows) == 30
    assert all(isinstance(row["code_departement"], str) for row in rows)
    parquet = pl.read_parquet(io.BytesIO(built.types(*table, "--format", "parquet").stdout))
    assert parquet["code_departement"].to_list() == [row["code_departement"] for row in rows]
    assert parquet["nombre"].to_list() == [row["nombre"] for row in rows]
    text = list(csv.DictReader(io.StringIO(built.reads(*table, "--format", "csv"))))
    assert [row["code_departement"] for row in text] == [row["code_departement"] for row in rows]
    assert rows[0]["indicateur"] in built.reads(*table)


def test_show_takes_one_period(built: Person) -> None:
    rows = json.loads(built.reads("show", "crime/gold/departements", "--period", "2023", "--json"))
    assert {row["annee"] for row in rows} == {2023}
    said = built.types("show", "crime/gold/departements", "--period", "1999", code=1).stderr.decode()
    assert "2023" in said


def test_show_takes_columns_and_says_which_one_a_wrong_name_is_near(built: Person) -> None:
    table = ["show", "crime/gold/departements"]
    rows = json.loads(built.reads(*table, "--columns", "population, code_departement", "--json"))
    assert {tuple(row) for row in rows} == {("population", "code_departement")}
    text = built.reads(*table, "--columns", "code_departement", "--format", "csv")
    assert text.splitlines()[0] == "code_departement"
    assert len(text.splitlines()) == len(rows) + 1
    said = built.types(*table, "--columns", "populaton,annee", code=1).stderr.decode()
    assert "populaton" in said
    assert "did you mean population" in said
    assert json.loads(built.reads(*table, "--limit", "0", "--json")) == []


def test_show_prints_json_of_any_size_in_bounded_memory(tmp_path: Path) -> None:
    person = Person(tmp_path)
    person.types("init")
    folder = tmp_path / ".elexxion/elexxion-bucket/output/argent/crime/departementale"
    folder.mkdir(parents=True, exist_ok=True)
    rows = pl.select(annee=pl.int_range(0, 2_000_000), indicateur=pl.lit("homicides").repeat_by(3).list.join(" "))
    rows.write_parquet(folder / "2023.parquet", row_group_size=100_000)
    script = (
        "import resource, subprocess, sys\n"
        "p = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)\n"
        "count = sum(1 for line in p.stdout if line.startswith(b'{'))\n"
        "assert p.wait() == 0\n"
        "print(count, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    command = [ELEXXION, "show", "crime/silver/departementale", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", script, *command], cwd=tmp_path, env=person.environment, capture_output=True, check=True
    )
    count, kilobytes = map(int, done.stdout.split())
    assert count == 2_000_000
    assert kilobytes < 700_000


def test_coverage_accounts_for_every_row_and_fails_loudly_when_one_is_lost(built: Person) -> None:
    found = json.loads(built.reads("coverage", "--json"))
    read = [one for one in found if one["dataset"]]
    assert read
    assert all(one["missing"] == 0 and not one["problems"] for one in found)
    assert sum(one["rows"] for one in read) == sum(
        one["silver"] + one["older"] + one["told_elsewhere"] + sum(one["quarantined"].values()) for one in read
    )
    assert "crime/departementale" in built.reads("coverage", "exemple")
    assert "notes.csv: not taken" in built.reads("coverage", "notes.csv")
    said = built.types("coverage", "absent.csv", code=1).stderr.decode()
    assert "absent.csv" in said
    silver = built.home / ".elexxion/elexxion-bucket/output/argent/crime/departementale/2023.parquet"
    whole = silver.read_bytes()
    try:
        pl.read_parquet(silver).tail(-5).write_parquet(silver)
        assert "5 rows are nowhere" in built.types("coverage", code=1).stderr.decode()
    finally:
        silver.write_bytes(whole)


def test_why_tells_a_read_file_and_a_refused_one_apart(built: Person) -> None:
    read = built.reads("why", "exemple-synthetique")
    assert "was read" in read
    assert "crime/departementale" in read
    refused = built.reads("why", "notes.csv")
    assert "refused" in refused
    assert "colour" in refused


def test_a_second_run_changes_nothing(built: Person) -> None:
    assert "nothing to do" in built.reads("run", "--strict")


def test_fetch_lists_its_addresses_and_says_which_it_may_not_ask(tmp_path: Path) -> None:
    person = Person(tmp_path)
    listed = json.loads(person.reads("fetch", "--list", "--json"))
    assert {"crime/communale", "association/rna_waldec"} <= {item["dataset"] for item in listed}
    assert "crime/communale" in person.reads("fetch", "crime", "--list")
    done = person.types("fetch", "crime/communale", code=1, ELEXXION_FETCH_HOSTS="example.org")
    assert "www.data.gouv.fr is not among the allowed hosts" in done.stderr.decode()
    [said] = json.loads(person.reads("fetch", "communale", "--json", code=1, ELEXXION_FETCH_HOSTS="example.org"))
    assert said["outcome"] == "failed"
