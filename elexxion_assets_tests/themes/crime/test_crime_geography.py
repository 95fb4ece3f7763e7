"""Figures of any vintage reach the communes of the newest one: none lost, none counted twice, floors called floors."""

from __future__ import annotations

import gzip

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elexxion_assets.declare import Layer, TextTable
from elexxion_assets.geography import Cog
from elexxion_assets.synthetic import PREFIX
from elexxion_assets.themes.crime import THEME
from elexxion_assets.themes.crime.datasets import COMMUNALE
from elexxion_assets.themes.crime.indicators import indicator_of
from elexxion_assets.themes.crime.samples import samples

EXTRACT = "crime/donnee-data.gouv-2023-geographie2024_extrait-3498-communes-2016-2018.csv.gz"
SAMPLE = f"{PREFIX}donnee-data.gouv-2023-geographie2024.csv.gz"

OF_2022 = {
    # Arboys en Bugey is two communes of 2022 (01039, 01138) today, Haut Valromey too (01187, 01330).
    "01004": "01039",
    "01033": "01138",
    "01053": "01187",
    "01344": "01330",
    # Five communes were made of 15141 since; 49069 changed its number.
    "01071": "15141",
    "2A041": "49069",
    # Never a commune.
    "2A249": "60999",
}
"""Codes of the sample, and the codes of 2022 that take their place."""

HEADER = "CODGEO_2022;annee;classe;unité.de.compte;valeur.publiée;faits;tauxpourmille;POP;LOG"


def facts(lines: pl.DataFrame, code: str) -> dict[tuple[int, str], float]:
    """Sums of published numbers per year and indicator, of lines as they are in a file."""
    sums = (
        nw.from_native(lines.lazy())
        .with_columns(indicateur=indicator_of(nw.col("classe")))
        .to_native()
        .filter(pl.col(code).is_not_null(), pl.col("faits") != "NA")
        .group_by(pl.col("annee").cast(pl.Int64) + 2000, "indicateur")
        .agg(pl.col("faits").cast(pl.Float64).sum())
        .collect()
    )
    return {(year, indicator): total for year, indicator, total in sums.iter_rows()}


def totals(tables: pl.DataFrame) -> dict[tuple[int, str], float]:
    """The same of gold rows."""
    numbers = tables.select("annee", pl.selectors.ends_with("_nombre")).unpivot(index="annee").drop_nulls("value")
    numbers = numbers.group_by("annee", pl.col("variable").str.strip_suffix("_nombre")).agg(pl.col("value").sum())
    return {(year, indicator): total for year, indicator, total in numbers.iter_rows()}


def read(content: bytes) -> pl.DataFrame:
    return pl.read_csv(gzip.decompress(content).removeprefix(b"\xef\xbb\xbf"), separator=";", infer_schema=False)


def assert_conserved(lake, lines: pl.DataFrame, code: str) -> None:
    years = sorted({str(int(year) + 2000) for year in lines["annee"]})
    before = facts(lines, code)
    gold = pl.concat([lake.rows("gold/communes", year) for year in years])
    after = totals(gold)
    rejected = lake.quarantined()
    lost = {} if rejected.is_empty() else facts(rejected, code)
    assert {key: after.get(key, 0) + lost.get(key, 0) for key in before} == pytest.approx(before, abs=1e-6)
    assert set(after) <= set(before)
    target = Cog.builtin().codes(Cog.builtin().newest)
    assert set(gold.filter(~pl.col("est_arrondissement"))["code_commune"]) <= target


def test_totals_of_the_real_extract_are_those_of_gold(real_data, lake):
    lake.drop(real_data / EXTRACT)
    lake.build()
    lines = read((real_data / EXTRACT).read_bytes())
    assert_conserved(lake, lines, "CODGEO_2024")
    assert lake.quarantined().is_empty()
    assert lake.rows("silver/communale", "2016").filter(pl.col("motif") != "unchanged").is_empty()


def test_the_same_figures_in_the_geography_of_2022_are_split_but_not_lost(real_data, lake, tmp_path):
    content = gzip.decompress((real_data / EXTRACT).read_bytes()).replace(b"CODGEO_2024", b"CODGEO_2022", 1)
    path = tmp_path / "extrait-2022.csv.gz"
    path.write_bytes(gzip.compress(content))
    lake.drop(path)
    lake.build()
    assert_conserved(lake, read(path.read_bytes()), "CODGEO_2022")
    shared = lake.rows("gold/communes", "2018").filter(pl.col("est_partage"))
    assert set(shared["code_commune"]) == {"85084", "85165", "85212"}
    assert shared["vols_sans_violence_taux"].n_unique() == 1


def older_sample(tmp_path, code: str):
    """The communal sample of July 2024, with codes of 2022 and their year in the header."""
    folder = tmp_path / "samples"
    folder.mkdir()
    (path,) = (path for path in samples(folder, 7) if path.name == SAMPLE)
    text = gzip.decompress(path.read_bytes()).decode().replace("CODGEO_2024", code, 1)
    for ours, old in OF_2022.items():
        text = text.replace(f'\n"{ours}";', f'\n"{old}";')
    path.write_bytes(gzip.compress(text.encode()))
    return path


@pytest.mark.parametrize("code", ["CODGEO_2022", "CODGEO"])
def test_totals_of_an_older_vintage_are_those_of_gold_and_of_quarantine(lake, tmp_path, code):
    path = older_sample(tmp_path, code)
    lake.drop(path)
    lake.build()
    lines = read(path.read_bytes())
    assert_conserved(lake, lines, code)
    rejected = lake.quarantined()
    assert set(rejected[code]) == {"60999"}
    assert rejected["_reason"].unique().to_list() == [
        "code_commune: « 60999 » not placed: no vintage of the COG has this code"
    ]
    gold = {row["code_commune"]: row for row in lake.rows("gold/communes", "2020").to_dicts()}
    assert {"01138", "01187", "49126", "15031", "15141", "15171"} <= set(gold)
    assert not {"01039", "01330", "49069", "60999"} & set(gold)
    # With « CODGEO » alone the name says 2024: codes gone by then are followed from the vintage that has them.
    assert gold["01138"]["communes_sources"] == 2
    assert gold["15031"]["est_partage"]
    assert not gold["01138"]["est_partage"]


def test_silver_keeps_what_was_published(lake, tmp_path):
    lake.drop(older_sample(tmp_path, "CODGEO_2022"))
    lake.build()
    silver = lake.rows("silver/communale", "2020")
    places = {row[:2]: row[2:] for row in silver.select("code_commune", "code_commune_cible", "part", "motif").rows()}
    assert places["01039", "01138"] == (1.0, "merged")
    assert places["01138", "01138"] == (1.0, "unchanged")
    assert places["49069", "49126"] == (1.0, "renumbered")
    assert places["75101", "75101"] == (1.0, "unchanged")
    assert sum(part for (code, _), (part, _) in places.items() if code == "15141") == pytest.approx(1)
    of_split = silver.filter(pl.col("code_commune") == "15141", pl.col("indicateur") == "vols_sans_violence")
    assert of_split["nombre"].n_unique() == 1


def test_a_merger_adds_up_counts_and_recomputes_rates(tmp_path, deliver):
    path = tmp_path / "x.csv"
    lines = [
        "01039;20;Vols avec armes;infraction;diff;10;10;1000;500",
        "01138;20;Vols avec armes;infraction;diff;20;6,67;3000;1500",
        "01039;20;Cambriolages de logement;infraction;diff;6;12;1000;500",
        "01138;20;Cambriolages de logement;infraction;diff;0;0;3000;1500",
        "01187;20;Vols avec armes;infraction;diff;8;5,333;1500;700",
    ]
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    gold = {row["code_commune"]: row for row in deliver(path).gold("communes", "2020").to_dicts()}
    merged = gold["01138"]
    assert (merged["vols_avec_armes_nombre"], merged["vols_avec_armes_taux"]) == (30, 7.5)
    assert (merged["cambriolages_logement_nombre"], merged["cambriolages_logement_taux"]) == (6, 3)
    assert (merged["population"], merged["logements"], merged["communes_sources"]) == (4000, 2000, 2)
    assert (merged["total"], merged["total_est_partiel"], merged["indicateurs_masques"]) == (36, False, 0)
    # A commune on its own keeps the rate that was published.
    assert (gold["01187"]["vols_avec_armes_taux"], gold["01187"]["communes_sources"]) == (5.333, 1)


def test_a_secret_of_one_of_the_merged_makes_a_floor(tmp_path, deliver):
    path = tmp_path / "x.csv"
    lines = [
        f"{code};{year};{label};{unit};{'ndiff' if number == 'NA' else 'diff'};{number};NA;1000;500"
        for code, year, label, unit, number in [
            ("01039", 19, "Vols avec armes", "infraction", "9"),
            ("01138", 19, "Vols avec armes", "infraction", "NA"),
            ("01039", 20, "Vols avec armes", "infraction", "NA"),
            ("01138", 20, "Vols avec armes", "infraction", "20"),
            ("01039", 20, "Violences sexuelles", "victime", "7"),
            ("01138", 20, "Violences sexuelles", "victime", "8"),
            ("01039", 20, "Trafic de stupéfiants", "mis en cause", "NA"),
            ("01138", 20, "Trafic de stupéfiants", "mis en cause", "NA"),
            ("01039", 20, "Vols de véhicules", "véhicule", "6"),
        ]
    ]
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    (row,) = deliver(path).gold("communes", "2020").to_dicts()
    assert (row["vols_avec_armes_nombre"], row["vols_avec_armes_est_partiel"]) == (20, True)
    assert row["vols_avec_armes_taux"] is None
    assert (row["violences_sexuelles_nombre"], row["violences_sexuelles_est_partiel"]) == (15, False)
    assert row["violences_sexuelles_taux"] == 7.5
    assert (row["trafic_stupefiants_nombre"], row["trafic_stupefiants_est_partiel"]) == (None, False)
    # Not a secret, but the other commune has no line for it.
    assert (row["vols_de_vehicule_nombre"], row["vols_de_vehicule_est_partiel"]) == (6, True)
    assert row["indicateurs_masques"] == 2
    assert (row["total"], row["total_est_partiel"]) == (20 + 15 + 6, True)
    # The floors of 2019 and 2020 are those of two different communes.
    assert row["total_variation_1_an"] is None


def test_the_sum_of_two_kinds_is_not_checked_against_a_floor(tmp_path, deliver):
    path = tmp_path / "x.csv"
    whole, at_home, elsewhere = (
        "Coups et blessures volontaires",
        "Coups et blessures volontaires intrafamiliaux",
        "Autres coups et blessures volontaires",
    )
    lines = [
        f"{code};20;{label};victime;{'ndiff' if number == 'NA' else 'diff'};{number};NA;1000;500"
        for code, label, number in [
            ("01039", whole, "16"),
            ("01039", at_home, "NA"),
            ("01039", elsewhere, "12"),
            ("01138", whole, "20"),
            ("01138", at_home, "8"),
            ("01138", elsewhere, "12"),
            ("15141", whole, "17"),
            ("15141", at_home, "6"),
            ("15141", elsewhere, "11"),
        ]
    ]
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    gold = deliver(path).gold("communes", "2020")
    for rule in THEME.table(Layer.GOLD, "communes").rules:
        broken = nw.from_native(gold).select(rule.broken.alias("broken")).to_native()["broken"]
        assert not broken.any(), rule.name
    (merged,) = gold.filter(pl.col("code_commune") == "01138").to_dicts()
    assert (merged["total"], merged["total_est_partiel"]) == (36, False)


@pytest.mark.parametrize(
    ("column", "file", "vintage"),
    [
        ("CODGEO_2022", "donnee-data.gouv-2023-geographie2024.csv", 2022),
        ("CODGEO", "donnee-data.gouv-2023-geographie2024.csv", 2024),
        ("CODGEO", "communes.csv", None),
    ],
)
def test_the_vintage_is_said_by_the_columns_or_else_by_the_name(column, file, vintage):
    assert COMMUNALE.geography is not None
    table = TextTable(file=file, columns=(column, "annee"), header=(column, "annee"))
    assert COMMUNALE.geography.vintage(table, "2020") == vintage


PUBLISHED = st.dictionaries(
    st.tuples(
        st.sampled_from(["01039", "01138", "01187", "01330", "15141", "60054", "75056", "75101", "2A004", "60999"]),
        st.sampled_from(["vols_avec_armes", "cambriolages_logement", "usage_stupefiants"]),
    ),
    st.none() | st.integers(0, 10_000),
    min_size=1,
)


@settings(max_examples=40, deadline=None)
@given(PUBLISHED, st.sampled_from([2022, 2024, None]))
def test_whatever_was_published_adds_up_to_the_same(published, vintage):
    rows = pl.LazyFrame(
        [(code, 2020, indicator, number, None, 1000, None, None) for (code, indicator), number in published.items()],
        schema={
            "code_commune": pl.String,
            "annee": pl.Int64,
            "indicateur": pl.String,
            "nombre": pl.Int64,
            "taux_pour_mille": pl.Float64,
            "population": pl.Int64,
            "logements": pl.Float64,
            "geographie": pl.String,
        },
        orient="row",
    )
    carried = Cog.builtin().carry(nw.from_native(rows), vintage=vintage, plm="arrondissements")
    placed = carried.filter(~nw.col("code_commune_cible").is_null())
    silver = THEME.table(Layer.SILVER, "communale").function(placed, period="2020")
    gold = THEME.table(Layer.GOLD, "communes").of_rows(silver, period="2020").to_native().collect()
    found = totals(gold)
    for indicator in {indicator for _, indicator in published}:
        known = [n for (code, i), n in published.items() if i == indicator and code != "60999" and n is not None]
        assert found.get((2020, indicator), 0) == pytest.approx(sum(known))
    for row in gold.to_dicts():
        assert row["indicateurs_masques"] <= 3
        for (code, indicator), number in published.items():
            if code == row["code_commune"] and number is None and row["communes_sources"] == 1:
                assert row[f"{indicator}_nombre"] is None
