"""The code location: themes to Definitions."""

import warnings

import dagster as dg

from elexxion_assets.defs import automation
from elexxion_assets.defs.alerts import alerts_sensor
from elexxion_assets.defs.fetch import fetch_job, fetch_schedule
from elexxion_assets.defs.freshness import freshness_check, freshness_job, freshness_schedule
from elexxion_assets.defs.intake import deliveries, input_sensor, intake_job
from elexxion_assets.defs.models import model_assets, models_job
from elexxion_assets.defs.report import report_asset, report_job, report_sensor
from elexxion_assets.defs.resources import resources
from elexxion_assets.defs.retention import retention_job, retention_schedule
from elexxion_assets.defs.tables import theme_assets, theme_job
from elexxion_assets.themes import all_themes


def _definitions() -> dg.Definitions:
    themes = list(all_themes().values())
    with warnings.catch_warnings():
        # Single-run backfills are still called a beta, partitioned checks a preview; this project stands on both.
        for kind in (dg.BetaWarning, dg.PreviewWarning):
            warnings.simplefilter("ignore", kind)
        assets = [asset for theme in themes for asset in theme_assets(theme)]
        assets += [asset for theme in themes for asset in model_assets(theme)]
        jobs = [theme_job(theme) for theme in themes]
        training = [models_job(theme) for theme in themes if theme.models]
        watching = freshness_job(themes)
        return dg.Definitions(
            assets=[deliveries, *assets, report_asset(themes)],
            asset_checks=[freshness_check(theme) for theme in themes if theme.calendar is not None],
            jobs=[intake_job, fetch_job, report_job, retention_job, watching, *jobs, *training],
            schedules=[fetch_schedule, retention_schedule, freshness_schedule(watching)],
            sensors=[input_sensor(themes, jobs), automation.sensor(), report_sensor, alerts_sensor()],
            resources=resources(),
            executor=dg.in_process_executor,
        )


defs = _definitions()
