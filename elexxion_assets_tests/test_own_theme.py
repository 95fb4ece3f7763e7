"""A theme of one's own: written by a command, found by being there, and no other file touched."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from elexxion_assets.lake.ledger import RESERVED
from elexxion_assets.templates import NameRefused, new_theme
from elexxion_assets.themes import all_themes
from elexxion_assets_tests.conftest import PROJECT

GUIDE = re.findall(r"```python\n(.*?)```", (PROJECT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
LONGEST = "a" * 30


def run(folder: Path, *command: str, code: int = 0, **environment: str) -> str:
    """What a command says, in words or as an error, when it is typed in a folder without settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ELEXXION_", "DAGSTER_"))}
    # The folder's own package comes first where it has one, else the one under test.
    path = os.pathsep.join([str(folder), str(PROJECT)])
    done = subprocess.run(
        command,
        cwd=folder,
        env={**kept, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def elexxion(folder: Path, *arguments: str, code: int = 0, **environment: str) -> str:
    return run(folder, sys.executable, "-m", "elexxion_assets.cli", *arguments, code=code, **environment)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the project in which a theme was made."""
    folder = tmp_path_factory.mktemp("clone")
    listed = run(PROJECT, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (PROJECT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, folder / name, follow_symlinks=False)
    run(folder, "git", "init", "--quiet")
    run(folder, "git", "add", "--all")
    run(folder, "git", "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "-m", "Begin")
    elexxion(folder, "theme", "new", "logement")
    return folder


def test_a_new_theme_touches_no_file_of_the_project(clone: Path) -> None:
    assert run(clone, "git", "status", "--porcelain").splitlines() == [
        "?? elexxion_assets/themes/logement/",
        "?? elexxion_assets_tests/themes/logement/",
    ]


def test_a_new_theme_keeps_the_promises_of_the_project(clone: Path) -> None:
    run(clone, sys.executable, "-m", "ruff", "check", "--no-cache", *map(str, clone.glob("*/themes/logement")))
    run(
        clone,
        sys.executable,
        "-m",
        "ruff",
        "format",
        "--check",
        "--no-cache",
        *map(str, clone.glob("*/themes/logement")),
    )
    run(clone, sys.executable, "-m", "mypy", "elexxion_assets/themes/logement/__init__.py")
    tests = ["test_conventions.py", "defs/test_definitions.py", "themes/logement"]
    said = run(
        clone,
        *(
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-k",
            "not server_of_its_own and not pure_rooms",
        ),
        *(f"elexxion_assets_tests/{name}" for name in tests),
    )
    assert " passed" in said
    themes = run(clone, sys.executable, "-c", "from elexxion_assets.themes import all_themes; print(*all_themes())")
    assert "logement" in themes.split()


def test_a_new_theme_of_the_longest_name_is_well_formatted(tmp_path: Path) -> None:
    new_theme(LONGEST, tmp_path, None, ())
    configuration = ["--no-cache", "--config", str(PROJECT / "pyproject.toml"), str(tmp_path / LONGEST)]
    run(tmp_path, sys.executable, "-m", "ruff", "format", "--check", *configuration)


def test_outside_a_clone_the_theme_lies_beside_the_lake_and_its_own_test_passes(tmp_path: Path) -> None:
    written = [Path(name) for name in json.loads(elexxion(tmp_path, "theme", "new", "eau_potable", "--json"))]
    folder = tmp_path / ".elexxion" / "themes" / "eau_potable"
    assert sorted(written) == sorted(path for path in folder.iterdir() if path.is_file())
    assert "1 passed" in run(tmp_path, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder))
    said = elexxion(tmp_path, "theme", "new", "eau_potable", code=1)
    assert "already" in said
    assert "Traceback" not in said


def test_the_setting_says_where_themes_lie(tmp_path: Path) -> None:
    elexxion(tmp_path, "theme", "new", "logement", ELEXXION_THEMES="ours")
    assert (tmp_path / "ours" / "logement" / "__init__.py").is_file()
    made = json.loads(elexxion(tmp_path, "init", "--json", ELEXXION_THEMES="ours"))["made"]
    assert "raw/logement" in made
    assert "raw/logement" not in json.loads(elexxion(tmp_path, "init", "--json", ELEXXION_HOME="other"))["made"]


@pytest.mark.parametrize(("folder", "word"), [("crime", "has already"), ("other", "calls itself logement")])
def test_two_themes_never_share_a_name(tmp_path: Path, folder: str, word: str) -> None:
    new_theme("logement", tmp_path / "made", None, ())
    (tmp_path / "themes").mkdir()
    (tmp_path / "made" / "logement").rename(tmp_path / "themes" / folder)
    said = elexxion(tmp_path, "init", code=1, ELEXXION_THEMES="themes")
    assert word in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "name",
    ["Logement", "eau-potable", "eau potable", "../x", "", "_x", "2x", "éco", "class", "crime", "intake", *RESERVED],
)
def test_a_name_that_no_theme_can_have_is_refused_and_nothing_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(NameRefused, match=re.escape(f"« {name} »") + "|there is a theme"):
        new_theme(name, tmp_path, None, all_themes())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "tests" / "logement").mkdir(parents=True)
    with pytest.raises(NameRefused, match="nothing was written"):
        new_theme("logement", tmp_path / "themes", tmp_path / "tests", ())
    assert not (tmp_path / "themes").exists()


def test_the_guide_adds_a_real_theme_in_under_sixty_lines(tmp_path: Path) -> None:
    [declaration] = GUIDE
    assert len(declaration.splitlines()) < 60
    (tmp_path / "themes" / "immobilier").mkdir(parents=True)
    (tmp_path / "themes" / "immobilier" / "__init__.py").write_text(declaration, encoding="utf-8")
    header = "INSEE_COM,annee,nb_mutations,NbMaisons,NbApparts,PropMaison,PropAppart,PrixMoyen,Prixm2Moyen,SurfaceMoy\n"
    # 01091 was merged into 01033; nothing but a count is known of the second arrondissement of Paris.
    (tmp_path / "communesdvf2022.csv").write_text(
        header
        + "01033,2022,30,20,10,67,33,200000,2000,100\n01091,2022,10,10,0,100,0,240000,3000,80\n"
        + "75101,2022,5,0,5,0,100,500000,10000,50\n75102,2022,7,0,7,0,100,,,\n"
        + "01999,2022,4,4,0,100,0,100000,1000,100\n",
        encoding="utf-8",
    )
    where = {"ELEXXION_THEMES": "themes"}
    elexxion(tmp_path, "drop", "communesdvf2022.csv", **where)
    elexxion(tmp_path, "run", "--strict", **where)
    gold = json.loads(elexxion(tmp_path, "show", "immobilier/gold/communes", "--json", **where))
    assert [(row["code_commune"], row["ventes"], row["prix_m2"]) for row in gold] == [
        ("01033", 40, 2250),
        ("75056", 12, 10000),
    ]
    [quarantined] = (tmp_path / ".elexxion" / "elexxion-bucket" / "quarantine" / "immobilier").rglob("*.parquet")
    assert pl.read_parquet(quarantined)["nb_mutations"].to_list() == ["4"]
