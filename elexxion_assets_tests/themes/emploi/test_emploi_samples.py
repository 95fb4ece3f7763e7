"""The bundled samples are official in form, the same for the same seed, and fill every gold table."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from elexxion_assets.lake.ledger import State
from elexxion_assets.themes.emploi.samples import samples


@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_same_seed_writes_the_same_bytes(tmp_path_factory, seed):
    first, again, other = (tmp_path_factory.mktemp("samples") for _ in range(3))
    written = samples(first, seed)
    assert sorted(first.iterdir()) == sorted(written)
    assert all(path.name.startswith("exemple-synthetique-") for path in written)
    assert [path.read_bytes() for path in written] == [path.read_bytes() for path in samples(again, seed)]
    assert [path.read_bytes() for path in written] != [path.read_bytes() for path in samples(other, seed + 1)]


def test_headers_are_official_to_the_letter(tmp_path):
    lines = {path.name.removeprefix("exemple-synthetique-"): path.read_text("utf-8") for path in samples(tmp_path, 1)}
    heads = {name: text.split("\n")[:2] for name, text in lines.items()}
    assert heads["base-cc-emploi-pop-active-2017.CSV"][0] == (
        "CODGEO;P17_POP1564;P17_ACT1564;P17_ACTOCC1564;P17_CHOM1564;P12_POP1564;P12_ACT1564;P12_ACTOCC1564;"
        "P12_CHOM1564;P07_POP1564;P07_ACT1564;P07_ACTOCC1564;P07_CHOM1564"
    )
    assert heads["dares_defm_communales-brutes.csv"][0] == (
        "\ufeffDate,Code région,Région,Code département,Département,Code commune,Commune,Type de données,Catégorie,"
        "Sexe,Tranche d'âge,Nombre de demandeurs d'emploi"
    )
    assert heads["cc_filosofi_2020_COM.csv"][0].startswith("CODGEO;NBMENFISC20;NBPERSMENFISC20;MED20;PIMP20;TP6020;")
    labels, codes = heads["chomage-zone-t1-2015-t4-2023.csv"]
    assert labels.startswith("\ufeffCode de la zone d'emploi 2020;Libellé de la zone d'emploi 2020;Code région 2016;")
    assert codes.startswith("ZE2020;LIBZE2020;REG;LIBREG;2015-T1;2015-T2;")


def test_they_keep_every_rule_and_fill_gold(tmp_path, lake):
    for path in samples(tmp_path, 7):
        assert lake.drop(path.name, path).state is State.READ
    lake.build()
    assert lake.failed == []
    assert lake.quarantined() == []
    gold = lake.gold("communes", "2021")
    assert gold["recensement_annee"].drop_nulls().unique().to_list() == [2021]
    assert gold["demandeurs_emploi_abc"].drop_nulls().len() == 6
    assert gold.filter(pl.col("revenu_median_est_secret"))["code_commune"].to_list() == ["01001"]
    [lyon] = gold.filter(pl.col("code_commune") == "69123")["population_15_64"]
    parts = lake.silver("base_cc_emploi_pop_active", "2021").filter(pl.col("est_arrondissement"))
    assert parts["population_15_64"].sum() == lyon
    assert lake.gold("zones_emploi", "2023").height == 6


def test_a_real_file_wins_over_a_sample_of_a_later_year(tmp_path, lake):
    for path in samples(tmp_path, 7):
        lake.drop(path.name, path)
    names = [f"P{year}_{name}" for year in (17, 16) for name in ("POP1564", "ACT1564", "ACTOCC1564", "CHOM1564")]
    real = [";".join(["CODGEO", *names]), *(f"{code};8;6;5;1;8;6;5;1" for code in ("01004", "01053"))]
    lake.drop("base-cc-emploi-pop-active-2017.CSV", "\n".join(real).encode())
    lake.build()
    for year in ("2016", "2017"):
        assert lake.silver("base_cc_emploi_pop_active", year)["population_15_64"].to_list() == [8.0, 8.0]
