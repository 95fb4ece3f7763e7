"""The Code officiel géographique over its vintages, and the carrying of tables from one to another."""

from __future__ import annotations

import dataclasses
import gzip
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from importlib.resources import files
from types import MappingProxyType

import narwhals as nw
import polars as pl

from elexxion_assets.declare import Frame, numbered
from elexxion_assets.declare.frames import beside
from elexxion_assets.declare.once import Prepared
from elexxion_assets.geography import insee, passage
from elexxion_assets.geography.passage import FIRST_VINTAGE, Motif, Movement, Part, Step
from elexxion_assets.geography.plm import COMMUNE_OF, Level

ABROAD = r"ZZ\w{3}|99\d{3}"
"""Consular posts in the ministry's files, foreign countries in INSEE's: no communes, kept as they are."""

MAYOTTE = {f"985{number:02}": f"976{number:02}" for number in range(1, 18)}
"""Mayotte's communes while it was the collectivity 985, until 31 March 2011: same numbers."""

HEIRS: dict[str, tuple[str, ...]] = {
    # Communes gone before Corsica, Seine-et-Oise and others got their codes of today, written with them afterwards.
    "01220": ("01185",),
    "2A237": ("2A308",),
    "2A294": ("2A308",),
    "2A325": ("2A249",),
    "2B044": ("2B063",),
    "2B076": ("2B167",),
    "2B151": ("2B167",),
    "54448": ("54518",),
    "54454": ("54316",),
    "66131": ("66003",),
    "91221": ("91174",),
    "95025": ("95355",),
    "95065": ("95355",),
    # An associated commune that went with Nonsard when Madine was divided in 1983.
    "55273": ("55386",),
    # Wallis-et-Futuna as one unit, in elections.
    "98601": ("98611", "98612", "98613"),
}
"""Codes in use that no movement explains. Source but for the last: Insee, table de passage historique."""

TABLES_KEPT = 32

COLLECTIVITIES = ("975", "977", "978", "98")
"""Overseas collectivities, which INSEE publishes in a list of their own and whose movements it does not."""

_COLLECTIVITIES = f"^(?:{'|'.join(COLLECTIVITIES)})"

PASSAGE_SCHEMA = {"code_source": pl.String, "code_cible": pl.String, "part": pl.Float64, "motif": pl.String}


@dataclass(frozen=True, eq=False)
class Cog:
    """Communes of one vintage and all movements that led to them.

    Vintage Y is the list of communes on 1 January Y. Frames are small and in memory; everything derived from them is
    worked out when first asked for, and kept.

    Attributes:
        newest: Vintage of `communes`.
        communes: `code_commune, libelle, code_departement, code_region` of the newest vintage, overseas
            collectivities included (their département and région are 975, 977, ...).
        movements: `date_effet, mod, code_avant, code_apres`: movements from commune to commune; `mod` as INSEE has it.
        subdivisions: `type, code, libelle, code_commune`: delegated (COMD) and associated (COMA) communes of the newest
            vintage, municipal arrondissements (ARM).
        populations: `code_commune, annee, population`: reference populations (population municipale), by which splits
            are shared; years may be few.
        departements: `code_departement, code_region, chef_lieu, libelle`.
        regions: `code_region, chef_lieu, libelle`.
        former: `code_commune, libelle`: names of the communes that are no more.
        tables: `vintage, target, code_source, code_cible`: official passage tables, which win over the movements; a
            null vintage means any.
    """

    newest: int
    communes: pl.DataFrame
    movements: pl.DataFrame
    subdivisions: pl.DataFrame
    populations: pl.DataFrame
    departements: pl.DataFrame
    regions: pl.DataFrame
    former: pl.DataFrame
    tables: pl.DataFrame = dataclasses.field(
        default_factory=lambda: pl.DataFrame(
            schema={"vintage": pl.Int64, "target": pl.Int64, "code_source": pl.String, "code_cible": pl.String}
        )
    )

    @staticmethod
    @cache
    def builtin() -> Cog:
        """The edition that comes with the package: COG 2026, movements since 1943, populations of 2016 and 2023.

        Source: Insee, Code officiel géographique and populations de référence, Licence Ouverte 2.0, by the npm packages
        `@etalab/decoupage-administratif`; how it is made: `build_edition`.
        """
        everything = _read("communes.csv.gz")
        kind = everything["type"]
        current = everything.filter(kind == "COM")
        year_columns = [name for name in everything.columns if name.startswith("population_")]
        return Cog(
            newest=2026,
            communes=current.select(pl.col("code").alias("code_commune"), "libelle", "code_departement", "code_region"),
            movements=_read("mouvements.csv.gz").select(
                pl.col("date_effet").str.to_date(), pl.col("mod").cast(pl.Int64), "code_avant", "code_apres"
            ),
            subdivisions=everything.filter(kind.is_in(["COMD", "COMA", "ARM"])).select(
                "type", "code", "libelle", pl.col("code_parent").alias("code_commune")
            ),
            populations=everything.unpivot(year_columns, index="code", variable_name="annee", value_name="population")
            .drop_nulls("population")
            .select(
                pl.col("code").alias("code_commune"),
                pl.col("annee").str.strip_prefix("population_").cast(pl.Int64),
                pl.col("population").cast(pl.Int64),
            ),
            departements=_read("departements.csv"),
            regions=_read("regions.csv"),
            former=everything.filter(kind == "ANC").select(pl.col("code").alias("code_commune"), "libelle"),
        )

    def extended(
        self,
        *,
        communes: pl.DataFrame | None = None,
        vintage: int | None = None,
        movements: pl.DataFrame | None = None,
        table: pl.DataFrame | None = None,
        populations: pl.DataFrame | None = None,
    ) -> Cog:
        """This COG with INSEE's own files in place of what it knew.

        Args:
            communes: A list of communes, as text (`insee.read_communes`), with its `vintage`. One that is newer than
                this COG becomes the newest vintage; without movements up to it, they are worked out from the delegated
                and associated communes. One of the newest vintage takes its place. An older one changes nothing:
                compare it with `disagreements`.
            vintage: Vintage of `communes`, or the target of a `DEPCOM_HIST, DEPCOM` table (by default the vintage
                that it fits best).
            movements: A file of events, as text (`insee.read_movements`): replaces the movements from its first to
                its last day.
            table: A passage table, as text (`insee.read_passage`): wins over the movements for its target vintage.
            populations: `code_commune, annee, population`: replaces the populations of its years.

        Returns:
            Another COG; look at its `inconsistencies`.

        Raises:
            Refusal: If a file has not INSEE's layout.
            ValueError: If communes come without vintage, or what became of some codes cannot be told.
        """
        result = self
        if movements is not None:
            result = dataclasses.replace(result, movements=self._with_movements(insee.read_movements(movements)))
        if communes is not None:
            if vintage is None:
                raise ValueError("a list of communes does not say its vintage: give it")
            result = result._with_communes(communes, vintage)
        if table is not None:
            if "DEPCOM" in (name.upper() for name in table.columns) and vintage is None:
                vintage = result.likely_vintage(table.rename(str.upper)["DEPCOM"].drop_nulls())[0]
            result = dataclasses.replace(result, tables=pl.concat([result.tables, insee.read_passage(table, vintage)]))
        if populations is not None:
            years = populations["annee"].unique()
            kept = result.populations.filter(~pl.col("annee").is_in(years.implode()))
            new = populations.select(kept.columns).cast(kept.schema)
            result = dataclasses.replace(result, populations=pl.concat([kept, new]))
        return result

    def disagreements(self, communes: pl.DataFrame, vintage: int) -> list[str]:
        """Where INSEE's list of communes of a vintage differs from what is known here of that vintage, in words."""
        listed = set(insee.read_communes(communes)[0]["code_commune"])
        known = {code for code in self.codes(vintage) if not code.startswith(COLLECTIVITIES)}
        listed = {code for code in listed if not code.startswith(COLLECTIVITIES)}
        return [f"{code} is in the list of {vintage} but not here" for code in sorted(listed - known)] + [
            f"{code} is here in {vintage} but not in the list" for code in sorted(known - listed)
        ]

    @property
    def vintages(self) -> range:
        """Every vintage that can be a source or a target."""
        return range(FIRST_VINTAGE, self.newest + 1)

    def exists(self, code: str, vintage: int) -> bool:
        """Whether a commune has that code on 1 January of that year."""
        self._check(vintage)
        return any(first <= vintage < end for first, end in self._lifetimes.get(code, ()))

    def codes(self, vintage: int) -> frozenset[str]:
        """The codes of all communes of a vintage, overseas collectivities included, arrondissements not."""
        return self._codes(self._check(vintage))

    def inhabitants(self, vintage: int) -> Mapping[str, int]:
        """The newest population known of every commune of `codes`, 0 where none is."""
        self._check(vintage)
        if vintage not in self._inhabitants:
            years = [self._known_populations[year] for year in sorted(self._known_populations, reverse=True)]
            people = {code: next((year[code] for year in years if code in year), 0) for code in self.codes(vintage)}
            self._inhabitants[vintage] = MappingProxyType(people)
        return self._inhabitants[vintage]

    @property
    def inconsistencies(self) -> list[str]:
        """Where communes and movements do not add up, in words; empty for the built-in edition."""
        return self._spans[1]

    def likely_vintage(self, codes: Iterable[str]) -> tuple[int, int]:
        """The vintage a table is in: the newest of those that know most of its codes.

        Args:
            codes: Commune codes of a table that says nothing of its vintage.

        Returns:
            The vintage, and how many of the codes (each counted once) it does not know.
        """
        distinct = set(codes)
        gains = [0] * (self.newest + 2 - FIRST_VINTAGE)
        for code in distinct:
            for first, end in self._lifetimes.get(code, ()):
                gains[first - FIRST_VINTAGE] += 1
                gains[end - FIRST_VINTAGE] -= 1
        best, known, running = self.newest, -1, 0
        for vintage in self.vintages:
            running += gains[vintage - FIRST_VINTAGE]
            if running >= known:
                best, known = vintage, running
        return best, len(distinct) - known

    def vintage_of(self, communes: Iterable[str]) -> int | None:
        """The vintage whose communes are exactly these, the newest of several with the same; None where there is none.

        Municipal arrondissements and the communes of overseas collectivities do not count.
        """
        listed = {code for code in communes if code not in COMMUNE_OF and not code.startswith(COLLECTIVITIES)}
        there = {code: spans for code, spans in self._lifetimes.items() if not code.startswith(COLLECTIVITIES)}
        if not listed <= there.keys():
            return None
        # Per vintage, the communes that are there and not listed, or the other way round.
        apart = [0] * (self.newest + 2 - FIRST_VINTAGE)
        for code, spans in there.items():
            for first, end in spans:
                apart[first - FIRST_VINTAGE] += -1 if code in listed else 1
                apart[end - FIRST_VINTAGE] -= -1 if code in listed else 1
        missing = len(listed)
        found = None
        for vintage in self.vintages:
            missing += apart[vintage - FIRST_VINTAGE]
            found = vintage if missing == 0 else found
        return found

    def passage(self, vintage: int | None, target: int | None = None) -> pl.DataFrame:
        """Where the figures of every commune of a vintage go.

        Args:
            vintage: Source vintage; None for 'any': every code there ever was, each followed from the newest vintage
                (not after the target) in which it is found; delegated and associated communes and Mayotte's former
                codes too.
            target: Target vintage, by default the newest; not older than the source.

        Returns:
            `code_source, code_cible, part, motif`, sorted; `part` is the share of the source's figures that goes to the
            target, and adds up to 1 for every source.

        Raises:
            ValueError: If a vintage is unknown or the target is older than the source: a merger cannot be undone
                without knowing what each of the communes held.
        """
        target = self._check(self.newest if target is None else target)
        if vintage is not None and self._check(vintage) > target:
            raise ValueError(
                f"figures of the communes of {vintage} cannot be carried back to {target}: communes merged in between "
                f"cannot be told apart again. Choose a target vintage of {vintage} or later."
            )
        return self._kept(("passage", vintage, target), lambda: self._passage(vintage, target))

    def carry(
        self,
        frame: Frame,
        code: str = "code_commune",
        *,
        vintage: int | None = None,
        target: int | None = None,
        plm: Level = "communes",
    ) -> Frame:
        """Adds to every row the commune of the target vintage in which its figures count.

        A row of a split commune becomes several, with parts that add up to 1; a row that cannot be placed stays, with a
        null target and the reason. Sums of `value * part`, plus the values of the rows without a target, are the sums
        of before. Rates are not carried: recompute them from carried counts.

        Args:
            frame: Lazy frame, of Polars or of Spark.
            code: Column of commune codes (COG), as text.
            vintage: Vintage of the codes; None if unknown or mixed. A code that the stated vintage does not know is
                followed from the newest vintage that knows it, and says so.
            target: Target vintage, by default the newest.
            plm: Whether municipal arrondissements count in their commune or stay as they are. A table that holds both
                levels is to be filtered first: `without_double_count`.

        Returns:
            The frame with `code_commune_cible`, `part` and `motif` (the texts of `Motif`).

        Raises:
            ValueError: As `passage`; or if the frame is of another engine.
        """
        if not (frame.implementation.is_polars() or frame.implementation.is_pyspark()):
            raise ValueError(f"codes are carried on Polars and Spark frames, not on {frame.implementation}")
        target = self._check(self.newest if target is None else target)
        placement = self._kept(("placement", vintage, target, plm), lambda: self._placement(vintage, target, plm))
        if frame.implementation.is_polars():
            return _placed_in_batches(frame, code, placement)
        return _placed(frame, code, beside(frame, placement))

    @cached_property
    def _steps(self) -> list[Step]:
        return passage.steps(Movement(*row) for row in self.movements.iter_rows())

    @cached_property
    def _spans(self) -> tuple[dict[str, list[tuple[int, int]]], list[str]]:
        return passage.lifetimes(self._steps, self.communes["code_commune"], self.newest)

    @property
    def _lifetimes(self) -> dict[str, list[tuple[int, int]]]:
        return self._spans[0]

    @cached_property
    def _memory(self) -> dict[object, pl.DataFrame]:
        return {}

    @cached_property
    def _alive(self) -> dict[int, frozenset[str]]:
        return {}

    @cached_property
    def _inhabitants(self) -> dict[int, Mapping[str, int]]:
        return {}

    @cached_property
    def _known_populations(self) -> dict[int, dict[str, int]]:
        known: dict[int, dict[str, int]] = {}
        for code, year, population in self.populations.iter_rows():
            known.setdefault(year, {})[code] = population
        return known

    def _check(self, vintage: int) -> int:
        if vintage not in self.vintages:
            raise ValueError(
                f"the COG of {vintage} is not known here, only {FIRST_VINTAGE} to {self.newest}: give INSEE's files of "
                "that vintage (communes and events)"
            )
        return vintage

    def _codes(self, vintage: int) -> frozenset[str]:
        if vintage not in self._alive:
            spans = ((code, span) for code, found in self._lifetimes.items() for span in found)
            self._alive[vintage] = frozenset(code for code, (first, end) in spans if first <= vintage < end)
        return self._alive[vintage]

    def _weights(self, step: Step, among: Iterable[str]) -> dict[str, float] | None:
        return self._shares(among, step.vintage, {code: len(parents) for code, parents in step.parents.items()})

    def _shares(self, among: Iterable[str], vintage: int, parents: Mapping[str, int]) -> dict[str, float] | None:
        """Shares of communes by population, in the year nearest to a vintage in which all of them have one."""
        codes = list(among)
        for year in sorted(self._known_populations, key=lambda year: abs(year - vintage)):
            known = self._known_populations[year]
            if all(code in known for code in codes):
                weights = {code: known[code] / parents.get(code, 1) for code in codes}
                total = sum(weights.values())
                if total > 0:
                    return {code: weight / total for code, weight in weights.items()}
        return None

    def _passage(self, vintage: int | None, target: int) -> pl.DataFrame:
        alive = self.codes(target)
        parts = self._moved(vintage, target, alive)
        official = self.tables.filter(
            pl.col("target") == target,
            pl.col("vintage").is_null() if vintage is None else pl.col("vintage") == vintage,
        )
        for (source,), group in official.group_by("code_source", maintain_order=True):
            if targets := [code for code in group["code_cible"] if code in alive]:
                parts[str(source)] = self._official(str(source), targets, target)
        still = sorted((alive if vintage is None else self.codes(vintage)) - parts.keys())
        rows = [
            (source, part.target, part.share, part.motif.value) for source, found in parts.items() for part in found
        ]
        unchanged = pl.DataFrame(
            {"code_source": still, "code_cible": still}, schema_overrides=PASSAGE_SCHEMA
        ).with_columns(part=pl.lit(1.0), motif=pl.lit(Motif.UNCHANGED.value))
        moved = pl.DataFrame(rows, schema=PASSAGE_SCHEMA, orient="row")
        return pl.concat([unchanged, moved]).sort("code_source", "code_cible")

    def _with_movements(self, movements: pl.DataFrame) -> pl.DataFrame:
        days = pl.col("date_effet")
        outside = (days < movements["date_effet"].min()) | (days > movements["date_effet"].max())
        # INSEE's file says nothing of the overseas collectivities.
        ours = self.movements.filter(outside | pl.col("code_apres").str.contains(_COLLECTIVITIES))
        return pl.concat([movements, ours]).sort("date_effet", "code_avant", "code_apres")

    def _with_communes(self, frame: pl.DataFrame, vintage: int) -> Cog:
        if vintage < self.newest:
            return self
        communes, parts = insee.read_communes(frame)
        overseas = self.communes.filter(pl.col("code_commune").str.contains(_COLLECTIVITIES))
        communes = pl.concat([communes, overseas]).unique("code_commune", keep="first").sort("code_commune")
        movements = self.movements
        last = movements["date_effet"].max()
        if vintage > self.newest and (not isinstance(last, date) or passage.vintage_of(last) < vintage):
            was, now = (
                dict(table.filter(pl.col("type") != "ARM").select("code", "code_commune").iter_rows())
                for table in (self.subdivisions, parts)
            )
            before, after = set(self.communes["code_commune"]), set(communes["code_commune"])
            found, unexplained = insee.movements_between(date(vintage, 1, 1), before, after, was, now)
            if unexplained:
                some = ", ".join(unexplained[:5]) + (
                    f" and {len(unexplained) - 5} more" if len(unexplained) > 5 else ""
                )
                raise ValueError(
                    f"the list of {vintage} does not say what became of, or where from came, {some}: "
                    "give INSEE's file of events on communes of that vintage too"
                )
            new = pl.DataFrame([dataclasses.astuple(one) for one in found], schema=movements.schema, orient="row")
            movements = pl.concat([movements, new])
        gone = self.communes.join(communes, on="code_commune", how="anti").select("code_commune", "libelle")
        return dataclasses.replace(
            self,
            newest=vintage,
            communes=communes,
            movements=movements,
            subdivisions=parts,
            former=pl.concat([self.former, gone]).unique("code_commune", keep="last").sort("code_commune"),
        )

    def _moved(self, vintage: int | None, target: int, alive: frozenset[str]) -> dict[str, list[Part]]:
        """The parts of the codes of a vintage, or of all there ever were, without those that never moved."""
        if vintage is not None:
            known = self.codes(vintage)
            return passage.follow(
                self._steps, lambda step, code: step.vintage > vintage and code in known, target, self._weights
            )
        last_day = {
            code: step.day
            for step in self._steps
            if step.vintage <= target
            for code in step.targets
            if code not in alive
        }
        parts = passage.follow(self._steps, lambda step, code: last_day.get(code) == step.day, target, self._weights)
        parts |= {old: [Part(new, 1.0, Motif.RENUMBERED)] for old, new in MAYOTTE.items() if new in alive}
        parts |= {
            old: self._official(old, list(heirs), target, Motif.MERGED)
            for old, heirs in HEIRS.items()
            if alive.issuperset(heirs)
        }
        delegated = self.subdivisions.filter(pl.col("type") != "ARM").select("code", "code_commune")
        for code, commune in delegated.iter_rows():
            if commune in alive and code not in alive:
                parts.setdefault(code, [Part(commune, 1.0, Motif.DELEGATED)])
        return parts

    def _official(self, source: str, targets: list[str], target: int, motif: Motif = Motif.OFFICIAL) -> list[Part]:
        if len(targets) == 1:
            return [Part(targets[0], 1.0, Motif.UNCHANGED if targets == [source] else motif)]
        shares = self._shares(targets, target, {})
        if shares is None:
            return [Part(code, 1 / len(targets), Motif.SPLIT_EQUALLY) for code in targets]
        return [Part(code, share, Motif.SPLIT_BY_POPULATION) for code, share in shares.items()]

    def _placement(self, vintage: int | None, target: int, plm: Level) -> pl.DataFrame:
        """What `carry` joins with: `code_source, code_commune_cible, part, motif`, one or more rows per known code."""
        stated = self.passage(vintage, target)
        anywhere = self.passage(None, target).join(stated, on="code_source", how="anti")
        cities = pl.DataFrame(
            [(code, code if plm == "arrondissements" else commune) for code, commune in COMMUNE_OF.items()],
            schema=["code_source", "code_cible"],
            orient="row",
        ).with_columns(
            part=pl.lit(1.0),
            motif=pl.lit(Motif.ARRONDISSEMENT.value if plm == "communes" else Motif.UNCHANGED.value),
        )
        placed = pl.concat([stated, anywhere.with_columns(motif=pl.lit(Motif.OTHER_VINTAGE.value)), cities])
        later = pl.DataFrame({"code_source": sorted(set(self._lifetimes) - set(placed["code_source"]))}).with_columns(
            code_cible=pl.lit(None, dtype=pl.String), part=pl.lit(1.0), motif=pl.lit(Motif.LATER.value)
        )
        return pl.concat([placed, later]).rename({"code_cible": "code_commune_cible"})

    def _kept(self, key: object, make: Callable[[], pl.DataFrame]) -> pl.DataFrame:
        """A table made once; of the last few that were asked for."""
        if key not in self._memory:
            if len(self._memory) >= TABLES_KEPT:
                self._memory.pop(next(iter(self._memory)))
            self._memory[key] = make()
        return self._memory[key]


def _read(name: str) -> pl.DataFrame:
    content = files(__package__).joinpath("edition", name).read_bytes()
    return pl.read_csv(
        gzip.decompress(content) if name.endswith(".gz") else content, infer_schema=False, comment_prefix="#"
    )


def _placed(frame: Frame, code: str, placement: Frame) -> Frame:
    """See `Cog.carry`."""
    value = nw.col(code)
    abroad = value.str.contains(f"^(?:{ABROAD})$")
    joined = frame.join(placement, left_on=code, right_on="code_source", how="left")
    return joined.with_columns(
        code_commune_cible=nw.when(abroad).then(value).otherwise(nw.col("code_commune_cible")),
        part=nw.col("part").fill_null(1.0),
        motif=nw.when(value.is_null())
        .then(nw.lit(Motif.NO_CODE.value))
        .when(abroad)
        .then(nw.lit(Motif.ABROAD.value))
        .otherwise(nw.col("motif").fill_null(Motif.UNKNOWN.value)),
    )


def _placed_in_batches(frame: Frame, code: str, placement: pl.DataFrame) -> Frame:
    """The same, each code of a batch placed once: hardly any row becomes several, so that the others stay in place."""
    native: pl.LazyFrame = frame.to_native()
    given = nw.from_native(placement.lazy())
    prepared = Prepared(lambda codes: _placed(codes, code, given))

    def batch(rows: pl.DataFrame) -> pl.DataFrame:
        codes, positions = numbered(rows[code])
        placed = prepared.of(codes.alias(code).to_frame())
        if placed.height > codes.len():
            return rows.join(placed, on=code, how="left", nulls_equal=True, maintain_order="left")
        where = codes.alias(code).to_frame().join(placed, on=code, how="left", nulls_equal=True, maintain_order="left")
        return rows.hstack(where.drop(code).rechunk().select(pl.all().gather(positions)))

    schema = native.collect_schema()
    schema.update(placement.drop("code_source").schema)
    return nw.from_native(native.map_batches(batch, schema=schema, streamable=True))
