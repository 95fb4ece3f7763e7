"""Crime and offences recorded by police and gendarmerie (SSMSI), per commune, département and région, and year."""

from datetime import timedelta

from elexxion_assets.declare import Theme, Yearly, corrected, every_year, together
from elexxion_assets.themes.crime.datasets import COMMUNALE, DEPARTEMENTALE, REGIONALE
from elexxion_assets.themes.crime.models import MODELS
from elexxion_assets.themes.crime.platinum import COMMUNES
from elexxion_assets.themes.crime.samples import samples
from elexxion_assets.themes.crime.tables import TABLES

THEME = Theme(
    name="crime",
    title="Délinquance enregistrée",
    owner="team:elexxion",
    periods=Yearly(first=2016),
    # The SSMSI publishes each winter and corrects in summer.
    fresh_within=timedelta(days=400),
    calendar=together(
        every_year(COMMUNALE.name, first=2016, month=4, day=15),
        every_year(DEPARTEMENTALE.name, first=2016, month=4, day=15),
        corrected(COMMUNALE.name, month=8, day=15, published=(6, 1)),
    ),
    datasets=(COMMUNALE, DEPARTEMENTALE, REGIONALE),
    tables=(*TABLES, COMMUNES),
    models=MODELS,
    samples=samples,
)
