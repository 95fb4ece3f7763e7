"""Files that change: columns that nobody declared, texts of another type, columns renamed or gone."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elexxion_assets.declare import Column, Evolution, Kind, Layer, Theme
from elexxion_assets.lake import layout
from elexxion_assets.lake.build import stage
from elexxion_assets.lake.explain import explain
from elexxion_assets.lake.ledger import State
from elexxion_assets.quality import contract
from elexxion_assets_tests.lake import test_intake_to_gold as passes
from elexxion_assets_tests.lake.test_intake_to_gold import FACTS, SUMS, Lake
from elexxion_assets_tests.toy import TOY, counts

RATE = Column(
    name="taux",
    kind=Kind.NUMBER,
    description="A rate",
    required=False,
    optional_in_file=True,
    le=1000,
    source_names=("taux_pour_mille",),
)


def theme_that(evolution: Evolution, *not_taken: str) -> Theme:
    dataset = dataclasses.replace(counts, columns=(*counts.columns, RATE), evolution=evolution, not_taken=not_taken)
    facts = dataclasses.replace(FACTS, columns=(*FACTS.columns, RATE), rules=())
    return dataclasses.replace(TOY, datasets=(dataset,), tables=(facts, SUMS))


GOOD = [f"0{number};2020;0;1;" for number in range(2001, 2021)]

Use = Callable[[Theme], Lake]


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Use:
    """A lake of another theme than the toy as it is."""

    def chosen(theme: Theme) -> Lake:
        monkeypatch.setattr(passes, "THEMES", {"toy": theme})
        monkeypatch.setattr(passes, "TOY", theme)
        return Lake(tmp_path / "lake")

    return chosen


def rescued(lake: Lake) -> dict[int, dict[str, str]]:
    """What silver of 2020 keeps beyond its columns, by line."""
    with lake.storage.local(layout.table_key("toy", Layer.SILVER, "facts", "2020")) as file:
        rows = pl.read_parquet(file)
    assert rows.columns[-3:] == ["_delivery", "_line", "_rescued"]
    return {line: json.loads(said) for line, said in rows.select("_line", "_rescued").drop_nulls().iter_rows()}


def file_of(header: str, *rows: str) -> bytes:
    return ("\n".join([f"CODGEO;annee;nombre;{header}", *rows]) + "\n").encode()


def test_what_has_no_column_or_another_type_is_kept_counted_and_told(use: Use) -> None:
    theme = theme_that(Evolution.RESCUE)
    lake = use(theme)
    content = file_of(
        "taux_pour_mille;source;",
        "01001;2020;3;about « 2 »;A;",
        '01002;2020;4;0,5;say "x\\y";',
        "01003;2020;5;;;",
        "01004;2020;x;many;B;",
        "01005;2020;6;2000;;z",
        # A file is only known for what it is where most of its values are of their type.
        *(f"0{number};2020;0;1;;" for number in range(2001, 2041)),
    )
    [delivery] = lake.drop("a.csv", content)
    assert delivery.tables[0]["unknown"] == ["source", "_6"]
    lake.build()
    # Line 5 lacks a required number and line 6 breaks a bound: both are rejected whole.
    assert rescued(lake) == {2: {"taux": "about « 2 »", "source": "A"}, 3: {"source": 'say "x\\y"'}}
    assert {(row["_line"], row["_column"], row["_rule"]) for row in lake.quarantined()} == {
        (5, "nombre", "type"),
        (6, "taux", "le"),
    }
    again = lake.ledger.get(delivery.id)
    assert again is not None
    assert again.tables[0]["rescued"] == {"2020": {"taux": 1, "source": 2}}
    assert lake.build() == []
    with stage(lake.storage, lake.ledger, {"toy": theme}, theme, theme.tables[0], "2020") as staged:
        [check] = [result for result in staged.results if result.name == "rescued_values"]
    assert (check.passed, check.blocking, check.broken) == (False, False, 2)
    [story] = explain(lake.storage, lake.ledger, {"toy": theme}, delivery.id)
    said = " ".join(story["story"])
    assert "nobody declared: « source », « _6 »" in said
    assert "2 of « source »" in said
    assert "1 of « taux »" in said


def test_a_theme_that_evolves_takes_new_columns_and_rejects_texts_of_another_type(use: Use) -> None:
    lake = use(theme_that(Evolution.EVOLVE))
    [delivery] = lake.drop("a.csv", file_of("taux_pour_mille;source", "01001;2020;3;1;A", "01002;2020;3;many;B", *GOOD))
    lake.build()
    assert delivery.tables[0]["unknown"] == ["source"]
    assert rescued(lake) == {}
    assert [(row["_line"], row["_column"]) for row in lake.quarantined()] == [(3, "taux")]
    [bronze] = delivery.tables[0]["bronze"]
    with lake.storage.local(bronze) as file:
        assert pl.read_parquet(file)["source"].to_list()[:2] == ["A", "B"]


def test_a_theme_that_refuses_says_which_column_it_does_not_know_and_what_it_may_be(use: Use) -> None:
    lake = use(theme_that(Evolution.REFUSE))
    [delivery] = lake.drop("a.csv", file_of("taux_pour_1000", "01001;2020;3;1"))
    assert delivery.state is State.REFUSED
    assert "« taux_pour_1000 »" in delivery.reasons[0]["reason"]
    assert "looks like « taux_pour_mille »" in delivery.reasons[0]["reason"]
    assert lake.drop("b.csv", file_of("taux_pour_mille", "01001;2020;3;1"))[0].state is State.READ


def test_known_columns_that_are_not_taken_are_nothing_new(use: Use) -> None:
    lake = use(theme_that(Evolution.REFUSE, "source", "p[0-9]{2}.*"))
    [delivery] = lake.drop("a.csv", file_of("Source;P17_POP", "01001;2020;3;A;1"))
    assert (delivery.state, delivery.tables[0]["unknown"]) == (State.READ, [])
    lake.build()
    assert rescued(lake) == {}


def test_a_renamed_required_column_is_proposed(use: Use) -> None:
    theme = theme_that(Evolution.RESCUE)
    lake = use(theme)
    [delivery] = lake.drop("a.csv", b"CODGEO;annee;nombre_faits\n01001;2020;3\n01002;2020;3\n")
    assert delivery.state is State.REFUSED
    [story] = explain(lake.storage, lake.ledger, {"toy": theme}, delivery.id)
    assert "Did you mean: column « nombre_faits » looks like « nombre »?" in " ".join(story["story"])


def test_a_renamed_optional_column_is_proposed_by_why(use: Use) -> None:
    theme = theme_that(Evolution.RESCUE)
    lake = use(theme)
    [delivery] = lake.drop("a.csv", file_of("taux_pour_1000;zzz", "01001;2020;3;1;"))
    [story] = explain(lake.storage, lake.ledger, {"toy": theme}, delivery.id)
    said = " ".join(story["story"])
    assert "column « taux_pour_1000 » looks like « taux_pour_mille »" in said
    assert "« zzz » looks like" not in said


def test_a_wide_line_that_gives_several_rows_keeps_all_its_texts() -> None:
    from elexxion_assets.lake.build import _by_line

    found = _by_line(
        pl.DataFrame({"_line": [2, 2, 2, 3], "_rescued": ['{"a": "x"}', '{"a": "y"}', '{"a": "x"}', '{"b": "z"}']})
    )
    assert {line: json.loads(said) for line, said in found.iter_rows()} == {2: {"a": "x", "a.2": "y"}, 3: {"b": "z"}}


@settings(deadline=None)
@given(st.dictionaries(st.text(min_size=1), st.none() | st.text(st.characters(exclude_categories=["Cs"])), max_size=3))
def test_any_texts_make_a_json_object(texts: dict[str, str | None]) -> None:
    import narwhals as nw

    names = {name: f"column {number}" for number, name in enumerate(texts)}
    frame = pl.LazyFrame({"_": [1], **{names[name]: [text] for name, text in texts.items()}}, strict=False)
    frame = frame.with_columns(pl.col(list(names.values())).cast(pl.String))
    said = nw.from_native(frame).select(contract.json_object({n: nw.col(c) for n, c in names.items()}).alias("said"))
    kept = {name: text for name, text in texts.items() if text is not None}
    [made] = said.collect()["said"].to_list()
    assert (json.loads(made) if made is not None else {}) == kept


def test_no_column_of_the_official_files_is_unknown(real_data: Path, tmp_path: Path) -> None:
    from elexxion_assets.reading import read_tables, recognise
    from elexxion_assets.themes import all_themes

    found = {}
    for name in ("crime/donnee-dep-data.gouv-2022-geographie2022-produit-le2023-02-09.csv",
                 "election/Presidentielle_2017_Resultats_Communes_Tour_2.csv",
                 "emploi/cc_filosofi_2020_COM.csv", "emploi/chomage_raw.csv", "emploi/valeurs_trimestrielles.csv",
                 "association/rna_sample_waldec.csv", "reference/v_commune_2024.csv"):  # fmt: skip
        for table, _ in read_tables(real_data / name, name, tmp_path):
            _, dataset = recognise(table, all_themes())
            found[name] = dataset.unknown(dataset, table)
    assert set(found.values()) == {()}
