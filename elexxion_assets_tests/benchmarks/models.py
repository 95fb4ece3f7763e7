"""The full table of metrics of the models of elections and crime on a lake of real files.

    python -m elexxion_assets_tests.benchmarks.models FOLDER [--sensitivity] [--out TABLE.csv]

FOLDER is the lake's `output`. Platinum is made anew from gold, so that a lake built by an earlier version serves too.
`--sensitivity` moves the constants of the moving votes and the disputed candidates.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import narwhals as nw
import pandas as pd
import polars as pl

from elexxion_assets.declare import Layer, Model
from elexxion_assets.learning.evaluation import MODEL, Fold, Tested, compare, folds, metrics, try_fold, weighted_mae
from elexxion_assets.learning.rows import answered, as_known
from elexxion_assets.learning.training import base_of, consistent, national
from elexxion_assets.themes import all_themes
from elexxion_assets.themes.election import blocs, swings

SEED = 1
CONSTANTS: Mapping[str, tuple[float, ...]] = {
    "scale": (0.25, 0.6, 0.8),
    "leaving": (0.3, 0.8),
    "orphan": (0.1, 0.5, 1.0),
    "moving": (0.0, 0.4, 0.8, 1.0),
    "other_kind": (0.0, 0.3),
    "momentum": (0.0, 0.15, 0.5),
    "second_round": (0.0, 0.5),
}
DISPUTED: Mapping[str, Mapping[str, str]] = {
    "DUPONT-AIGNAN to extreme_droite": {"DUPONT-AIGNAN": "extreme_droite"},
    "MÉLENCHON to extreme_gauche": {"MÉLENCHON": "extreme_gauche"},
    "LASSALLE, ASSELINEAU to droite": {"LASSALLE": "droite", "ASSELINEAU": "droite"},
}


def platinum(
    folder: Path, theme: str, periods: list[str], moved: Mapping[str, str] | None = None
) -> dict[str, pd.DataFrame]:
    """Platinum `communes` of these periods, made from gold; with some candidates moved to another bloc."""
    table = all_themes()[theme].table(Layer.PLATINUM, "communes")
    frames = []
    for path in table.inputs:
        parts = path.split("/")
        of, name = (parts[0], parts[2]) if len(parts) == 3 else (theme, parts[1])
        frames.append(pl.scan_parquet(str(folder / "or" / of / name / "*.parquet")))
    if moved:
        frames[0], frames[1] = _with_moved(frames[0].collect(), frames[1].collect(), moved)
    made = {}
    for period in periods:
        result = table.function(*(nw.from_native(frame) for frame in frames), period=period)
        columns = [nw.col(column.name).cast(column.kind.dtype) for column in table.columns]
        made[period] = result.select(columns).sort("code_commune").to_native().collect().to_pandas()
    return {period: frame for period, frame in made.items() if len(frame)}


def _with_moved(
    gold: pl.DataFrame, candidates: pl.DataFrame, moved: Mapping[str, str]
) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    to = pl.lit(None, dtype=pl.String)
    for family, bloc in moved.items():
        to = pl.when(pl.col("candidat").str.starts_with(family)).then(pl.lit(bloc)).otherwise(to)
    candidates = candidates.with_columns(pl.coalesce(to, "bloc").alias("bloc"))
    sums = candidates.group_by("scrutin", "code_commune").agg(
        pl.col("voix").filter(pl.col("bloc") == bloc).sum().alias(f"voix_{bloc}") for bloc in blocs.BLOCS
    )
    gold = gold.drop(f"voix_{bloc}" for bloc in blocs.BLOCS).join(sums, on=["scrutin", "code_commune"], how="left")
    shares = ((100 * pl.col(f"voix_{bloc}") / pl.col("exprimes")).alias(f"part_{bloc}") for bloc in blocs.BLOCS)
    return gold.with_columns(shares).lazy(), candidates.lazy()


def with_others(model: Model, tables: dict[str, pd.DataFrame], fold: Fold) -> Tested:
    """One fold, beside the model as it would be with another anchor or another objective."""
    tested = try_fold(model, tables, fold, seed=SEED)
    others = {}
    if model.anchor == "reports_de_voix":
        others["modele_a_priori"] = replace(model, anchor="reports_de_voix_a_priori")
        others["modele_pleine_force"] = replace(model, params={**model.params, "num_iterations": 200})
    if model.objective == "poisson":
        others["modele_l1"] = replace(model, objective="regression_l1")
        others["modele_tweedie"] = replace(model, objective="tweedie")
    made = {name: try_fold(one, tables, fold, seed=SEED).predictions[MODEL] for name, one in others.items()}
    return replace(tested, predictions={**tested.predictions, **made})


def rule_alone(model: Model, frame: pd.DataFrame, rule: str, constants: swings.Constants | None = None) -> float:
    """Headline of one rule in one period; of the moving votes with these constants if they are given."""
    rows = answered(model, as_known(model, frame))
    given = national(model, rows)
    if constants is None:
        made = base_of(model, rule, {}, rows, given)
    else:
        made = consistent(model, swings.votes_move(constants)(rows, {}, given))
    return weighted_mae(model, rows, pd.DataFrame(made, columns=list(model.outputs), index=rows.index))


def merged_apart(tested: Tested, merged: set[str]) -> pd.DataFrame:
    """The headline for communes that merged since, and for the others."""
    inside = tested.rows["code_commune"].isin(merged).to_numpy()
    found = []
    for name, which in (("fusionnées", inside), ("autres", ~inside)):
        for predictor, made in tested.predictions.items():
            value = weighted_mae(tested.model, tested.rows[which], made[which])
            found.append((tested.fold.predicted, name, predictor, round(value, 3), int(which.sum())))
    return pd.DataFrame(found, columns=["periode", "tranche", "predicteur", "mae_ponderee", "lignes"])


def _show(model: Model, tables: dict[str, pd.DataFrame]) -> tuple[list[pd.DataFrame], list[Tested]]:
    made, tests = [], []
    for fold in folds(model, list(tables)):
        if any(answered(model, tables[period]).empty for period in (*fold.trained, fold.predicted)):
            continue
        started = time.monotonic()
        tested = with_others(model, tables, fold)
        found = metrics(tested)
        print(f"\n{model.name}: {', '.join(fold.trained)} -> {fold.predicted}, {len(tested.rows)} rows,", end=" ")
        print(f"{time.monotonic() - started:.0f} s, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")
        whole = found.query("tranche == 'toutes' and cible == 'toutes'")
        print(whole.pivot(index="predicteur", columns="mesure", values="valeur").round(3).to_string())
        by = found.query("tranche == 'toutes' and cible != 'toutes' and mesure == 'mae_ponderee'")
        print(by.pivot(index="predicteur", columns="cible", values="valeur").round(2).to_string())
        by = found.query("tranche != 'toutes' and mesure == 'mae'")
        print(by.pivot(index="predicteur", columns="tranche", values="valeur").round(2).to_string())
        print(compare(tested))
        made.append(found)
        tests.append(tested)
    return made, tests


def _sensitivity(folder: Path, model: Model, tables: dict[str, pd.DataFrame], periods: list[str]) -> None:
    scrutins = [period for period in tables if "presidentielle" in period]
    rule = model.anchor
    print("\nVotes that move, alone, per constant (headline; proportional swing first)")
    print(f"{'':28}", *(f"{s}: {rule_alone(model, tables[s], 'variation_proportionnelle'):.3f}" for s in scrutins))
    print(f"{'as they are':28}", *(f"{s}: {rule_alone(model, tables[s], rule):.3f}" for s in scrutins))
    for name, values in CONSTANTS.items():
        for value in values:
            constants = replace(swings.BY_HAND, **{name: value})
            values_of = (rule_alone(model, tables[s], rule, constants) for s in scrutins)
            print(f"{name + ' = ' + str(value):28}", *(f"{found:.3f}" for found in values_of))
    for title, moved in DISPUTED.items():
        other = platinum(folder, "election", periods, moved)
        for scrutin in scrutins:
            swing, own = (rule_alone(model, other[scrutin], name) for name in ("variation_proportionnelle", rule))
            print(f"{title}, {scrutin}: proportional {swing:.3f}, votes that move {own:.3f} ({own / swing - 1:+.1%})")


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sensitivity", action="store_true")
    parser.add_argument("--models", nargs="*", help="names of models; all by default")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    made: list[pd.DataFrame] = []
    for name, theme in all_themes().items():
        models = [model for model in theme.models if not asked.models or model.name in asked.models]
        files = sorted((asked.folder / "or" / name / "communes").glob("*.parquet"))
        periods = [file.stem for file in files if name != "election" or file.stem.endswith("-t1")]
        if not models or not periods:
            continue
        tables = platinum(asked.folder, name, periods)
        for model in models:
            found, tests = _show(model, tables)
            made += found
            if name == "election":
                for tested in tests:
                    gold = pl.read_parquet(
                        asked.folder / "or" / name / "communes" / f"{tested.rows['scrutin_autre'].iloc[0]}.parquet"
                    )
                    merged = set(gold.filter(pl.col("nombre_communes_publiees") > 1)["code_commune"])
                    print(merged_apart(tested, merged).to_string(index=False))
            if asked.sensitivity and model.anchor == "reports_de_voix":
                _sensitivity(asked.folder, model, tables, periods)
    if asked.out and made:
        pd.concat(made).to_csv(asked.out, index=False)


if __name__ == "__main__":
    main()
