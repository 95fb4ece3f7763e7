"""The communal base of crime from `csv.gz` to Parquet by year: silver sorted by key, gold per commune.

`python -m elexxion_assets_tests.benchmarks.opponents.crime WAY FILE REFERENCE OUT`, WAY one of `WAYS` below.

REFERENCE holds `indicators.parquet` (label, code, unit, per_dwelling), `passage.parquet` (code_source, code_cible,
part) and `units.parquet` (label, unit). OUT gets `silver/<year>.parquet` and `gold/<year>.parquet`.
"""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elexxion_assets_tests.benchmarks.opponents import run

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

CHUNK = 100_000
NAMES = {
    "annee": "annee",
    "indicateur": "indicateur",
    "unite_de_compte": "unite",
    "nombre": "nombre",
    "taux_pour_mille": "taux_pour_mille",
    "est_diffuse": "est_diffuse",
    "insee_pop": "population",
    "insee_pop_millesime": "millesime_population",
    "insee_log": "logements",
    "insee_log_millesime": "millesime_logements",
    "complement_info_nombre": "complement_info_nombre",
    "complement_info_taux": "complement_info_taux",
}
INTEGERS = ("annee", "nombre", "population", "millesime_population", "millesime_logements")
NUMBERS = ("taux_pour_mille", "logements", "complement_info_nombre", "complement_info_taux")
MISSING = ("", "NA", "ndiff")
KEY = ["code_commune", "annee", "indicateur", "code_commune_cible"]

TWO_KINDS = ("violences_physiques_intrafamiliales", "violences_physiques_hors_cadre_familial")
CONTAINS = ("usage_stupefiants", "usage_stupefiants_afd")
"""Totals with their parts: the two kinds make a total that is not published; the second is part of the first."""


def _alone(codes: list[str]) -> list[str]:
    return [code for code in codes if code not in (*TWO_KINDS, *CONTAINS)]


# --- pandas -----------------------------------------------------------------------------------------------------------


def _pandas_reference(reference: Path) -> dict[str, pd.DataFrame]:
    import pandas as pd

    return {name: pd.read_parquet(reference / f"{name}.parquet") for name in ("indicators", "units", "passage")}


def _pandas_silver(raw: pd.DataFrame, known: dict[str, pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    code = next(name for name in raw.columns if name.startswith("CODGEO_"))
    rows = raw.rename(columns={code: "code_commune", **NAMES})
    rows["code_commune"] = rows["code_commune"].str.strip().str.zfill(5)
    indicators = known["indicators"]
    rows["indicateur"] = rows["indicateur"].map(dict(zip(indicators["label"], indicators["code"], strict=True)))
    rows["unite"] = rows["unite"].map(dict(zip(known["units"]["label"], known["units"]["unit"], strict=True)))
    rows["est_diffuse"] = rows["est_diffuse"] == "diff"
    for name in INTEGERS:
        rows[name] = pd.to_numeric(rows[name]).astype("Int64")
    for name in NUMBERS:
        rows[name] = pd.to_numeric(rows[name].str.replace(",", ".", regex=False))
    rows["geographie"] = code.removeprefix("CODGEO_")
    rows = rows.merge(known["passage"], left_on="code_commune", right_on="code_source", how="left")
    rows = rows.drop(columns="code_source").rename(columns={"code_cible": "code_commune_cible"})
    target = rows["code_commune_cible"]
    rows["code_departement"] = target.str[:2].where(~target.str.startswith(("97", "98")), target.str[:3])
    return rows


def _pandas_wide(silver: pd.DataFrame, codes: list[str], per_dwelling: set[str]) -> pd.DataFrame:
    """A row per commune of one year: figures of each indicator, totals, and what went into them."""
    import numpy as np

    rows = silver.copy()
    for name in ("population", "logements", "nombre"):
        rows[name] = rows[name].astype("float64") * rows["part"]
    published = rows.groupby(["code_commune_cible", "code_commune"], as_index=False)[
        ["population", "logements", "code_departement"]
    ].max()
    by_place = published.groupby("code_commune_cible")
    places = by_place[["population", "logements"]].sum(min_count=1)
    places["communes_sources"] = by_place.size()
    places["code_departement"] = by_place["code_departement"].max()
    figures = rows.groupby(["code_commune_cible", "indicateur"]).agg(
        nombre=("nombre", "sum"),
        known=("nombre", "count"),
        published=("nombre", "size"),
        rate=("taux_pour_mille", "max"),
    )
    figures = figures.reset_index().merge(places, left_on="code_commune_cible", right_index=True)
    figures.loc[figures["known"] == 0, "nombre"] = np.nan
    figures["partial"] = (figures["known"] > 0) & (figures["known"] < figures["communes_sources"])
    base = figures["logements"].where(figures["indicateur"].isin(per_dwelling), figures["population"])
    computed = (figures["nombre"] * 1000 / base).where(~figures["partial"] & (base > 0))
    figures["taux"] = figures["rate"].where(figures["communes_sources"] == 1, computed)
    figures["masked"] = figures["known"] < figures["published"]
    wide = places.copy()
    for column, suffix in (("nombre", "nombre"), ("partial", "est_partiel"), ("taux", "taux")):
        side = figures.pivot(index="code_commune_cible", columns="indicateur", values=column).reindex(columns=codes)
        if column == "partial":
            side = side.eq(True)
        wide = wide.join(side.add_suffix(f"_{suffix}"))
    wide["indicateurs_masques"] = figures.groupby("code_commune_cible")["masked"].sum()
    return _pandas_totals(wide, codes).rename_axis("code_commune").reset_index()


def _pandas_totals(wide: pd.DataFrame, codes: list[str]) -> pd.DataFrame:
    import numpy as np

    number = {code: wide[f"{code}_nombre"].to_numpy() for code in codes}
    mixed = {code: wide[f"{code}_est_partiel"].to_numpy() for code in codes}
    exact = {code: np.where(mixed[code], np.nan, number[code]) for code in codes}
    values, states = [], []
    for code in _alone(codes):
        values.append(number[code])
        states.append(np.where(np.isnan(number[code]), 0, np.where(mixed[code], 4, 3)))
    first, second = TWO_KINDS
    values.append(np.nansum([number[first], number[second]], axis=0))
    bits = (~np.isnan(exact[first])) + 2 * (~np.isnan(exact[second]))
    states.append(np.where(bits == 3, 3, np.where(mixed[first] | mixed[second], 4, bits)))
    whole, part = CONTAINS
    values.append(np.where(np.isnan(exact[whole]), np.fmax(number[whole], number[part]), exact[whole]))
    bits = (~np.isnan(exact[part])) * 1
    states.append(np.where(~np.isnan(exact[whole]), 3, np.where(mixed[whole] | mixed[part], 4, bits)))
    anything = np.any([state > 0 for state in states], axis=0)
    unsure = np.any([(state != 3) & (state.max(initial=0) > 0) for state in states], axis=0)
    unknown = np.any([state == 4 for state in states], axis=0)
    signature = sum(state.astype("float64") * 5**position for position, state in enumerate(states))
    wide["total"] = np.where(anything, np.nansum(values, axis=0), np.nan)
    wide["total_est_partiel"] = unsure
    wide["_summed"] = np.where(unknown, np.nan, signature)
    return wide


def _pandas_gold(years: list[pd.DataFrame], year: int, out: Path) -> None:
    """The gold of the last of up to three years."""
    import pandas as pd

    now = years[-1].copy()
    now["annee"] = year
    for back, before in enumerate(reversed(years[:-1]), 1):
        earlier = before[["code_commune", "total", "population", "_summed"]]
        now = now.merge(earlier, on="code_commune", how="left", suffixes=("", f"_{back}"))
    for name in [f"{what}_{back}" for what in ("total", "population", "_summed") for back in (1, 2)]:
        if name not in now:
            now[name] = pd.Series(dtype="float64")
    same = now["_summed"] == now["_summed_1"]
    both = same & (now["_summed"] == now["_summed_2"])
    always = pd.Series(data=True, index=now.index)
    for what, one, three in (("total", same, both), ("population", always, always)):
        before = now[f"{what}_1"].where(now[f"{what}_1"] > 0)
        change, mean = now[what] / before - 1, (now[what] + now[f"{what}_1"] + now[f"{what}_2"]) / 3
        now[f"{what}_variation_1_an"] = change.where(one)
        now[f"{what}_moyenne_3_ans"] = mean.where(three)
    gold = now.drop(columns=[name for name in now if name.startswith("_") or name.endswith(("_1", "_2"))])
    gold.sort_values("code_commune").to_parquet(out / "gold" / f"{year}.parquet", compression="zstd", index=False)


def _pandas_all_gold(out: Path, known: dict[str, pd.DataFrame]) -> None:
    import pandas as pd

    indicators = known["indicators"]
    codes = sorted(set(indicators["code"]))
    per_dwelling = set(indicators.loc[indicators["per_dwelling"], "code"])
    years: list[pd.DataFrame] = []
    for file in sorted((out / "silver").glob("*.parquet")):
        years = [*years[-2:], _pandas_wide(pd.read_parquet(file), codes, per_dwelling)]
        _pandas_gold(years, int(file.stem), out)


def pandas_whole(file: Path, reference: Path, out: Path) -> None:
    """The whole file at once."""
    import pandas as pd

    known = _pandas_reference(reference)
    raw = pd.read_csv(file, sep=";", dtype="str", na_values=list(MISSING), keep_default_na=False)
    silver = _pandas_silver(raw, known)
    del raw
    for year, rows in silver.groupby("annee"):
        rows.sort_values(KEY).to_parquet(out / "silver" / f"{year}.parquet", compression="zstd", index=False)
    del silver
    _pandas_all_gold(out, known)


def _pandas_chunk(numbered: tuple[int, pd.DataFrame], reference: Path, out: Path) -> None:
    number, raw = numbered
    for year, rows in _pandas_silver(raw, _pandas_reference(reference)).groupby("annee"):
        folder = out / "parts" / str(year)
        folder.mkdir(parents=True, exist_ok=True)
        rows.to_parquet(folder / f"{number:05}.parquet", compression="zstd", index=False)


def pandas_chunks(file: Path, reference: Path, out: Path) -> None:
    """Chunks of 100,000 rows, cleaned by as many processes as there are cores but one."""
    import pandas as pd

    chunks = pd.read_csv(file, sep=";", dtype="str", na_values=list(MISSING), keep_default_na=False, chunksize=CHUNK)
    with ProcessPoolExecutor(max(1, (os.cpu_count() or 2) - 1)) as pool:
        waiting = []
        for numbered in enumerate(chunks):
            waiting.append(pool.submit(_pandas_chunk, numbered, reference, out))
            if len(waiting) > 2 * (os.cpu_count() or 2):
                waiting.pop(0).result()
        for future in waiting:
            future.result()
    for folder in sorted((out / "parts").iterdir()):
        rows = pd.concat([pd.read_parquet(part) for part in sorted(folder.iterdir())])
        rows.sort_values(KEY).to_parquet(out / "silver" / f"{folder.name}.parquet", compression="zstd", index=False)
    shutil.rmtree(out / "parts")
    _pandas_all_gold(out, _pandas_reference(reference))


# --- Polars -----------------------------------------------------------------------------------------------------------


def _polars_wide(rows: pl.LazyFrame, codes: list[str], per_dwelling: list[str]) -> pl.LazyFrame:
    import polars as pl

    place = "code_commune_cible"
    published = rows.group_by(place, "code_commune").agg(
        pl.col("population", "logements", "part", "code_departement").max()
    )
    places = published.group_by(place).agg(
        *((pl.col(name) * pl.col("part")).sum().alias(name) for name in ("population", "logements")),
        pl.col("code_departement").max(),
        pl.len().alias("communes_sources"),
    )
    figures = rows.group_by(place, "indicateur").agg(
        (pl.col("nombre") * pl.col("part")).sum().alias("sum"),
        pl.col("nombre").count().alias("known"),
        pl.len().alias("published"),
        pl.col("taux_pour_mille").max().alias("rate"),
    )
    base = pl.when(pl.col("indicateur").is_in(per_dwelling)).then("logements").otherwise("population")
    figures = (
        figures.join(places, on=place)
        .with_columns(
            pl.when(pl.col("known") > 0).then("sum").alias("nombre"),
            ((pl.col("known") > 0) & (pl.col("known") < pl.col("communes_sources"))).alias("partial"),
            (pl.col("known") < pl.col("published")).alias("masked"),
        )
        .with_columns(
            pl.when(pl.col("communes_sources") == 1)
            .then("rate")
            .when(~pl.col("partial") & (base > 0))
            .then(pl.col("nombre") * 1000 / base)
            .alias("taux")
        )
    )

    def of(code: str, column: str) -> pl.Expr:
        return pl.col(column).filter(pl.col("indicateur") == code).max()

    return figures.group_by(place).agg(
        *(of(code, "nombre").alias(f"{code}_nombre") for code in codes),
        *(of(code, "partial").fill_null(value=False).alias(f"{code}_est_partiel") for code in codes),
        *(of(code, "taux").alias(f"{code}_taux") for code in codes),
        pl.col("population", "logements", "code_departement", "communes_sources").first(),
        pl.col("masked").sum().alias("indicateurs_masques"),
    )


def _polars_totals(wide: pl.DataFrame, codes: list[str]) -> pl.DataFrame:
    import polars as pl

    def number(code: str) -> pl.Expr:
        return pl.col(f"{code}_nombre")

    def mixed(code: str) -> pl.Expr:
        return pl.col(f"{code}_est_partiel")

    def exact(code: str) -> pl.Expr:
        return pl.when(~mixed(code)).then(number(code))

    values = [number(code) for code in _alone(codes)]
    states = [pl.when(number(code).is_null()).then(0).when(mixed(code)).then(4).otherwise(3) for code in _alone(codes)]
    first, second = TWO_KINDS
    values.append(pl.sum_horizontal(number(first), number(second)))
    bits = exact(first).is_not_null().cast(pl.Int64) + 2 * exact(second).is_not_null().cast(pl.Int64)
    states.append(pl.when(bits == 3).then(3).when(mixed(first) | mixed(second)).then(4).otherwise(bits))
    whole, part = CONTAINS
    values.append(pl.coalesce(exact(whole), pl.max_horizontal(number(whole), number(part))))
    bits = exact(part).is_not_null().cast(pl.Int64)
    states.append(pl.when(exact(whole).is_not_null()).then(3).when(mixed(whole) | mixed(part)).then(4).otherwise(bits))
    return wide.with_columns(
        pl.when(pl.any_horizontal(state > 0 for state in states)).then(pl.sum_horizontal(values)).alias("total"),
        pl.any_horizontal((state != 3) & (state.max() > 0) for state in states).alias("total_est_partiel"),
        pl.when(~pl.any_horizontal(state == 4 for state in states))
        .then(pl.sum_horizontal(state.cast(pl.Int64) * 5**position for position, state in enumerate(states)))
        .alias("_summed"),
    )


def polars(file: Path, reference: Path, out: Path) -> None:
    """Lazy Polars, streaming, as somebody who knows it writes it."""
    import polars as pl

    indicators = pl.read_parquet(reference / "indicators.parquet")
    units = pl.read_parquet(reference / "units.parquet")
    passage = pl.scan_parquet(reference / "passage.parquet").rename({"code_cible": "code_commune_cible"})
    raw = pl.scan_csv(file, separator=";", infer_schema=False, null_values=list(MISSING), quote_char=None)
    code = raw.collect_schema().names()[0]
    target = pl.col("code_commune_cible")
    silver = (
        raw.rename({code: "code_commune", **NAMES})
        .with_columns(
            pl.col("code_commune").str.strip_chars().str.zfill(5),
            pl.col("indicateur").replace_strict(indicators["label"], indicators["code"], return_dtype=pl.String),
            pl.col("unite").replace_strict(units["label"], units["unit"], return_dtype=pl.String),
            pl.col("est_diffuse") == "diff",
            *(pl.col(name).cast(pl.Int64) for name in INTEGERS),
            *(pl.col(name).str.replace(",", ".", literal=True).cast(pl.Float64) for name in NUMBERS),
            pl.lit(code.removeprefix("CODGEO_")).alias("geographie"),
        )
        .join(passage, left_on="code_commune", right_on="code_source", how="left")
        .with_columns(
            pl.when(target.str.starts_with("97") | target.str.starts_with("98"))
            .then(target.str.slice(0, 3))
            .otherwise(target.str.slice(0, 2))
            .alias("code_departement")
        )
    )
    silver.sink_parquet(
        pl.PartitionBy(out / "parts", key="annee", include_key=True, approximate_bytes_per_file=None),
        compression="lz4",
        mkdir=True,
    )
    codes = sorted(set(indicators["code"]))
    per_dwelling = indicators.filter("per_dwelling")["code"].unique().to_list()
    years: list[pl.DataFrame] = []
    for folder in sorted((out / "parts").iterdir()):
        year = folder.name.removeprefix("annee=")
        pl.scan_parquet(folder / "*.parquet", hive_partitioning=False).sort(KEY).sink_parquet(
            out / "silver" / f"{year}.parquet"
        )
        rows = pl.scan_parquet(out / "silver" / f"{year}.parquet")
        wide = _polars_totals(_polars_wide(rows, codes, per_dwelling).collect(engine="streaming"), codes)
        years = [*years[-2:], wide.rename({"code_commune_cible": "code_commune"})]
        _polars_gold(years, int(year)).write_parquet(out / "gold" / f"{year}.parquet")
    shutil.rmtree(out / "parts")


def _polars_gold(years: list[pl.DataFrame], year: int) -> pl.DataFrame:
    import polars as pl

    compared = ["total", "population", "_summed"]
    now = years[-1].with_columns(annee=pl.lit(year, pl.Int64))
    for back in (1, 2):
        if back < len(years):
            earlier = years[-1 - back].select("code_commune", *compared)
            now = now.join(earlier, on="code_commune", how="left", suffix=f"_{back}")
        else:
            now = now.with_columns(pl.lit(None, pl.Float64).alias(f"{name}_{back}") for name in compared)
    same = pl.col("_summed") == pl.col("_summed_1")
    both = same & (pl.col("_summed") == pl.col("_summed_2"))
    made = []
    for what, one, three in (("total", same, both), ("population", pl.lit(True), pl.lit(True))):
        before = pl.col(f"{what}_1")
        made.append(pl.when(one & (before > 0)).then(pl.col(what) / before - 1).alias(f"{what}_variation_1_an"))
        mean = (pl.col(what) + before + pl.col(f"{what}_2")) / 3
        made.append(pl.when(three).then(mean).alias(f"{what}_moyenne_3_ans"))
    return now.with_columns(made).drop("^(_.*|.*_[12])$").sort("code_commune")


# --- DuckDB -----------------------------------------------------------------------------------------------------------


def duckdb(file: Path, reference: Path, out: Path) -> None:
    """SQL in DuckDB, with its own defaults but for the place of temporary files."""
    import duckdb as engine

    with engine.connect(config={"temp_directory": str(out / "temporary")}) as connection:
        run = connection.execute
        for name in ("indicators", "units", "passage"):
            run(f"create table {name} as from read_parquet('{reference / name}.parquet')")
        reader = f"read_csv('{file}', delim=';', header=true, all_varchar=true, quote='', nullstr={list(MISSING)})"
        code = run(f"describe select * from {reader}").fetchall()[0][0]  # noqa: S608
        integers = ", ".join(f"cast({n} as bigint) as {NAMES[n]}" for n in NAMES if NAMES[n] in INTEGERS)
        numbers = ", ".join(
            f"cast(replace({n}, ',', '.') as double) as {NAMES[n]}" for n in NAMES if NAMES[n] in NUMBERS
        )
        run(f"""
            create table silver as
            select lpad(trim({code}), 5, '0') as code_commune, i.code as indicateur, u.unit as unite,
                {integers}, {numbers}, est_diffuse = 'diff' as est_diffuse,
                '{code.removeprefix("CODGEO_")}' as geographie, p.code_cible as code_commune_cible, p.part,
                case when p.code_cible[:2] in ('97', '98') then p.code_cible[:3] else p.code_cible[:2] end
                    as code_departement
            from {reader} r
            left join indicators i on i.label = r.indicateur
            left join units u on u.label = r.unite_de_compte
            left join passage p on p.code_source = lpad(trim({code}), 5, '0')
        """)  # noqa: S608 - our own names
        years = [year for (year,) in run("select distinct annee from silver order by 1").fetchall()]
        codes = [found for (found,) in run("select distinct code from indicators order by 1").fetchall()]
        for year in years:
            run(
                f"copy (from silver where annee = {year} order by {', '.join(KEY)}) "
                f"to '{out}/silver/{year}.parquet' (compression zstd)"
            )
        run(_wide_sql(codes, [code for (code,) in run("select code from indicators where per_dwelling").fetchall()]))
        for year in years:
            run(f"copy ({_gold_sql(year)}) to '{out}/gold/{year}.parquet' (compression zstd)")
    shutil.rmtree(out / "temporary", ignore_errors=True)


def _wide_sql(codes: list[str], per_dwelling: list[str]) -> str:
    """The rows of all communes and years, with totals and what went into them."""
    dwellings = f"indicateur in ({', '.join(map(repr, per_dwelling))})"
    side = ", ".join(
        f"max(nombre) filter (indicateur = '{code}') as {code}_nombre, "
        f"coalesce(bool_or(partial) filter (indicateur = '{code}'), false) as {code}_est_partiel, "
        f"max(taux) filter (indicateur = '{code}') as {code}_taux"
        for code in codes
    )

    def exact(code: str) -> str:
        return f"case when not {code}_est_partiel then {code}_nombre end"

    (first, second), (whole, part) = TWO_KINDS, CONTAINS
    alone = _alone(codes)
    values = [f"coalesce({code}_nombre, 0)" for code in alone]
    values.append(f"coalesce({first}_nombre, 0) + coalesce({second}_nombre, 0)")
    values.append(f"coalesce({exact(whole)}, greatest({whole}_nombre, {part}_nombre), 0)")
    states = [f"case when {c}_nombre is null then 0 when {c}_est_partiel then 4 else 3 end" for c in alone]
    bits = f"(({exact(first)}) is not null)::int + 2 * (({exact(second)}) is not null)::int"
    states.append(
        f"case when {bits} = 3 then 3 when {first}_est_partiel or {second}_est_partiel then 4 else {bits} end"
    )
    states.append(
        f"case when ({exact(whole)}) is not null then 3 when {whole}_est_partiel or {part}_est_partiel then 4 "
        f"else (({exact(part)}) is not null)::int end"
    )
    named = ", ".join(f"{state} as s{position}" for position, state in enumerate(states))
    every = [f"s{position}" for position in range(len(states))]
    anything = " or ".join(f"{s} > 0" for s in every)
    unsure = " or ".join(f"({s} <> 3 and max({s}) over (partition by annee) > 0)" for s in every)
    unknown = " or ".join(f"{s} = 4" for s in every)
    signature = " + ".join(f"{s}::bigint * {5**position}" for position, s in enumerate(every))
    return f"""
        create table wide as
        with published as (
            select code_commune_cible, annee, code_commune, max(population) as population, max(logements) as logements,
                max(part) as part, max(code_departement) as code_departement
            from silver group by all
        ), places as (
            select code_commune_cible, annee, sum(population * part) as population, sum(logements * part) as logements,
                max(code_departement) as code_departement, count(*) as communes_sources
            from published group by all
        ), sums as (
            select code_commune_cible, annee, indicateur, sum(nombre * part) as nombre, count(nombre) as known,
                count(*) as published, max(taux_pour_mille) as rate
            from silver group by all
        ), figures as (
            select s.*, p.population, p.logements, p.code_departement, p.communes_sources,
                known > 0 and known < communes_sources as partial, known < published as masked,
                case when {dwellings} then p.logements else p.population end as base,
                case when communes_sources = 1 then rate
                    when not (known > 0 and known < communes_sources) and base > 0 then nombre * 1000 / base
                    end as taux
            from sums s join places p using (code_commune_cible, annee)
        ), side as (
            select code_commune_cible as code_commune, annee, {side}, any_value(population) as population,
                any_value(logements) as logements, any_value(code_departement) as code_departement,
                any_value(communes_sources) as communes_sources, count(*) filter (masked) as indicateurs_masques
            from figures group by code_commune_cible, annee
        ), known as (select *, {" + ".join(values)} as summed_values, {named} from side)
        select * exclude (summed_values, {", ".join(every)}),
            case when {anything} then summed_values end as total, {unsure} as total_est_partiel,
            case when not ({unknown}) then {signature} end as _summed
        from known
    """  # noqa: S608 - our own names


def _gold_sql(year: int) -> str:
    def change(what: str) -> str:
        return f"case when b.{what} > 0 then n.{what} / b.{what} - 1 end"

    def mean(what: str) -> str:
        return f"(n.{what} + b.{what} + c.{what}) / 3"

    same = "n._summed = b._summed"
    return f"""
        select n.* exclude (_summed), case when {same} then {change("total")} end as total_variation_1_an,
            case when {same} and n._summed = c._summed then {mean("total")} end as total_moyenne_3_ans,
            {change("population")} as population_variation_1_an, {mean("population")} as population_moyenne_3_ans
        from wide n
        left join wide b on b.code_commune = n.code_commune and b.annee = {year - 1}
        left join wide c on c.code_commune = n.code_commune and c.annee = {year - 2}
        where n.annee = {year} order by n.code_commune
    """  # noqa: S608 - our own numbers


WAYS: dict[str, Any] = {
    "pandas_chunks": pandas_chunks,
    "pandas_whole": pandas_whole,
    "polars": polars,
    "duckdb": duckdb,
}


if __name__ == "__main__":
    run(WAYS)
