"""The assets of models: what is published, what stays, what people see of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from elexxion_assets.declare import Layer, Theme
from elexxion_assets.defs import resources
from elexxion_assets.defs.headless import errors_of
from elexxion_assets.defs.models import model_assets
from elexxion_assets.defs.tables import _published, table_asset
from elexxion_assets.lake import layout
from elexxion_assets.lake.models import Published, read_model, write_card
from elexxion_assets.lake.storage import Conflict, DirectoryStorage, open_storage
from elexxion_assets.settings import settings
from elexxion_assets_tests.learning.planted import PLANTED, YEARS, put, rows_of
from elexxion_assets_tests.services.s3 import S3Server, moto

__all__ = ["moto"]


class Lake:
    """A lake with the planted theme, and a Dagster of its own."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch, trials: int = 0) -> None:
        monkeypatch.setenv("ELEXXION_HOME", str(home))
        monkeypatch.setenv("ELEXXION_STUDY_TRIALS", str(trials))
        monkeypatch.delenv("ELEXXION_STUDY_DATABASE_URL", raising=False)
        monkeypatch.setattr(resources, "all_themes", lambda: {"planted": PLANTED})
        settings.cache_clear()
        self.storage = DirectoryStorage(settings().lake_directory)
        self.instance = dg.DagsterInstance.ephemeral()
        self.instance.add_dynamic_partitions("planted", list(YEARS))

    def plant(self, signal: float, *, last_answers: bool = True, seed: int = 0) -> None:
        for year in YEARS:
            answers = last_answers or year != YEARS[-1]
            put(self.storage, year, rows_of(year, signal=signal, seed=seed, answers=answers))

    def assets(self, theme: Theme = PLANTED) -> tuple[dg.AssetsDefinition, list[dg.AssetsDefinition]]:
        with warnings.catch_warnings():
            for kind in (dg.BetaWarning, dg.PreviewWarning):
                warnings.simplefilter("ignore", kind)
            return table_asset(theme, theme.tables[0]), model_assets(theme)

    def train(
        self, period: str = YEARS[-1], *, raises: bool = True, theme: Theme = PLANTED
    ) -> dg.ExecuteInProcessResult:
        platinum, assets = self.assets(theme)
        return dg.materialize(
            [platinum, *assets],
            selection=[asset.key for asset in assets],
            instance=self.instance,
            resources=resources.resources(),
            partition_key=period,
            raise_on_error=raises,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )

    def train_range(self, first: str, last: str) -> None:
        platinum, assets = self.assets()
        result = dg.materialize(
            [platinum, *assets],
            selection=[asset.key for asset in assets],
            instance=self.instance,
            resources=resources.resources(),
            tags={"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last},
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
        assert result.success

    def release(self, period: str = YEARS[-1]) -> Published:
        found = read_model(self.storage, "planted", "taux", period)
        assert found is not None
        return found

    def table(self, layer: Layer, name: str, period: str = YEARS[-1]) -> pl.DataFrame:
        with self.storage.local(layout.table_key("planted", layer, name, period)) as path:
            return pl.read_parquet(path)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Lake]:
    made = Lake(tmp_path, monkeypatch, trials=getattr(request, "param", 0))
    yield made
    made.instance.dispose()
    settings.cache_clear()


def metadata(result: dg.ExecuteInProcessResult, *key: str) -> dict[str, object]:
    [event] = [e for e in result.get_asset_materialization_events() if e.asset_key == dg.AssetKey(list(key))]
    return {name: value.value for name, value in event.materialization.metadata.items()}


@pytest.mark.parametrize("lake", [3], indirect=True)
def test_a_planted_signal_is_published(lake: Lake) -> None:
    lake.plant(6.0)
    result = lake.train()
    card = lake.release().card
    assert card["published"] == "modele"
    assert [fold["period"] for fold in card["folds"]] == ["2019", "2020", "2021"]
    assert all(fold["low"] > 0 for fold in card["folds"])
    assert card["features"][0]["name"] == "x"
    predictions = lake.table(Layer.PLATINUM, "predictions")
    assert predictions.height == 200
    assert set(predictions["publie"]) == {"modele"}
    assert predictions["prediction"].to_list() == predictions["prediction_modele"].to_list()
    assert predictions["raison_1"].str.contains(r"\([+-]\d+\.\d\d points\)$").all()
    assert predictions.filter(pl.col("raison_1").str.contains("Something")).height > 100
    shown = metadata(result, "planted", "model", "taux")
    assert shown["published"] == "the model"
    assert "data:image/svg+xml;base64," in str(shown["trials"])
    evaluation = lake.table(Layer.MODEL, "evaluation")
    assert set(evaluation["predicteur"]) == {"modele", "persistance", "moyenne"}
    assert set(evaluation["periode"]) == {"2019", "2020", "2021"}
    assert evaluation.filter(pl.col("mesure") == "avantage_bas")["valeur"].min() > 0  # type: ignore[operator]


def test_pure_noise_publishes_the_baseline_and_says_so_everywhere(lake: Lake) -> None:
    lake.plant(0.0)
    result = lake.train()
    card = lake.release().card
    assert card["published"] == "reference"
    assert "does not beat" in card["reason"]
    predictions = lake.table(Layer.PLATINUM, "predictions")
    assert set(predictions["publie"]) == {"reference"}
    assert predictions["prediction"].to_list() == predictions["prediction_reference"].to_list()
    assert predictions["raison_1"].str.starts_with("The baseline is published: As before").all()
    assert predictions["raison_2"].is_null().all()
    assert set(lake.table(Layer.MODEL, "evaluation")["publie"]) == {"reference"}
    assert "the baseline" in str(metadata(result, "planted", "model", "taux")["published"])
    page = lake.storage.read(layout.model_key("planted", "taux", "2021", "html")).decode()
    assert "The baseline is published, not the model" in page


def test_a_period_without_answers_is_predicted_and_judged_by_those_before(lake: Lake) -> None:
    lake.plant(6.0, last_answers=False)
    lake.train()
    card = lake.release().card
    assert [fold["period"] for fold in card["folds"]] == ["2019", "2020"]
    assert card["published"] == "modele"
    assert lake.table(Layer.PLATINUM, "predictions").height == 200


def test_a_period_that_nothing_trains_is_told_and_fails_nothing(lake: Lake) -> None:
    lake.plant(6.0)
    result = lake.train(YEARS[0])
    assert result.success
    assert read_model(lake.storage, "planted", "taux", YEARS[0]) is None
    [observed] = [event for event in result.all_events if event.event_type_value == "ASSET_OBSERVATION"]
    said = observed.asset_observation_data.asset_observation.metadata["not trained"].value
    assert said == "no earlier period with answers can train taux for 2018"


def test_a_worse_challenger_never_replaces_the_champion(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.plant(6.0)
    worse = {"num_leaves": 2, "num_iterations": 1}
    lake.train()
    before = lake.release()
    # A new vintage, of which later code trains a poorer model.
    lake.plant(6.0, seed=9)
    poorer = replace(PLANTED, models=(replace(PLANTED.models[0], params={**PLANTED.models[0].params, **worse}),))
    lake.train(theme=poorer)
    after = lake.release()
    assert after.card["training"]["params"] == before.card["training"]["params"]
    assert after.text["model"] != before.text["model"]
    decision = after.card["decision"]
    assert not decision["replaces"]
    assert decision["challenger"] > decision["champion"]
    assert "the champion stays" in decision["reason"]
    assert after.card["data"] != before.card["data"]
    shown = metadata(lake.train(theme=poorer), "planted", "model", "taux")
    assert "the champion stays" in str(shown["champion and challenger"])


def test_the_answers_of_the_period_judge_and_choose_nothing(lake: Lake) -> None:
    lake.plant(6.0)
    lake.train()
    # A new vintage in which the earlier years tell nothing of the signal, while the answers stay.
    for year in YEARS[:-1]:
        put(lake.storage, year, rows_of(year, signal=0.0, seed=9))
    lake.train()
    card = lake.release().card
    assert "on 2020" in card["decision"]["reason"]
    assert [fold["period"] for fold in card["folds"]] == ["2019", "2020", "2021"]
    assert card["published"] == "reference"


def test_a_better_challenger_replaces_the_champion_which_is_kept(lake: Lake) -> None:
    for year in YEARS:
        put(lake.storage, year, rows_of(year, signal=6.0, seed=0 if year == YEARS[-1] else 9, noise=30.0))
    put(lake.storage, YEARS[-1], rows_of(YEARS[-1], signal=6.0))
    lake.train()
    before = lake.release()
    lake.plant(6.0)
    lake.train()
    after = lake.release()
    assert after.card["decision"]["replaces"]
    assert after.text["model"] != before.text["model"]
    assert lake.storage.read(before.card["text"])


def test_the_same_rows_and_code_train_nothing_again(lake: Lake) -> None:
    lake.plant(6.0)
    lake.train()
    before = lake.release()
    for year in YEARS:  # written again, the same rows
        put(lake.storage, year, rows_of(year, signal=6.0))
    lake.train()
    assert lake.release().etag == before.etag


def test_two_homes_make_the_same_model_and_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for name in ("one", "other"):
        lake = Lake(tmp_path / name, monkeypatch, trials=2)
        lake.plant(6.0)
        lake.train()
        card = dict(lake.release().card)
        del card["made_at"]
        card["search"] = {k: v for k, v in card["search"].items() if k != "seconds"}
        predictions = lake.table(Layer.PLATINUM, "predictions").write_csv()
        made.append((lake.release().text, json.dumps(card), predictions))
        lake.instance.dispose()
    settings.cache_clear()
    assert made[0] == made[1]


def test_features_of_older_code_are_told_in_words(lake: Lake) -> None:
    lake.plant(6.0)
    path = lake.storage.root / layout.table_key("planted", Layer.PLATINUM, "communes", "2019")
    pl.read_parquet(path).drop("x").write_parquet(path)
    [said] = errors_of(lake.train(raises=False))
    assert said.endswith(
        "planted/platinum/communes 2019 was made before it had x; build it again: "
        "`elexxion replay --theme planted --layer platinum`"
    )
    assert read_model(lake.storage, "planted", "taux", "2021") is None


def test_a_range_of_periods_is_made_in_one_run(lake: Lake) -> None:
    lake.plant(6.0)
    lake.train_range(YEARS[0], YEARS[-1])
    model, predictions, evaluation = (asset.key for asset in lake.assets()[1])
    # Nothing can train a model of the first, so Dagster is told of the others alone; their tables follow by automation.
    assert lake.instance.get_materialized_partitions(model) == set(YEARS[1:])
    before = [lake.release(year).etag for year in YEARS[1:]]
    lake.train_range(YEARS[1], YEARS[-1])
    assert [lake.release(year).etag for year in YEARS[1:]] == before
    for key in (predictions, evaluation):
        assert lake.instance.get_materialized_partitions(key) == set(YEARS[1:]), key
    for year in YEARS[1:]:
        assert lake.table(Layer.PLATINUM, "predictions", year)["annee"].unique().to_list() == [int(year)]


def test_a_period_without_any_row_trains_nothing_again(lake: Lake) -> None:
    lake.plant(6.0)
    # As the first scrutin of a lake: nothing is known before it.
    path = lake.storage.root / layout.table_key("planted", Layer.PLATINUM, "communes", "2017")
    rows_of("2017", signal=6.0).clear().write_parquet(path)
    lake.train()
    before = lake.release()
    lake.train()
    assert lake.release().etag == before.etag


def test_a_bucket_keeps_models_as_a_directory_does(moto: S3Server, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.plant(6.0)
    lake.train()
    names = {"ENDPOINT": moto.endpoint, "ACCESS_KEY": moto.access_key, "SECRET_KEY": moto.secret_key}
    for name, value in names.items():
        monkeypatch.setenv(f"ELEXXION_S3_{name}", value)
    settings.cache_clear()
    bucket = open_storage(settings())
    for year in YEARS:
        put(bucket, year, rows_of(year, signal=6.0))
    lake.train()
    made = read_model(bucket, "planted", "taux", YEARS[-1])
    assert made is not None
    assert made.text == lake.release().text
    with bucket.local(layout.table_key("planted", Layer.PLATINUM, "predictions", YEARS[-1])) as path:
        assert pl.read_parquet(path).height == 200
    lake.train()
    again = read_model(bucket, "planted", "taux", YEARS[-1])
    assert again is not None
    assert again.etag == made.etag
    with pytest.raises(Conflict):
        write_card(bucket, made.card, "", "of another time")


def test_rows_that_are_not_as_declared_stop_before_training(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.plant(6.0)
    lake.storage.delete(layout.table_key("planted", Layer.PLATINUM, "communes", "2021"))
    bad = rows_of("2021", signal=6.0).with_columns(pl.lit(-3).cast(pl.Int64).alias("habitants"))
    path = lake.storage.root / layout.table_key("planted", Layer.PLATINUM, "communes", "2021")
    bad.write_parquet(path)
    result = lake.train(raises=False)
    assert not result.success
    assert read_model(lake.storage, "planted", "taux", "2021") is None


def test_the_type_of_the_rows_is_judged_and_told_by_dagster_pandas(lake: Lake) -> None:
    from elexxion_assets.defs.models import pandas_type
    from elexxion_assets_tests.learning.planted import TABLE

    lake.plant(6.0)
    result = lake.train()
    [checked] = [
        event
        for event in result.all_events
        if event.event_type_value == "STEP_INPUT" and event.event_specific_data.input_name == "features"
    ]
    told = checked.event_specific_data.type_check_data
    assert told.success
    assert told.metadata["rows"].value == 200
    made = pandas_type(PLANTED, TABLE)
    wrong = resources.load_rows(lake.storage, "planted", TABLE, ["2021"]).assign(habitants=0)
    judged = made.type_check(None, wrong)  # type: ignore[arg-type]
    assert not judged.success
    assert "habitants" in str(judged.description)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "action", "data"}]


def test_the_card_asks_nothing_of_the_network_and_escapes_every_text(lake: Lake) -> None:
    lake.plant(6.0)
    lake.train()
    page = lake.storage.read(layout.model_key("planted", "taux", "2021", "html")).decode()
    parsed = _Page()
    parsed.feed(page)
    assert parsed.addresses == []
    assert not parsed.tags & {"script", "img", "link", "iframe", "object", "a"}
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert re.findall(r"url\(|@import", page) == []
    for said in ("Against its baselines", "Errors by size", "Calibration", "Residuals by département", "SHAP"):
        assert said in page, said


@pytest.mark.filterwarnings("ignore:Parameter `include_sources`")  # of Dagster's own tester
def test_new_features_ask_for_a_model_and_a_new_model_for_its_tables(lake: Lake) -> None:
    platinum, assets = lake.assets()
    defs = dg.Definitions(assets=[platinum, *assets], resources=resources.resources())
    model, predictions, evaluation = (asset.key for asset in assets)
    asked = dg.evaluate_automation_conditions(defs, lake.instance)
    assert asked.total_requested == 0
    for key, wanted in ((platinum.key, [model]), (model, [predictions, evaluation]), (predictions, [])):
        # By the intake's own runs too: what follows a delivery is trained by nobody else.
        lake.instance.report_runless_asset_event(dg.AssetMaterialization(key, partition="2021"))
        for check in platinum.check_specs if key == platinum.key else ():
            target = _published(lake.instance, key, "2021")
            lake.instance.report_runless_asset_event(
                dg.AssetCheckEvaluation(
                    asset_key=key,
                    check_name=check.name,
                    passed=True,
                    blocking=check.blocking,
                    partition="2021",
                    target_materialization_data=target,
                )
            )
        asked = dg.evaluate_automation_conditions(defs, lake.instance, cursor=asked.cursor)
        for follower in (model, predictions, evaluation):
            assert asked.get_requested_partitions(follower) == ({"2021"} if follower in wanted else set()), follower


def test_definitions_load_without_what_trains() -> None:
    source = (
        "import sys; from elexxion_assets.definitions import defs; defs.resolve_asset_graph();"
        "heavy = 'lightgbm optuna sklearn scipy pandas dagster_pandas pandera fastapi jinja2 boto3 sqlalchemy';"
        "print([name for name in heavy.split() if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"


def test_every_model_is_an_asset_with_its_tables() -> None:
    from elexxion_assets.definitions import defs
    from elexxion_assets.themes import all_themes

    graph = defs.resolve_asset_graph()
    for theme in all_themes().values():
        for model in theme.models:
            node = graph.get(dg.AssetKey([theme.name, "model", model.name]))
            assert node.partitions_def == dg.DynamicPartitionsDefinition(name=theme.name)
            assert node.parent_keys == {dg.AssetKey([theme.name, "platinum", model.table])}
            job = defs.resolve_job_def(f"{theme.name}_models")
            assert node.key in job.asset_layer.executable_asset_keys
            assert node.key not in defs.resolve_job_def(theme.name).asset_layer.executable_asset_keys
        if theme.models:
            assert graph.has(dg.AssetKey([theme.name, "platinum", "predictions"]))
            assert graph.has(dg.AssetKey([theme.name, "model", "evaluation"]))
