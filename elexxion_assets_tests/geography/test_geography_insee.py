"""INSEE's own files, in their layouts, over the built-in edition."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from elexxion_assets.declare import Refusal
from elexxion_assets.geography import Cog, Motif, insee

COG = Cog.builtin()
COLUMNS = ("TYPECOM", "COM", "REG", "DEP", "CTCD", "ARR", "TNCC", "NCC", "NCCENR", "LIBELLE", "CAN", "COMPARENT")


def commune_list(changes: dict[str, str | None], parts: list[tuple[str, str, str]] | None = None) -> pl.DataFrame:
    """The built-in communes in INSEE's layout, some removed (None) or added."""
    names = dict(COG.communes.select("code_commune", "libelle").iter_rows()) | changes
    rows = [
        ("COM", code, "84", code[:2], "", "", "0", "", "", name, "", "")
        for code, name in names.items()
        if name is not None and not code.startswith(("975", "977", "978", "98"))
    ]
    rows += [(kind, code, "84", code[:2], "", "", "0", "", "", code, "", parent) for kind, code, parent in parts or []]
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def events(rows: list[tuple[str, str, str, str, str, str]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["MOD", "DATE_EFF", "TYPECOM_AV", "COM_AV", "TYPECOM_AP", "COM_AP"], orient="row")


MERGER_OF_2027 = [
    ("32", "2027-01-01", "COM", "01001", "COM", "01001"),
    ("32", "2027-01-01", "COM", "01002", "COM", "01001"),
    ("32", "2027-01-01", "COM", "01002", "COMD", "01002"),
]


def test_a_newer_list_with_its_events_becomes_the_newest_vintage() -> None:
    newer = COG.extended(communes=commune_list({"01002": None}), vintage=2027, movements=events(MERGER_OF_2027))
    assert newer.inconsistencies == []
    assert newer.codes(1990) == COG.codes(1990)
    assert newer.newest == 2027
    assert newer.passage(2026).filter(pl.col("code_source") == "01002")["code_cible"].to_list() == ["01001"]
    assert "97501" in newer.codes(2027)
    assert COG.newest == 2026


def test_without_events_the_delegated_communes_say_what_merged() -> None:
    newer = COG.extended(communes=commune_list({"01002": None}, [("COMD", "01002", "01001")]), vintage=2027)
    assert newer.inconsistencies == []
    rows = newer.passage(2026).filter(pl.col("code_source") == "01002").rows()
    assert rows == [("01002", "01001", 1.0, Motif.MERGED.value)]


def test_without_events_a_delegated_commune_that_is_one_again_was_restored() -> None:
    code, parent = COG.subdivisions.filter(pl.col("type") == "COMD", pl.col("code") != pl.col("code_commune")).row(0)[
        1::2
    ]
    newer = COG.extended(communes=commune_list({code: "Again"}), vintage=2027)
    assert newer.inconsistencies == []
    split = newer.passage(2026).filter(pl.col("code_source") == parent)
    assert set(split["code_cible"]) == {code, parent}
    assert split["part"].sum() == pytest.approx(1)


def test_a_code_that_vanished_without_a_word_is_asked_about() -> None:
    with pytest.raises(ValueError, match=r"what became of.*01002.*file of events"):
        COG.extended(communes=commune_list({"01002": None}), vintage=2027)


def test_a_list_without_vintage_is_asked_for_it() -> None:
    with pytest.raises(ValueError, match="does not say its vintage"):
        COG.extended(communes=commune_list({}))


def test_an_older_list_changes_nothing_and_can_be_compared() -> None:
    older = commune_list({"01002": None, "01003": "Amareins"})
    assert COG.extended(communes=older, vintage=2025).newest == 2026
    assert COG.disagreements(older, 2025) == [
        "01003 is in the list of 2025 but not here",
        "01002 is here in 2025 but not in the list",
    ]


def test_events_that_do_not_lead_to_the_list_are_told() -> None:
    wrong = COG.extended(communes=commune_list({}), vintage=2027, movements=events(MERGER_OF_2027))
    assert any("01002 ends on 2027-01-01" in problem for problem in wrong.inconsistencies)


def test_lower_case_names_and_events_on_delegated_communes() -> None:
    table = events([*MERGER_OF_2027, ("20", "1947-09-17", "", "", "COM", "06162")]).rename(str.lower)
    assert insee.read_movements(table).rows() == [
        (date(1947, 9, 17), 20, None, "06162"),
        (date(2027, 1, 1), 32, "01001", "01001"),
        (date(2027, 1, 1), 32, "01002", "01001"),
    ]


@pytest.mark.parametrize(
    ("read", "table", "words"),
    [
        (insee.read_communes, pl.DataFrame({"COM": ["01001"]}), "missing here: TYPECOM"),
        (insee.read_communes, commune_list({}).with_columns(TYPECOM=pl.lit("COMD")), "no row of the list"),
        (insee.read_movements, events([("32", "01/01/2027", "COM", "01001", "COM", "01002")]), "cannot be read"),
        (insee.read_passage, pl.DataFrame({"CODGEO_INI": ["01001"]}), "a passage table has columns"),
        (insee.read_passage, pl.DataFrame({"DEPCOM_HIST": ["01001"], "DEPCOM": ["01001"]}), "give it"),
    ],
)
def test_what_is_not_insees_layout_is_refused_in_words(read: object, table: pl.DataFrame, words: str) -> None:
    with pytest.raises(Refusal, match=words):
        read(table)  # type: ignore[operator]


def test_an_annual_passage_table_wins_over_the_movements() -> None:
    table = pl.DataFrame(
        {
            "NIVGEO": ["COM"] * 4,
            "CODGEO_INI": ["01002", "85084", "85165", "75101"],
            "LIBGEO_INI": [""] * 4,
            "CODGEO_2003": ["01002", "85084", "85165", "75101"],
            "CODGEO_2023": ["01002", "85084", "85084", "75101"],
            "CODGEO_2026": ["01004", "85084", "85165", "75101"],
        }
    )
    official = COG.extended(table=table)
    moved = official.passage(2023).filter(pl.col("code_source").is_in(["01002", "85084", "01001", "75101"]))
    assert moved.select("code_source", "code_cible").rows() == [
        ("01001", "01001"),
        ("01002", "01004"),
        ("85084", "85084"),
        ("85084", "85165"),
    ]
    assert moved["motif"].to_list()[1] == Motif.OFFICIAL
    assert moved["part"].to_list()[2:] == pytest.approx([0.879, 0.121], abs=0.05)
    assert official.passage(None).filter(pl.col("code_source") == "01002")["code_cible"].to_list() == ["01004"]
    # For other targets the movements speak.
    assert official.passage(2023, 2025).filter(pl.col("code_source") == "01002")["code_cible"].to_list() == ["01002"]


def test_populations_given_share_the_splits() -> None:
    people = pl.DataFrame(
        {"code_commune": ["85084", "85165", "85212"], "annee": [2024] * 3, "population": [60, 30, 10]}
    )
    rows = COG.extended(populations=people).passage(2022).filter(pl.col("code_source") == "85084")
    assert dict(rows.select("code_cible", "part").iter_rows()) == pytest.approx(
        {"85084": 0.6, "85165": 0.3, "85212": 0.1}
    )
