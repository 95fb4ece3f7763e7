"""A file whose rows cover several periods side by side feeds each of them, and every row is accounted for."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import narwhals as nw
import polars as pl

from elexxion_assets.declare import Dataset, Frame, Layer, TextTable
from elexxion_assets.lake import layout
from elexxion_assets.lake.build import stage
from elexxion_assets.lake.intake import Taken, drop, take, waiting
from elexxion_assets.lake.ledger import Delivery, Ledger
from elexxion_assets.lake.storage import DirectoryStorage
from elexxion_assets_tests.toy import TOY, counts


def _unpivot(dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
    years = [column for column in table.columns if column.isdigit()]
    return nw.concat(
        [frame.select("_line", "CODGEO", nw.lit(y).alias("annee"), nw.col(y).alias("nombre")) for y in years],
        how="vertical",
    )


def _normalise(dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
    return frame.with_columns(code_commune=nw.col("CODGEO"))


WIDE = dataclasses.replace(
    TOY,
    datasets=(
        dataclasses.replace(
            counts,
            columns=(
                counts.columns[0],
                *(column.but(optional_in_file=True) for column in counts.columns[1:]),
            ),
            normalise=_normalise,
            unpivot=_unpivot,
        ),
    ),
)


def _take(storage: DirectoryStorage, content: bytes) -> Delivery:
    drop(storage, "wide.csv", content, {})
    taken = Taken()
    for entry in list(waiting(storage, 0)):
        take(storage, Ledger(storage), {"toy": WIDE}, entry, taken)
    [delivery] = taken.deliveries
    return delivery


def test_a_wide_row_is_a_row_of_bronze_in_each_of_its_periods(tmp_path: Path) -> None:
    storage = DirectoryStorage(tmp_path)
    delivery = _take(storage, b"CODGEO;2020;2021;1999\n01001;1;2;3\n01002;4;x;6\n")
    [facts] = delivery.tables
    assert facts["periods"] == {"2020": 2, "2021": 2}
    # 1999 is before the theme's first year.
    assert (facts["rows"], facts["quarantined"]) == (6, 2)
    assert facts["columns"] == ["CODGEO", "2020", "2021", "1999"]
    with storage.local(layout.bronze_key("toy", "counts", "2021", delivery.id)) as file:
        bronze = pl.read_parquet(file).sort("_line")
    assert bronze.rows(named=True) == [
        {"_line": 2, "CODGEO": "01001", "annee": "2021", "nombre": "2"},
        {"_line": 3, "CODGEO": "01002", "annee": "2021", "nombre": "x"},
    ]


def test_a_bad_value_rejects_its_line_in_its_period_only(tmp_path: Path) -> None:
    storage = DirectoryStorage(tmp_path)
    _take(storage, b"CODGEO;2020;2021\n01001;1;2\n01002;4;x\n01003;5;6\n")
    table = WIDE.table(Layer.SILVER, "facts")
    expected = {"2020": ([1, 4, 5], 0), "2021": ([2, 6], 1)}
    for period, (values, rejected) in expected.items():
        with stage(storage, Ledger(storage), {"toy": WIDE}, WIDE, table, period) as staged:
            assert pl.read_parquet(staged.file)["nombre"].to_list() == values
            assert staged.counts == {"source_rows": 3, "quarantined": rejected, "older_release": 0}
