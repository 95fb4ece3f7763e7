"""What the other themes stand on: communes, départements and régions of each COG, and populations."""

from dataclasses import replace
from datetime import timedelta

from elexxion_assets.declare import Theme, Yearly, every_year, together
from elexxion_assets.themes.reference.datasets import COMMUNES, DATASETS, POPULATION
from elexxion_assets.themes.reference.tables import TABLES

THEME = Theme(
    name="reference",
    title="Code officiel géographique et populations",
    owner="team:elexxion",
    periods=Yearly(first=1943),
    # Insee publishes the COG each February, the populations each December.
    fresh_within=timedelta(days=400),
    calendar=together(
        every_year(COMMUNES.name, first=2018, month=3, day=15, lag=0),
        every_year(POPULATION.name, first=2006, month=1, day=31, lag=3),
    ),
    datasets=DATASETS,
    tables=tuple(replace(table, in_process="the communes of France are some 40,000") for table in TABLES),
)
