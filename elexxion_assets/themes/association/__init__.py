"""Associations of the law of 1901: the national register (RNA), per commune and year."""

from datetime import timedelta

from elexxion_assets.declare import Theme, Yearly, every_month
from elexxion_assets.themes.association.datasets import RNA_IMPORT, RNA_WALDEC
from elexxion_assets.themes.association.models import MODELS
from elexxion_assets.themes.association.platinum import COMMUNES
from elexxion_assets.themes.association.samples import samples
from elexxion_assets.themes.association.tables import TABLES

THEME = Theme(
    name="association",
    title="Associations (RNA)",
    owner="team:elexxion",
    periods=Yearly(first=2009),
    # The register is published every month.
    fresh_within=timedelta(days=62),
    calendar=every_month(RNA_WALDEC.name, day=15),
    datasets=(RNA_WALDEC, RNA_IMPORT),
    tables=(*TABLES, COMMUNES),
    models=MODELS,
    samples=samples,
)
