"""The bundled samples are official in form, the same for the same seed, and give plausible tables."""

from __future__ import annotations

import gzip
from dataclasses import replace

import narwhals as nw
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from elexxion_assets.declare import Layer
from elexxion_assets.quality import contract
from elexxion_assets.themes.crime import THEME
from elexxion_assets.themes.crime.samples import samples

HEADERS = {
    "exemple-synthetique-donnee-data.gouv-2023-geographie2024.csv.gz": (
        '\ufeff"CODGEO_2024";"annee";"classe";"unité.de.compte";"valeur.publiée";"faits";"tauxpourmille";'
        '"complementinfoval";"complementinfotaux";"POP";"millPOP";"LOG";"millLOG"'
    ),
    "exemple-synthetique-donnee-data.gouv-2024-geographie2025.csv.gz": (
        '"CODGEO_2025";"annee";"indicateur";"unite_de_compte";"nombre";"taux_pour_mille";"est_diffuse";"insee_pop";'
        '"insee_pop_millesime";"insee_log";"insee_log_millesime";"complement_info_nombre";"complement_info_taux"'
    ),
    "exemple-synthetique-donnee-dep-data.gouv-2023-geographie2024.csv": (
        '\ufeff"classe";"annee";"Code.département";"Code.région";"unité.de.compte";"millPOP";"millLOG";"faits";"POP";'
        '"LOG";"tauxpourmille"'
    ),
    "exemple-synthetique-donnee-dep-data.gouv-2024-geographie2025.csv": (
        '\ufeff"Code_departement";"Code_region";"annee";"indicateur";"unite_de_compte";"nombre";"taux_pour_mille";'
        '"insee_pop";"insee_pop_millesime";"insee_log";"insee_log_millesime"'
    ),
    "exemple-synthetique-donnee-reg-data.gouv-2023-geographie2024.csv": (
        '\ufeff"classe";"annee";"Code.région";"unité.de.compte";"millPOP";"millLOG";"faits";"POP";"LOG";"tauxpourmille"'
    ),
}


def text(path) -> str:
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8")


@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_same_seed_writes_the_same_bytes(tmp_path_factory, seed):
    first, again, other = (tmp_path_factory.mktemp("samples") for _ in range(3))
    written = samples(first, seed)
    assert sorted(first.iterdir()) == sorted(written)
    assert [path.read_bytes() for path in written] == [path.read_bytes() for path in samples(again, seed)]
    assert [path.read_bytes() for path in written] != [path.read_bytes() for path in samples(other, seed + 1)]


def test_headers_are_official_to_the_letter(tmp_path):
    assert {path.name: text(path).split("\n")[0] for path in samples(tmp_path, 1)} == HEADERS


def test_every_row_keeps_the_contract_and_no_rule_is_broken(tmp_path, deliver):
    for path in samples(tmp_path, 7):
        delivered = deliver(path)
        judged = delivered.judged
        assert judged[contract.REASON].null_count() == judged.height
        assert judged.height == sum(delivered.periods.values())
        assert not judged.select(delivered.dataset.key).is_duplicated().any()
        for rule in THEME.table(Layer.SILVER, delivered.dataset.name).rules:
            found = nw.from_native(judged).select(rule.broken.alias("broken")).to_native()
            assert not found["broken"].any(), f"{path.name}: {rule.name}"


def test_small_places_have_secrets_and_large_ones_none(tmp_path, deliver):
    for path in samples(tmp_path, 7)[:2]:
        silver = deliver(path).silver("2022")
        masked = set(silver.filter(~pl.col("est_diffuse"))["code_commune"])
        assert "01344" in masked
        assert "75056" not in masked
        assert silver.filter(pl.col("est_diffuse"))["nombre"].null_count() == 0
        assert silver.filter(~pl.col("est_diffuse"))["complement_info_nombre"].null_count() == 0


def test_they_fill_gold(tmp_path, deliver):
    _, communes, _, departements, _ = samples(tmp_path, 7)
    of_communes = deliver(communes).gold("communes", "2024")
    of_departements = deliver(departements).gold("departements", "2024")
    assert of_communes.height == 24
    assert of_departements.height == 5
    assert of_departements["total_moyenne_3_ans"].null_count() == 0
    assert not of_departements["total_est_partiel"].any()
    assert of_communes["total_est_partiel"].any()


def test_any_real_file_wins_over_a_sample(tmp_path, deliver):
    for path in samples(tmp_path, 7):
        sample = deliver(path)
        real = sample.table.file.removeprefix("exemple-synthetique-")
        as_real = replace(sample.table, file=real)
        oldest = sample.dataset.release(as_real, {"2016": 1})
        assert sample.release < oldest
