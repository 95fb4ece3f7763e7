"""Silver and gold of recorded crime.

Silver says what the SSMSI publishes, one row per place, year and indicator. Gold lays the indicators side by side and
adds them up once each: an indicator that is part of another one (the two kinds of violences physiques, the two kinds of
usage de stupéfiants) counts only where its total is not known.
"""

from __future__ import annotations

from collections.abc import Iterable

import narwhals as nw

from elexxion_assets.columns import ANNEE, COMMUNE, DEPARTEMENT, REGION
from elexxion_assets.declare import Column, Dataset, Frame, Kind, Layer, Rule, Table
from elexxion_assets.themes.crime.datasets import COMMUNALE, DEPARTEMENTALE, GEOGRAPHIE, POPULATION, REGIONALE
from elexxion_assets.themes.crime.indicators import INDICATORS, PARTS, Indicator

COMMUNAL = tuple(indicator for indicator in INDICATORS if indicator.communal)

_ARRONDISSEMENT = r"^(?:75(?:10[1-9]|11[0-9]|120)|6938[1-9]|132(?:0[1-9]|1[0-6]))$"
"""Codes of the arrondissements of Paris, Lyon and Marseille, which their communes also contain."""


# --- silver -----------------------------------------------------------------------------------------------------------


def departement_of(code_commune: nw.Expr) -> nw.Expr:
    """The département of a commune: two characters of its code, three overseas."""
    overseas = code_commune.str.starts_with("97") | code_commune.str.starts_with("98")
    return nw.when(overseas).then(code_commune.str.slice(0, 3)).otherwise(code_commune.str.slice(0, 2))


def communale(rows: Frame, *, period: str) -> Frame:
    """The communal base of a year, each commune with its département."""
    return rows.with_columns(code_departement=departement_of(nw.col("code_commune")))


def as_published(rows: Frame, *, period: str) -> Frame:
    """A base of a year as it is."""
    return rows


def _expected_rate() -> nw.Expr:
    """The rate that number and reference give, null where the reference is unknown or zero."""
    dwellings = nw.col("indicateur").is_in([i.code for i in INDICATORS if i.per_dwelling])
    base = nw.when(dwellings).then(nw.col("logements")).otherwise(nw.col("population").cast(nw.Float64()))
    return nw.when(base > 0).then(nw.col("nombre") * 1000 / base)


SILVER_RULES = (
    Rule(
        name="taux_coherent",
        description="The published rate is the number per 1,000 inhabitants (cambriolages: dwellings), within 0.5 %",
        broken=(nw.col("taux_pour_mille") - _expected_rate()).abs() > 0.005 * _expected_rate() + 0.0005,
    ),
    Rule(
        name="secret_sans_nombre",
        description="A figure under secrecy has neither number nor rate",
        broken=~nw.col("est_diffuse") & ~(nw.col("nombre").is_null() & nw.col("taux_pour_mille").is_null()),
    ),
    Rule(
        name="diffuse_avec_nombre",
        description="A published figure has a number",
        broken=nw.col("est_diffuse") & nw.col("nombre").is_null(),
    ),
)


def _silver(dataset: Dataset, description: str, columns: tuple[Column, ...] | None = None) -> Table:
    return Table(
        layer=Layer.SILVER,
        name=dataset.name,
        description=description,
        columns=columns or dataset.columns,
        key=dataset.key,
        inputs=(dataset.name,),
        function=communale if dataset is COMMUNALE else as_published,
        rules=SILVER_RULES,
    )


# --- gold -------------------------------------------------------------------------------------------------------------


def _families(indicators: Iterable[Indicator]) -> list[tuple[Indicator, list[str]]]:
    """The indicators that are not contained in another one, each with those of its parts that are among them."""
    codes = {indicator.code for indicator in indicators}
    return [(i, [part for part in i.parts if part in codes]) for i in indicators if i.code not in PARTS]


def _value_and_state(total: str, parts: list[str]) -> tuple[nw.Expr, nw.Expr]:
    """The count of a family of indicators, and how well it is known: 0 not at all, 1 at least so much, 2 exactly."""
    known = nw.col(f"{total}_nombre")
    if not parts:
        return known, nw.when(known.is_null()).then(nw.lit(0)).otherwise(nw.lit(2))
    of_parts = [nw.col(f"{part}_nombre") for part in parts]
    none = nw.all_horizontal(*(part.is_null() for part in of_parts), ignore_nulls=False)
    every = nw.all_horizontal(*(~part.is_null() for part in of_parts), ignore_nulls=False)
    # One part alone of two, known or published at all, is only a floor.
    complete = ~known.is_null() if len(parts) < 2 else ~known.is_null() | every
    value = nw.coalesce(known, nw.when(~none).then(nw.sum_horizontal(*of_parts)))
    state = nw.when(complete).then(nw.lit(2)).otherwise(nw.when(none).then(nw.lit(0)).otherwise(nw.lit(1)))
    return value, state


def _one_row_per_place_and_year(
    rows: Frame, place: str, indicators: tuple[Indicator, ...], carried: tuple[str, ...]
) -> Frame:
    """A row per place and year: each indicator's number and rate, population, how many figures are masked."""

    def of(indicator: Indicator, column: str) -> nw.Expr:
        return nw.when(nw.col("indicateur") == indicator.code).then(nw.col(column)).max()

    return rows.group_by(place, "annee").agg(
        *(of(indicator, "nombre").alias(f"{indicator.code}_nombre") for indicator in indicators),
        *(of(indicator, "taux_pour_mille").alias(f"{indicator.code}_taux") for indicator in indicators),
        *(nw.col(column).max() for column in ("population", *carried)),
        nw.when(nw.col("nombre").is_null()).then(nw.lit(1)).otherwise(nw.lit(0)).sum().alias("indicateurs_masques"),
    )


def _with_totals(wide: Frame, indicators: tuple[Indicator, ...]) -> Frame:
    """Adds `total`, `total_est_partiel` (1 or 0) and `_summed`: which families went into the total, and how complete.

    A family that nobody in the year has figures for is not published that year: it does not make a total partial.
    """
    families = [_value_and_state(total.code, parts) for total, parts in _families(indicators)]
    values = [value for value, _ in families]
    states = [f"_state_{position}" for position in range(len(families))]
    wide = wide.with_columns(*(state.alias(name) for (_, state), name in zip(families, states, strict=True)))
    best = wide.group_by("annee").agg(*(nw.col(name).max().alias(f"{name}_best") for name in states))
    wide = wide.join(best, on="annee", how="left")
    partial = nw.any_horizontal(
        *((nw.col(name) < 2) & (nw.col(f"{name}_best") > 0) for name in states), ignore_nulls=False
    )
    anything = nw.any_horizontal(*(nw.col(name) > 0 for name in states), ignore_nulls=False)
    return wide.with_columns(
        nw.when(anything).then(nw.sum_horizontal(*values)).alias("total"),
        nw.when(partial).then(nw.lit(1)).otherwise(nw.lit(0)).alias("total_est_partiel"),
        nw.sum_horizontal(*(nw.col(name) * 3**position for position, name in enumerate(states))).alias("_summed"),
    )


def _side_by_side(
    rows: Frame, place: str, indicators: tuple[Indicator, ...], carried: tuple[str, ...], period: str
) -> Frame:
    """The gold row of every place of the year `period`, from the silver rows of that year and the two before it.

    Changes and means compare totals of the same indicators only: an indicator that becomes secret would otherwise look
    like a fall.
    """
    wide = _with_totals(_one_row_per_place_and_year(rows, place, indicators, carried), indicators)
    year = int(period)

    def of_year(column: str, back: int = 0) -> nw.Expr:
        return nw.when(nw.col("annee") == year - back).then(nw.col(column)).max()

    now = [
        *(f"{indicator.code}_{what}" for indicator in indicators for what in ("nombre", "taux")),
        *carried,
        "indicateurs_masques",
        "total_est_partiel",
    ]
    compared = ("total", "population", "_summed")
    one = wide.group_by(place).agg(
        of_year("annee").alias("annee"),
        *(of_year(column).alias(column) for column in now),
        *(of_year(column, back).alias(f"{column}_{back}") for column in compared for back in range(3)),
    )
    same_1 = nw.col("_summed_0") == nw.col("_summed_1")
    same_2 = same_1 & (nw.col("_summed_0") == nw.col("_summed_2"))
    return one.filter(~nw.col("annee").is_null()).with_columns(
        (nw.col("total_est_partiel") == 1).alias("total_est_partiel"),
        nw.col("total_0").alias("total"),
        nw.when(same_1).then(_change("total")).alias("total_variation_1_an"),
        nw.when(same_2).then(_mean("total")).alias("total_moyenne_3_ans"),
        nw.col("population_0").alias("population"),
        _change("population").alias("population_variation_1_an"),
        _mean("population").alias("population_moyenne_3_ans"),
    )


def _change(column: str) -> nw.Expr:
    before = nw.col(f"{column}_1")
    return nw.when(before > 0).then(nw.col(f"{column}_0") / before - 1)


def _mean(column: str) -> nw.Expr:
    return (nw.col(f"{column}_0") + nw.col(f"{column}_1") + nw.col(f"{column}_2")) / 3


def communes(rows: Frame, *, period: str) -> Frame:
    """Crime per commune in the year `period`, from the silver of the communal base."""
    gold = _side_by_side(rows, "code_commune", COMMUNAL, ("code_departement", "geographie"), period)
    return gold.with_columns(est_arrondissement=nw.col("code_commune").str.contains(_ARRONDISSEMENT)).select(
        column.name for column in COMMUNES_COLUMNS
    )


def departements(rows: Frame, *, period: str) -> Frame:
    """Crime per département in the year `period`, from the silver of the departmental base."""
    gold = _side_by_side(rows, "code_departement", INDICATORS, ("code_region", "geographie"), period)
    return gold.select(column.name for column in DEPARTEMENTS_COLUMNS)


def _indicator_columns(indicators: tuple[Indicator, ...]) -> tuple[Column, ...]:
    columns = []
    for indicator in indicators:
        per = "dwellings" if indicator.per_dwelling else "inhabitants"
        columns += [
            Column(
                name=f"{indicator.code}_nombre",
                kind=Kind.INTEGER,
                description=f"{indicator.label}: number",
                unit=indicator.unit,
                required=False,
                ge=0,
                warning=indicator.warning,
            ),
            Column(
                name=f"{indicator.code}_taux",
                kind=Kind.NUMBER,
                description=f"{indicator.label}: published rate per 1,000 {per}",
                unit="‰",
                required=False,
                ge=0,
                warning=indicator.warning,
            ),
        ]
    return tuple(columns)


def _summary_columns() -> tuple[Column, ...]:
    change = Column(name="change", kind=Kind.NUMBER, description="", unit="ratio", required=False, ge=-1)
    mean = Column(name="mean", kind=Kind.NUMBER, description="", required=False, ge=0)
    return (
        Column(
            name="total",
            kind=Kind.INTEGER,
            description="Sum of the published indicators, those contained in another one left out",
            required=False,
            ge=0,
            warning="Adds victims, offences, vehicles and suspects: an order of magnitude, not an official figure.",
        ),
        Column(
            name="total_est_partiel",
            kind=Kind.BOOLEAN,
            description="Whether a part of the total is not known here, so that `total` is only a floor",
        ),
        Column(
            name="indicateurs_masques",
            kind=Kind.INTEGER,
            description="Number of indicators whose count is not published for this place and year",
            ge=0,
        ),
        change.but(
            name="total_variation_1_an",
            description="Change of `total` over one year (0.1 is +10 %); null where other indicators went into it",
        ),
        mean.but(
            name="total_moyenne_3_ans",
            description="Mean of `total` over the year and the two before; null unless the same indicators went in",
        ),
        POPULATION,
        change.but(
            name="population_variation_1_an",
            description="Change of the population over one year",
            warning="0 for the last years of a release, which repeat the newest census known.",
        ),
        mean.but(
            name="population_moyenne_3_ans",
            description="Mean population of the year and the two before; null unless all three are known",
            unit="inhabitants",
        ),
    )


def _gold_rules() -> tuple[Rule, ...]:
    def number(code: str) -> nw.Expr:
        return nw.col(f"{code}_nombre")

    violence = next(indicator for indicator in INDICATORS if indicator.code == "coups_et_blessures")
    return (
        Rule(
            name="coups_et_blessures_somme",
            description="Coups et blessures volontaires are the sum of their two kinds",
            broken=number(violence.code) != number(violence.parts[0]) + number(violence.parts[1]),
        ),
        Rule(
            name="usage_stupefiants_contient_afd",
            description="Usage de stupéfiants is at least its part settled by on-the-spot fine (AFD)",
            broken=number("usage_stupefiants") < number("usage_stupefiants_afd"),
        ),
    )


CODE_DEPARTEMENT_OF_COMMUNE = DEPARTEMENT.but(description="Département of the commune")
CODE_REGION_OF_DEPARTEMENT = REGION.but(description="Région of the département", required=False)

COMMUNES_COLUMNS = (
    COMMUNE,
    ANNEE,
    CODE_DEPARTEMENT_OF_COMMUNE,
    Column(
        name="est_arrondissement",
        kind=Kind.BOOLEAN,
        description="Whether it is an arrondissement of Paris, Lyon or Marseille, which the commune's row contains too",
    ),
    GEOGRAPHIE,
    *_summary_columns(),
    *_indicator_columns(COMMUNAL),
)
DEPARTEMENTS_COLUMNS = (
    DEPARTEMENT,
    ANNEE,
    CODE_REGION_OF_DEPARTEMENT,
    GEOGRAPHIE,
    *_summary_columns(),
    *_indicator_columns(INDICATORS),
)

TABLES = (
    _silver(
        COMMUNALE,
        "Recorded crime per commune, year and indicator; null where the figure is secret",
        (COMMUNALE.columns[0], CODE_DEPARTEMENT_OF_COMMUNE, *COMMUNALE.columns[1:]),
    ),
    _silver(DEPARTEMENTALE, "Recorded crime per département, year and indicator"),
    _silver(REGIONALE, "Recorded crime per région, year and indicator"),
    Table(
        layer=Layer.GOLD,
        name="communes",
        description="Recorded crime per commune and year: indicators, total, change over one year, three-year mean",
        columns=COMMUNES_COLUMNS,
        key=("code_commune", "annee"),
        inputs=("silver/communale",),
        function=communes,
        lookback=2,
        rules=_gold_rules(),
    ),
    Table(
        layer=Layer.GOLD,
        name="departements",
        description="Recorded crime per département and year: indicators, total, change over one year, three-year mean",
        columns=DEPARTEMENTS_COLUMNS,
        key=("code_departement", "annee"),
        inputs=("silver/departementale",),
        function=departements,
        lookback=2,
        rules=_gold_rules(),
    ),
)
