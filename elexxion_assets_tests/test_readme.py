"""Every command of the README is run as it is written."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from elexxion_assets.declare import slug
from elexxion_assets.themes import all_themes
from elexxion_assets_tests.conftest import PROJECT

BLOCKS = re.findall(r"```sh\n(.*?)```", (PROJECT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.strip().splitlines()]
TO_COME = "2027-presidentielle-t1"
DEMO, TESTS, *EVERYDAY = COMMANDS
SERVERS = [command for command in EVERYDAY if " dev" in command]
MODELS = [command for command in EVERYDAY if TO_COME in command or "model/evaluation" in command]
SHORT = [command for command in EVERYDAY if command not in [*SERVERS, *MODELS]]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that a clone of the project has."""
    folder = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, check=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (PROJECT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, folder / name, follow_symlinks=False)
    return folder


def environment() -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("ELEXXION_", "DAGSTER_", "VIRTUAL"))
    }
    return {**kept, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def test_the_first_command_runs_the_main_job_on_a_fresh_machine(clone: Path) -> None:
    done = subprocess.run(
        ["bash", "-euc", DEMO], cwd=clone, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "crime/gold/departements (synthetic data)" in done.stdout
    assert "election/gold/communes (synthetic data)" in done.stdout


def test_the_second_command_is_what_continuous_integration_runs() -> None:
    script = (PROJECT / ".ci" / "run").read_text(encoding="utf-8")
    assert [part for part in TESTS.split(" && ") if part not in script] == []


def test_the_everyday_commands_work_in_the_order_of_the_readme(tmp_path: Path) -> None:
    for theme, word, name in (
        ("election", "2022", "resultats-par-niveau-subcom-t1-france-entiere.txt"),
        ("crime", "dep", "donnee-dep-data.gouv-2023.csv"),
    ):
        samples = all_themes()[theme].samples
        assert samples is not None
        made = tmp_path / theme
        made.mkdir()
        shutil.copy(next(path for path in samples(made, 1) if word in path.name), tmp_path / name)
    said = ""
    for command in SHORT:
        done = subprocess.run(
            ["bash", "-euc", command], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (command, done.stdout + done.stderr)
        said += done.stdout
    assert "election/gold/communes" in said
    assert "It is election/communes" in said


def test_the_commands_on_models_predict_a_scrutin_to_come(tmp_path: Path) -> None:
    samples = all_themes()["election"].samples
    assert samples is not None
    earlier, later = tmp_path / "earlier", tmp_path / "later"
    for folder in (earlier, later):
        folder.mkdir()
    of_2012 = samples(earlier, 2)[0].rename(tmp_path / "of_2012.csv")
    given = " ".join(map(str, samples(later, 1)))
    said = ""
    for command in (
        f"elexxion drop --scrutin 2012-presidentielle-t1 {of_2012}",
        f"elexxion drop {given}",
        "elexxion run",
        *MODELS,
    ):
        done = subprocess.run(
            ["bash", "-euc", command],
            cwd=tmp_path,
            env=environment() | {"ELEXXION_STUDY_TRIALS": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (command, done.stdout + done.stderr)
        said += done.stdout
    assert len(MODELS) == 4
    assert "is published" in said
    assert "persistance" in said
    assert (tmp_path / "card.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_rejected_row_is_exported_corrected_and_put_back(tmp_path: Path) -> None:
    samples = all_themes()["crime"].samples
    assert samples is not None
    path = next(path for path in samples(tmp_path, 1) if "dep" in path.name)
    header, first, *others = path.read_text(encoding="utf-8-sig").splitlines()
    number = [slug(name) for name in header.split(";")].index("codedepartement")
    fields = first.split(";")
    right, fields[number] = fields[number].strip('"'), "ZZZ"
    (tmp_path / "donnee-dep.csv").write_text("\n".join([header, ";".join(fields), *others]) + "\n", encoding="utf-8")

    def elexxion(*arguments: str) -> str:
        command = [sys.executable, "-m", "elexxion_assets.cli", *arguments]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment() | {"PYTHONPATH": str(PROJECT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (arguments, done.stdout + done.stderr)
        return done.stdout

    for arguments in ("init", "drop donnee-dep.csv", "run", "quarantine export donnee-dep.csv --out rejected.csv"):
        elexxion(*arguments.split())
    exported = (tmp_path / "rejected.csv").read_text(encoding="utf-8-sig")
    assert "code_departement;type" in exported
    (tmp_path / "rejected.csv").write_text(exported.replace(";ZZZ;", f";{right};"), encoding="utf-8")
    assert "1 corrected rows" in elexxion("quarantine", "reinject", "rejected.csv")
    elexxion("run")
    [left] = json.loads(elexxion("quarantine", "list", "--json"))
    assert (left["open"], left["closed"]) == (0, 1)
    assert "nothing changes" in elexxion("quarantine", "reinject", "rejected.csv")
    assert "1 closed by a correction, 0 open" in elexxion("why", "donnee-dep.csv")


@pytest.mark.parametrize("command", SERVERS)
def test_dagster_s_own_commands_serve_the_project(clone: Path, command: str) -> None:
    subprocess.run(["bash", "-euc", "elexxion init"], cwd=clone, env=environment(), capture_output=True, check=True)
    log = clone / "server.log"
    with log.open("wb") as sink:
        server = subprocess.Popen(
            ["bash", "-euc", command], cwd=clone, env=environment(), stdout=sink, stderr=sink, start_new_session=True
        )
        try:
            deadline = time.monotonic() + 300
            while "Serving dagster-webserver" not in log.read_text(encoding="utf-8"):
                assert server.poll() is None, log.read_text(encoding="utf-8")
                assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
                time.sleep(0.5)
            address = re.findall(r"Serving dagster-webserver on (http://\S+)", log.read_text(encoding="utf-8"))[-1]
            while not (assets := served(address)):
                assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
                time.sleep(0.5)
        finally:
            os.killpg(server.pid, signal.SIGINT)
            try:
                server.wait(40)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()
    assert {"intake/deliveries", "crime/gold/communes", "election/silver/resultats"} <= assets


def served(address: str) -> set[str]:
    """The assets that a webserver shows; none while it does not answer yet."""
    question = urllib.request.Request(
        f"{address}/graphql",
        json.dumps({"query": "{ assetNodes { assetKey { path } } }"}).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(question, timeout=60) as answer:
            return {"/".join(node["assetKey"]["path"]) for node in json.load(answer)["data"]["assetNodes"]}
    except OSError:
        return set()


def test_every_command_of_the_command_line_is_in_the_readme() -> None:
    said = subprocess.run(["elexxion", "--help"], env=environment(), capture_output=True, text=True, check=True).stdout
    commands = re.findall(r"^│ ([a-z]+) ", said, re.MULTILINE)
    assert {"init", "drop", "run", "tables", "show", "why", "demo", "ui"} <= set(commands)
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `elexxion ([a-z]+)", text, re.MULTILINE)) == set(commands)
