"""Features of employment: what is known of a commune before a year, ready for a model of that year.

Row and features of year Y come from the gold of Y-1, Y-2 and Y-3 alone; what begins with `cible_` is the answer, from
the gold of Y, and no feature. Gold goes on with the last census and incomes known: their age is a feature, their change
is known only where the figures are of two years that follow each other, and an answer is of the year itself or null.
Job seekers of which a part is withheld are a floor, not a number: null here.

Rates are smoothed and set against those of the département's other communes as `elexxion_assets.smoothing` says.
"""

from __future__ import annotations

import narwhals as nw

from elexxion_assets.columns import ANNEE, COMMUNE, DEPARTEMENT
from elexxion_assets.declare import Column, Frame, Kind
from elexxion_assets.geography.ministry import departement_of_commune
from elexxion_assets.lags import ANNEES_CONNUES, LAGS, YEARS, change, features_of, numeric, yearly_features, years_known
from elexxion_assets.smoothing import DECIMALS, against_departement
from elexxion_assets.themes.emploi.revenus import REVENU_MEDIAN, TAUX_PAUVRETE
from elexxion_assets.themes.emploi.tables import CARRIED_YEARS

_CATEGORIES = ("a", "abc")
_CENSUS = "taux_chomage_recensement"
_YEAR_OF = {
    _CENSUS: "taux_chomage_recensement_annee",
    REVENU_MEDIAN.name: "filosofi_annee",
    TAUX_PAUVRETE.name: "filosofi_annee",
}
"""The figures that gold carries from year to year, and where it says of which year they are."""

_CENTS = 2
"""Decimals of means of incomes: at tens of thousands, fewer digits are the same from run to run than for rates."""


def communes(gold: Frame, *, period: str) -> Frame:
    """The features of every commune in the year `period`, from the gold of that year and the three before it.

    Args:
        gold: Rows of gold `communes`; years other than those are left alone.
        period: The year Y.

    Returns:
        One row per commune in the gold of Y-1; none where there is no gold of Y-1.
    """
    year = int(period)

    def of(back: int) -> Frame:
        return gold.filter(nw.col("annee") == year - back)

    features = of(1).select(
        "code_commune",
        departement_of_commune(nw.col("code_commune")).alias("code_departement"),
        nw.col("population_15_64").alias("population_15_64_n_1"),
        nw.col("actifs_15_64").alias("actifs_15_64_n_1"),
        (year - nw.col(_YEAR_OF[_CENSUS])).alias("recensement_age_n_1"),
        (year - nw.col("filosofi_annee")).alias("filosofi_age_n_1"),
    )
    for back in LAGS:
        features = features.join(_lag(of(back), back), on="code_commune", how="left")
    features = features.join(_against_departement(of(1)), on="code_commune", how="left")
    features = features.join(_answers(of(0), year), on="code_commune", how="left")
    return features.with_columns(
        nw.lit(year).alias("annee"),
        years_known(f"_there_{back}" for back in LAGS),
        *(
            _change_of_seekers(category, back).alias(f"variation_demandeurs_emploi_{category}_n_{back}")
            for category in _CATEGORIES
            for back in (1, 2)
        ),
        _change_of_income().alias("variation_revenu_median_n_1"),
    ).select(column.name for column in COLUMNS)


def _seekers(category: str) -> nw.Expr:
    """The job seekers of a category, null where the number is only a floor."""
    name = f"demandeurs_emploi_{category}"
    return nw.when(~nw.col(f"{name}_est_secret")).then(nw.col(name))


def _rate_of_seekers(category: str) -> nw.Expr:
    active = nw.col("actifs_15_64")
    return nw.when(active > 0).then(_seekers(category) * 1000 / active)


def _lag(year: Frame, back: int) -> Frame:
    """What one earlier year says; what begins with `_` is what changes are judged by."""
    return year.select(
        "code_commune",
        nw.col("annee").alias(f"_there_{back}"),
        nw.col("demandeurs_emploi_date").str.slice(4).alias(f"_season_{back}"),
        nw.col("filosofi_annee").alias(f"_filosofi_{back}"),
        *(_seekers(category).alias(f"demandeurs_emploi_{category}_n_{back}") for category in _CATEGORIES),
        *(_rate_of_seekers(category).alias(f"taux_demandeurs_{category}_n_{back}") for category in _CATEGORIES),
        *(nw.col(name).alias(f"{name}_n_{back}") for name in _YEAR_OF),
    )


def _change_of_seekers(category: str, back: int) -> nw.Expr:
    """Null where one year ends earlier than the other: job seekers have their seasons."""
    now, before = (f"demandeurs_emploi_{category}_n_{years}" for years in (back, back + 1))
    same = nw.col(f"_season_{back}") == nw.col(f"_season_{back + 1}")
    return nw.when(same).then(change(now, before))


def _change_of_income() -> nw.Expr:
    following = nw.col("_filosofi_1") == nw.col("_filosofi_2") + 1
    return nw.when(following).then(change("revenu_median_n_1", "revenu_median_n_2"))


def _answers(of_year: Frame, year: int) -> Frame:
    return of_year.select(
        "code_commune",
        nw.col("demandeurs_emploi_date").alias("cible_demandeurs_emploi_date"),
        *(_seekers(category).alias(f"cible_demandeurs_emploi_{category}") for category in _CATEGORIES),
        *(nw.when(nw.col(when) == year).then(nw.col(name)).alias(f"cible_{name}") for name, when in _YEAR_OF.items()),
    )


def _against_departement(year: Frame) -> Frame:
    """Smoothed rates, and means of the département's other communes weighted by the active or by population."""
    active, people = nw.col("actifs_15_64"), nw.col("population_15_64")
    measures = {
        **{f"taux_demandeurs_{category}": (_seekers(category), active / 1000) for category in _CATEGORIES},
        _CENSUS: (nw.col("chomeurs_15_64"), active / 100),
        **{name: (nw.col(name) * people, people) for name in (REVENU_MEDIAN.name, TAUX_PAUVRETE.name)},
    }
    places = year.select(
        "code_commune",
        departement_of_commune(nw.col("code_commune")).alias("code_departement"),
        *(count.alias(f"{name}_y") for name, (count, _) in measures.items()),
        *(exposure.alias(f"{name}_n") for name, (_, exposure) in measures.items()),
    )
    return against_departement(places, tuple(measures)).select(
        "code_commune",
        *(nw.col(f"{name}_lisse").round(DECIMALS).alias(f"{name}_lisse_n_1") for name in _SMOOTHED),
        *(
            nw.col(f"{name}_voisins")
            .round(_CENTS if name == REVENU_MEDIAN.name else DECIMALS)
            .alias(f"{name}_voisins_n_1")
            for name in measures
        ),
    )


_SMOOTHED = (*(f"taux_demandeurs_{category}" for category in _CATEGORIES), _CENSUS)
"""Rates that are counts over persons; an income is none, and of the poor only the rate is published."""


# --- columns ----------------------------------------------------------------------------------------------------------

_CARRIED = f"As known by then: up to {CARRIED_YEARS} years older."


def _age(name: str, what: str) -> Column:
    return Column(
        name=name,
        kind=Kind.INTEGER,
        description=f"Years from {what} known the year before to the year of the row",
        unit="years",
        required=False,
        ge=1,
        le=CARRIED_YEARS + 1,
    )


def _of_seekers(category: str) -> tuple[Column, ...]:
    label = f"Job seekers of category {category.upper()}"
    rate = f"{label} per 1,000 active of 15 to 64 years of the last census"
    return (
        *(
            numeric(f"demandeurs_emploi_{category}_n_{back}", f"{label} at the end of the year, {when}", "persons")
            for back, when in YEARS.items()
        ),
        *(
            numeric(
                f"variation_demandeurs_emploi_{category}_n_{back}",
                f"{label}: change over one year, {YEARS[back]}; null where the months or quarters differ",
                "ratio",
                ge=-1,
            )
            for back in (1, 2)
        ),
        *(numeric(f"taux_demandeurs_{category}_n_{back}", f"{rate}, {when}", "‰") for back, when in YEARS.items()),
        numeric(
            f"taux_demandeurs_{category}_lisse_n_1",
            f"{rate}, smoothed towards the département's, the year before",
            "‰",
            warning="The département's rate where the commune's own count is withheld.",
        ),
        numeric(
            f"taux_demandeurs_{category}_voisins_n_1",
            f"{rate}: the département's other communes together, the year before",
            "‰",
        ),
    )


def _of_carried(name: str, label: str, unit: str | None) -> tuple[Column, ...]:
    return (
        *(
            numeric(f"{name}_n_{back}", f"{label}, {when}", unit, ge=None, warning=_CARRIED)
            for back, when in YEARS.items()
        ),
        numeric(
            f"{name}_voisins_n_1",
            f"{label}: mean of the département's other communes weighted by persons of 15 to 64 years, the year before",
            unit,
            ge=None,
        ),
    )


_RATE_LABEL = "Unemployed among the active of 15 to 64 years, as declared in the census"

COLUMNS = (
    COMMUNE.but(description="Commune of the target vintage of the Code officiel géographique (COG)"),
    ANNEE.but(
        description="Year that the features are to explain; they are about the years before it",
        warning="Figures about the years before, some of them first published later: a census appears three years on.",
    ),
    DEPARTEMENT.but(description="Département of the commune"),
    ANNEES_CONNUES,
    numeric("population_15_64_n_1", "Population of 15 to 64 years of the last census, the year before", "persons"),
    numeric("actifs_15_64_n_1", "Active of 15 to 64 years of the last census, the year before", "persons"),
    _age("recensement_age_n_1", "the census of the unemployment rate"),
    _age("filosofi_age_n_1", "the incomes (FiLoSoFi)"),
    *(column for category in _CATEGORIES for column in _of_seekers(category)),
    *(numeric(f"{_CENSUS}_n_{back}", f"{_RATE_LABEL}, {when}", "%", warning=_CARRIED) for back, when in YEARS.items()),
    numeric(f"{_CENSUS}_lisse_n_1", f"{_RATE_LABEL}, smoothed towards the département's, the year before", "%"),
    numeric(f"{_CENSUS}_voisins_n_1", f"{_RATE_LABEL}: the département's other communes, the year before", "%"),
    *_of_carried(REVENU_MEDIAN.name, "Median income", REVENU_MEDIAN.unit),
    numeric(
        "variation_revenu_median_n_1",
        "Median income: change over one year, the year before; null where the incomes are not of years in succession",
        "ratio",
        ge=None,
    ),
    *_of_carried(TAUX_PAUVRETE.name, "Poverty rate", TAUX_PAUVRETE.unit),
    Column(
        name="cible_demandeurs_emploi_date",
        kind=Kind.TEXT,
        description="Answer: last quarter or month of the year for which job seekers are known",
        required=False,
    ),
    *(
        numeric(
            f"cible_demandeurs_emploi_{category}",
            f"Answer: job seekers of category {category.upper()} at the end of the year; null where it is a floor",
            "persons",
        )
        for category in _CATEGORIES
    ),
    numeric(f"cible_{_CENSUS}", f"Answer: {_RATE_LABEL}, of that year", "%"),
    numeric(f"cible_{REVENU_MEDIAN.name}", "Answer: median income of that year", REVENU_MEDIAN.unit, ge=None),
    numeric(f"cible_{TAUX_PAUVRETE.name}", "Answer: poverty rate of that year", TAUX_PAUVRETE.unit),
)

FEATURES = features_of(COLUMNS)
"""Everything that may be shown to a model of the year."""

COMMUNES = yearly_features(COLUMNS, communes, "figures")
