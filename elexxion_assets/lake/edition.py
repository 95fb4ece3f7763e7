"""The COG that a lake works with: the package's own edition, and what Insee's files in the lake say of later years.

Up to its vintage the built-in edition is right; the lake's files may only add to it. A list of communes of a later
vintage counts once it leads back, through the events known, to the communes of the vintage before, all of them and no
others. One that does not is left aside, in words, and every theme goes on with what was known before.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any, TypeVar, cast

import narwhals as nw
import polars as pl

from elexxion_assets.declare import Layer, Refusal
from elexxion_assets.geography import Cog, without_double_count
from elexxion_assets.geography.cog import COLLECTIVITIES
from elexxion_assets.geography.ministry import departement_of_commune
from elexxion_assets.geography.plm import COMMUNE_OF
from elexxion_assets.lake import layout
from elexxion_assets.lake.storage import Entry, Storage
from elexxion_assets.settings import settings

THEME = "reference"
"""The theme whose silver tables are read here."""

COMMUNES, MOUVEMENTS, PASSAGE, POPULATION = "communes", "mouvements", "passage", "population"
_READ = (COMMUNES, MOUVEMENTS, PASSAGE, POPULATION)

BUILT_IN = "built-in edition"
"""What `source` says of a population that comes with the package."""

_TOLD = 3
_KEPT = 4

_ENOUGH = 0.97
"""Share of the communes that populations must have, and of its pairs that a passage table must have right, to count."""


@dataclass(frozen=True, kw_only=True)
class Edition:
    """The communes and movements that codes are carried by.

    Attributes:
        cog: The COG.
        version: The vintage, and after a dash what it is made of when it is not the package's own: equal versions carry
            codes to the same communes.
        sources: Tables of the lake that it stands on, as the inputs of a table are told.
        left_aside: Which tables of the lake do not count, or not whole, by name and period, and why.
    """

    cog: Cog
    version: str
    sources: tuple[Mapping[str, str], ...] = ()
    left_aside: Mapping[tuple[str, int], str] = field(default_factory=dict)

    @property
    def target(self) -> int:
        """The vintage that all tables speak of: the one of the settings, or else the newest known."""
        return settings().cog_vintage or self.cog.newest


def edition_of(storage: Storage) -> Edition:
    """The edition that a lake has now. Without reference files it costs one listing; worked out once per content."""
    held = _held(storage)
    if not any(held.values()):
        return _built_in()
    return _kept(("edition", _versions(held)), lambda: _Making(storage, held).edition())


@dataclass(frozen=True, kw_only=True)
class Populations:
    """Populations municipales in the communes of the target vintage.

    Attributes:
        table: `code_commune, annee, population, source`: every year known, no arrondissements; null where a part of the
            commune has none.
        version: Changes with the content of `table`.
    """

    table: pl.DataFrame
    version: str


def populations_of(storage: Storage) -> Populations:
    """The populations that a lake knows: of its files, and for the communes that they lack of the built-in edition."""
    held = _held(storage)
    edition = edition_of(storage)
    key = ("populations", edition.version, edition.target, _versions({POPULATION: held[POPULATION]}))
    return _kept(key, lambda: _populations(storage, edition, held[POPULATION]))


def _version(table: pl.DataFrame) -> str:
    """A short text that changes with the content of a table."""
    return hashlib.sha256(table.write_csv().encode()).hexdigest()[:8]


def standing(storage: Storage, table: str, period: int) -> list[str]:
    """What a silver table of theme reference counts for in the geography of the lake, in words; nothing if it is none.

    Args:
        storage: The lake.
        table: Name of the table.
        period: Its vintage or year.
    """
    known, edition = Cog.builtin(), edition_of(storage)
    name = f"{THEME}/{Layer.SILVER}/{table}"
    if any((source["table"], source["period"]) == (name, str(period)) for source in edition.sources):
        said = [f"Codes are carried by it: the newest communes known are those of {edition.cog.newest}"]
        if (table, period) in edition.left_aside:
            said.append(f"Not all of it counts: {edition.left_aside[table, period]}")
        return said
    if (table, period) in edition.left_aside:
        return [f"No code is carried by it, and all tables stay as they are: {edition.left_aside[table, period]}"]
    entry = _held(storage).get(table, {}).get(period)
    if table != COMMUNES or entry is None:
        return []
    differences = known.disagreements(_as_insee_lists(_read(storage, entry)), period)
    if differences:
        return [f"It differs from the built-in edition, which counts up to {known.newest}: {_some(differences)}"]
    return [f"Its communes are those that the built-in edition has in {period}"]


@cache
def _built_in() -> Edition:
    cog = Cog.builtin()
    return Edition(cog=cog, version=str(cog.newest))


_Made = TypeVar("_Made")
_memory: dict[object, Any] = {}


def _kept(key: object, make: Callable[[], _Made]) -> _Made:
    """What was made for the last few keys; a key holds versions of contents, so that nothing in it grows old."""
    if key not in _memory:
        while len(_memory) >= _KEPT:
            _memory.pop(next(iter(_memory)), None)
        _memory[key] = make()
    return cast("_Made", _memory[key])


def _held(storage: Storage) -> dict[str, dict[int, Entry]]:
    """The reference tables of the lake that are read here, by vintage or year."""
    found: dict[str, dict[int, Entry]] = {name: {} for name in _READ}
    for entry in storage.list(f"output/{Layer.SILVER.folder}/{THEME}/"):
        *_, name, period = entry.key.split("/")
        stem, dot, kind = period.rpartition(".")
        if name in found and dot and kind == "parquet" and stem.isdecimal():
            found[name][int(stem)] = entry
    return {name: dict(sorted(entries.items())) for name, entries in found.items()}


def _versions(held: Mapping[str, Mapping[int, Entry]]) -> tuple[tuple[str, str], ...]:
    return tuple((entry.key, entry.etag) for entries in held.values() for entry in entries.values())


def _read(storage: Storage, entry: Entry) -> pl.DataFrame:
    with storage.local(entry.key) as file:
        return pl.read_parquet(file)


class _Making:
    """An edition under way: the COG so far, what it is made of, what was left aside."""

    def __init__(self, storage: Storage, held: Mapping[str, Mapping[int, Entry]]) -> None:
        self.storage = storage
        self.held = held
        self.known = Cog.builtin()
        self.cog = self.known
        self.left: dict[tuple[str, int], str] = {}
        self.used: list[tuple[Entry, pl.DataFrame]] = []

    def edition(self) -> Edition:
        """The edition, once everything that counts is in it."""
        self._add_communes()
        if self.used:
            self._add_passages()
        self._add_populations()
        made_of = hashlib.sha256("".join(_version(table) for _, table in self.used).encode()).hexdigest()[:8]
        return Edition(
            cog=self.cog,
            version=f"{self.cog.newest}-{made_of}" if self.used else _built_in().version,
            sources=tuple(_source(self.storage, entry) for entry, _ in self.used),
            left_aside=self.left,
        )

    def _add_communes(self) -> None:
        """Later lists of communes, oldest first, each with the events known up to it."""
        entry, events = self._later_events()
        for vintage, listed in self.held[COMMUNES].items():
            if vintage <= self.known.newest:
                continue
            lists = _as_insee_lists(_read(self.storage, listed))
            extended, problems = _extended(self.cog, lists, vintage, events)
            if extended is None and entry is not None:
                # A wrong file of events is no reason to leave a right list of communes aside.
                extended, _ = _extended(self.cog, lists, vintage, None)
                if extended is not None:
                    self.left[MOUVEMENTS, int(_period(entry))] = _some(problems)
                    entry, events = None, None
            if extended is None:
                self.left[COMMUNES, vintage] = _some(problems)
                continue
            self.cog = extended
            self.used.append((listed, lists))
        if self.used and entry is not None and events is not None:
            self.used.append((entry, events))

    def _later_events(self) -> tuple[Entry | None, pl.DataFrame | None]:
        """Of the newest file, what happened after the vintage known, in Insee's layout."""
        if not self.held[MOUVEMENTS]:
            return None, None
        entry = self.held[MOUVEMENTS][max(self.held[MOUVEMENTS])]
        # Vintage Y is what is there on 1 January Y, the events of that day included.
        later = _read(self.storage, entry).filter(pl.col("date_effet") > date(self.known.newest, 1, 1))
        events = later.select(
            MOD=pl.col("mod").cast(pl.String),
            DATE_EFF=pl.col("date_effet").dt.strftime("%Y-%m-%d"),
            TYPECOM_AV="type_avant",
            COM_AV="code_avant",
            TYPECOM_AP="type_apres",
            COM_AP="code_apres",
        ).filter(pl.col("TYPECOM_AP") == "COM", pl.col("TYPECOM_AV").fill_null("").is_in(["", "COM"]))
        return (entry, events.sort(pl.all())) if events.height else (None, None)

    def _add_passages(self) -> None:
        """Official passage tables to the later vintages: they win over the movements."""
        for vintage, entry in self.held[PASSAGE].items():
            if not self.known.newest < vintage <= self.cog.newest:
                continue
            pairs = _pairs(_read(self.storage, entry))
            if strange := sorted(set(pairs["code_cible"]) - self.cog.codes(vintage)):
                self.left[PASSAGE, vintage] = f"in {vintage} there is no commune {_some(strange)}"
                continue
            wrong = _contradicted(self.cog, pairs, vintage)
            if wrong.height:
                moved = wrong.select("code_source", "code_cible").unique().sort(pl.all()).iter_rows()
                self.left[PASSAGE, vintage] = _some(
                    [f"it leads from {source} to {target}, and no event known does" for source, target in moved]
                )
                # The pairs of a code share its figures: without one of them the others would be wrong.
                right = pairs.join(wrong, on=["vintage", "code_source"], how="anti", nulls_equal=True)
                if right.height < _ENOUGH * pairs.height:
                    continue
                pairs = right
            self.cog = dataclasses.replace(self.cog, tables=pl.concat([self.cog.tables, pairs]))
            self.used.append((entry, pairs))

    def _add_populations(self) -> None:
        """Populations of years that the package lacks: by those of later years, later splits are shared."""
        years = self.known.populations["annee"].unique().to_list()
        for year, entry in self.held[POPULATION].items():
            if year in years:
                continue
            people = _read(self.storage, entry).select("code_commune", "annee", "population").drop_nulls()
            if few := _too_few(self.cog, people["code_commune"]):
                self.left[POPULATION, year] = few
            elif self.used and year > max(years):
                self.cog = self.cog.extended(populations=people)
                self.used.append((entry, people.sort("code_commune")))


def _extended(
    cog: Cog, lists: pl.DataFrame, vintage: int, events: pl.DataFrame | None
) -> tuple[Cog | None, Sequence[str]]:
    """A COG with one more vintage, or what does not add up in words."""
    try:
        extended = cog.extended(communes=lists, vintage=vintage, movements=events)
    except (Refusal, ValueError) as error:
        return None, [str(error)]
    known, told = cog.codes(cog.newest), extended.codes(cog.newest)
    problems = [
        *(f"{code} was a commune in {cog.newest}, and nothing says what became of it" for code in sorted(known - told)),
        *(f"{code} was no commune in {cog.newest}, and nothing says where it is from" for code in sorted(told - known)),
        *extended.inconsistencies,
    ]
    return (None, problems) if problems else (extended, ())


def _contradicted(cog: Cog, pairs: pl.DataFrame, target: int) -> pl.DataFrame:
    """The pairs that no known event explains, from a commune still there or to another département."""
    source, cible = nw.col("code_source"), nw.col("code_cible")
    still = source.is_in(sorted(cog.codes(target)))
    away = departement_of_commune(source) != departement_of_commune(cible)
    doubtful = nw.from_native(pairs).filter(source != cible, still | away).to_native()
    vintages = {None, *(one for one in doubtful["vintage"].unique() if one in cog.vintages and one <= target)}
    for vintage in vintages if doubtful.height else ():
        doubtful = doubtful.join(cog.passage(vintage, target), on=["code_source", "code_cible"], how="anti")
    return doubtful


def _too_few(cog: Cog, codes: pl.Series) -> str:
    """In words, that populations lack too many of the communes of their geography; nothing where they do not."""
    vintage, _ = cog.likely_vintage(codes)
    communes = {code for code in cog.codes(vintage) if not code.startswith(COLLECTIVITIES)}
    known = len(communes.intersection(codes))
    if known >= _ENOUGH * len(communes):
        return ""
    return f"it has the population of only {known} of the {len(communes)} communes of {vintage}"


def _some(words: Sequence[str]) -> str:
    more = len(words) - _TOLD
    return "; ".join(words[:_TOLD]) + (f"; and {more} more" if more > 0 else "")


def _period(entry: Entry) -> str:
    return entry.key.rpartition("/")[2].removesuffix(".parquet")


def _source(storage: Storage, entry: Entry) -> dict[str, str]:
    *_, table, period = entry.key.removesuffix(".parquet").split("/")
    try:
        document = json.loads(storage.read(layout.table_document_key(THEME, Layer.SILVER, table, period)))
    except KeyError:  # published, but not yet told of
        document = {"synthetic": False}
    return {
        "table": f"{THEME}/{Layer.SILVER}/{table}",
        "period": period,
        "etag": entry.etag,
        "synthetic": str(document["synthetic"]).lower(),
    }


def _as_insee_lists(communes: pl.DataFrame) -> pl.DataFrame:
    """The silver table of communes in the layout of Insee's list."""
    return communes.select(
        TYPECOM="type",
        COM="code_commune",
        REG="code_region",
        DEP="code_departement",
        LIBELLE="libelle",
        COMPARENT="code_parent",
    ).sort("TYPECOM", "COM")


def _pairs(passage: pl.DataFrame) -> pl.DataFrame:
    """The silver passage table as the COG has it, without arrondissements, which are no communes."""
    pairs = passage.select(
        vintage=pl.col("millesime_avant").cast(pl.Int64),
        target=pl.col("millesime").cast(pl.Int64),
        code_source="code_avant",
        code_cible="code_apres",
    )
    return pairs.filter(~pl.col("code_source").is_in(list(COMMUNE_OF))).sort(pl.all())


def _populations(storage: Storage, edition: Edition, held: Mapping[int, Entry]) -> Populations:
    name = f"{THEME}/{Layer.SILVER}/{POPULATION}"
    told = [
        _in_target(edition, _read(storage, entry), name)
        for year, entry in held.items()
        if (POPULATION, year) not in edition.left_aside
    ]
    known = [_in_target(edition, year, BUILT_IN) for _, year in Cog.builtin().populations.group_by("annee")]
    # A commune is the lake's where the lake has all of it, else the edition's, else of the lake all the same.
    ranked = [*(year.filter("whole") for year in told), *known, *told]
    key = ["code_commune", "annee"]
    table = pl.concat(ranked).drop("whole").unique(key, keep="first", maintain_order=True).sort(key)
    return Populations(table=table, version=_version(table))


def _in_target(edition: Edition, table: pl.DataFrame, source: str) -> pl.DataFrame:
    """One year's populations in the communes of the target vintage, and whether every part of the commune has one."""
    rows = table.select("code_commune", pl.col("annee").cast(pl.Int64), pl.col("population").cast(pl.Float64))
    vintage, _ = edition.cog.likely_vintage(rows["code_commune"])
    once = without_double_count(nw.from_native(rows.lazy()), "code_commune")
    stated = vintage if vintage <= edition.target else None
    carried = edition.cog.carry(once, vintage=stated, target=edition.target).to_native()
    counted = pl.col("population") * pl.col("part")
    return cast(
        "pl.DataFrame",
        carried.filter(pl.col("code_commune_cible").is_not_null())
        .group_by(code_commune="code_commune_cible", annee="annee")
        .agg(population=pl.when(counted.is_not_null().all()).then(counted.sum()))
        .with_columns(
            source=pl.lit(source),
            whole=pl.col("population").is_not_null()
            & ~pl.col("code_commune").is_in(_in_parts(edition, rows["code_commune"], stated)),
        )
        .collect(),
    )


def _in_parts(edition: Edition, codes: pl.Series, vintage: int | None) -> list[str]:
    """The communes of the target vintage of which these codes of an older vintage are not all."""
    if vintage is None:
        return []
    there = set(codes)
    there |= set(COMMUNE_OF.values()) - {city for part, city in COMMUNE_OF.items() if part not in there}
    passage = edition.cog.passage(vintage, edition.target)
    return passage.filter(~pl.col("code_source").is_in(sorted(there)))["code_cible"].unique().to_list()
