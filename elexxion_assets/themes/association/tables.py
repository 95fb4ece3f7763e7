"""The tables of associations: the register, what it counts per commune, and its history of creations.

An association is counted in the commune of the target vintage of the COG in which its seat is; silver keeps the
published code beside it. Where that commune was split since, the association counts on each side by its share (`part`):
counts are numbers, whole but there. Position A is in the stock; D left it on its day of dissolution; S (suppressed:
registered by error) and R (taken over: WALDEC has it) never count. The register of a year was taken before the year's
last day unless a snapshot of 1 January came in: `connu_jusqu_au` says how far it reaches.
"""

from __future__ import annotations

from datetime import date

import narwhals as nw

from elexxion_assets.columns import ANNEE, COMMUNE, COMMUNE_CIBLE, MOTIF, PART
from elexxion_assets.declare import Column, Frame, Kind, Layer, Rule, Table
from elexxion_assets.declare.frames import sum_in_any_order
from elexxion_assets.themes.association.datasets import (
    ANCIEN_ID,
    CODE_COMMUNE,
    CODE_POSTAL,
    DATE_CREATION,
    DATE_DECLARATION,
    DATE_DISSOLUTION,
    DATE_MAJ,
    DATE_PUBLICATION,
    GROUPEMENT,
    ID_ASSOCIATION,
    ID_REPRIS,
    LIBELLE_COMMUNE,
    MANAGER,
    MANAGER_ADDRESS,
    NATURE,
    OBJET,
    OBJET_SOCIAL1,
    POSITION,
    RNA_IMPORT,
    RNA_WALDEC,
    SIRET,
    TITRE,
)
from elexxion_assets.themes.association.objects import FAMILIES

OLDEST = 1800
"""Years of creation before this one are typing errors."""

FAMILLE = Column(
    name="famille_objet",
    kind=Kind.TEXT,
    description="Family of the main social object: the first three digits of its code",
    required=False,
    isin=tuple(family.code for family in FAMILIES),
    examples=("006", "011"),
    counter_examples=("000", "sport"),
)
FAMILLE_LIBELLE = Column(
    name="famille_objet_libelle",
    kind=Kind.TEXT,
    description="Official name of the family",
    required=False,
    isin=tuple(family.label for family in FAMILIES),
)
ORIGINE = Column(
    name="origine",
    kind=Kind.TEXT,
    description="File of the register that the row comes from",
    isin=("waldec", "import"),
)

REGISTRE_COLUMNS = (
    ID_ASSOCIATION,
    ORIGINE,
    ANCIEN_ID,
    ID_REPRIS,
    SIRET,
    TITRE,
    OBJET,
    OBJET_SOCIAL1,
    FAMILLE,
    FAMILLE_LIBELLE,
    DATE_CREATION,
    DATE_DECLARATION,
    DATE_PUBLICATION,
    DATE_DISSOLUTION,
    POSITION,
    NATURE,
    GROUPEMENT,
    CODE_COMMUNE,
    COMMUNE_CIBLE,
    PART,
    MOTIF,
    CODE_POSTAL,
    LIBELLE_COMMUNE,
    *MANAGER,
    *MANAGER_ADDRESS,
    DATE_MAJ,
)


# --- silver -----------------------------------------------------------------------------------------------------------


def registre(waldec: Frame, imported: Frame, *, period: str) -> Frame:
    """Every association once: what WALDEC holds, and of the older file what WALDEC does not hold."""
    held = waldec.select("id_association")
    held_as = held.select(nw.col("id_association").alias("id_repris"))
    older = imported.join(held, on="id_association", how="anti").join(held_as, on="id_repris", how="anti")
    return nw.concat([_completed(waldec, "waldec"), _completed(older, "import")], how="vertical")


def _completed(rows: Frame, origin: str) -> Frame:
    """The rows of one file in the columns of the register."""
    given = rows.collect_schema().names()
    absent = [column for column in REGISTRE_COLUMNS if column.name not in given]
    code = nw.col("objet_social1").str.slice(0, 3)
    family = nw.when(code.is_in([family.code for family in FAMILIES])).then(code)
    return (
        rows.with_columns(*(nw.lit(None, dtype=column.kind.dtype).alias(column.name) for column in absent))
        .with_columns(nw.lit(origin).alias("origine"), family.alias("famille_objet"))
        .with_columns(_label(nw.col("famille_objet")).alias("famille_objet_libelle"))
        .select(*(column.name for column in REGISTRE_COLUMNS), "_delivery", "_line")
    )


def _label(code: nw.Expr) -> nw.Expr:
    """The official name of a family, null without one."""
    # Not replace_strict: Polars would hold the whole register in memory for it.
    label = nw.lit(None, dtype=nw.String())
    for family in FAMILIES:
        label = nw.when(code == family.code).then(nw.lit(family.label)).otherwise(label)
    return label


REGISTRE_RULES = (
    Rule(
        name="commune_connue",
        description="The commune of the seat is known; without it an association counts in no commune",
        broken=nw.col("code_commune").is_null(),
    ),
    Rule(
        name="creation_plausible",
        description=f"The day of creation is after {OLDEST} and not after the last update",
        broken=(nw.col("date_creation") > nw.col("date_maj")) | (nw.col("date_creation") < nw.lit(date(OLDEST, 1, 1))),
    ),
    Rule(
        name="dissolution_apres_creation",
        description="No association was dissolved before it was created",
        broken=nw.col("date_dissolution") < nw.col("date_creation"),
    ),
    Rule(
        name="active_non_dissoute",
        description="An active association has no day of dissolution",
        broken=(nw.col("position") == "A") & ~nw.col("date_dissolution").is_null(),
    ),
)


# --- gold -------------------------------------------------------------------------------------------------------------


def _count(condition: nw.Expr) -> nw.Expr:
    return sum_in_any_order(nw.when(condition).then(nw.col("part")).otherwise(nw.lit(0.0)))


def _placed(rows: Frame) -> Frame:
    """The associations whose commune is known, in that of the target vintage."""
    return rows.filter(~nw.col(COMMUNE_CIBLE.name).is_null()).with_columns(code_commune=nw.col(COMMUNE_CIBLE.name))


def _is_counted() -> nw.Expr:
    return nw.col("position").is_in(["A", "D"])


def _with_rates(counts: Frame, populations: Frame, year: int) -> Frame:
    """The counts with the population of the last year known by `year`, else of the first one after, and their rates."""
    known = populations.filter(~nw.col("population").is_null())
    by_then = nw.col("annee") <= year
    # Of two years the later one while both are past, the earlier one when both are to come.
    rank = nw.when(by_then).then(nw.col("annee")).otherwise(-nw.col("annee"))
    ranked = known.with_columns(rank.alias("_rank"))
    best = ranked.group_by("code_commune").agg(nw.col("_rank").max())
    people = ranked.join(best, on=["code_commune", "_rank"], how="inner").select(
        "code_commune",
        "population",
        nw.col("annee").alias("population_annee"),
        nw.col("source").alias("population_source"),
    )
    there = nw.col("population") > 0
    return counts.join(people, on="code_commune", how="left").with_columns(
        nw.when(there).then(nw.col(what) * 1000 / nw.col("population")).alias(f"{what}_pour_mille") for what in _RATED
    )


def communes(rows: Frame, populations: Frame, *, period: str) -> Frame:
    """Stock at the end of the year `period`, creations and dissolutions in it, per commune."""
    year, last_day = int(period), nw.lit(date(int(period), 12, 31))
    created_later = (nw.col("date_creation") > last_day).fill_null(False)
    left = (nw.col("date_dissolution") <= last_day).fill_null(False)
    dissolved_later = (nw.col("position") == "D") & (nw.col("date_dissolution") > last_day)
    in_stock = ~created_later & ~left & ((nw.col("position") == "A") | dissolved_later)
    is_created = _is_counted() & (nw.col("date_creation").dt.year() == year)
    is_dissolved = (nw.col("position") == "D") & (nw.col("date_dissolution").dt.year() == year)
    # Two steps, so that the wide one runs over a few rows per commune only.
    by_family = (
        _placed(rows)
        .group_by("code_commune", "famille_objet")
        .agg(
            _count(in_stock).alias("stock"),
            _count(in_stock & nw.col("date_creation").is_null()).alias("stock_sans_date_creation"),
            _count(is_created).alias("creations"),
            _count(is_dissolved).alias("dissolutions"),
        )
    )

    def of(family: nw.Expr, what: str) -> nw.Expr:
        return sum_in_any_order(nw.when(family).then(nw.col(what)).otherwise(nw.lit(0.0)))

    families = [
        of(nw.col("famille_objet") == family.code, what).alias(f"{what}_{family.name}")
        for what in ("stock", "creations")
        for family in FAMILIES
    ]
    unknown = [
        of(nw.col("famille_objet").is_null(), what).alias(f"{what}_objet_inconnu") for what in ("stock", "creations")
    ]
    wide = by_family.group_by("code_commune").agg(*map(_sum, _COUNTS), *families, *unknown)
    known = rows.select(nw.col("date_maj").max().alias("connu_jusqu_au"))
    return _with_rates(wide.join(known, how="cross").with_columns(nw.lit(year).alias("annee")), populations, year)


def totals(rows: Frame, *, period: str, **_: Frame) -> Frame:
    """Creations and dissolutions of the year among the associations whose commune is known."""
    year, placed = int(period), _placed(rows)
    is_dissolved = (nw.col("position") == "D") & (nw.col("date_dissolution").dt.year() == year)
    return placed.select(
        _count(_is_counted() & (nw.col("date_creation").dt.year() == year)).alias("creations"),
        _count(is_dissolved).alias("dissolutions"),
    )


def creations(rows: Frame, *, period: str) -> Frame:
    """Creations and dissolutions of every year up to `period`, per commune, as the register of that year knows them."""
    placed = _placed(rows)
    one, none = nw.col("part"), nw.lit(0.0)
    created = placed.filter(_is_counted()).select(
        "code_commune",
        nw.col("date_creation").dt.year().alias("annee"),
        one.alias("creations"),
        nw.when(nw.col("position") == "A").then(one).otherwise(none).alias("encore_actives"),
        none.alias("dissolutions"),
    )
    dissolved = placed.filter(nw.col("position") == "D").select(
        "code_commune",
        nw.col("date_dissolution").dt.year().alias("annee"),
        none.alias("creations"),
        none.alias("encore_actives"),
        one.alias("dissolutions"),
    )
    events = nw.concat([created, dissolved], how="vertical").filter(nw.col("annee").is_between(OLDEST, int(period)))
    return events.group_by("code_commune", "annee").agg(*map(_sum, ("creations", "encore_actives", "dissolutions")))


def _sum(column: str) -> nw.Expr:
    return sum_in_any_order(nw.col(column)).alias(column)


_ROUNDING = 0.001
"""Shares of counts add up but for this much."""

_COUNTS = ("stock", "stock_sans_date_creation", "creations", "dissolutions")
_RATED = ("stock", "creations", "dissolutions")
_NOT_IN_ALSACE_MOSELLE = "Bas-Rhin, Haut-Rhin and Moselle have their own law: their associations are not in the RNA."


def _number(name: str, description: str, warning: str | None = None) -> Column:
    return Column(name=name, kind=Kind.NUMBER, description=description, unit="associations", ge=0, warning=warning)


COMMUNES_COLUMNS = (
    COMMUNE.but(
        description="Commune of the seat, of the target vintage of the Code officiel géographique (COG)",
        warning=_NOT_IN_ALSACE_MOSELLE,
    ),
    ANNEE,
    Column(
        name="connu_jusqu_au",
        kind=Kind.DATE,
        description="Day of the latest update in the register: the figures of the year reach so far",
        required=False,
        warning="Before 31 December the year is not complete.",
    ),
    _number("stock", "Active associations at the end of the year"),
    _number(
        "stock_sans_date_creation",
        "Of the stock, associations whose day of creation is not known",
        "They are in every year's stock and in no year's creations.",
    ),
    _number("creations", "Associations created in the year, dissolved ones included"),
    _number(
        "dissolutions",
        "Associations dissolved in the year",
        "Many associations end without declaring it; those dissolved on an unknown day are in no year.",
    ),
    Column(
        name="population",
        kind=Kind.NUMBER,
        description="Population municipale, in the territory of the commune of the target vintage",
        unit="inhabitants",
        required=False,
        ge=0,
        warning="Of population_annee, which may be years from annee.",
    ),
    ANNEE.but(
        name="population_annee",
        description="Year of the population: the last one known by then, else the first one after",
        required=False,
        source_names=(),
    ),
    Column(
        name="population_source",
        kind=Kind.TEXT,
        description="Where the population is from: Insee's file in the lake (reference/silver/population) or the "
        "edition that comes with the package",
        required=False,
    ),
    *(
        Column(
            name=f"{what}_pour_mille",
            kind=Kind.NUMBER,
            description=f"`{what}` per 1,000 inhabitants; null without a population",
            unit="‰",
            required=False,
            ge=0,
            warning="A village with the seat of one federation has a high rate: look at `population` too.",
        )
        for what in _RATED
    ),
    *(_number(f"stock_{family.name}", f"Stock: {family.label}") for family in FAMILIES),
    _number("stock_objet_inconnu", "Stock: no or unknown social object"),
    *(_number(f"creations_{family.name}", f"Creations: {family.label}") for family in FAMILIES),
    _number("creations_objet_inconnu", "Creations: no or unknown social object"),
)
CREATIONS_COLUMNS = (
    COMMUNES_COLUMNS[0],
    ANNEE.but(description="Year of creation or dissolution", ge=OLDEST),
    _number(
        "creations",
        "Associations created in the year that the register of the period still holds",
        "The register forgets associations some years after their dissolution: early years are too low.",
    ),
    _number("encore_actives", "Of these, the ones active when the register was taken"),
    _number("dissolutions", "Associations dissolved in the year that the register of the period still holds"),
)


def _sums_to(total: str) -> Rule:
    parts = [f"{total}_{family.name}" for family in FAMILIES] + [f"{total}_objet_inconnu"]
    return Rule(
        name=f"{total}_par_objet",
        description=f"The social objects add up to `{total}`",
        broken=(nw.sum_horizontal(*(nw.col(part) for part in parts)) - nw.col(total)).abs() > _ROUNDING,
        blocking=True,
    )


TABLES = (
    Table(
        layer=Layer.SILVER,
        name="registre",
        description="One row per association of the national register, as its last snapshot of the year says; one per "
        "target commune where that of its seat was split",
        columns=REGISTRE_COLUMNS,
        key=("id_association", COMMUNE_CIBLE.name),
        inputs=(RNA_WALDEC.name, RNA_IMPORT.name),
        function=registre,
        rules=REGISTRE_RULES,
    ),
    Table(
        layer=Layer.GOLD,
        name="communes",
        description="Associations per commune and year: stock at the end, creations, dissolutions, per 1,000 "
        "inhabitants and by social object",
        columns=COMMUNES_COLUMNS,
        key=("code_commune", "annee"),
        inputs=("silver/registre",),
        function=communes,
        totals=totals,
        populations=True,
        rules=(_sums_to("stock"), _sums_to("creations")),
    ),
    Table(
        layer=Layer.GOLD,
        name="creations",
        description="Creations and dissolutions per commune of every year, as the register of the period knows them",
        columns=CREATIONS_COLUMNS,
        key=("code_commune", "annee"),
        inputs=("silver/registre",),
        may_be_empty=True,
        function=creations,
        rules=(
            Rule(
                name="actives_parmi_creees",
                description="Associations still active are among the created ones",
                broken=nw.col("encore_actives") > nw.col("creations") + _ROUNDING,
                blocking=True,
            ),
        ),
    ),
)
