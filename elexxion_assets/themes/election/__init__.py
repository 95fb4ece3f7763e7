"""Election results of the ministry of the Interior: how many voted, and for whom, in every territory."""

from datetime import timedelta

from elexxion_assets.declare import Theme
from elexxion_assets.themes.election import platinum
from elexxion_assets.themes.election.datasets import DATASETS
from elexxion_assets.themes.election.models import MODELS
from elexxion_assets.themes.election.samples import samples
from elexxion_assets.themes.election.scrutins import Scrutins, results_expected
from elexxion_assets.themes.election.tables import TABLES

THEME = Theme(
    name="election",
    title="Résultats des élections",
    owner="team:elexxion",
    periods=Scrutins(),
    fresh_within=timedelta(days=3 * 366),
    calendar=results_expected(tuple(dataset.name for dataset in DATASETS)),
    datasets=DATASETS,
    tables=(*TABLES, platinum.COMMUNES),
    models=MODELS,
    samples=samples,
)
