"""Trains models without daemons, in this process: what `elexxion train` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg

from elexxion_assets.declare import Layer, Model, Theme
from elexxion_assets.defs.headless import QUIET, errors_of
from elexxion_assets.defs.intake import add_partitions
from elexxion_assets.defs.models import FILLED, UNTRAINABLE, WATCHER, model_key
from elexxion_assets.lake.build import periods_of
from elexxion_assets.lake.models import read_model
from elexxion_assets.lake.storage import Storage


def train_models(
    storage: Storage, theme: Theme, models: Sequence[Model], period: str | None, progress: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Trains models for a period, or for the newest that each can be trained for, then fills their tables.

    A period that has no features yet, such as a scrutin to come, gets them first.

    Returns:
        Per model: `model`, `period`, `said` (in words), `made` and `failed`; neither where nothing can be trained.
    """
    from elexxion_assets.definitions import defs

    said = []
    watching = WATCHER.set(progress)
    with dg.DagsterInstance.get() as instance:
        for model in models:
            name = f"{theme.name}/{model.name}"
            known = periods_of(storage, theme, Layer.PLATINUM, model.table)
            told: dict[str, Any] = {
                "model": name,
                "period": period,
                "said": "no features yet",
                "made": False,
                "failed": False,
            }
            for wanted in [period] if period is not None else reversed(known):
                progress(f"training {name} for {wanted}")
                features = [] if wanted in known else [dg.AssetKey([theme.name, "platinum", model.table])]
                told = _train(defs, instance, storage, theme, model, wanted, features)
                if told["made"] or told["failed"]:
                    break
            said.append(told)
    WATCHER.reset(watching)
    return said


def _train(
    code: dg.Definitions,
    instance: dg.DagsterInstance,
    storage: Storage,
    theme: Theme,
    model: Model,
    period: str,
    features: list[dg.AssetKey],
) -> dict[str, Any]:
    add_partitions(instance, theme.name, {period})
    filled = [dg.AssetKey([theme.name, *table]) for table in FILLED]
    result = code.resolve_job_def(f"{theme.name}_models").execute_in_process(
        instance=instance,
        run_config=QUIET,
        raise_on_error=False,
        asset_selection=[*features, model_key(theme, model), *filled],
        partition_key=period,
    )
    told = {"model": f"{theme.name}/{model.name}", "period": period, "made": False, "failed": True}
    if not result.success:
        refused = [
            f"{found.asset_key.to_user_string()}: the check {found.check_name} fails"
            for found in result.get_asset_check_evaluations()
            if found.blocking and not found.passed
        ]
        return told | {"said": "; ".join([*refused, *errors_of(result)])}
    observed = [event for event in result.all_events if event.event_type_value == "ASSET_OBSERVATION"]
    for event in observed:
        found = event.asset_observation_data.asset_observation.metadata
        if UNTRAINABLE in found:
            return told | {"said": str(found[UNTRAINABLE].value), "failed": False}
    there = read_model(storage, theme.name, model.name, period)
    if there is None:
        return told | {"said": "nothing was made; see the Dagster UI"}
    what = "the model is published" if there.card["published"] == "modele" else "the baseline is published"
    return told | {"said": f"{what}: {there.card['reason']}", "made": True, "failed": False}
