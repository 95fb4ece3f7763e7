"""Silver and gold of recorded crime.

Silver says what the SSMSI publishes, one row per place, year and indicator. Gold lays the indicators side by side and
adds them up once each: an indicator that is part of another one (the two kinds of violences physiques, the two kinds of
usage de stupéfiants) counts only where its total is not known. Gold of communes speaks of the communes of the target
vintage: counts are carried to them and kept as numbers, because those of a commune that was split since are shared out;
where no share is in them (`est_partage` is false) they are whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import narwhals as nw

from elexxion_assets.columns import ANNEE, COMMUNE, COMMUNE_CIBLE, DEPARTEMENT, MOTIF, PART, REGION
from elexxion_assets.declare import Column, Dataset, Frame, Kind, Layer, Rule, Table
from elexxion_assets.declare.frames import sum_from_the_left, sum_in_any_order
from elexxion_assets.geography.ministry import departement_of_commune
from elexxion_assets.geography.plm import COMMUNE_OF
from elexxion_assets.themes.crime.datasets import (
    COMMUNALE,
    DEPARTEMENTALE,
    GEOGRAPHIE,
    LOGEMENTS,
    POPULATION,
    REGIONALE,
)
from elexxion_assets.themes.crime.indicators import INDICATORS, PARTS, Indicator

CODE_DEPARTEMENT_OF_COMMUNE = DEPARTEMENT.but(description="Département of the commune in which the figures count")

COMMUNAL = tuple(indicator for indicator in INDICATORS if indicator.communal)


# --- silver -----------------------------------------------------------------------------------------------------------


def communale(rows: Frame, *, period: str) -> Frame:
    """The communal base of a year, each row with the département in which its figures count."""
    return rows.with_columns(code_departement=departement_of_commune(nw.col(COMMUNE_CIBLE.name)))


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


def _silver(dataset: Dataset, description: str) -> Table:
    communal = dataset is COMMUNALE
    first, *others = dataset.columns
    carried = (COMMUNE_CIBLE.but(required=True), PART, MOTIF, CODE_DEPARTEMENT_OF_COMMUNE) if communal else ()
    return Table(
        layer=Layer.SILVER,
        name=dataset.name,
        description=description,
        columns=(first, *carried, *others),
        key=(*dataset.key, *(column.name for column in carried[:1])),
        inputs=(dataset.name,),
        function=communale if communal else as_published,
        rules=SILVER_RULES,
    )


# --- gold -------------------------------------------------------------------------------------------------------------


def families(indicators: Iterable[Indicator]) -> list[tuple[Indicator, list[str]]]:
    """The indicators that are not contained in another one, each with those of its parts that are among them."""
    codes = {indicator.code for indicator in indicators}
    return [(i, [part for part in i.parts if part in codes]) for i in indicators if i.code not in PARTS]


def side_by_side(rows: Frame) -> Frame:
    """One row per target commune and year with its indicators and totals, from the published communes that count in it.

    Counts, populations and dwellings are sums of value x `part`, so that no figure is lost or counted twice. Where some
    of these communes have a number and others none, the sum is only a floor, `est_partiel` is 1 and there is no rate.
    The rate of a single commune, whole or shared out, is the published one; that of several is recomputed.
    """
    place = ["code_commune_cible", "annee"]
    published = rows.group_by(*place, "code_commune").agg(
        *(nw.col(column).max() for column in ("part", "population", "logements", "code_departement", "geographie"))
    )
    bases = ("population", "logements")
    places = published.group_by(*place).agg(
        *(sum_in_any_order(nw.col(name) * nw.col("part")).alias(name) for name in bases),
        *(nw.col(column).count().alias(f"_with_{column}") for column in bases),
        *(nw.col(column).max() for column in ("code_departement", "geographie")),
        nw.len().alias("communes_sources"),
        (nw.col("part").min() < 1).cast(nw.Int64()).alias("est_partage"),
    )
    sources = nw.col("communes_sources")
    places = places.with_columns(
        nw.when(nw.col(f"_with_{column}") == sources).then(nw.col(column)).alias(column) for column in bases
    ).drop(*(f"_with_{column}" for column in bases))
    several = places.filter(sources > 1)
    # Nearly all are single, and of these there is nothing to add up.
    single = rows.join(several, on=place, how="anti").with_columns(
        nw.col("nombre") * nw.col("part"),
        nw.lit(0, dtype=nw.Int64()).alias("est_partiel"),
        nw.col("nombre").is_null().cast(nw.Int64()).alias("_masked"),
    )
    wide = _one_row_per_place_and_year(single, "code_commune_cible", COMMUNAL)
    added_up = _added_up(rows.join(several.select(*place), on=place, how="inner"), several)
    wide = nw.concat([wide, added_up.select(wide.collect_schema().names())])
    wide = wide.join(places, on=place, how="left").rename({"code_commune_cible": "code_commune"})
    return _with_totals(wide, COMMUNAL)


def _added_up(rows: Frame, places: Frame) -> Frame:
    """What `_one_row_per_place_and_year` gives, of target communes in which several published ones count."""
    place, number, sources = ["code_commune_cible", "annee"], nw.col("nombre"), nw.col("communes_sources")

    def of(indicator: Indicator, value: nw.Expr) -> nw.Expr:
        return nw.when(nw.col("indicateur") == indicator.code).then(value)

    def known(indicator: Indicator) -> nw.Expr:
        return nw.col(f"_{indicator.code}_known")

    def rate(indicator: Indicator) -> nw.Expr:
        base = nw.col("logements" if indicator.per_dwelling else "population")
        whole = nw.col(f"{indicator.code}_est_partiel") == 0
        return nw.when(whole & (base > 0)).then(nw.col(f"{indicator.code}_nombre") * 1000 / base)

    figures = rows.group_by(*place).agg(
        *(sum_in_any_order(of(i, number * nw.col("part"))).alias(f"{i.code}_nombre") for i in COMMUNAL),
        *(of(i, number).count().alias(f"_{i.code}_known") for i in COMMUNAL),
        *(of(i, number.is_null().cast(nw.Int64())).max().alias(f"_{i.code}_masked") for i in INDICATORS),
    )
    return (
        figures.join(places, on=place, how="left")
        .with_columns(
            *(nw.when(known(i) > 0).then(nw.col(f"{i.code}_nombre")).alias(f"{i.code}_nombre") for i in COMMUNAL),
            *(
                ((known(i) > 0) & (known(i) < sources)).cast(nw.Int64()).alias(f"{i.code}_est_partiel")
                for i in COMMUNAL
            ),
            nw.sum_horizontal(*(nw.col(f"_{i.code}_masked") for i in INDICATORS)).alias("indicateurs_masques"),
        )
        .with_columns(*(rate(i).alias(f"{i.code}_taux") for i in COMMUNAL))
    )


_NOTHING, _EXACT, _SOME_SOURCES = 0, 3, 4
"""How well a family is known; 1 and 2 are the sums of the bits of the parts that are known exactly."""


def _value_and_state(total: str, parts: list[str]) -> tuple[nw.Expr, nw.Expr]:
    """The count of a family of indicators, or the most that is known of it, and how well it is known."""
    number, exact, mixed = nw.col(f"{total}_nombre"), _exact(total), nw.col(f"{total}_est_partiel") == 1
    if not parts:
        known = nw.when(mixed).then(nw.lit(_SOME_SOURCES)).otherwise(nw.lit(_EXACT))
        return number, nw.when(number.is_null()).then(nw.lit(_NOTHING)).otherwise(known)
    numbers = [nw.col(f"{part}_nombre") for part in parts]
    exact_parts = [_exact(part) for part in parts]
    # One part alone of two, known or published at all, is only a floor.
    if len(parts) > 1:
        every = nw.all_horizontal(*(~part.is_null() for part in exact_parts), ignore_nulls=False)
        exact = nw.coalesce(exact, nw.when(every).then(sum_from_the_left(*exact_parts)))
    any_part = nw.any_horizontal(*(~part.is_null() for part in numbers), ignore_nulls=False)
    floor = nw.max_horizontal(number, nw.when(any_part).then(sum_from_the_left(*numbers)))
    mixed = nw.any_horizontal(mixed, *(nw.col(f"{part}_est_partiel") == 1 for part in parts), ignore_nulls=True)
    bits = nw.sum_horizontal(*((~part.is_null()).cast(nw.Int64()) * 2**i for i, part in enumerate(exact_parts)))
    known = nw.when(mixed).then(nw.lit(_SOME_SOURCES)).otherwise(bits)
    return nw.coalesce(exact, floor), nw.when(~exact.is_null()).then(nw.lit(_EXACT)).otherwise(known)


def _exact(indicator: str) -> nw.Expr:
    """The number, null where it is only a floor."""
    return nw.when(nw.col(f"{indicator}_est_partiel") == 0).then(nw.col(f"{indicator}_nombre"))


def _one_row_per_place_and_year(
    rows: Frame, place: str, indicators: tuple[Indicator, ...], carried: tuple[str, ...] = ()
) -> Frame:
    """A row per place and year: each indicator's number, whether it is a floor, its rate; how many are masked."""

    def of(indicator: Indicator, column: str) -> nw.Expr:
        return nw.when(nw.col("indicateur") == indicator.code).then(nw.col(column)).max()

    return rows.group_by(place, "annee").agg(
        *(of(indicator, "nombre").alias(f"{indicator.code}_nombre") for indicator in indicators),
        *(of(indicator, "est_partiel").alias(f"{indicator.code}_est_partiel") for indicator in indicators),
        *(of(indicator, "taux_pour_mille").alias(f"{indicator.code}_taux") for indicator in indicators),
        *(nw.col(column).max() for column in carried),
        nw.col("_masked").sum().alias("indicateurs_masques"),
    )


def _with_totals(wide: Frame, indicators: tuple[Indicator, ...]) -> Frame:
    """Adds `total`, `total_est_partiel` (1 or 0) and `_summed`: what went into the total, null if it cannot be said.

    A family that nobody in the year has figures for is not published that year: it does not make a total partial.
    """
    found = [_value_and_state(total.code, parts) for total, parts in families(indicators)]
    values = [value for value, _ in found]
    states = [f"_state_{position}" for position in range(len(found))]
    wide = wide.with_columns(*(state.alias(name) for (_, state), name in zip(found, states, strict=True)))
    best = wide.group_by("annee").agg(*(nw.col(name).max().alias(f"{name}_best") for name in states))
    wide = wide.join(best, on="annee", how="left")
    partial = nw.any_horizontal(
        *((nw.col(name) != _EXACT) & (nw.col(f"{name}_best") > _NOTHING) for name in states), ignore_nulls=False
    )
    anything = nw.any_horizontal(*(nw.col(name) > _NOTHING for name in states), ignore_nulls=False)
    # Which of the communes merged since are known may differ from year to year.
    mixed = nw.any_horizontal(*(nw.col(name) == _SOME_SOURCES for name in states), ignore_nulls=False)
    # Whole numbers of engines may be short ones, which this would overflow.
    states_64 = (nw.col(name).cast(nw.Int64()) for name in states)
    summed = nw.sum_horizontal(*(state * (_SOME_SOURCES + 1) ** i for i, state in enumerate(states_64)))
    return wide.with_columns(
        nw.when(anything).then(sum_from_the_left(*values)).alias("total"),
        nw.when(partial).then(nw.lit(1)).otherwise(nw.lit(0)).alias("total_est_partiel"),
        nw.when(~mixed).then(summed).alias("_summed"),
    ).drop(*states, *(f"{name}_best" for name in states))


def _compared(wide: Frame, place: str, period: str) -> Frame:
    """The gold row of every place of the year `period`, from the totals of that year and of the two before it.

    Changes and means compare totals of the same indicators only: an indicator that becomes secret would otherwise look
    like a fall.
    """
    year = nw.col("annee") - int(period)
    one = wide.filter(year == 0)
    for back in (1, 2):
        before = [nw.col(name).alias(f"{name}_{back}") for name in ("total", "population", "_summed")]
        one = one.join(wide.filter(year == -back).select(place, *before), on=place, how="left")
    same_1 = nw.col("_summed") == nw.col("_summed_1")
    same_2 = same_1 & (nw.col("_summed") == nw.col("_summed_2"))
    return one.with_columns(
        (nw.col("total_est_partiel") == 1).alias("total_est_partiel"),
        nw.when(same_1).then(_change("total")).alias("total_variation_1_an"),
        nw.when(same_2).then(_mean("total")).alias("total_moyenne_3_ans"),
        _change("population").alias("population_variation_1_an"),
        _mean("population").alias("population_moyenne_3_ans"),
    )


def _change(column: str) -> nw.Expr:
    before = nw.col(f"{column}_1")
    return nw.when(before > 0).then(nw.col(column) / before - 1)


def _mean(column: str) -> nw.Expr:
    years = [nw.col(name) for name in (column, f"{column}_1", f"{column}_2")]
    known = nw.sum_horizontal(*((~year.is_null()).cast(nw.Int64()) for year in years))
    # Not `/ 3`, which Polars takes for a product with a rounded third.
    return nw.when(known == len(years)).then(sum_from_the_left(*years) / known)


def communes(wide: Frame, *, period: str) -> Frame:
    """Crime per commune of the target vintage in the year `period`, from years that are laid `side_by_side`."""
    gold = _compared(wide, "code_commune", period)
    return gold.with_columns(
        nw.col("code_commune").is_in(list(COMMUNE_OF)).alias("est_arrondissement"),
        (nw.col("est_partage") == 1).alias("est_partage"),
        *(
            (nw.col(f"{i.code}_est_partiel") == 1).fill_null(value=False).alias(f"{i.code}_est_partiel")
            for i in COMMUNAL
        ),
    ).select(column.name for column in COMMUNES_COLUMNS)


def departements(rows: Frame, *, period: str) -> Frame:
    """Crime per département in the year `period`, from the silver of the departmental base."""
    figures = rows.with_columns(
        nw.lit(0).alias("est_partiel"), nw.col("nombre").is_null().cast(nw.Int64()).alias("_masked")
    )
    carried = ("population", "code_region", "geographie")
    wide = _one_row_per_place_and_year(figures, "code_departement", INDICATORS, carried)
    gold = _compared(_with_totals(wide, INDICATORS), "code_departement", period)
    return gold.select(column.name for column in DEPARTEMENTS_COLUMNS)


def _totals(indicators: tuple[Indicator, ...], *, carried: bool) -> Callable[..., Frame]:
    """The number of each indicator over all rows of the year, whole or by share."""
    share = nw.col("part") if carried else nw.lit(1.0)

    def totals(rows: Frame, *, period: str) -> Frame:
        number = nw.col("nombre") * share
        return rows.filter(nw.col("annee") == int(period)).select(
            nw.when(nw.col("indicateur") == indicator.code).then(number).sum().alias(f"{indicator.code}_nombre")
            for indicator in indicators
        )

    return totals


def _indicator_columns(indicators: tuple[Indicator, ...], *, carried: bool) -> tuple[Column, ...]:
    columns = []
    for indicator in indicators:
        per = "dwellings" if indicator.per_dwelling else "inhabitants"
        number = Column(
            name=f"{indicator.code}_nombre",
            kind=Kind.NUMBER if carried else Kind.INTEGER,
            description=f"{indicator.label}: number",
            unit=indicator.unit,
            required=False,
            ge=0,
            warning=indicator.warning,
        )
        rate = number.but(
            name=f"{indicator.code}_taux",
            kind=Kind.NUMBER,
            description=f"{indicator.label}: published rate per 1,000 {per}",
            unit="‰",
        )
        if carried:
            partial = Column(
                name=f"{indicator.code}_est_partiel",
                kind=Kind.BOOLEAN,
                description=f"{indicator.label}: whether the number is only a floor, a commune merged into this one "
                "since having none",
            )
            recomputed = f"{rate.description}, recomputed where communes merged since; null where the number is a floor"
            columns += [number, partial, rate.but(description=recomputed)]
        else:
            columns += [number, rate]
    return tuple(columns)


def _summary_columns(counts: Kind) -> tuple[Column, ...]:
    change = Column(name="change", kind=Kind.NUMBER, description="", unit="ratio", required=False, ge=-1)
    mean = Column(name="mean", kind=Kind.NUMBER, description="", required=False, ge=0)
    return (
        Column(
            name="total",
            kind=counts,
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
        POPULATION.but(kind=counts),
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


def _gold_rules(*, carried: bool) -> tuple[Rule, ...]:
    def number(code: str) -> nw.Expr:
        known = nw.col(f"{code}_nombre")
        return nw.when(~nw.col(f"{code}_est_partiel")).then(known) if carried else known

    violence = next(indicator for indicator in INDICATORS if indicator.code == "coups_et_blessures")
    of_both = number(violence.parts[0]) + number(violence.parts[1])
    return (
        Rule(
            name="coups_et_blessures_somme",
            description="Coups et blessures volontaires are the sum of their two kinds",
            broken=(number(violence.code) - of_both).abs() > _ROUNDING,
        ),
        Rule(
            name="usage_stupefiants_contient_afd",
            description="Usage de stupéfiants is at least its part settled by on-the-spot fine (AFD)",
            broken=number("usage_stupefiants") < number("usage_stupefiants_afd") - _ROUNDING,
        ),
    )


_ROUNDING = 0.001
"""Shares of counts add up but for this much."""

CODE_REGION_OF_DEPARTEMENT = REGION.but(description="Région of the département", required=False)
COMMUNES_SOURCES = Column(
    name="communes_sources",
    kind=Kind.INTEGER,
    description="Number of published communes whose figures are added up here: more than 1 after a merger",
    ge=1,
)
EST_PARTAGE = Column(
    name="est_partage",
    kind=Kind.BOOLEAN,
    description="Whether a share of the figures of a commune that was split since counts here",
    warning="Where true, counts, population and dwellings are estimates and need not be whole.",
)

COMMUNES_COLUMNS = (
    COMMUNE.but(description="Commune of the target vintage of the Code officiel géographique (COG)"),
    ANNEE,
    CODE_DEPARTEMENT_OF_COMMUNE,
    Column(
        name="est_arrondissement",
        kind=Kind.BOOLEAN,
        description="Whether it is an arrondissement of Paris, Lyon or Marseille, which the commune's row contains too",
    ),
    GEOGRAPHIE.but(description="Year of the geography of the published codes, where the file says it"),
    COMMUNES_SOURCES,
    EST_PARTAGE,
    *_summary_columns(Kind.NUMBER),
    LOGEMENTS,
    *_indicator_columns(COMMUNAL, carried=True),
)
DEPARTEMENTS_COLUMNS = (
    DEPARTEMENT,
    ANNEE,
    CODE_REGION_OF_DEPARTEMENT,
    GEOGRAPHIE,
    *_summary_columns(Kind.INTEGER),
    *_indicator_columns(INDICATORS, carried=False),
)

TABLES = (
    _silver(
        COMMUNALE,
        "Recorded crime per commune, year and indicator as published (null where the figure is secret), and the "
        "commune of the target vintage in which it counts; a commune that was split since has a row per target",
    ),
    _silver(DEPARTEMENTALE, "Recorded crime per département, year and indicator"),
    _silver(REGIONALE, "Recorded crime per région, year and indicator"),
    Table(
        layer=Layer.GOLD,
        name="communes",
        description="Recorded crime per commune of the target vintage and year: indicators, total, change over one "
        "year, three-year mean",
        columns=COMMUNES_COLUMNS,
        key=("code_commune", "annee"),
        inputs=("silver/communale",),
        function=communes,
        totals=_totals(COMMUNAL, carried=True),
        lookback=2,
        prepared=side_by_side,
        rules=_gold_rules(carried=True),
    ),
    Table(
        layer=Layer.GOLD,
        name="departements",
        description="Recorded crime per département and year: indicators, total, change over one year, three-year mean",
        columns=DEPARTEMENTS_COLUMNS,
        key=("code_departement", "annee"),
        inputs=("silver/departementale",),
        function=departements,
        totals=_totals(INDICATORS, carried=False),
        lookback=2,
        rules=_gold_rules(carried=False),
    ),
)
