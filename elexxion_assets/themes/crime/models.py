"""Models of recorded crime: the rate of every family of facts per commune, before the year's release.

A rate that is kept secret is no answer: such rows neither train nor count in the score. A row weighs its population:
Poisson's objective on the rate is then the one on the number of facts, with the population as exposure.
"""

from __future__ import annotations

from datetime import date

from elexxion_assets.declare import Model, Predicts
from elexxion_assets.themes.crime.platinum import FEATURES
from elexxion_assets.yearly_models import yearly_model

FAMILIES = {
    "coups_et_blessures": "Assault",
    "vols_sans_violence": "Thefts without violence",
    "cambriolages_logement": "Burglaries of dwellings",
    "vols_dans_vehicules": "Thefts from vehicles",
    "destructions_degradations": "Damage to property",
    "usage_stupefiants": "Use of drugs",
}


def _published(year: str) -> date:
    return date(int(year) + 1, 7, 31)


def _asked(year: str) -> date:
    return date(int(year), 12, 31)


def _model(family: str, label: str) -> Model:
    stem = f"taux_{family}"
    return yearly_model(
        name=stem,
        title=f"{label}: recorded rate per commune",
        description=f"{label} per thousand, of a year of which nothing is published yet, from the three before it.",
        target=f"cible_{stem}",
        stem=stem,
        smoothed=f"{stem}_lisse_n_1",
        neighbours=f"{stem}_voisins_n_1",
        features=(
            *(name for name in FEATURES if family in name),
            "population_n_1",
            "variation_population_n_1",
            "indicateurs_masques_n_1",
            "taux_total_lisse_n_1",
        ),
        predicts=Predicts.COUNTS,
        published=_published,
        asked=_asked,
        weight="population_n_1",
        size="population_n_1",
        objective="poisson",
    )


MODELS = tuple(_model(family, label) for family, label in FAMILIES.items())
