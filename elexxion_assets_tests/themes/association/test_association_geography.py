"""Every association whose commune is known counts once, in the commune of today."""

from __future__ import annotations

import pytest

from elexxion_assets.declare import Layer
from elexxion_assets.themes.association.samples import WALDEC_HEADER

# Merged into 01033 in 2019, an arrondissement of Paris, divided between 27528 and 27701, unknown to every vintage.
SEATS = ("01033", "01091", "01053", "75114", "75056", "27443", "01999", "")


def register(*seats: str) -> bytes:
    """A register of active associations created in 2024, one for each seat."""
    lines = []
    for number, seat in enumerate(seats, start=1):
        said = {"id": f"W{number:09}", "date_creat": "2024-01-02", "titre": "LA FANFARE", "objet_social1": "006030"}
        said |= {"adrs_codeinsee": seat, "position": "A", "maj_time": "2024-02-03 10:11:12"}
        lines.append(";".join(said.get(name, '""') for name in WALDEC_HEADER.split(";")))
    return "\n".join([WALDEC_HEADER, *lines, ""]).encode()


def test_totals_before_are_totals_after_quarantine_and_unknown_seats(lake) -> None:
    lake.take(content={"rna_waldec_20240601_dpt_01.csv": register(*SEATS)})
    silver = lake.registre("2024")
    gold = lake.build(Layer.GOLD, "communes", "2024")[0]
    history = lake.build(Layer.GOLD, "creations", "2024")[0]
    assert lake.quarantined()["adrs_codeinsee"].to_list() == ["01999"]
    unknown = silver["code_commune"].null_count()
    assert unknown == 1
    assert gold["stock"].sum() + unknown + 1 == pytest.approx(len(SEATS))
    stock = dict(gold.select("code_commune", "stock").iter_rows())
    assert {code: stock[code] for code in ("01033", "01053", "75056")} == {"01033": 2, "01053": 1, "75056": 2}
    assert stock["27528"] + stock["27701"] == pytest.approx(1)
    assert dict(history.select("code_commune", "creations").iter_rows()) == pytest.approx(stock)


def test_silver_keeps_the_published_code_beside_the_target(lake) -> None:
    lake.take(content={"rna_waldec_20240601_dpt_01.csv": register("01091", "75114")})
    rows = lake.registre("2024").select("code_commune", "code_commune_cible", "part").rows()
    assert sorted(rows) == [("01091", "01033", 1.0), ("75114", "75056", 1.0)]
