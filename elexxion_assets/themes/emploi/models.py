"""Model of employment: the rate of unemployment that the next census will give, per commune."""

from __future__ import annotations

from datetime import date

from elexxion_assets.declare import Predicts
from elexxion_assets.themes.emploi.platinum import FEATURES
from elexxion_assets.yearly_models import yearly_model


def _published(year: str) -> date:
    """A census is published three years after its year, in summer; what is counted yearly comes earlier."""
    return date(int(year) + 3, 6, 30)


def _asked(year: str) -> date:
    return date(int(year) + 3, 1, 1)


_RATE = "taux_chomage_recensement"

MODELS = (
    yearly_model(
        name="taux_chomage",
        title="Unemployment as declared in the census, per commune",
        description="Unemployed among the active of 15 to 64 years in a census that is not published yet.",
        target=f"cible_{_RATE}",
        stem=_RATE,
        smoothed=f"{_RATE}_lisse_n_1",
        neighbours=f"{_RATE}_voisins_n_1",
        features=tuple(n for n in FEATURES if n not in ("code_commune", "annee", "code_departement", "annees_connues")),
        predicts=Predicts.RATE,
        published=_published,
        asked=_asked,
        weight="actifs_15_64_n_1",
        size="actifs_15_64_n_1",
    ),
)
