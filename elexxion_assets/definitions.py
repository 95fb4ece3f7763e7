"""The code location: themes to Definitions."""

import warnings

import dagster as dg

# A partitioned check is still called a preview by this Dagster; checks per period are what this project stands on.
warnings.filterwarnings("ignore", message=".*partitions_def.*AssetCheckSpec.*", category=dg.PreviewWarning)

from elexxion_assets.defs import automation  # noqa: E402
from elexxion_assets.defs.intake import deliveries, input_sensor, intake_job  # noqa: E402
from elexxion_assets.defs.resources import resources  # noqa: E402
from elexxion_assets.defs.tables import theme_assets, theme_job  # noqa: E402
from elexxion_assets.themes import all_themes  # noqa: E402


@dg.definitions
def defs() -> dg.Definitions:
    """Everything that Dagster shows and runs."""
    themes = list(all_themes().values())
    jobs = [theme_job(theme) for theme in themes]
    return dg.Definitions(
        assets=[deliveries, *(asset for theme in themes for asset in theme_assets(theme))],
        jobs=[intake_job, *jobs],
        sensors=[input_sensor(themes, jobs), automation.sensor()],
        resources=resources(),
        executor=dg.in_process_executor,
    )
