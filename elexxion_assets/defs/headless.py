"""One pass without daemons: takes what waits in `input/` and builds everything due, in this process."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, cast

import dagster as dg

from elexxion_assets.defs.automation import BY_INTAKE
from elexxion_assets.defs.intake import TAKEN, asset_keys, partition_tags, stretches_of
from elexxion_assets.defs.report import JOB as REPORT_JOB
from elexxion_assets.defs.tables import DELIVERIES
from elexxion_assets.lake.due import Due, due, settle
from elexxion_assets.lake.intake import waiting
from elexxion_assets.lake.ledger import Delivery, Ledger
from elexxion_assets.lake.storage import Storage
from elexxion_assets.settings import settings
from elexxion_assets.themes import all_themes

_AT_MOST = 3
"""Times that a pass takes a file which is written anew whenever it is taken; then it is left to the next pass."""

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Run configuration: what goes wrong is told once, by who ran it."""


@dataclass
class Pass:
    """What one pass did.

    Attributes:
        deliveries: Deliveries whose state changed.
        tables: Tables published: name and period.
        failed_checks: Checks that failed: table, period, check, blocking, broken rows.
        errors: What went wrong otherwise, in words.
        left: Files that still wait in `input/`.
    """

    deliveries: list[Delivery] = field(default_factory=list)
    tables: list[dict[str, Any]] = field(default_factory=list)
    failed_checks: list[dict[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "deliveries": [json.loads(delivery.to_json()) for delivery in self.deliveries],
            "tables": self.tables,
            "failed_checks": self.failed_checks,
            "errors": self.errors,
            "left": self.left,
        }


def run_pass(storage: Storage, ledger: Ledger, progress: Callable[[str], None]) -> Pass:
    """Takes every file that waits, one that is written all the time a few times only, then builds what is due.

    Args:
        storage: The lake.
        ledger: The deliveries.
        progress: Told in words what is being done.

    Returns:
        What happened.
    """
    from elexxion_assets.definitions import defs

    done = Pass()
    began = time.time()
    with dg.DagsterInstance.get() as instance:
        _take_all(storage, ledger, defs, instance, done, progress)
        tried: set[str] = set()
        # Asked anew after every group: what one leaves to do is then done together with what was to do anyway.
        while group := next((group for group in due(ledger, all_themes()) if group.key not in tried), None):
            tried.add(group.key)
            for part in stretches_of(instance, group):
                _build(defs, instance, storage, ledger, part, done, progress)
        if done.deliveries or tried:
            _report(defs, instance, progress)
    progress(f"done in {time.time() - began:.0f} s")
    done.left = [entry.key for entry in waiting(storage, 0)]
    return done


def _take_all(
    storage: Storage,
    ledger: Ledger,
    code: dg.Definitions,
    instance: dg.DagsterInstance,
    done: Pass,
    progress: Callable[[str], None],
) -> None:
    tried: set[tuple[str, str]] = set()
    times: Counter[str] = Counter()
    taken: dict[str, None] = {}

    def untried(settle_seconds: float) -> set[tuple[str, str]]:
        entries = (entry for entry in waiting(storage, settle_seconds) if times[entry.key] < _AT_MOST)
        files = {(entry.key, entry.etag) for entry in islice(entries, settings().batch)}
        return (files | {(mark, "") for mark in islice(ledger.readings(), settings().batch)}) - tried

    while untried(0):
        if not (settled := untried(settings().settle_seconds)):
            time.sleep(min(settings().settle_seconds, 1.0) / 2 + 0.05)
            continue
        tried |= settled
        times.update(key for key, _ in settled)
        progress(f"taking {len(settled)} file(s)")
        result = code.resolve_job_def("intake").execute_in_process(
            instance=instance, run_config=QUIET, raise_on_error=False, asset_selection=[DELIVERIES], tags=BY_INTAKE
        )
        if not result.success:
            done.errors += errors_of(result)
        for event in result.get_asset_materialization_events():
            materialization = event.step_materialization_data.materialization
            if materialization.asset_key == DELIVERIES:
                taken |= dict.fromkeys(cast(list[str], materialization.metadata[TAKEN].value))
    done.deliveries = [found for found in map(ledger.get, taken) if found is not None]


def _build(
    code: dg.Definitions,
    instance: dg.DagsterInstance,
    storage: Storage,
    ledger: Ledger,
    part: Due,
    done: Pass,
    progress: Callable[[str], None],
) -> None:
    progress(f"building {part.theme} {', '.join(part.periods)}: {', '.join(part.tables)}")
    result = code.resolve_job_def(part.theme).execute_in_process(
        instance=instance,
        run_config=QUIET,
        raise_on_error=False,
        asset_selection=asset_keys(part),
        partition_key=part.periods[0] if len(part.periods) == 1 else None,
        tags={**BY_INTAKE, **partition_tags(part.periods)},
    )
    if not result.success and len(part.periods) > 1:
        for single in part.one_by_one():
            _build(code, instance, storage, ledger, single, done, progress)
        return
    for evaluation in result.get_asset_check_evaluations():
        if not evaluation.passed:
            done.failed_checks.append(
                {
                    "table": evaluation.asset_key.to_user_string(),
                    "period": evaluation.partition,
                    "check": evaluation.check_name,
                    "blocking": evaluation.blocking,
                    "broken": evaluation.metadata["broken"].value,
                }
            )
    if result.success:
        settle(storage, ledger, all_themes(), part)
    else:
        done.errors += errors_of(result)
    for event in result.get_asset_materialization_events():
        materialization = event.step_materialization_data.materialization
        done.tables.append({"table": materialization.asset_key.to_user_string(), "period": materialization.partition})


def _report(code: dg.Definitions, instance: dg.DagsterInstance, progress: Callable[[str], None]) -> None:
    """Renews the page on quality; what goes wrong there is no failure of the pass."""
    progress("renewing the page on quality")
    result = code.resolve_job_def(REPORT_JOB).execute_in_process(
        instance=instance, run_config=QUIET, raise_on_error=False
    )
    for words in errors_of(result):
        progress(words)


def errors_of(result: dg.ExecuteInProcessResult) -> list[str]:
    """What went wrong in a run, in words; failed checks are told with the data."""
    found = []
    for event in result.all_events:
        if event.is_step_failure and (error := event.step_failure_data.error) is not None:
            if error.cls_name == "DagsterAssetCheckFailedError":
                continue  # the data's fault, told with its checks
            cause = error.cause or error
            found.append(f"{event.step_key}: {cause.message.strip()}")
        elif (event.is_engine_event or event.is_resource_init_failure) and (error := event.engine_event_data.error):
            found.append(f"{event.message}: {(error.cause or error).message.strip()}")
    return found
