"""Employment, unemployment and incomes (Insee, Dares, France Travail), per commune or zone d'emploi, and year."""

from datetime import timedelta

from elexxion_assets.declare import Theme, Yearly, every_year, together
from elexxion_assets.themes.emploi.bdm import BDM
from elexxion_assets.themes.emploi.chomage import CHOMAGE_ZONE_EMPLOI
from elexxion_assets.themes.emploi.demandeurs import DEMANDEURS_EMPLOI, DEMANDEURS_EMPLOI_EPCI
from elexxion_assets.themes.emploi.models import MODELS
from elexxion_assets.themes.emploi.platinum import COMMUNES
from elexxion_assets.themes.emploi.recensement import BASE_CC, DICTIONNAIRE, RECENSEMENT
from elexxion_assets.themes.emploi.revenus import FILOSOFI
from elexxion_assets.themes.emploi.samples import samples
from elexxion_assets.themes.emploi.statistiques_locales import STATISTIQUES_LOCALES
from elexxion_assets.themes.emploi.tables import TABLES

THEME = Theme(
    name="emploi",
    title="Emploi, chômage et revenus",
    owner="team:elexxion",
    # The first census whose results Insee still publishes by commune.
    periods=Yearly(first=1968),
    # The census and FiLoSoFi appear once a year.
    fresh_within=timedelta(days=400),
    calendar=together(
        # Censuses are of five years, published in June of the third year after; incomes in the third winter.
        every_year(BASE_CC.name, first=2006, month=7, day=31, lag=3),
        every_year(FILOSOFI.name, first=2012, month=3, day=31, lag=3),
        every_year(CHOMAGE_ZONE_EMPLOI.name, first=2003, month=4, day=30),
        every_year(DEMANDEURS_EMPLOI.name, first=2010, month=3, day=15),
    ),
    datasets=(
        BASE_CC,
        DICTIONNAIRE,
        RECENSEMENT,
        DEMANDEURS_EMPLOI,
        DEMANDEURS_EMPLOI_EPCI,
        FILOSOFI,
        CHOMAGE_ZONE_EMPLOI,
        STATISTIQUES_LOCALES,
        BDM,
    ),
    tables=(*TABLES, COMMUNES),
    models=MODELS,
    samples=samples,
)
