"""The made-up files read like the ministry's, say that they are made up, and always lose against real ones."""

from __future__ import annotations

import polars as pl
import pytest

from elexxion_assets.themes.election import THEME
from elexxion_assets.themes.election.datasets import release_of
from elexxion_assets_tests.themes.election.delivered import text_table


@pytest.fixture
def written(tmp_path):
    def write(seed):
        folder = tmp_path / str(seed)
        folder.mkdir(exist_ok=True)
        return THEME.samples(folder, seed)

    return write


def test_same_seed_same_bytes(written):
    first = [path.read_bytes() for path in written(1)]
    assert [path.read_bytes() for path in written(1)] == first
    assert [path.read_bytes() for path in written(2)] != first


@pytest.mark.parametrize("seed", [0, 7])
def test_samples_go_through_to_gold(written, read, lake, seed):
    periods = {}
    for path in written(seed):
        assert path.name.startswith("exemple-synthetique-")
        (delivered,) = read(path)
        assert delivered.valid.height == delivered.judged.height
        found = lake(delivered)
        periods[delivered.period] = found
        turnout = found["participation"]
        assert turnout.filter(pl.col("somme_voix") != pl.col("exprimes")).is_empty()
        assert turnout.filter(pl.col("exprimes") + pl.col("blancs") + pl.col("nuls") != pl.col("votants")).is_empty()
        assert turnout.filter(pl.col("votants") + pl.col("abstentions") != pl.col("inscrits")).is_empty()
        # Pierre-Bénite is a part of Oullins-Pierre-Bénite since 2024, and both are in the files.
        assert found["communes"].height == 293
        assert found["communes"]["nombre_communes_publiees"].sum() == 294
        assert found["communes"]["inscrits"].sum() == turnout["inscrits"].sum()
        assert found["departements"]["code_departement"].to_list() == ["01", "2A", "69", "75", "974"]
    assert sorted(periods) == ["2017-presidentielle-t1", "2022-presidentielle-t1"]
    codes = [set(found["communes"]["code_commune"]) for found in periods.values()]
    assert codes[0] == codes[1]


def test_samples_are_written_like_the_real_files(written):
    of_2017, of_2022 = (path.read_bytes() for path in written(1))
    assert b"\r" not in of_2017
    assert "Prénom".encode() in of_2017
    assert of_2022.count(b"\r\n") == of_2022.count(b"\n") == 295
    header, first, *_ = of_2022.decode("latin-1").split("\r\n")
    assert len(header.split(";")) == 26
    assert len(first.split(";")) == 19 + 12 * 7


def test_order_of_publication():
    releases = [
        release_of(text_table(["a"], [["1"]], name)[0], {})
        for name in (
            "exemple-synthetique-2022.csv",
            "resultats-provisoires.csv",
            "resultats.csv",
            "resultats-definitifs.csv",
        )
    ]
    assert releases == sorted(releases)
    assert releases[0] < releases[1] < releases[2] == releases[3]
