"""Model of associations: how many will be created in a year, per commune."""

from __future__ import annotations

from datetime import date

from elexxion_assets.declare import Predicts
from elexxion_assets.themes.association.platinum import FEATURES
from elexxion_assets.yearly_models import yearly_model


def _published(year: str) -> date:
    return date(int(year), 12, 31)


def _asked(year: str) -> date:
    """The register grows from day to day: the year before is known when the year begins."""
    return date(int(year), 1, 1)


_NO_NUMBERS = ("code_commune", "annee", "code_departement", "annees_connues", "connu_jusqu_au_n_1")

MODELS = (
    yearly_model(
        name="creations",
        title="Associations created, per commune",
        description="Associations that will be created in a year, from the register of the three years before it.",
        target="cible_creations",
        stem="creations",
        smoothed="taux_creation_lisse_n_1",
        neighbours="taux_creation_voisins_n_1",
        features=tuple(name for name in FEATURES if name not in _NO_NUMBERS),
        predicts=Predicts.COUNTS,
        published=_published,
        asked=_asked,
        weight=None,
        size="stock_n_1",
        exposure="stock_n_1",
    ),
)
