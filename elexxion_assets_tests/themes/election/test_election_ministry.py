"""The ministry's codes become INSEE's."""

from __future__ import annotations

import narwhals as nw
import polars as pl
import pytest

from elexxion_assets.geography.ministry import commune_insee, departement_insee, departement_of_commune, sector

COMMUNES = {
    ("1", "4"): "01004",
    ("01", "004"): "01004",
    ("01.0", "4.0"): "01004",
    ("01", "01004"): "01004",
    ("1", "1004"): "01004",
    (None, "1004"): "01004",
    ("2A", "4"): "2A004",
    ("2a", "004"): "2A004",
    ("75", "056"): "75056",
    ("75", "056SR01"): "75056",
    ("13", "13055SR02"): "13055",
    ("ZA", "101"): "97101",
    ("ZB", "201"): "97201",
    ("ZC", "353"): "97353",
    ("ZD", "411"): "97411",
    ("ZS", "502"): "97502",
    ("ZX", "701"): "97701",
    ("ZX", "801"): "97801",
    ("ZX", "ZX801"): "97801",
    ("ZM", "501"): "97601",
    ("ZM", "517"): "97617",
    ("ZM", "601"): "97601",
    ("976", "97611"): "97611",
    ("975", "97501"): "97501",
    ("ZN", "801"): "98801",
    ("ZN", "001"): "98801",
    ("988", "98801"): "98801",
    ("ZP", "11"): "98711",
    ("ZP", "711"): "98711",
    ("ZW", "1"): "98601",
    ("ZZ", "1"): "ZZ001",
    ("ZZ", "ZZ203"): "ZZ203",
    ("99", "001"): "ZZ001",
    ("971", "97101"): "97101",
    ("1", "4 bis"): "",
    ("1", None): None,
}

DEPARTEMENTS = {"1": "01", "01": "01", "001": "01", "2A": "2A", "2b": "2B", "ZD": "974", "971": "971", "ZX": "ZX"}


@pytest.mark.parametrize(("published", "insee"), COMMUNES.items())
def test_commune(published, insee):
    departement, commune = published
    frame = pl.LazyFrame({"d": [departement], "c": [commune]}, schema={"d": pl.String, "c": pl.String})
    made = nw.from_native(frame).select(code=commune_insee(nw.col("d"), nw.col("c"))).collect()
    assert made["code"].to_list() == [insee]


def test_departement():
    frame = nw.from_native(pl.LazyFrame({"d": list(DEPARTEMENTS)}))
    assert frame.select(departement_insee(nw.col("d"))).collect()["d"].to_list() == list(DEPARTEMENTS.values())


def test_departement_in_a_commune_code():
    codes = {"01004": "01", "2B033": "2B", "97411": "974", "98801": "988", "ZZ001": "ZZ"}
    frame = nw.from_native(pl.LazyFrame({"c": list(codes)}))
    assert frame.select(departement_of_commune(nw.col("c"))).collect()["c"].to_list() == list(codes.values())


def test_sector():
    frame = nw.from_native(pl.LazyFrame({"c": ["056SR01", "056", "13055SR02"]}))
    assert frame.select(sector(nw.col("c"))).collect()["c"].to_list() == ["SR01", "", "SR02"]
