"""One code per indicator, whatever the release calls it."""

from __future__ import annotations

import doctest

import narwhals as nw
import polars as pl
import pytest

from elexxion_assets.themes.crime import datasets, indicators
from elexxion_assets.themes.crime.indicators import (
    CODES,
    INDICATORS,
    UNITS,
    indicator_of,
    is_known,
    unit_of,
    unit_of_indicator,
)

RELEASE_2022 = [
    "Autres coups et blessures volontaires",
    "Cambriolages de logement",
    "Coups et blessures volontaires",
    "Coups et blessures volontaires intrafamiliaux",
    "Destructions et dégradations volontaires",
    "Violences sexuelles",
    "Vols avec armes",
    "Vols d'accessoires sur véhicules",
    "Vols dans les véhicules",
    "Vols de véhicules",
    "Vols sans violence contre des personnes",
    "Vols violents sans arme",
]
RELEASE_2023 = [*RELEASE_2022, "Escroqueries", "Homicides", "Trafic de stupéfiants", "Usage de stupéfiants"]
RELEASE_2024 = [*RELEASE_2023, "Tentatives d'homicides", "Usage de stupéfiants (AFD)"]
RELEASE_2025 = [
    "Cambriolages de logement",
    "Destructions et dégradations volontaires",
    "Escroqueries et fraudes aux moyens de paiement",
    "Homicides",
    "Tentatives d'homicide",
    "Trafic de stupéfiants",
    "Usage de stupéfiants",
    "Usage de stupéfiants (AFD)",
    "Usage de stupéfiants (hors AFD)",
    "Violences physiques hors cadre familial",
    "Violences physiques intrafamiliales",
    "Violences sexuelles",
    "Vols avec armes",
    "Vols d'accessoires sur véhicules",
    "Vols dans les véhicules",
    "Vols de véhicule",
    "Vols sans violence contre des personnes",
    "Vols violents sans arme",
]


def expression(function, values: list[str | None]) -> list[str | None]:
    frame = nw.from_native(pl.LazyFrame({"x": values}, schema={"x": pl.String}))
    return frame.select(function(nw.col("x"))).to_native().collect()["x"].to_list()


@pytest.mark.parametrize("labels", [RELEASE_2022, RELEASE_2023, RELEASE_2024, RELEASE_2025])
def test_all_labels_of_a_release_have_codes_of_their_own(labels):
    codes = expression(indicator_of, labels)
    assert set(codes) <= set(CODES)
    assert len(set(codes)) == len(labels)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Vols de véhicules", "Vols de véhicule"),
        ("Escroqueries", "Escroqueries et fraudes aux moyens de paiement"),
        ("Coups et blessures volontaires intrafamiliaux", "Violences physiques intrafamiliales"),
        ("Coups et blessures volontaires (intrafamiliaux)", "Violences physiques intrafamiliales"),
        ("Autres coups et blessures volontaires", "Violences physiques hors cadre familial"),
        ("Coups et blessures volontaires (Autres)", "Violences physiques hors cadre familial"),
        ("Tentatives d'homicides", "Tentatives d'homicide"),
    ],
)
def test_a_renamed_indicator_keeps_its_code(old, new):
    assert len(set(expression(indicator_of, [old, new]))) == 1


@pytest.mark.parametrize(
    "spelling",
    [
        "VOLS D'ACCESSOIRES SUR VEHICULES",
        "Vols d’accessoires sur véhicules",
        " Vols d'accessoires  sur\u00a0véhicules ",
        "Vols d'accessoires sur v\ufffdhicules",
        "Vols d'accessoires sur vÃ©hicules",
        "vols_accessoires_vehicules",
    ],
)
def test_case_accents_and_apostrophes_do_not_count(spelling):
    assert expression(indicator_of, [spelling]) == ["vols_accessoires_vehicules"]


def test_an_unknown_label_stays_visible_and_a_missing_one_missing():
    assert expression(indicator_of, ["Cambriolages de grottes", None]) == ["Cambriolages de grottes", None]
    assert not is_known("Cambriolages de grottes")


def test_units_have_one_spelling():
    published = ["victime", "Victime", "Victime entendue", "Infraction", "Véhicule", "Mis en cause", "Faits", None]
    expected = ["victime", "victime", "victime entendue", "infraction", "véhicule", "mis en cause", "Faits", None]
    assert expression(unit_of, published) == expected


def test_the_unit_of_an_indicator_can_stand_in_for_a_missing_column():
    given = expression(unit_of_indicator, [*CODES, "grottes", None])
    assert given == [*(indicator.unit for indicator in INDICATORS), None, None]
    assert set(given[: len(CODES)]) <= set(UNITS)


def test_totals_name_parts_that_exist_and_share_their_unit():
    by_code = {indicator.code: indicator for indicator in INDICATORS}
    totals = [indicator for indicator in INDICATORS if indicator.parts]
    assert {total.code for total in totals} == {"coups_et_blessures", "usage_stupefiants"}
    for total in totals:
        assert {by_code[part].unit for part in total.parts} == {total.unit}


@pytest.mark.parametrize("module", [datasets, indicators])
def test_the_examples_in_the_documentation_hold(module):
    failed, tried = doctest.testmod(module)
    assert (failed, tried > 0) == (0, True)
