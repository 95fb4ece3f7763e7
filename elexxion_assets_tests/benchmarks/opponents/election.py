"""The présidentielle of 2022 by bureau de vote, latin-1, to Parquet: silver per candidate, gold per commune.

`python -m elexxion_assets_tests.benchmarks.opponents.election WAY FILE REFERENCE OUT`, WAY one of `WAYS` below.

REFERENCE holds `passage.parquet` (code_source, code_cible, part). OUT gets `silver/resultats.parquet`,
`silver/participation.parquet` and `gold/2022-presidentielle-t1.parquet`: participation, and who is in front.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elexxion_assets_tests.benchmarks.opponents import run

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

CHUNK = 100_000
SCRUTIN = "2022-presidentielle-t1"
HEAD, BLOCK = 21, 7
FIGURES = {"inscrits": 7, "abstentions": 8, "votants": 10, "blancs": 12, "nuls": 15, "exprimes": 18}


def _width(file: Path) -> int:
    with file.open(encoding="latin-1") as lines:
        return lines.readline().count(";") + 1


# --- pandas -----------------------------------------------------------------------------------------------------------


def _pandas_silver(raw: pd.DataFrame, passage: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    import pandas as pd

    code = raw[0].str.zfill(2) + raw[4].str.zfill(3)
    units = pd.DataFrame({"code_territoire": code + "_" + raw[6].str.zfill(4), "code_commune": code, "libelle": raw[5]})
    for name, position in FIGURES.items():
        units[name] = pd.to_numeric(raw[position])
    units = units.merge(passage, left_on="code_commune", right_on="code_source", how="left").drop(columns="code_source")
    parts = []
    for first in range(HEAD, len(raw.columns) - BLOCK + 1, BLOCK):
        nom, prenom = raw[first + 2].str.upper(), raw[first + 3]
        votes = pd.DataFrame(
            {
                "code_territoire": code + "_" + raw[6].str.zfill(4),
                "code_commune": code,
                "numero_panneau": raw[first],
                "sexe": raw[first + 1],
                "nom": nom,
                "prenom": prenom,
                "candidat": nom + " " + prenom,
                "voix": pd.to_numeric(raw[first + 4]),
            }
        )
        parts.append(votes[votes["nom"].notna()])
    votes = pd.concat(parts).merge(passage, left_on="code_commune", right_on="code_source", how="left")
    return units, votes.drop(columns="code_source")


def _pandas_gold(units: pd.DataFrame, votes: pd.DataFrame, out: Path) -> None:
    units = units.sort_values(["code_territoire", "code_cible"])
    votes = votes.sort_values(["code_territoire", "candidat", "code_cible"])
    units.to_parquet(out / "silver" / "participation.parquet", compression="zstd", index=False)
    votes.to_parquet(out / "silver" / "resultats.parquet", compression="zstd", index=False)
    carried = units.assign(**{name: units[name] * units["part"] for name in FIGURES})
    gold = carried.groupby("code_cible")[list(FIGURES)].sum()
    gold["taux_participation"] = gold["votants"] * 100 / gold["inscrits"]
    by = (
        votes.assign(voix=votes["voix"] * votes["part"])
        .groupby(["code_cible", "candidat"], as_index=False)["voix"]
        .sum()
    )
    best = by[by["voix"] == by.groupby("code_cible")["voix"].transform("max")]
    front = best.groupby("code_cible").agg(
        candidat_en_tete=("candidat", "first"), voix_en_tete=("voix", "first"), tied=("voix", "size")
    )
    front.loc[front["tied"] > 1, "candidat_en_tete"] = None
    gold = gold.join(front.drop(columns="tied")).rename_axis("code_commune").reset_index()
    gold.to_parquet(out / "gold" / f"{SCRUTIN}.parquet", compression="zstd", index=False)


def pandas_whole(file: Path, reference: Path, out: Path) -> None:
    """The whole file at once."""
    import pandas as pd

    names = list(range(_width(file)))
    raw = pd.read_csv(file, sep=";", dtype="str", encoding="latin-1", header=None, skiprows=1, names=names)
    units, votes = _pandas_silver(raw, pd.read_parquet(reference / "passage.parquet"))
    _pandas_gold(units, votes, out)


def _pandas_chunk(raw: pd.DataFrame, reference: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    import pandas as pd

    return _pandas_silver(raw, pd.read_parquet(reference / "passage.parquet"))


def pandas_chunks(file: Path, reference: Path, out: Path) -> None:
    """Chunks of 100,000 rows, cleaned by as many processes as there are cores but one."""
    import pandas as pd

    names = list(range(_width(file)))
    chunks = pd.read_csv(
        file, sep=";", dtype="str", encoding="latin-1", header=None, skiprows=1, names=names, chunksize=CHUNK
    )
    with ProcessPoolExecutor(max(1, (os.cpu_count() or 2) - 1)) as pool:
        futures = [pool.submit(_pandas_chunk, chunk, reference) for chunk in chunks]
        made = [future.result() for future in futures]
    _pandas_gold(pd.concat([units for units, _ in made]), pd.concat([votes for _, votes in made]), out)


# --- Polars -----------------------------------------------------------------------------------------------------------


def polars(file: Path, reference: Path, out: Path) -> None:
    """Lazy Polars; it reads no latin-1, so that the bytes are decoded first."""
    import polars as pl

    plain = out / "utf-8.csv"
    with file.open(encoding="latin-1", newline="") as source, plain.open("w", encoding="utf-8", newline="") as target:
        while block := source.read(1 << 22):
            target.write(block)
    width = _width(file)
    raw = pl.scan_csv(
        plain,
        separator=";",
        has_header=False,
        skip_lines=1,
        quote_char=None,
        schema={f"c{position}": pl.String for position in range(width)},
    )
    passage = pl.scan_parquet(reference / "passage.parquet")
    code = pl.concat_str(pl.col("c0").str.zfill(2), pl.col("c4").str.zfill(3))
    place = [
        pl.concat_str(code, pl.lit("_"), pl.col("c6").str.zfill(4)).alias("code_territoire"),
        code.alias("code_commune"),
    ]
    units = raw.select(
        *place,
        pl.col("c5").alias("libelle"),
        *(pl.col(f"c{position}").cast(pl.Int64).alias(name) for name, position in FIGURES.items()),
    )
    votes = pl.concat(
        raw.select(*place, *_polars_block(first)).drop_nulls("nom") for first in range(HEAD, width - BLOCK + 1, BLOCK)
    )
    files = {name: out / "silver" / f"{name}.parquet" for name in ("participation", "resultats")}
    for frame, name, key in ((units, "participation", []), (votes, "resultats", ["candidat"])):
        carried = frame.join(passage, left_on="code_commune", right_on="code_source", how="left")
        carried.sort("code_territoire", *key, "code_cible").sink_parquet(files[name])
    gold = _polars_gold(pl.scan_parquet(files["participation"]), pl.scan_parquet(files["resultats"]))
    gold.sink_parquet(out / "gold" / f"{SCRUTIN}.parquet")
    plain.unlink()


def _polars_block(first: int) -> list[pl.Expr]:
    import polars as pl

    nom, prenom = pl.col(f"c{first + 2}").str.to_uppercase(), pl.col(f"c{first + 3}")
    return [
        pl.col(f"c{first}").alias("numero_panneau"),
        pl.col(f"c{first + 1}").alias("sexe"),
        nom.alias("nom"),
        prenom.alias("prenom"),
        pl.concat_str(nom, prenom, separator=" ").alias("candidat"),
        pl.col(f"c{first + 4}").cast(pl.Int64).alias("voix"),
    ]


def _polars_gold(units: pl.LazyFrame, votes: pl.LazyFrame) -> pl.LazyFrame:
    import polars as pl

    made = units.group_by("code_cible").agg((pl.col(name) * pl.col("part")).sum() for name in FIGURES)
    by = votes.group_by("code_cible", "candidat").agg((pl.col("voix") * pl.col("part")).sum())
    is_best = pl.col("voix") == pl.col("voix").max()
    front = by.group_by("code_cible").agg(
        pl.when(is_best.sum() == 1).then(pl.col("candidat").filter(is_best).first()).alias("candidat_en_tete"),
        pl.col("voix").max().alias("voix_en_tete"),
    )
    return (
        made.join(front, on="code_cible", how="left")
        .with_columns((pl.col("votants") * 100 / pl.col("inscrits")).alias("taux_participation"))
        .rename({"code_cible": "code_commune"})
        .sort("code_commune")
    )


# --- DuckDB -----------------------------------------------------------------------------------------------------------


def duckdb(file: Path, reference: Path, out: Path) -> None:
    """SQL in DuckDB."""
    import duckdb as engine

    width = _width(file)
    columns = "{" + ", ".join(f"'c{position}': 'VARCHAR'" for position in range(width)) + "}"
    reader = (
        f"read_csv('{file}', delim=';', header=false, skip=1, quote='', columns={columns}, encoding='latin-1', "
        "null_padding=true, new_line='\\r\\n')"
    )
    with engine.connect(config={"temp_directory": str(out / "temporary")}) as connection:
        run = connection.execute
        run(f"create table passage as from read_parquet('{reference}/passage.parquet')")
        run(f"create table raw as select *, lpad(c0, 2, '0') || lpad(c4, 3, '0') as code from {reader}")  # noqa: S608
        place = "code || '_' || lpad(c6, 4, '0') as code_territoire, code as code_commune"
        figures = ", ".join(f"c{position}::bigint as {name}" for name, position in FIGURES.items())
        joined = "join passage p on p.code_source = code"
        run(f"create table units as select {place}, c5 as libelle, {figures}, code_cible, part from raw {joined}")  # noqa: S608
        blocks = " union all ".join(
            f"select {place}, c{f} as numero_panneau, c{f + 1} as sexe, upper(c{f + 2}) as nom, c{f + 3} as prenom, "  # noqa: S608
            f"upper(c{f + 2}) || ' ' || c{f + 3} as candidat, c{f + 4}::bigint as voix, code_cible, part "
            f"from raw {joined} where c{f + 2} is not null"
            for f in range(HEAD, width - BLOCK + 1, BLOCK)
        )
        run(f"create table votes as {blocks}")
        ordered = {"units": "code_territoire, code_cible", "votes": "code_territoire, candidat, code_cible"}
        for name, order in ordered.items():
            run(f"copy (from {name} order by {order}) to '{out}/silver/{name}.parquet' (compression zstd)")
        sums = ", ".join(f"sum({name} * part) as {name}" for name in FIGURES)
        run(f"""
            copy (
                with figures as (select code_cible as code_commune, {sums} from units group by 1),
                summed as (
                    select code_cible as code_commune, candidat, sum(voix * part) as voix from votes group by 1, 2
                ),
                ranked as (select *, rank() over (partition by code_commune order by voix desc) as rang from summed),
                front as (
                    select code_commune, max(voix) as voix_en_tete,
                        case when count(*) = 1 then max(candidat) end as candidat_en_tete
                    from ranked where rang = 1 group by 1
                )
                select *, votants * 100 / inscrits as taux_participation
                from figures left join front using (code_commune) order by code_commune
            ) to '{out}/gold/{SCRUTIN}.parquet' (compression zstd)
        """)  # noqa: S608 - our own names


WAYS: dict[str, Any] = {
    "pandas_chunks": pandas_chunks,
    "pandas_whole": pandas_whole,
    "polars": polars,
    "duckdb": duckdb,
}


if __name__ == "__main__":
    run(WAYS)
