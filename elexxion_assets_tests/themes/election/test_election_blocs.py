"""The reference table of blocs is whole, unambiguous and found again from any spelling."""

from __future__ import annotations

from collections import Counter

import narwhals as nw
import polars as pl
import pytest

from elexxion_assets.themes.election import blocs
from elexxion_assets.themes.election.scrutins import Scrutins


def test_every_row_has_one_subject_a_bloc_and_a_source():
    for row in blocs.classifications():
        assert bool(row.candidat) != bool(row.nuance), row
        assert row.bloc in blocs.BLOCS, row
        assert row.source, row
        assert Scrutins().problem(row.scrutin.replace("*", "1")) is None, row
        assert 1 <= row.version <= blocs.version()


def test_no_subject_is_classified_twice_for_one_scrutin():
    keys = {row.scrutin.replace("*", "1") for row in blocs.classifications()}
    for key in keys:
        subjects = Counter((row.candidat, row.nuance) for row in blocs.of_scrutin(key))
        assert max(subjects.values()) == 1, (key, subjects.most_common(1))


@pytest.mark.parametrize(("year", "candidates"), [(2002, 16), (2007, 12), (2012, 10), (2017, 11), (2022, 12)])
def test_all_candidates_of_presidentielles_are_there(year, candidates):
    assert len(blocs.presidential_candidates()[year]) == candidates


def test_meaning_depends_on_the_election():
    frame = pl.LazyFrame(
        {"candidat": ["X", "X"], "nom": [None, None], "nuance": ["LFI", "ZZZ"]}, schema_overrides={"nom": pl.String}
    )
    in_2020, in_2026 = (
        nw.from_native(frame).select(bloc=blocs.bloc(f"{year}-municipales-t1")).collect()["bloc"].to_list()
        for year in (2020, 2026)
    )
    assert in_2020 == ["gauche", None]
    assert in_2026 == ["extreme_gauche", None]


def test_candidates_are_found_without_their_accents():
    names = ["MÉLENCHON Jean-Luc", "MELENCHON Jean-Luc", "M\ufffdLENCHON Jean-Luc", "PÉCRESSE Valérie", "DUPONT Jean"]
    frame = pl.LazyFrame({"candidat": names, "nom": names, "nuance": names})
    found = nw.from_native(frame).select(bloc=blocs.bloc("2022-presidentielle-t2")).collect()["bloc"].to_list()
    assert found == ["gauche", "gauche", "gauche", "droite", None]
