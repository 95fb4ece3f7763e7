"""Features of associations: what is known of a commune before a year, ready for a model of that year.

Row and features of year Y come from the gold of Y-1, Y-2 and Y-3 alone; what begins with `cible_` is the answer, from
the gold of Y, and no feature. Rates are per 1,000 associations in the stock of the year's end, smoothed and set against
those of the département's other communes as `elexxion_assets.smoothing` says.
"""

from __future__ import annotations

import narwhals as nw

from elexxion_assets.columns import ANNEE, COMMUNE, DEPARTEMENT
from elexxion_assets.declare import Column, Frame, Kind
from elexxion_assets.geography.ministry import departement_of_commune
from elexxion_assets.lags import ANNEES_CONNUES, LAGS, YEARS, change, features_of, numeric, yearly_features, years_known
from elexxion_assets.smoothing import DECIMALS, against_departement

_EVENTS = {"creation": "creations", "dissolution": "dissolutions"}
_FIGURES = ("stock", *_EVENTS.values())


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
        nw.col("connu_jusqu_au").alias("connu_jusqu_au_n_1"),
    )
    for back in LAGS:
        features = features.join(_lag(of(back), back), on="code_commune", how="left")
    features = features.join(_against_departement(of(1)), on="code_commune", how="left")
    features = features.join(_answers(of(0)), on="code_commune", how="left")
    return features.with_columns(
        nw.lit(year).alias("annee"),
        years_known(f"stock_n_{back}" for back in LAGS),
        *(
            change(f"{name}_n_{back}", f"{name}_n_{back + 1}").alias(f"variation_{name}_n_{back}")
            for name in _FIGURES
            for back in (1, 2)
        ),
    ).select(column.name for column in COLUMNS)


def _rate(events: str) -> nw.Expr:
    return nw.when(nw.col("stock") > 0).then(nw.col(events) * 1000 / nw.col("stock"))


def _lag(year: Frame, back: int) -> Frame:
    return year.select(
        "code_commune",
        *(nw.col(name).alias(f"{name}_n_{back}") for name in _FIGURES),
        *(_rate(events).alias(f"taux_{event}_n_{back}") for event, events in _EVENTS.items()),
    )


def _answers(year: Frame) -> Frame:
    return year.select(
        "code_commune",
        nw.col("connu_jusqu_au").alias("cible_connu_jusqu_au"),
        *(nw.col(name).alias(f"cible_{name}") for name in _FIGURES),
        *(_rate(events).alias(f"cible_taux_{event}") for event, events in _EVENTS.items()),
    )


def _against_departement(year: Frame) -> Frame:
    places = year.select(
        "code_commune",
        departement_of_commune(nw.col("code_commune")).alias("code_departement"),
        *(nw.col(events).alias(f"{event}_y") for event, events in _EVENTS.items()),
        *((nw.col("stock") / 1000).alias(f"{event}_n") for event in _EVENTS),
    )
    return against_departement(places, tuple(_EVENTS)).select(
        "code_commune",
        *(
            nw.col(f"{event}_{what}").round(DECIMALS).alias(f"taux_{event}_{what}_n_1")
            for event in _EVENTS
            for what in ("lisse", "voisins")
        ),
    )


# --- columns ----------------------------------------------------------------------------------------------------------

_LABELS = {
    "stock": "Active associations at the end of the year",
    "creations": "Associations created in the year",
    "dissolutions": "Associations dissolved in the year",
}


def _reach(name: str, description: str) -> Column:
    return Column(
        name=name,
        kind=Kind.DATE,
        description=description,
        required=False,
        warning="Before 31 December the figures of that year are not complete.",
    )


def _of_event(event: str, label: str) -> tuple[Column, ...]:
    rate = f"{label} per 1,000 in the stock"
    return (
        *(numeric(f"taux_{event}_n_{back}", f"{rate}, {when}", "‰") for back, when in YEARS.items()),
        numeric(f"taux_{event}_lisse_n_1", f"{rate}, smoothed towards the département's, the year before", "‰"),
        numeric(
            f"taux_{event}_voisins_n_1", f"{rate} of the département's other communes together, the year before", "‰"
        ),
    )


COLUMNS = (
    COMMUNE.but(description="Commune of the target vintage of the Code officiel géographique (COG)"),
    ANNEE.but(
        description="Year that the features are to explain; they are about the years before it",
        warning="Each earlier year as the last register of that year has it.",
    ),
    DEPARTEMENT.but(description="Département of the commune"),
    ANNEES_CONNUES,
    _reach("connu_jusqu_au_n_1", "Day of the latest update in the register of the year before"),
    *(
        numeric(f"{name}_n_{back}", f"{_LABELS[name]}, {when}", "associations")
        for name in _FIGURES
        for back, when in YEARS.items()
    ),
    *(
        numeric(f"variation_{name}_n_{back}", f"{_LABELS[name]}: change over one year, {YEARS[back]}", "ratio", ge=-1)
        for name in _FIGURES
        for back in (1, 2)
    ),
    *(column for event, events in _EVENTS.items() for column in _of_event(event, _LABELS[events])),
    _reach("cible_connu_jusqu_au", "Answer: day of the latest update in the register of the year"),
    *(numeric(f"cible_{name}", f"Answer: {_LABELS[name]}", "associations") for name in _FIGURES),
    *(
        numeric(f"cible_taux_{event}", f"Answer: {_LABELS[events]} per 1,000 in the stock", "‰")
        for event, events in _EVENTS.items()
    ),
)

FEATURES = features_of(COLUMNS)
"""Everything that may be shown to a model of the year."""

COMMUNES = yearly_features(COLUMNS, communes, "figures")
