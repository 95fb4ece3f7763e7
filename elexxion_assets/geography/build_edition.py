"""Makes the built-in edition of the COG from the packages that republish INSEE's files.

    python -m elexxion_assets.geography.build_edition PACKAGES FOLDER

`PACKAGES` holds the unpacked npm packages `@etalab/decoupage-administratif`, one folder per version (`6.0.0/data/...`),
which `npm pack` gives. Nothing is downloaded here. Made of them:

- the communes, delegated and associated communes, arrondissements, départements and régions: the newest version;
- movements from 1943 to 1 January 2019: `historique-communes.json` of version 0.7.0 (it left the package later);
- movements since: what differs between one yearly version and the next (a code that disappears and its new commune, a
  code that appears and the commune whose delegated part it was). 2020 has no version with communes: its list is that
  of the members of the EPCI in 0.8.0;
- parents of the communes created, and heirs of the communes suppressed, before 2019, which that history lacks, and a
  few dates: `complements.csv`, from INSEE's file of events on communes.

Data: Licence Ouverte 2.0, Insee (Code officiel géographique, populations de référence). Packages: MIT.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from elexxion_assets.geography.insee import CHEF_LIEU, NEW_COMMUNE, movements_between
from elexxion_assets.geography.passage import CREATION, RESTORATION, Movement

EDITIONS = {2019: "0.7.0", 2021: "1.1.1", 2022: "2.3.1", 2023: "3.1.1", 2024: "4.1.0", 2025: "5.3.0", 2026: "6.0.0"}
EPCI_OF_2020 = "0.8.0"
POPULATIONS = {2016: 2019, 2023: 2026}
"""Year of the reference populations: edition that holds them. Mayotte's are of 2017 in both."""

SUPPRESSION, MERGER, ASSOCIATION, DEPARTEMENT = 30, 31, 33, 41

# The history names each end of a commune; the first text found decides the kind of movement.
KINDS = (
    ("changement de département", DEPARTEMENT),
    ("changement de chef lieu", CHEF_LIEU),
    ("création", CREATION),
    ("suppression", SUPPRESSION),
    ("dé-fusion", RESTORATION),
    ("rétablissement", RESTORATION),
    ("recomposition de la commune groupe", RESTORATION),
    ("commune nouvelle", NEW_COMMUNE),
    ("déléguée", NEW_COMMUNE),
    ("fusion-association", ASSOCIATION),
    ("fusion", MERGER),
)

Json = dict[str, Any]


def movements_of_history(history: list[Json]) -> list[Movement]:
    """Movements between communes, from a graph where each state of a commune points to its successor and pole."""
    states = {state["id"]: state for state in history}

    def commune(identifier: str) -> Json:
        state = states[identifier]
        while state["type"] != "COM":
            state = states[state["pole"]]
        return state

    movements = set()
    for state in history:
        if "dateFin" not in state or "successeur" not in state:
            continue
        before, after = commune(state["id"]), commune(state["successeur"])
        if before is after or before.get("dateFin") != after.get("dateDebut"):
            continue
        words = f"{after.get('raisonDebut')} / {before['raisonFin']}"
        kind = next((kind for text, kind in KINDS if text in words), None)
        if kind is not None:
            movements.add(Movement(date.fromisoformat(after["dateDebut"]), kind, before["code"], after["code"]))
    return sorted(movements, key=_order)


def without_standstill(movements: Iterable[Movement]) -> list[Movement]:
    """The movements without those of a commune that stays what it is while nobody joins or leaves it."""
    moved = list(movements)
    parties = {(m.day, code) for m in moved if m.before != m.after for code in (m.before, m.after)}
    return [m for m in moved if m.before != m.after or (m.day, m.after) in parties]


def build(packages: Path, complements: Path, folder: Path) -> None:
    """Writes `communes.csv.gz`, `mouvements.csv.gz`, `departements.csv` and `regions.csv` into a folder.

    Args:
        packages: Folder with one folder per package version.
        complements: File of corrections, with columns `action, date_effet, mod, code_avant, code_apres`.
        folder: Where to write.

    Raises:
        ValueError: If two editions differ in a way that nothing explains.
    """
    editions = {year: _read(packages, version, "communes") for year, version in EDITIONS.items()}
    history = _read(packages, EDITIONS[2019], "historique-communes")
    lists = {year: _codes(rows) for year, rows in editions.items()}
    members = {member["code"] for epci in _read(packages, EPCI_OF_2020, "epci") for member in epci["membres"]}
    lists[2020] = members | (lists[2019] & lists[2021])
    movements = {(m.day, m.before, m.after): m for m in movements_of_history(history)}
    for year in range(2020, max(EDITIONS) + 1):
        later, earlier = editions[max(year, 2021)], editions[max(2019, year - 1) if year != 2021 else 2019]
        found, unexplained = movements_between(
            date(year, 1, 1), lists[year - 1], lists[year], _parts(earlier), _parts(later) | _former(later)
        )
        if unexplained:
            raise ValueError(f"between {year - 1} and {year}, nothing explains {', '.join(unexplained)}")
        movements |= {(m.day, m.before, m.after): m for m in found}
    for action, day, kind, before, after in pl.read_csv(
        complements, infer_schema=False, comment_prefix="#"
    ).iter_rows():
        movement = Movement(date.fromisoformat(day), int(kind), before, after)
        if action == "remove":
            del movements[movement.day, before, after]
        else:
            movements[movement.day, before, after] = movement

    newest = max(editions)
    header = (
        f"# Code officiel géographique au 1er janvier {newest}, Insee, Licence Ouverte 2.0; from the npm packages "
        f"@etalab/decoupage-administratif {', '.join(EDITIONS.values())} and {EPCI_OF_2020} by build_edition.py\n"
    )
    populations = {
        year: {
            row["code"]: row["population"]
            for row in editions[edition]
            if "population" in row and row["type"] != "commune-deleguee"
        }
        for year, edition in POPULATIONS.items()
    }
    former = {
        state["code"]: state["nom"]
        for state in sorted(history, key=lambda s: s.get("dateFin", "9999"))
        if state["type"] == "COM"
    }
    for year in sorted(editions):
        former |= {row["code"]: row["nom"] for row in editions[year] if row["type"] == "commune-actuelle"}
    rows = [
        (
            TYPES[row["type"]],
            row["code"],
            row["nom"],
            row["departement"],
            row["region"],
            row.get("chefLieu") or row.get("commune"),
        )
        for row in editions[newest]
    ]
    present = {row[1] for row in rows if row[0] == "COM"}
    rows += [("ANC", code, name, None, None, None) for code, name in former.items() if code not in present]
    communes = (
        pl.DataFrame(
            rows, schema=["type", "code", "libelle", "code_departement", "code_region", "code_parent"], orient="row"
        )
        .with_columns(
            pl.when(pl.col("type").is_in(["COM", "ARM", "ANC"]))
            .then(pl.col("code").replace_strict(known, default=None, return_dtype=pl.Int64))
            .alias(f"population_{year}")
            for year, known in populations.items()
        )
        .sort("type", "code")
    )
    _write(folder / "communes.csv.gz", header, communes)
    table = pl.DataFrame(
        [(m.day, m.kind, m.before, m.after) for m in sorted(without_standstill(movements.values()), key=_order)],
        schema=["date_effet", "mod", "code_avant", "code_apres"],
        orient="row",
    )
    _write(folder / "mouvements.csv.gz", header, table)
    for name, columns in (
        (
            "departements",
            {"code": "code_departement", "region": "code_region", "chefLieu": "chef_lieu", "nom": "libelle"},
        ),
        ("regions", {"code": "code_region", "chefLieu": "chef_lieu", "nom": "libelle"}),
    ):
        table = pl.DataFrame(_read(packages, EDITIONS[newest], name), infer_schema_length=None)
        _write(folder / f"{name}.csv", header, table.select(columns.keys()).rename(columns))


TYPES = {
    "commune-actuelle": "COM",
    "commune-deleguee": "COMD",
    "commune-associee": "COMA",
    "arrondissement-municipal": "ARM",
}


def _read(packages: Path, version: str, name: str) -> list[Json]:
    return json.loads((packages / version / "data" / f"{name}.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def _codes(rows: Iterable[Json]) -> set[str]:
    # The overseas collectivities are missing from one edition; their communes have not moved since 2007.
    return {
        row["code"]
        for row in rows
        if row["type"] == "commune-actuelle" and not row["code"].startswith(("975", "977", "978", "98"))
    }


def _parts(rows: Iterable[Json]) -> dict[str, str]:
    return {row["code"]: row["chefLieu"] for row in rows if "chefLieu" in row}


def _former(rows: Iterable[Json]) -> dict[str, str]:
    return {code: row["code"] for row in rows for code in row.get("anciensCodes", ())}


def _order(movement: Movement) -> tuple[date, str, str]:
    return movement.day, movement.before or "", movement.after


def _write(path: Path, header: str, table: pl.DataFrame) -> None:
    content = (header + table.write_csv()).encode()
    # No time stamp in the archive: the same packages give the same bytes.
    path.write_bytes(gzip.compress(content, 9, mtime=0) if path.suffix == ".gz" else content)


if __name__ == "__main__":
    here = Path(__file__).parent / "edition"
    build(Path(sys.argv[1]), here / "complements.csv", Path(sys.argv[2]))
