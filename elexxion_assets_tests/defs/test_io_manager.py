"""What Dagster loads from the lake is typed, judged, and the same on every storage."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pandera.errors
import pytest

from elexxion_assets.declare import Kind, Layer
from elexxion_assets.defs import resources
from elexxion_assets.lake.build import publish, stage
from elexxion_assets.lake.intake import Taken, drop, take, waiting
from elexxion_assets.lake.ledger import Ledger
from elexxion_assets.lake.storage import DirectoryStorage
from elexxion_assets.quality.schema import pandera_schema
from elexxion_assets.settings import settings
from elexxion_assets_tests.toy import COUNT, THEMES, TOY, csv

FACTS = TOY.table(Layer.SILVER, "facts")


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> resources.LakeIOManager:
    monkeypatch.setenv("ELEXXION_HOME", str(tmp_path))
    monkeypatch.setattr(resources, "all_themes", lambda: THEMES)
    settings.cache_clear()
    storage = DirectoryStorage(settings().lake_directory)
    ledger = Ledger(storage)
    drop(storage, "a.csv", csv("01001;2020;3", "2A004;2020;4", "01001;2021;5"), {})
    for entry in list(waiting(storage, 0)):
        take(storage, ledger, THEMES, entry, Taken())
    for period in ("2020", "2021"):
        with stage(storage, ledger, THEMES, TOY, FACTS, period) as staged:
            publish(storage, staged)
    yield resources.resources()["lake_io"]  # type: ignore[misc]
    settings.cache_clear()


def load(manager: resources.LakeIOManager, *periods: str) -> object:
    keys = dg.DynamicPartitionsDefinition(name="toy")
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("toy", ["2020", "2021"])
        context = dg.build_input_context(
            asset_key=dg.AssetKey(["toy", "silver", "facts"]),
            asset_partitions_def=keys,
            asset_partition_key_range=dg.PartitionKeyRange(periods[0], periods[-1]),
            instance=instance,
        )
        return manager.load_input(context)


def test_one_period_is_loaded_with_its_declared_types(manager: resources.LakeIOManager) -> None:
    rows = load(manager, "2020")
    assert rows.to_dict("list") == {"code_commune": ["01001", "2A004"], "annee": [2020, 2020], "nombre": [3, 4]}


def test_many_periods_are_loaded_as_one_frame(manager: resources.LakeIOManager) -> None:
    rows = load(manager, "2020", "2021")
    assert list(rows["nombre"]) == [3, 4, 5]


@pytest.mark.parametrize(
    ("rows", "column"),
    [
        ({"code_commune": ["01001", "1"], "annee": [2020, 2020], "nombre": [1, 2]}, "code_commune"),
        ({"code_commune": ["01001", "01002"], "annee": [2020, 2020], "nombre": [1, -2]}, "nombre"),
        ({"code_commune": ["01001", "01001"], "annee": [2020, 2020], "nombre": [1, 2]}, "code_commune"),
    ],
)
def test_a_pandas_frame_that_breaks_the_contract_is_named_column_and_all(
    rows: dict[str, list[object]], column: str
) -> None:
    import pandas as pd

    with pytest.raises(pandera.errors.SchemaErrors) as caught:
        pandera_schema(FACTS.columns, FACTS.key).validate(pd.DataFrame(rows), lazy=True)
    assert column in str(caught.value)


def test_every_kind_of_column_has_a_pandas_type() -> None:
    for kind in Kind:
        assert pandera_schema([COUNT.but(kind=kind, ge=None)], ()).columns["nombre"].dtype is not None
