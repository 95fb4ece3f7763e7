"""Judges a finished table before anybody can read it: one result per rule, all of them in one pass."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

import narwhals as nw
import polars as pl

from elexxion_assets.declare import Column, Frame, Kind, Layer, Rule, Table
from elexxion_assets.declare.once import different
from elexxion_assets.geography import Cog
from elexxion_assets.geography.plm import COMMUNE_OF
from elexxion_assets.quality import contract, profile

EXAMPLES = 5

SCHEMA = "schema"
NOT_EMPTY = "not_empty"
UNIQUE_KEY = "unique_key"
REQUIRED_VALUES = "required_values"
WELL_FORMED = "well_formed"
KNOWN_VALUES = "known_values"
WITHIN_BOUNDS = "within_bounds"
KNOWN_COMMUNES = "known_communes"
POPULATION = "population_of_reference"
READABLE_TEXT = "readable_text"
CONSERVATION = "conservation"
TOTALS = "totals"
VOLUME = "volume"
COVERAGE = "coverage"
DRIFT = "drift"
REVISIONS = "revisions"
RESCUED = "rescued_values"

STANDARD = {
    SCHEMA: "The columns and their types are the declared ones.",
    NOT_EMPTY: "The table holds rows.",
    UNIQUE_KEY: "No two rows have the same key.",
    REQUIRED_VALUES: "No required column lacks a value.",
    WELL_FORMED: "Every code has the form of its column.",
    KNOWN_VALUES: "Every value of a listed kind is in the list of its column.",
    WITHIN_BOUNDS: "Every number lies within the bounds of its column.",
    KNOWN_COMMUNES: "Every commune exists in the Code officiel géographique.",
    POPULATION: "In hardly any commune are numbers of people far from its population of reference.",
    READABLE_TEXT: "No text shows the marks of a wrong encoding.",
    CONSERVATION: "Every source line is in the table, in quarantine or in an older release.",
    TOTALS: "The sums of counts are those of the tables that this one is made from.",
    VOLUME: "Hardly fewer rows than in the release before and in the period before.",
    COVERAGE: "No département and hardly any commune of the release and the period before is missing.",
    DRIFT: "Values and missing values are spread as in the release and the period before.",
    REVISIONS: "The release before is hardly revised.",
    RESCUED: "No line of an official file holds more than its columns take; what it holds is in `_rescued`.",
}
"""Checks that tables have beside their own rules."""

_OF_ONE_TEXT = {WELL_FORMED, KNOWN_VALUES, KNOWN_COMMUNES, READABLE_TEXT}
"""Those whose rules each speak of one column of texts: what is right for a text is right for all rows that have it."""

WARNINGS = {POPULATION, READABLE_TEXT, VOLUME, COVERAGE, DRIFT, REVISIONS, RESCUED}
"""Statistical ones: they never keep a table from being published."""

_DAMAGED = "\ufffd|Ã[\u0080-\u00bf]|â€"
"""What UTF-8 read as another encoding, or another one read as UTF-8, leaves behind."""

_POLLING_ABROAD_AND_WALLIS = r"^(?:ZZ[0-9]{3}|98601)$"
"""Units of the ministry of the Interior that the COG does not have."""

_NONE: Mapping[str, int] = MappingProxyType({})

_SMALL = 200
"""Inhabitants below which the share of the people that are counted says nothing."""

_FEW = 0.01
"""Share of the rows in which numbers of people may be far from the population of reference."""


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """What one check found in one table for one period.

    Attributes:
        name: Name of the check.
        passed: Whether the rule holds.
        blocking: Whether the table may not be replaced when it does not.
        description: The rule, in words.
        broken: Number of rows that break it.
        rows: Number of rows looked at.
        examples: Up to five of the broken rows, or what was found in words.
        columns: Broken rows by column, where the rule speaks of several.
        has_rows: Whether the broken rows can be listed (`elexxion broken`).
    """

    name: str
    passed: bool
    blocking: bool
    description: str
    broken: int = 0
    rows: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)
    columns: dict[str, int] = field(default_factory=dict)
    has_rows: bool = False

    def as_json(self) -> dict[str, Any]:
        """The result as plain values."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class RowCheck:
    """A rule on rows.

    Attributes:
        name: Name of the check.
        description: The rule, in words.
        blocking: Whether a broken rule keeps the table from being replaced.
        broken: Gives, by column (or under the name of the rule), the expression that is true for the rows that break
            it. A function, for some are long: the codes of all communes.
        allowed: Share of the rows that may break it.
        whole: Whether the expressions are aggregates: they speak of the table and of no row.
    """

    name: str
    description: str
    blocking: bool
    broken: Callable[[], dict[str, nw.Expr | pl.Expr]]
    allowed: float = 0.0
    whole: bool = False


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What was found in one pass over a staged table.

    Attributes:
        rows: Number of rows.
        results: One result per check of `check_names` that needs nothing but the table.
        profile: How its values are spread, see `quality.profile`; empty when the schema is wrong.
    """

    rows: int
    results: list[CheckResult]
    profile: dict[str, Any]


def check_names(table: Table) -> dict[str, tuple[str, bool]]:
    """Name of every check of a table, with its description and whether it blocks."""
    standard = [SCHEMA] if table.may_be_empty else [SCHEMA, NOT_EMPTY]
    names = {name: (STANDARD[name], name not in WARNINGS) for name in [*standard, UNIQUE_KEY]}
    names |= {check.name: (check.description, check.blocking) for check in row_checks(table)}
    # What models are shown follows from other tables: each of their releases revises it.
    others = [VOLUME] if table.layer in (Layer.PLATINUM, Layer.MODEL) else [VOLUME, REVISIONS]
    if table.layer is Layer.SILVER and len(table.inputs) == 1:
        others.append(CONSERVATION)
    if table.totals is not None:
        others.append(TOTALS)
    if table.layer is not Layer.PLATINUM:
        others.append(DRIFT)
        if profile.place_of(table) is not None:
            others.append(COVERAGE)
    return names | {name: (STANDARD[name], name not in WARNINGS) for name in others}


def row_checks(table: Table, communes: Mapping[str, int] = _NONE) -> list[RowCheck]:
    """The rules of a table's columns and its own. Columns that share one kind of rule share one check.

    Args:
        table: The declaration.
        communes: Codes of the communes that there are, each with its newest population of reference, 0 where none is
            known; by default those of the newest vintage of the built-in COG.
    """
    return [
        *_of_columns(table),
        *_texts(table.columns),
        *_communes(table, communes),
        *_people(table, communes),
        *(_own_rules(table)),
        *_rescued(table),
    ]


def _of_columns(table: Table) -> list[RowCheck]:
    """One check per kind of rule, whose result counts by column: the orchestrator pays for every check it notes."""
    kinds = {
        REQUIRED_VALUES: ([c for c in table.columns if c.required], _missing),
        WELL_FORMED: ([c for c in table.columns if c.kind is Kind.TEXT and c.pattern is not None], _malformed),
        KNOWN_VALUES: ([c for c in table.columns if c.isin is not None], _unknown),
        WITHIN_BOUNDS: ([c for c in table.columns if c.ge is not None or c.le is not None], _outside),
    }
    return [
        RowCheck(name=name, description=STANDARD[name], blocking=True, broken=partial(_each, columns, broken))
        for name, (columns, broken) in kinds.items()
        if columns
    ]


def _texts(columns: Sequence[Column]) -> list[RowCheck]:
    free = [c for c in columns if c.kind is Kind.TEXT and c.pattern is None and c.isin is None]
    if not free:
        return []
    words = STANDARD[READABLE_TEXT]
    return [RowCheck(name=READABLE_TEXT, description=words, blocking=False, broken=partial(_damaged, free))]


def _communes(table: Table, communes: Mapping[str, int]) -> list[RowCheck]:
    """Whether the communes in which figures count are communes: those that a dataset's geography has carried."""
    names = {column.name for column in table.columns}
    silver = table.layer is Layer.SILVER
    name = "code_commune_cible" if silver else "code_commune"
    has_its_own_vintage = "millesime" in names
    if name not in names or has_its_own_vintage or table.layer is Layer.PLATINUM:
        return []
    words = STANDARD[KNOWN_COMMUNES]
    # A theme may leave codes as they are published: only what the geography has carried is sure to be there.
    broken = partial(_no_commune, name, communes)
    return [RowCheck(name=KNOWN_COMMUNES, description=words, blocking=silver, broken=broken)]


def _people(table: Table, communes: Mapping[str, int]) -> list[RowCheck]:
    """Whether the people that gold counts in communes are about as many as live there by the reference."""
    columns = [column for column in table.columns if column.of_population is not None]
    if table.layer is not Layer.GOLD or not columns or all(column.name != "code_commune" for column in table.columns):
        return []
    broken = partial(_far_from_population, columns, communes)
    words = STANDARD[POPULATION]
    return [RowCheck(name=POPULATION, description=words, blocking=False, broken=broken, allowed=_FEW)]


def _own_rules(table: Table) -> list[RowCheck]:
    return [
        RowCheck(
            name=rule.name,
            description=rule.description,
            blocking=rule.blocking,
            broken=partial(_own, rule),
            allowed=rule.allowed,
            whole=rule.whole,
        )
        for rule in table.rules
    ]


def _rescued(table: Table) -> list[RowCheck]:
    """Whether the lines behind a silver table hold more than its columns."""
    if table.layer is not Layer.SILVER:
        return []
    return [RowCheck(name=RESCUED, description=STANDARD[RESCUED], blocking=False, broken=_has_rescued)]


def _has_rescued() -> dict[str, nw.Expr | pl.Expr]:
    return {contract.RESCUED: ~nw.col(contract.RESCUED).is_null()}


def _each(columns: Sequence[Column], broken: Callable[[Column], nw.Expr]) -> dict[str, nw.Expr | pl.Expr]:
    return {column.name: broken(column) for column in columns}


def _missing(column: Column) -> nw.Expr:
    return nw.col(column.name).is_null()


def _unknown(column: Column) -> nw.Expr:
    value = nw.col(column.name)
    return ~value.is_null() & ~value.is_in(list(column.isin or ()))


def _malformed(column: Column) -> nw.Expr:
    return ~nw.col(column.name).str.contains(f"^(?:{column.pattern})$")


def _outside(column: Column) -> nw.Expr:
    value = nw.col(column.name)
    low = [value < column.ge] if column.ge is not None else []
    high = [value > column.le] if column.le is not None else []
    return nw.any_horizontal(*low, *high, ignore_nulls=True)


def _damaged(columns: Sequence[Column]) -> dict[str, nw.Expr | pl.Expr]:
    return {column.name: nw.col(column.name).str.contains(_DAMAGED) for column in columns}


def _far_from_population(columns: Sequence[Column], communes: Mapping[str, int]) -> dict[str, nw.Expr | pl.Expr]:
    known = {code: people for code, people in (communes or _built_in()).items() if people >= _SMALL}
    people = pl.col("code_commune").replace_strict(known, default=None, return_dtype=pl.Int64)
    bounds = {column.name: column.of_population or (0, 0) for column in columns}
    return {
        name: (pl.col(name) < people * least) | (pl.col(name) > people * most) for name, (least, most) in bounds.items()
    }


def _built_in() -> Mapping[str, int]:
    return Cog.builtin().inhabitants(Cog.builtin().newest)


def _no_commune(name: str, communes: Mapping[str, int]) -> dict[str, nw.Expr | pl.Expr]:
    known = communes or _built_in()
    value = nw.col(name)
    known_here = value.is_in([*known, *COMMUNE_OF]) | value.str.contains(_POLLING_ABROAD_AND_WALLIS)
    return {name: ~value.is_null() & ~known_here}


def _own(rule: Rule) -> dict[str, nw.Expr | pl.Expr]:
    if rule.broken is not None:
        return {rule.name: rule.broken}
    return {rule.name: ~pl.sql_expr(rule.holds)}


def _schema_problem(table: Table, frame: pl.LazyFrame, provenance: Sequence[str]) -> str | None:
    """How the names, the order or the types of the columns differ from the declared ones, or None."""
    wanted = {column.name: column.kind.dtype for column in table.columns}
    wanted |= {name: nw.Int64() if name == "_line" else nw.String() for name in provenance}
    found = dict(nw.from_native(frame).collect_schema())
    return None if list(found.items()) == list(wanted.items()) else f"expected {wanted}, found {found}"


def examples(table: Table, rows: pl.LazyFrame, limit: int = EXAMPLES) -> list[dict[str, Any]]:
    """A few rows for people, without personal data."""
    known = rows.collect_schema().names()
    masks = masks_of(table.columns, known)
    if any(column.personal for column in table.columns):
        # Cells may have slid, and free text takes whatever comes.
        masks += [_hidden(column.name) for column in table.columns if column.name in known and _is_free(table, column)]
    found = nw.from_native(rows.head(limit))
    return (found.with_columns(*masks) if masks else found).collect().rows(named=True)


def _is_free(table: Table, column: Column) -> bool:
    """Whether a column, not masked by itself and not of the key, may hold any text."""
    closed = column.pattern or column.isin or column.personal or column.name in table.key
    return column.kind is Kind.TEXT and not closed


def masks_of(columns: Sequence[Column], known: Collection[str]) -> list[nw.Expr]:
    """How the personal values of a table's rows are shown, for those of its columns that are there."""
    masks = [masked(column) for column in columns if column.personal and column.name in known]
    if contract.RESCUED in known and any(column.personal for column in columns):
        # What a file of persons holds beyond its columns may be anything.
        masks.append(_hidden(contract.RESCUED))
    return masks


def masked(column: Column) -> nw.Expr:
    """A personal value as it is shown: that there is one, never what it is."""
    return _hidden(column.name)


def _hidden(name: str) -> nw.Expr:
    return nw.when(~nw.col(name).is_null()).then(nw.lit("***")).alias(name)


def broken_rows(
    table: Table, frame: pl.LazyFrame, name: str, communes: Mapping[str, int] = _NONE
) -> pl.LazyFrame | None:
    """The rows of a table that break a check, in order; None for a check that speaks of no row."""
    if name == UNIQUE_KEY:
        again = _same_key_as_before(table)
        return frame.filter(again | again.shift(-1).fill_null(value=False))
    check = next((check for check in row_checks(table, communes) if check.name == name), None)
    return None if check is None or check.whole else _rows_that_break(frame, check)


def _rows_that_break(frame: pl.LazyFrame, check: RowCheck) -> pl.LazyFrame:
    marks = list(check.broken().values())
    native = [mark for mark in marks if isinstance(mark, pl.Expr)]
    general = [mark for mark in marks if not isinstance(mark, pl.Expr)]
    if native:
        return frame.filter(pl.any_horizontal(native))
    found: pl.LazyFrame = nw.from_native(frame).filter(nw.any_horizontal(*general, ignore_nulls=True)).to_native()
    return found


def _same_key_as_before(table: Table) -> pl.Expr:
    """True for a row with the key of the row before: the table is sorted by it."""
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift(1)) for name in table.key)
    return same & (pl.int_range(pl.len()) > 0)


def judge(
    table: Table,
    frame: pl.LazyFrame,
    provenance: Sequence[str] = (),
    communes: Mapping[str, int] = _NONE,
    cluster: Frame | None = None,
) -> Judgement:
    """Applies every check that needs nothing but the table itself, and takes its profile, in one pass.

    Args:
        table: The declaration.
        frame: The rows, as they would be published, sorted by the key.
        provenance: Columns that come after the declared ones.
        communes: See `row_checks`.
        cluster: The declared columns of the same rows where another engine counts what is broken; a sample of the
            values, rules in SQL and examples are taken from `frame`.

    Returns:
        Rows, results and profile. Where the schema is wrong, nothing else is looked at.
    """
    problem = _schema_problem(table, frame, provenance)
    schema = CheckResult(
        name=SCHEMA,
        passed=problem is None,
        blocking=True,
        description=STANDARD[SCHEMA],
        broken=0 if problem is None else 1,
        examples=[] if problem is None else [{"problem": problem}],
    )
    if problem is not None:
        return Judgement(rows=0, results=[schema], profile={})

    checks = [c for c in row_checks(table, communes) if c.name != RESCUED or contract.RESCUED in provenance]
    counted, found_profile = (
        _one_pass(table, frame, checks) if cluster is None else _apart(table, frame, checks, cluster)
    )
    rows = int(counted["rows"])
    results = [schema]
    if not table.may_be_empty:
        results.append(
            CheckResult(
                name=NOT_EMPTY,
                passed=rows > 0,
                blocking=True,
                description=STANDARD[NOT_EMPTY],
                broken=int(rows == 0),
                rows=rows,
            )
        )
    copies = int(counted["copies"] or 0)
    unique = RowCheck(name=UNIQUE_KEY, description=STANDARD[UNIQUE_KEY], blocking=True, broken=dict)
    doubles = broken_rows(table, frame, UNIQUE_KEY) if copies else None
    results.append(_result(table, unique, {}, copies, rows, doubles))
    for position, check in enumerate(checks):
        columns = {name: int(counted[f"{position}/{name}"] or 0) for name in check.broken()}
        broken = int(counted[f"{position}"] or 0)
        shown = _rows_that_break(frame, check) if broken and not check.whole else None
        results.append(_result(table, check, columns, broken, rows, shown))
    return Judgement(rows=rows, results=results, profile=found_profile)


def _one_pass(
    table: Table, frame: pl.LazyFrame, checks: Sequence[RowCheck]
) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """Counts broken rows by check and column, copies of keys, and what the profile needs."""
    general: list[nw.Expr] = []
    texts = different(frame, {name for check in checks if check.name in _OF_ONE_TEXT for name in check.broken()})
    wanted: list[pl.Expr] = [pl.len().alias("rows"), _same_key_as_before(table).sum().alias("copies")]
    for position, check in enumerate(checks):
        marks: list[pl.Expr] = []
        for name, broken in check.broken().items():
            label = f"{position}/{name}"
            mark = broken if isinstance(broken, pl.Expr) else pl.col(label)
            if isinstance(broken, nw.Expr):
                if check.name in _OF_ONE_TEXT and not _is_true_of_any(texts.get(name), broken):
                    mark = pl.lit(value=False)
                else:
                    general.append(broken.alias(label))
            marks.append(mark)
            wanted.append((mark.cast(pl.Int64) if check.whole else mark.sum()).alias(label))
        together = marks[0] if len(marks) == 1 else pl.any_horizontal(marks)
        wanted.append((together.cast(pl.Int64) if check.whole else together.sum()).alias(f"{position}"))
    rows: pl.LazyFrame = nw.from_native(frame).with_columns(*general).to_native() if general else frame
    if table.layer is Layer.PLATINUM:
        [counted] = rows.select(wanted).collect(engine="streaming").to_dicts()
        return counted, {}
    counts, sample, places = pl.collect_all(
        [rows.select(*wanted, *profile.exact(table)), profile.sample(table, frame), profile.places(table, frame)],
        engine="streaming",
    )
    [counted] = counts.to_dicts()
    return counted, profile.made(table, counted, sample, places)


def _is_true_of_any(texts: pl.Series | None, mark: nw.Expr) -> bool:
    """Whether a rule of a column of texts is broken by any of them; it may be where they are not known."""
    return texts is None or bool(nw.from_native(texts.to_frame()).select(_any=mark)["_any"].any())


def _apart(
    table: Table, frame: pl.LazyFrame, checks: Sequence[RowCheck], cluster: Frame
) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """What `_one_pass` gives, counted by another engine but for what only this one can say."""
    marks: dict[str, nw.Expr] = {}
    here: list[pl.Expr] = [pl.len().alias("rows")]
    counted: dict[str, Any] = {}
    for position, check in enumerate(checks):
        broken = check.broken()
        general = {name: mark for name, mark in broken.items() if isinstance(mark, nw.Expr)}
        if check.name == KNOWN_COMMUNES:
            # The list of all communes is judged against the few codes that there are, not sent with the question.
            [(name, mark)] = general.items()
            codes = cluster.group_by(name).agg(nw.len().alias("_times")).collect("polars")
            lost = codes.filter(mark)["_times"].sum()
            counted |= {f"{position}/{name}": lost, f"{position}": lost}
        elif check.name == RESCUED or len(general) < len(broken):
            # Rules that Polars has read or knows alone, and what is joined to the rows here.
            told = {
                name: rule if isinstance(rule, pl.Expr) else pl.col(contract.RESCUED).is_not_null()
                for name, rule in broken.items()
            }
            told[""] = pl.any_horizontal(*told.values()) if len(told) > 1 else next(iter(told.values()))
            here += [
                (rule.cast(pl.Int64) if check.whole else rule.sum()).alias(f"{position}/{name}".removesuffix("/"))
                for name, rule in told.items()
            ]
        else:
            marks |= {f"{position}/{name}": mark for name, mark in general.items()}
            marks[f"{position}"] = nw.any_horizontal(*general.values(), ignore_nulls=True)
    # Marks first: one may look at other rows, and Spark counts nothing of the kind inside a sum.
    marked = cluster.with_columns(*(mark.cast(nw.Int64()).alias(label) for label, mark in marks.items()))
    is_platinum = table.layer is Layer.PLATINUM
    wanted = [nw.len().alias("rows"), *(nw.col(label).sum() for label in marks)]
    wanted += [] if is_platinum else profile.exact(table, nw.col)
    [found] = marked.select(*wanted).collect("polars").rows(named=True)
    keys = cluster.group_by(*table.key).agg(nw.len().alias("_times"))
    [[copies]] = keys.select((nw.col("_times") - 1).sum()).collect("polars").rows()
    counted |= {**found, "copies": copies}
    [said] = frame.select(here).collect(engine="streaming").to_dicts()
    if said.pop("rows") != counted["rows"]:
        raise ValueError(f"{table.name}: the driver has not got the {counted['rows']} rows that the cluster has made")
    counted |= said
    if is_platinum:
        return counted, {}
    sample, places = pl.collect_all([profile.sample(table, frame), profile.places(table, frame)], engine="streaming")
    return counted, profile.made(table, counted, sample, places)


def _result(
    table: Table, check: RowCheck, columns: Mapping[str, int], broken: int, rows: int, shown: pl.LazyFrame | None
) -> CheckResult:
    return CheckResult(
        name=check.name,
        passed=broken <= check.allowed * rows,
        blocking=check.blocking,
        description=check.description,
        broken=broken,
        rows=rows,
        examples=examples(table, shown) if shown is not None else [],
        columns={name: count for name, count in columns.items() if count and name != check.name},
        has_rows=shown is not None,
    )
