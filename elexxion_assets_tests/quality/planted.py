"""Plants one fault of every kind in clean data and says which check, quarantine or refusal finds it.

`python -m elexxion_assets_tests.quality.planted [--json] [NAME...]`

Two layers of faults: in files, which are dropped into a lake of clean ones, and in tables, as a mistake in the code of
a theme would make them. A fault is caught when something that names it says so; what it says is printed. The clean lake
itself must raise no blocking alarm.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import polars as pl

from elexxion_assets.declare import Layer, Table
from elexxion_assets.lake import comparison, layout
from elexxion_assets.lake.build import PROVENANCE, communes_of, table_documents
from elexxion_assets.lake.ledger import State
from elexxion_assets.lake.storage import DirectoryStorage
from elexxion_assets.quality import checks, drift
from elexxion_assets.themes import all_themes
from elexxion_assets_tests.quality import clean
from elexxion_assets_tests.small_lake import SmallLake

CODES = clean.communes(6)
COMMUNALE, PARTICIPATION, RESULTATS = (
    "crime/silver/communale",
    "election/silver/participation",
    "election/silver/resultats",
)
CRIMES, COMMUNES, VOTES = "crime/gold/communes", "election/gold/communes", "election/gold/communes_candidats"
DEPARTEMENTS = "election/gold/departements"
LAST = {"crime": "2023", "election": "2022-presidentielle-t1"}

Change = Callable[[pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True)
class Found:
    """What was said of a fault.

    Attributes:
        blocking: Checks that refuse the table, refusals of the file, `quarantine`.
        warnings: Checks that warn.
    """

    blocking: set[str] = field(default_factory=set)
    warnings: set[str] = field(default_factory=set)

    @property
    def names(self) -> set[str]:
        return self.blocking | self.warnings


# --- faults in tables -------------------------------------------------------------------------------------------------


def _first(column: str, value: Any) -> Change:
    """One row with another value."""
    here = pl.int_range(pl.len()) == 7
    return lambda rows: rows.with_columns(pl.when(here).then(pl.lit(value)).otherwise(pl.col(column)).alias(column))


def _all(**columns: pl.Expr) -> Change:
    return lambda rows: rows.with_columns(**columns)


def _swapped(one: str, other: str) -> Change:
    return lambda rows: rows.with_columns(pl.col(one).alias(other), pl.col(other).alias(one))


def _some(column: str, share: float, value: pl.Expr) -> Change:
    """A share of the rows, spread over the table, with another value."""
    here = pl.int_range(pl.len()) % 100 < share * 100
    return lambda rows: rows.with_columns(
        pl.when(here).then(value).otherwise(pl.col(column)).cast(rows.schema[column]).alias(column)
    )


COUNTED = ("cambriolages_logement_nombre", "vols_armes_nombre")

TABLE_FAULTS: dict[str, tuple[str, Change, str]] = {
    # name: table, change, the check that should say so
    "a column is missing": (COMMUNES, lambda rows: rows.drop("abstentions"), "schema"),
    "a column has another type": (CRIMES, _all(population=pl.col("population").cast(pl.String)), "schema"),
    "two columns changed places": (
        VOTES,
        lambda rows: rows.select("code_commune", "scrutin", pl.exclude("code_commune", "scrutin")),
        "schema",
    ),
    "a column too many": (PARTICIPATION, _all(note=pl.lit("x")), "schema"),
    "silver is empty": (COMMUNALE, lambda rows: rows.head(0), "not_empty"),
    "gold is empty": (COMMUNES, lambda rows: rows.head(0), "not_empty"),
    "a row is there twice (silver)": (COMMUNALE, lambda rows: pl.concat([rows, rows[5:6]]), "unique_key"),
    "a row is there twice (gold)": (CRIMES, lambda rows: pl.concat([rows, rows[5:6]]), "unique_key"),
    "every row is there twice": (VOTES, lambda rows: pl.concat([rows, rows]), "unique_key"),
    "a commune without code (silver)": (COMMUNALE, _first("code_commune", None), "required_values"),
    "a commune without code (gold)": (CRIMES, _first("code_commune", None), "required_values"),
    "a candidate without name": (RESULTATS, _first("candidat", None), "required_values"),
    "a year is missing": (CRIMES, _first("annee", None), "required_values"),
    "electors are missing": (PARTICIPATION, _first("inscrits", None), "required_values"),
    "votes are missing": (VOTES, _first("voix", None), "required_values"),
    "no indicator": (COMMUNALE, _first("indicateur", None), "required_values"),
    "a code lost its zero": (COMMUNALE, _first("code_commune", "1001"), "well_formed"),
    "a code of gold lost its zero": (COMMUNES, _first("code_commune", "1001"), "well_formed"),
    "a département in letters": (CRIMES, _first("code_departement", "Ain"), "well_formed"),
    "a scrutin of no form": (COMMUNES, _first("scrutin", "presidentielle 2022"), "well_formed"),
    "an unknown indicator": (COMMUNALE, _first("indicateur", "vols_de_poules"), "known_values"),
    "an unknown level": (PARTICIPATION, _first("niveau", "quartier"), "known_values"),
    "an unknown bloc": (VOTES, _first("bloc", "milieu"), "known_values"),
    "inhabitants are told in thousands": (
        CRIMES,
        _all(population=pl.col("population") / 1000),
        "population_of_reference",
    ),
    "electors of other communes": (
        COMMUNES,
        _all(inscrits=pl.col("inscrits").sort()),
        "population_of_reference",
    ),
    "a negative number (silver)": (COMMUNALE, _first("nombre", -1), "within_bounds"),
    "a negative number (gold)": (CRIMES, _first("cambriolages_logement_nombre", -1.0), "within_bounds"),
    "a share above 100 %": (COMMUNES, _first("part_gauche", 101.0), "within_bounds"),
    "a turnout above 100 %": (DEPARTEMENTS, _first("taux_participation", 120.0), "within_bounds"),
    "a rank of zero": (VOTES, _first("rang", 0), "within_bounds"),
    "a year of two digits": (CRIMES, _first("annee", 23), "within_bounds"),
    "a share of a commune above one": (PARTICIPATION, _first("part", 1.5), "within_bounds"),
    "a commune that does not exist (silver)": (COMMUNALE, _first("code_commune_cible", "01999"), "known_communes"),
    "a commune that does not exist (gold)": (CRIMES, _first("code_commune", "01999"), "known_communes"),
    "codes shifted by one": (
        COMMUNES,
        _all(code_commune=pl.concat_str(pl.col("code_commune").str.slice(1), pl.col("code_commune").str.slice(0, 1))),
        "known_communes",
    ),
    "names read in a wrong encoding": (COMMUNES, _first("libelle", "SaintÃ©-Marie"), "readable_text"),
    "names with destroyed characters": (PARTICIPATION, _first("libelle", "Saint\ufffd-Marie"), "readable_text"),
    "a source line is lost": (COMMUNALE, lambda rows: rows[:-1], "conservation"),
    "a tenth of the source lines is lost": (
        COMMUNALE,
        lambda rows: rows.filter(pl.int_range(pl.len()) % 10 != 3),
        "conservation",
    ),
    "gold lost a commune": (COMMUNES, lambda rows: rows[:-1], "totals"),
    "gold counts a vote twice": (VOTES, _first("voix", 99_999.0), "totals"),
    "gold sums another column": (COMMUNES, _all(nuls=pl.col("blancs")), "totals"),
    "a figure of crime changed on the way": (CRIMES, _first(COUNTED[0], 123_456.0), "totals"),
    "30 % fewer rows": (RESULTATS, lambda rows: rows.head(int(rows.height * 0.7)), "volume"),
    "half of the communes": (CRIMES, lambda rows: rows.filter(pl.int_range(pl.len()) % 2 == 0), "volume"),
    "a département is missing (silver)": (
        PARTICIPATION,
        lambda rows: rows.filter(pl.col("code_departement") != "69"),
        "coverage",
    ),
    "a département is missing (gold)": (
        CRIMES,
        lambda rows: rows.filter(pl.col("code_departement") != "2A"),
        "coverage",
    ),
    "one commune in twenty is missing": (
        COMMUNES,
        lambda rows: rows.filter(pl.int_range(pl.len()) % 20 != 3),
        "coverage",
    ),
    "a column lost 40 % of its values": (
        CRIMES,
        _some("population", 0.4, pl.lit(None, dtype=pl.Float64)),
        "drift",
    ),
    "counts in thousands": (COMMUNALE, _all(nombre=pl.col("nombre") // 1000), "revisions"),
    "secrecy turned into zero": (
        COMMUNALE,
        _all(nombre=pl.col("nombre").fill_null(0), taux_pour_mille=pl.col("taux_pour_mille").fill_null(0.0)),
        "secret_sans_nombre",
    ),
    "secrecy turned into a published zero": (
        COMMUNALE,
        _all(
            nombre=pl.col("nombre").fill_null(0),
            taux_pour_mille=pl.col("taux_pour_mille").fill_null(0.0),
            est_diffuse=pl.lit(True),
        ),
        "revisions",
    ),
    "a published figure without number": (
        COMMUNALE,
        _all(est_diffuse=pl.lit(True)),
        "diffuse_avec_nombre",
    ),
    "a rate that is not that of its number": (
        COMMUNALE,
        _all(taux_pour_mille=pl.col("taux_pour_mille") + 123 * (pl.col("nombre") == pl.col("nombre").max())),
        "taux_coherent",
    ),
    "rates per cent instead of per mille": (
        COMMUNALE,
        _all(taux_pour_mille=pl.col("taux_pour_mille") / 10),
        "taux_en_pour_mille",
    ),
    "small figures that should be secret": (
        COMMUNALE,
        _some("nombre", 0.3, pl.when(pl.col("est_diffuse")).then(3)),
        "secret_ou_cinq",
    ),
    "more voters than electors": (PARTICIPATION, _all(votants=pl.col("inscrits") + 1), "votants_within_inscrits"),
    "abstentions do not complete voters": (PARTICIPATION, _first("abstentions", 1), "abstentions_complete_votants"),
    "ballots do not add up": (COMMUNES, _first("exprimes", 1.0), "ballots_add_up"),
    "votes do not add up": (PARTICIPATION, _first("somme_voix", 1), "voix_add_up"),
    "columns are shifted": (PARTICIPATION, _swapped("votants", "blancs"), "figures_are_coherent"),
    "columns of gold are swapped": (COMMUNES, _swapped("exprimes", "abstentions"), "figures_are_coherent"),
    "an unknown nuance": (RESULTATS, _first("bloc", None), "bloc_is_known"),
    "hardly anybody votes": (
        COMMUNES,
        _all(votants=pl.col("votants") / 20, exprimes=pl.col("exprimes") / 20),
        "participation_plausible",
    ),
    "a release moves one figure in ten by 20 %": (
        COMMUNALE,
        _some("nombre", 0.1, pl.col("nombre") * 6 // 5),
        "revisions",
    ),
    "a release withdraws figures": (COMMUNALE, _some("nombre", 0.2, pl.lit(None, dtype=pl.Int64)), "revisions"),
    "another split of the votes": (
        VOTES,
        _all(part_exprimes=pl.col("part_exprimes") ** 2 / 100),
        "drift",
    ),
}


class Tables:
    """Judges changed tables of a clean lake as `stage` does, without making them again."""

    def __init__(self, lake: SmallLake) -> None:
        self.lake = lake
        self.inputs: dict[str, Any] = {}

    def judged(self, name: str, change: Change) -> Found:
        theme, layer, table = name.split("/")
        declared = self.lake.themes[theme].table(Layer(layer), table)
        period = LAST[theme]
        published = self.lake.rows(name, period)
        changed = change(published)
        if set(declared.key) <= set(changed.columns):
            changed = changed.sort(declared.key)
        provenance = PROVENANCE if declared.layer is Layer.SILVER else ()
        storage, rows = self.lake.storage, changed.lazy()
        judged = checks.judge(declared, rows, provenance, communes_of(storage, declared))
        results = judged.results
        if judged.profile:
            counts = self.lake.document(name, period)["counts"]
            frames = self._inputs(theme, declared, period)
            results += comparison.kept_whole(declared, rows, judged.profile, counts, frames, {}, period)
            old = comparison.Published.read(storage, theme, declared, period)
            results += comparison.against_earlier(storage, theme, declared, period, judged, old, clean_periods(theme))
            results.append(drift.revisions(declared, rows, published.lazy())[0])
        return _found(results)

    def _inputs(self, theme: str, table: Table, period: str) -> list[Any]:
        import narwhals as nw

        if table.layer is Layer.SILVER:
            return []
        periods = [key for key in clean_periods(theme) if key <= period][-1 - table.lookback :]
        frames = [[self.lake.rows(f"{theme}/{name}", key) for key in periods] for name in table.inputs]
        return [nw.from_native(pl.concat(parts).lazy()) for parts in frames]


def clean_periods(theme: str) -> list[str]:
    """The periods of the clean lake."""
    return list(clean.SCRUTINS) if theme == "election" else [str(year) for year in clean.YEARS]


def _found(results: list[checks.CheckResult]) -> Found:
    failed = [result for result in results if not result.passed]
    return Found({r.name for r in failed if r.blocking}, {r.name for r in failed if not r.blocking})


# --- faults in files --------------------------------------------------------------------------------------------------


def _line(number: int, change: Callable[[str], str]) -> Callable[[str], str | bytes]:
    def changed(text: str) -> str:
        lines = text.split("\n")
        lines[number] = change(lines[number])
        return "\n".join(lines)

    return changed


def _field(position: int, value: str, line: int = 20) -> Callable[[str], str | bytes]:
    def change(text: str) -> str:
        cells = text.split(";")
        cells[position] = value
        return ";".join(cells)

    return _line(line, change)


def _every_field(position: int, change: Callable[[str], str]) -> Callable[[str], str | bytes]:
    def changed(text: str) -> str:
        head, *lines = text.rstrip("\n").split("\n")
        rows = [line.split(";") for line in lines]
        for cells in rows:
            cells[position] = change(cells[position])
        return "\n".join([head, *(";".join(cells) for cells in rows)]) + "\n"

    return changed


def _without(departement: str) -> Callable[[str], str | bytes]:
    def changed(text: str) -> str:
        return "\n".join(line for line in text.split("\n") if not line.startswith(departement))

    return changed


NOMBRE, TAUX, DIFFUSE = 4, 5, 6
FILE_FAULTS: dict[str, tuple[str, Callable[[str], str | bytes], str]] = {
    # name: theme, change of the clean file, what should say so
    "an empty file": ("crime", lambda text: "", "refused"),
    "a page instead of a file": ("crime", lambda text: "<!doctype html><html><body>404</body></html>", "refused"),
    "bytes that are no text": ("crime", lambda text: bytes(range(256)) * 40, "refused"),
    "a header without its names": ("crime", lambda text: text.replace(text.split("\n")[0], ";" * 12), "refused"),
    "a column of nonsense": ("crime", _every_field(2, lambda _: "x"), "quarantine"),
    "another header": (
        "election",
        lambda text: text.replace("Inscrits", "Machin").replace("Votants", "Truc"),
        "refused",
    ),
    "a word among numbers": ("crime", _field(NOMBRE, "beaucoup"), "rescued_values"),
    "a negative figure": ("crime", _field(NOMBRE, "-12"), "quarantine"),
    "half a fact": ("crime", _field(NOMBRE, "7,5"), "rescued_values"),
    "a code that is no code": ("crime", _field(0, "ABCDE"), "quarantine"),
    "a commune that never was": ("crime", _field(0, "01999"), "quarantine"),
    "an indicator nobody knows": ("crime", _field(2, "Vols de poules"), "quarantine"),
    "a year nobody can tell": ("crime", _field(1, "MMXXIII"), "quarantine"),
    "a year to come": ("crime", _field(1, "2150"), "quarantine"),
    "a line written twice": ("crime", lambda text: text + text.split("\n")[40] + "\n", "quarantine"),
    "a line cut in the middle": ("crime", _line(30, lambda line: line[:25]), "quarantine"),
    "a page with votes missing": ("election", _field(4, ""), "quarantine"),
    "a word among electors": ("election", _field(4, "douze"), "quarantine"),
    "a département is left out": ("crime", _without("69"), "coverage"),
    "a file cut after two thirds": ("crime", lambda text: text[: len(text) * 2 // 3], "volume"),
    "a file of one département": (
        "election",
        lambda text: "\n".join([text.split("\n")[0], *(x for x in text.split("\n") if x.startswith("69"))]) + "\n",
        "coverage",
    ),
    "rates per hundred": (
        "crime",
        _every_field(TAUX, lambda rate: rate if rate == "NA" else f"{float(rate.replace(',', '.')) / 10:.8f}"),
        "taux_en_pour_mille",
    ),
    "secrecy written as zero": ("crime", _every_field(NOMBRE, lambda n: "0" if n == "NA" else n), "secret_sans_nombre"),
    "voters and blank votes changed places": (
        "election",
        lambda text: (
            text.replace(";Votants;", ";@;", 1).replace(";Blancs;", ";Votants;", 1).replace(";@;", ";Blancs;", 1)
        ),
        "figures_are_coherent",
    ),
    "votes of a candidate are multiplied": (
        "election",
        _every_field(22, lambda votes: votes + "0"),
        "figures_are_coherent",
    ),
    "a header in a wrong encoding": (
        "election",
        lambda text: text.encode().decode("latin-1").encode(),
        "refused",
    ),
    "names in a wrong encoding": ("election", lambda text: text.replace("Commune ", "SaintÃ© "), "readable_text"),
    "figures of another year": ("crime", lambda text: clean.crime(CODES, seed=9), "revisions"),
    "a release of before": (
        "crime",
        lambda text: clean.crime(CODES, seed=3).replace("CODGEO_2025", "CODGEO_2024"),
        "the newer release stays",
    ),
}


def drop_faulty(folder: Path, template: Path, name: str) -> Found:
    """Drops a faulty file over the clean lake and builds what is due."""
    theme, change, _ = FILE_FAULTS[name]
    target = folder / "lake"
    shutil.copytree(template, target)
    lake = SmallLake(DirectoryStorage(target), all_themes())
    period = LAST[theme]
    text = clean.crime(CODES) if theme == "crime" else clean.election(CODES, period)
    hints = {} if theme == "crime" else {"scrutin": period}
    # A later release: files of one release add up, so that what one of them lacks is no loss.
    delivery = lake.drop(f"faulty-{period}-produit-le2026-06-01-definitif.csv", change(text), **hints)
    if delivery.state is State.REFUSED:
        return Found({"refused"})
    lake.build()
    found = Found()
    if any(delivery.id in entry.key for entry in lake.storage.list(layout.QUARANTINE)):
        found.blocking.add("quarantine")
    for document in _documents(lake, theme):
        failed = [check for check in document["checks"] if not check["passed"]]
        found.blocking.update(check["name"] for check in failed if check["blocking"])
        found.warnings.update(check["name"] for check in failed if not check["blocking"])
    before = SmallLake(DirectoryStorage(template), all_themes())
    silver = COMMUNALE if theme == "crime" else PARTICIPATION
    if all(lake.rows(silver, key).equals(before.rows(silver, key)) for key in clean_periods(theme)):
        found.warnings.add("the newer release stays")
    return found


def _documents(lake: SmallLake, theme: str) -> Iterator[dict[str, Any]]:
    """What is told of the tables of a theme, published or refused."""
    keys = (layout.table_document_key, layout.refused_key)
    for table, period, key in product(all_themes()[theme].tables, clean_periods(theme), keys):
        place = key(theme, table.layer, table.name, period)
        if lake.storage.stat(place) is not None:
            yield json.loads(lake.storage.read(place))


# --- all of them ------------------------------------------------------------------------------------------------------


def is_caught(wanted: str, found: Found) -> bool:
    """Whether the check that should say so does; a name that ends in `_` stands for a family."""
    return any(name == wanted or (wanted.endswith("_") and name.startswith(wanted)) for name in found.names)


def alarms(lake: SmallLake) -> list[str]:
    """The checks that fail on the clean lake."""
    return [
        f"{document['table']} {document['period']} {check['name']}{' (blocking)' if check['blocking'] else ''}"
        for document in table_documents(lake.storage)
        for check in document["checks"]
        if not check["passed"]
    ]


def trials(folder: Path, only: Mapping[str, Any] | None = None) -> Iterator[tuple[str, str, str, Found]]:
    """Every fault: its name, where it is planted, what should say so, and what does."""
    template = folder / "clean"
    lake = clean.lake(template, CODES)
    tables = Tables(lake)
    for name, (table, change, wanted) in TABLE_FAULTS.items():
        if only is None or name in only:
            yield name, table, wanted, tables.judged(table, change)
    for number, (name, (theme, _, wanted)) in enumerate(FILE_FAULTS.items()):
        if only is None or name in only:
            place = folder / str(number)
            place.mkdir()
            yield name, f"a file of {theme}", wanted, drop_faulty(place, template, name)
            shutil.rmtree(place)


def main(arguments: list[str]) -> int:
    """Plants all faults, or those named."""
    names = [name for name in arguments if not name.startswith("--")]
    results = []
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        for name, place, wanted, found in trials(Path(folder), dict.fromkeys(names) if names else None):
            caught = is_caught(wanted, found)
            results.append(
                {"fault": name, "in": place, "caught": caught, "by": sorted(found.names), "expected": wanted}
            )
            if "--json" not in arguments:
                by = ", ".join(sorted(found.blocking)) or "-"
                warned = ", ".join(sorted(found.warnings)) or "-"
                print(
                    f"{'caught' if caught else 'MISSED':<7} {name} ({place}): blocks {by}; warns {warned}", flush=True
                )
        false = alarms(SmallLake(DirectoryStorage(Path(folder) / "clean"), all_themes()))
    caught = sum(result["caught"] for result in results)
    if "--json" in arguments:
        print(json.dumps({"faults": results, "alarms on clean data": false}, ensure_ascii=False, indent=1))
    else:
        print(f"{caught} of {len(results)} caught; alarms on the clean lake: {', '.join(false) or 'none'}")
    return 0 if caught == len(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
