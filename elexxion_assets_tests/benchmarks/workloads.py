"""What is measured: files, the ways through them that are compared, and whether they made the same."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from elexxion_assets_tests.benchmarks import generators, references
from elexxion_assets_tests.benchmarks.measuring import Measure

_HERE = "elexxion_assets_tests.benchmarks"
OURS = "elexxion"
"""The way of this package: every ratio is of it to another one, or of another one to it."""


@dataclass(frozen=True)
class Contestant:
    """One way through the files of a workload.

    Attributes:
        command: Gives the command from the folder of the workload and an empty folder for what it makes.
        gold: Gives, of what it made, the rows to compare by period; None for a way that makes no gold.
    """

    command: Callable[[Path, Path], list[str]]
    gold: Callable[[Path], Mapping[str, pl.DataFrame]] | None = None


@dataclass(frozen=True)
class Workload:
    """Files and the ways through them.

    Attributes:
        title: What it is, in words.
        size: Its usual number of rows, or of bytes when unpacked.
        make: Writes the files into a folder, from such a number.
        contestants: The ways by name, ours among them.
        key: Key of the rows of gold.
        least: Size under which the files do not look like the official ones any more.
        unit: What its size counts: `rows` or `bytes`.
    """

    title: str
    size: int
    make: Callable[[Path, int], None]
    contestants: Mapping[str, Contestant]
    key: tuple[str, ...] = ()
    least: int = 1
    unit: str = "rows"


def _python(module: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", f"{_HERE}.{module}", *map(str, arguments)]


def _files(folder: Path) -> list[Path]:
    return sorted((folder / "files").iterdir())


def _lake(folder: Path, out: Path) -> list[str]:
    return _python("ours", out, *_files(folder))


def _limit(what: str) -> Contestant:
    return Contestant(lambda folder, out: _python("limits", what, out, *_files(folder)))


def _gold_of_lake(table: str) -> Callable[[Path], Mapping[str, pl.DataFrame]]:
    def read(out: Path) -> Mapping[str, pl.DataFrame]:
        return {file.stem: pl.read_parquet(file) for file in (out / "output" / "or" / table).glob("*.parquet")}

    return read


def _gold_of_opponent(out: Path) -> Mapping[str, pl.DataFrame]:
    return {file.stem: pl.read_parquet(file) for file in (out / "gold").glob("*.parquet")}


def _opponent(theme: str, way: str) -> Contestant:
    def command(folder: Path, out: Path) -> list[str]:
        [file] = _files(folder)
        return _python(f"opponents.{theme}", way, file, folder / "reference", out)

    return Contestant(command, _gold_of_opponent)


# --- files ------------------------------------------------------------------------------------------------------------


def _crime_files(folder: Path, rows: int) -> None:
    generators.communal_base(folder / "files" / "donnee-comm-data.gouv-geographie2025.csv.gz", rows)
    references.write_crime(folder / "reference")


def _bureaux_files(encoding: str) -> Callable[[Path, int], None]:
    def make(folder: Path, rows: int) -> None:
        generators.bureaux_de_vote(folder / "files" / "PR22_BVot_T1_FE.txt", rows, encoding)
        references.write_passage(folder / "reference", 2022, exact=True)

    return make


def _association_files(folder: Path, rows: int) -> None:
    generators.register_of_associations(folder / "files" / "rna_waldec_20250101.zip", rows)


def _in_bytes(make: Callable[[Path, int], None]) -> Callable[[Path, int], None]:
    return lambda folder, size: make(folder / "files", size)


def _folder(folder: Path, out: Path) -> list[str]:
    return _python("ours", out, folder / "files")


def _encodings_files(folder: Path, rows: int) -> None:
    for encoding in ("utf-8", "latin-1", "cp1252"):
        (folder / encoding / "files").mkdir(parents=True)
        generators.bureaux_de_vote(folder / encoding / "files" / "PR22_BVot_T1_FE.txt", rows, encoding)


def _in_encoding(encoding: str) -> Contestant:
    return Contestant(lambda folder, out: _lake(folder / encoding, out), _gold_of_lake("election/communes"))


# --- recognition ------------------------------------------------------------------------------------------------------


def _detective(folder: Path, out: Path) -> list[str]:
    """csv-detective, in the environment that `ELEXXION_CSV_DETECTIVE` names: it wants another pandas than we do."""
    interpreter = os.environ.get("ELEXXION_CSV_DETECTIVE", sys.executable)
    script = Path(__file__).parent / "opponents" / "detective.py"
    return [interpreter, str(script), *map(str, _files(folder))]


_CRIME = _gold_of_lake("crime/communes")
_ELECTION = _gold_of_lake("election/communes")

WORKLOADS: dict[str, Workload] = {
    "crime": Workload(
        title="Communal base of crime, csv.gz, to gold by commune and year",
        size=5_000_000,
        make=_crime_files,
        contestants={
            OURS: Contestant(_lake, _CRIME),
            **{way: _opponent("crime", way) for way in ("pandas_chunks", "pandas_whole", "polars", "duckdb")},
            "limit: unpacked": _limit("unpacked"),
            "limit: parsed": _limit("parsed"),
        },
        key=("code_commune", "annee"),
        least=30_000,
    ),
    "bureaux": Workload(
        title="Présidentielle by bureau de vote, 105 columns, latin-1, to gold by commune",
        size=70_000,
        make=_bureaux_files("latin-1"),
        contestants={
            OURS: Contestant(_lake, _ELECTION),
            **{way: _opponent("election", way) for way in ("pandas_chunks", "pandas_whole", "polars", "duckdb")},
            "limit: parsed": _limit("parsed"),
        },
        key=("code_commune",),
        least=2_000,
    ),
    "associations": Workload(
        title="Register of associations (RNA), zip of one CSV per département, to gold by commune and year",
        size=2_000_000,
        make=_association_files,
        contestants={OURS: Contestant(_lake), "limit: unpacked": _limit("unpacked")},
        least=2_000,
    ),
    "encodings": Workload(
        title="The same bureaux de vote in three encodings, to gold",
        size=70_000,
        make=_encodings_files,
        contestants={
            OURS: _in_encoding("utf-8"),
            "latin-1": _in_encoding("latin-1"),
            "cp1252": _in_encoding("cp1252"),
        },
        key=("code_commune",),
        least=2_000,
    ),
    "mixed": Workload(
        title="Crime csv.gz, bureaux de vote, register of associations, job seekers, from raw files to gold",
        size=5_000_000_000,
        make=_in_bytes(generators.mixed_files),
        contestants={OURS: Contestant(_folder)},
        least=10_000_000,
        unit="bytes",
    ),
    "small": Workload(
        title="Small files of job seekers, one per département, quarter and category, to gold",
        size=2_000_000_000,
        make=_in_bytes(generators.small_files),
        contestants={OURS: Contestant(_folder)},
        unit="bytes",
    ),
    "recognition": Workload(
        title="What is this file: communal base of crime, csv.gz",
        size=5_000_000,
        make=_crime_files,
        contestants={
            OURS: Contestant(lambda folder, out: _python("recognition", out, *_files(folder))),
            "csv-detective": Contestant(_detective),
        },
        least=30_000,
    ),
}


def differences(
    ours: Mapping[str, pl.DataFrame], theirs: Mapping[str, pl.DataFrame], key: tuple[str, ...]
) -> list[str]:
    """Where the gold of another way is not ours, in words; figures may differ by a billionth."""
    found = [f"{period} is there only once" for period in sorted(ours.keys() ^ theirs.keys())]
    for period in sorted(ours.keys() & theirs.keys()):
        mine, other = ours[period].sort(key), theirs[period].sort(key)
        if mine.height != other.height:
            found.append(f"{period}: {mine.height} rows and {other.height}")
            continue
        found += [
            f"{period}: {name} differs in {count} rows"
            for name in other.columns
            if (count := _different(mine[name], other[name]))
        ]
    return found


def _different(mine: pl.Series, other: pl.Series) -> int:
    if mine.dtype == pl.String:
        return int(mine.ne_missing(other).sum())
    first, second = mine.cast(pl.Float64), other.cast(pl.Float64).fill_nan(None)
    near = ((first - second).abs() <= 1e-9 * first.abs()).fill_null(value=False) | (first.is_null() & second.is_null())
    return int((~near).sum())


def told(measure: Measure) -> dict[str, object]:
    """What a way said of itself: the last line of its output, if that is a JSON object."""
    lines = measure.output.strip().splitlines()
    try:
        said = json.loads(lines[-1]) if lines else {}
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
