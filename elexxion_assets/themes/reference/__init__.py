"""What the other themes stand on: communes, départements and régions of each COG, and populations."""

from datetime import timedelta

from elexxion_assets.declare import Theme, Yearly
from elexxion_assets.themes.reference.datasets import DATASETS
from elexxion_assets.themes.reference.tables import TABLES

THEME = Theme(
    name="reference",
    title="Code officiel géographique et populations",
    owner="team:elexxion",
    periods=Yearly(first=1943),
    # Insee publishes the COG each February, the populations each December.
    fresh_within=timedelta(days=400),
    datasets=DATASETS,
    tables=TABLES,
)
