"""Features of recorded crime: what is known of a commune before a year, ready for a model of that year.

Row and features of year Y come from the gold of Y-1, Y-2 and Y-3 alone; what begins with `cible_` is the answer, from
the gold of Y, and no feature. Gold holds the newest release: figures as they were revised since, not as they were first
published. Arrondissements have no row: their commune's figures contain theirs.

Rates are smoothed (`elexxion_assets.smoothing`), each indicator within its département, seen against thousands of
inhabitants; of dwellings for cambriolages.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import narwhals as nw

from elexxion_assets.columns import ANNEE, COMMUNE, DEPARTEMENT
from elexxion_assets.declare import Column, Frame, Kind
from elexxion_assets.lags import ANNEES_CONNUES, LAGS, YEARS, change, features_of, numeric, yearly_features, years_known
from elexxion_assets.smoothing import DECIMALS, against_departement
from elexxion_assets.themes.crime.indicators import Indicator
from elexxion_assets.themes.crime.tables import COMMUNAL, families

_MAIN = (
    "coups_et_blessures",
    "vols_sans_violence",
    "cambriolages_logement",
    "vols_dans_vehicules",
    "destructions_degradations",
    "usage_stupefiants",
    "escroqueries",
)
"""The indicators that have features of their own: the most frequent ones, published for the most communes."""


@dataclass(frozen=True)
class _Family:
    """An indicator with those that it is the total of: its count is that of its parts where it has none of its own."""

    indicator: Indicator
    parts: tuple[str, ...]

    @property
    def code(self) -> str:
        return self.indicator.code

    def known(self, what: str) -> nw.Expr:
        """`nombre` or `taux`, null where the number is only a floor."""

        def exact(code: str) -> nw.Expr:
            return nw.when(~nw.col(f"{code}_est_partiel")).then(nw.col(f"{code}_{what}"))

        own = exact(self.code)
        # One part alone of two is not the whole.
        if len(self.parts) < 2:
            return own
        values = [exact(part) for part in self.parts]
        whole = values[0]
        for value in values[1:]:
            whole = whole + value
        return nw.coalesce(own, whole)


_FAMILIES = tuple(_Family(indicator, tuple(parts)) for indicator, parts in families(COMMUNAL))
_MAIN_FAMILIES = tuple(family for family in _FAMILIES if family.code in _MAIN)


@dataclass(frozen=True)
class _Measure:
    """A count and the inhabitants or dwellings that it is seen against."""

    name: str
    family: _Family
    exposure: str


_OF_TOTAL = tuple(_Measure(f"_total_{family.code}", family, "population") for family in _FAMILIES)
"""The total is smoothed family by family: few communes have every figure published, and not the typical ones."""

_OWN = tuple(
    _Measure(family.code, family, "logements" if family.indicator.per_dwelling else "population")
    for family in _MAIN_FAMILIES
)


def communes(gold: Frame, *, period: str) -> Frame:
    """The features of every commune in the year `period`, from the gold of that year and the three before it.

    Args:
        gold: Rows of gold `communes`; years other than those are left alone.
        period: The year Y.

    Returns:
        One row per commune in the gold of Y-1, arrondissements left out; none where there is no gold of Y-1.
    """
    year = int(period)
    places = gold.filter(~nw.col("est_arrondissement"))

    def of(back: int) -> Frame:
        return places.filter(nw.col("annee") == year - back)

    features = of(1).select(
        "code_commune",
        "code_departement",
        nw.col("population").alias("population_n_1"),
        nw.col("population_variation_1_an").alias("variation_population_n_1"),
        nw.col("total_est_partiel").alias("total_est_partiel_n_1"),
        nw.col("total_variation_1_an").alias("variation_total_n_1"),
    )
    features = features.join(_against_departement(of(1)), on="code_commune", how="left")
    # The change of total over the year before Y-3 would reach back to Y-4.
    before_that = of(2).select("code_commune", nw.col("total_variation_1_an").alias("variation_total_n_2"))
    features = features.join(before_that, on="code_commune", how="left")
    for back in LAGS:
        features = features.join(_lag(of(back), back), on="code_commune", how="left")
    features = features.join(_answers(of(0)), on="code_commune", how="left")
    return features.with_columns(
        nw.lit(year).alias("annee"),
        years_known(f"_there_{back}" for back in LAGS),
        *(
            change(f"_{family.code}_1", f"_{family.code}_2").alias(f"variation_{family.code}_n_1")
            for family in _MAIN_FAMILIES
        ),
    ).select(column.name for column in COLUMNS)


def _rate_of_total() -> nw.Expr:
    return nw.when(nw.col("population") > 0).then(nw.col("total") * 1000 / nw.col("population"))


def _lag(year: Frame, back: int) -> Frame:
    """What one earlier year says; `_<code>_<back>` are the counts that changes are made of."""
    return year.select(
        "code_commune",
        nw.col("annee").alias(f"_there_{back}"),
        _rate_of_total().alias(f"taux_total_n_{back}"),
        nw.col("indicateurs_masques").alias(f"indicateurs_masques_n_{back}"),
        *(family.known("taux").alias(f"taux_{family.code}_n_{back}") for family in _MAIN_FAMILIES),
        *(family.known("nombre").alias(f"_{family.code}_{back}") for family in _MAIN_FAMILIES),
    )


def _answers(year: Frame) -> Frame:
    return year.select(
        "code_commune",
        nw.col("total").alias("cible_total"),
        nw.col("total_est_partiel").alias("cible_total_est_partiel"),
        _rate_of_total().alias("cible_taux_total"),
        *(family.known("taux").alias(f"cible_taux_{family.code}") for family in _MAIN_FAMILIES),
    )


def _against_departement(year: Frame) -> Frame:
    """Smoothed rates, and the mean rates of the département's other communes weighted by their population."""
    measures = (*_OF_TOTAL, *_OWN)
    of_place = [
        expression
        for measure in measures
        for expression in (
            measure.family.known("nombre").alias(f"{measure.name}_y"),
            (nw.col(measure.exposure) / 1000).alias(f"{measure.name}_n"),
        )
    ]
    places = year.select("code_commune", "code_departement", *of_place)
    judged = against_departement(places, tuple(measure.name for measure in measures))
    return judged.select(
        "code_commune",
        _sum_of_families(lambda measure: nw.col(f"{measure.name}_lisse")).alias("taux_total_lisse_n_1"),
        _sum_of_families(lambda measure: nw.col(f"{measure.name}_voisins")).alias("taux_total_voisins_n_1"),
        *(
            nw.col(f"{measure.name}_{what}").round(DECIMALS).alias(f"taux_{measure.name}_{what}_n_1")
            for measure in _OWN
            for what in ("lisse", "voisins")
        ),
    )


def _sum_of_families(rate: Callable[[_Measure], nw.Expr]) -> nw.Expr:
    """The sum of the families' rates, those left out that nobody has figures for; null where one of the others is."""
    published = [nw.col(f"{measure.name}_n_all") > 0 for measure in _OF_TOTAL]
    lacking = nw.any_horizontal(
        *(is_there & rate(measure).is_null() for is_there, measure in zip(published, _OF_TOTAL, strict=True)),
        ignore_nulls=False,
    )
    anything = nw.any_horizontal(*published, ignore_nulls=False)
    total = nw.sum_horizontal(*(rate(measure) for measure in _OF_TOTAL))
    return nw.when(anything & ~lacking).then(total.round(DECIMALS))


# --- columns ----------------------------------------------------------------------------------------------------------

_FLOOR = "A floor where total_est_partiel says so: compare communes by the smoothed rate."


def _of_total() -> tuple[Column, ...]:
    changed = "Change of the recorded total over one year, {}; null where other indicators went into it"
    return (
        *(
            numeric(f"taux_total_n_{back}", f"Recorded total per 1,000 inhabitants, {when}", "‰", warning=_FLOOR)
            for back, when in YEARS.items()
        ),
        Column(
            name="total_est_partiel_n_1",
            kind=Kind.BOOLEAN,
            description="Whether a part of the total is not known, so that it is only a floor, the year before",
        ),
        *(numeric(f"variation_total_n_{back}", changed.format(YEARS[back]), "ratio", ge=-1) for back in (1, 2)),
        numeric(
            "taux_total_lisse_n_1",
            "Sum of the smoothed rates per 1,000 inhabitants of the indicators that the total is made of, the year "
            "before",
            "‰",
            warning="Where a commune's count is secret, the département's rate among published counts stands for it.",
        ),
        numeric(
            "taux_total_voisins_n_1",
            "Rate of the other communes of the département weighted by population, summed over the indicators that "
            "the total is made of, the year before",
            "‰",
            warning="Of published counts; null where for some indicator the others have none, as in Paris.",
        ),
    )


def _of_family(family: _Family) -> tuple[Column, ...]:
    label, per = family.indicator.label, "dwellings" if family.indicator.per_dwelling else "inhabitants"
    warning = family.indicator.warning
    return (
        *(
            numeric(f"taux_{family.code}_n_{back}", f"{label}: rate per 1,000 {per}, {when}", "‰", warning=warning)
            for back, when in YEARS.items()
        ),
        numeric(
            f"variation_{family.code}_n_1",
            f"{label}: change of the number over one year, the year before",
            "ratio",
            ge=-1,
        ),
        numeric(
            f"taux_{family.code}_lisse_n_1",
            f"{label}: rate per 1,000 {per} smoothed towards the département's, the year before",
            "‰",
            warning="The département's rate where the commune's own count is secret.",
        ),
        numeric(
            f"taux_{family.code}_voisins_n_1",
            f"{label}: rate per 1,000 {per} of the other communes of the département together, the year before",
            "‰",
        ),
    )


def _answer_columns() -> tuple[Column, ...]:
    return (
        numeric("cible_total", "Answer: recorded total of the year", "facts"),
        Column(
            name="cible_total_est_partiel",
            kind=Kind.BOOLEAN,
            description="Answer: whether the total of the year is only a floor",
            required=False,
        ),
        numeric("cible_taux_total", "Answer: recorded total of the year per 1,000 inhabitants", "‰"),
        *(
            numeric(
                f"cible_taux_{family.code}",
                f"Answer: {family.indicator.label}, rate of the year per 1,000 "
                f"{'dwellings' if family.indicator.per_dwelling else 'inhabitants'}",
                "‰",
            )
            for family in _MAIN_FAMILIES
        ),
    )


COLUMNS = (
    COMMUNE.but(description="Commune of the target vintage of the Code officiel géographique (COG)"),
    ANNEE.but(
        description="Year that the features are to explain; they are about the years before it",
        warning="Earlier years as the newest release has them: revised since, and first published during the year.",
    ),
    DEPARTEMENT.but(description="Département of the commune"),
    ANNEES_CONNUES,
    numeric("population_n_1", "Population of the year before", "inhabitants"),
    numeric("variation_population_n_1", "Change of the population over one year, the year before", "ratio", ge=-1),
    *(
        Column(
            name=f"indicateurs_masques_n_{back}",
            kind=Kind.INTEGER,
            description=f"Number of indicators whose count is not published, {when}",
            required=False,
            ge=0,
        )
        for back, when in YEARS.items()
    ),
    *_of_total(),
    *(column for family in _MAIN_FAMILIES for column in _of_family(family)),
    *_answer_columns(),
)

FEATURES = features_of(COLUMNS)
"""Everything that may be shown to a model of the year."""

COMMUNES = yearly_features(COLUMNS, communes, "rates")
