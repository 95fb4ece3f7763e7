"""The built-in edition is made from the packages' files."""

from __future__ import annotations

from datetime import date

from elexxion_assets.geography.build_edition import movements_of_history, without_standstill
from elexxion_assets.geography.insee import movements_between
from elexxion_assets.geography.passage import Movement

DAY = date(2016, 1, 1)

HISTORY = [
    {
        "id": "COM-A@0",
        "type": "COM",
        "code": "A",
        "dateFin": "2016-01-01",
        "raisonFin": "commune devenant déléguée",
        "successeur": "COMD-A@1",
    },
    {
        "id": "COM-B@0",
        "type": "COM",
        "code": "B",
        "dateFin": "2016-01-01",
        "raisonFin": "commune devenant déléguée",
        "successeur": "COMD-B@1",
    },
    {"id": "COMD-A@1", "type": "COMD", "code": "A", "dateDebut": "2016-01-01", "pole": "COM-A@1"},
    {
        "id": "COMD-B@1",
        "type": "COMD",
        "code": "B",
        "dateDebut": "2016-01-01",
        "pole": "COM-A@1",
        "dateFin": "2018-01-01",
        "raisonFin": "dé-fusion",
        "successeur": "COM-B@2",
    },
    {
        "id": "COM-A@1",
        "type": "COM",
        "code": "A",
        "dateDebut": "2016-01-01",
        "raisonDebut": "commune nouvelle",
        "dateFin": "2018-01-01",
        "raisonFin": "dé-fusion",
    },
    {"id": "COM-B@2", "type": "COM", "code": "B", "dateDebut": "2018-01-01", "raisonDebut": "dé-fusion"},
    {
        "id": "COM-C@0",
        "type": "COM",
        "code": "C",
        "dateFin": "2016-01-01",
        "raisonFin": "changement de nom",
        "successeur": "COM-C@1",
    },
    {"id": "COM-C@1", "type": "COM", "code": "C", "dateDebut": "2016-01-01", "raisonDebut": "changement de nom"},
]


def test_the_history_of_states_gives_movements_between_communes() -> None:
    assert movements_of_history(HISTORY) == [
        Movement(DAY, 32, "A", "A"),
        Movement(DAY, 32, "B", "A"),
        Movement(date(2018, 1, 1), 21, "A", "B"),
    ]


def test_two_lists_are_explained_by_mergers_renumberings_and_restorations() -> None:
    movements, unexplained = movements_between(
        DAY,
        before={"A", "B", "C", "P", "X"},
        after={"A", "D", "P", "R", "Y"},
        was_part={"R": "P"},
        is_part={"B": "A", "C": "D"},
    )
    assert movements == [
        Movement(DAY, 32, "A", "A"),
        Movement(DAY, 32, "B", "A"),
        Movement(DAY, 50, "C", "D"),
        Movement(DAY, 21, "P", "P"),
        Movement(DAY, 21, "P", "R"),
    ]
    assert unexplained == ["X", "Y"]


def test_a_commune_that_nobody_joins_or_leaves_stands_still() -> None:
    merger = [Movement(DAY, 32, "A", "A"), Movement(DAY, 32, "B", "A")]
    assert without_standstill([*merger, Movement(DAY, 34, "C", "C")]) == merger
