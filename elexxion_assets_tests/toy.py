"""A theme of a few lines, to test the machine without the weather of real data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import narwhals as nw

from elexxion_assets.columns import ANNEE, COMMUNE
from elexxion_assets.declare import Column, Dataset, Frame, Kind, Layer, Refusal, Rule, Table, TextTable, Theme, Yearly

COUNT = Column(name="nombre", kind=Kind.INTEGER, description="Things counted", unit="things", ge=0)
CODE = COMMUNE.but(source_names=("CODGEO",))
TOTAL = Column(name="total", kind=Kind.INTEGER, description="Sum of the years known", ge=0)


def _period(table: TextTable) -> nw.Expr:
    if table.hints.get("refuse"):
        raise Refusal("told_to", "it was said to refuse this file")
    return nw.col("annee")


def _release(table: TextTable, rows: Mapping[str, int]) -> str:
    return max(rows, default="") if "release" not in table.hints else table.hints["release"]


counts = Dataset(
    name="counts",
    title="Counts",
    source="Nobody",
    page="https://example.org",
    columns=(CODE, ANNEE, COUNT.but(source_names=("nombre",))),
    key=("code_commune", "annee"),
    period=_period,
    release=_release,
)


def _facts(frame: Frame, *, period: str) -> Frame:
    return frame


def _sums(facts: Frame, *, period: str) -> Frame:
    totals = facts.group_by("code_commune").agg(nw.col("nombre").sum().alias("total"))
    return facts.filter(nw.col("annee") == int(period)).join(totals, on="code_commune")


TOY = Theme(
    name="toy",
    title="Toy",
    owner="team:toy",
    periods=Yearly(first=2000),
    fresh_within=dt.timedelta(days=400),
    datasets=(counts,),
    tables=(
        Table(
            layer=Layer.SILVER,
            name="facts",
            description="One row per commune and year.",
            columns=(COMMUNE, ANNEE, COUNT),
            key=("code_commune", "annee"),
            inputs=("counts",),
            function=_facts,
            rules=(
                Rule(name="small", description="No count is over 100.", broken=nw.col("nombre") > 100),
                Rule(name="sane", description="No count is over 1000.", broken=nw.col("nombre") > 1000, blocking=True),
            ),
        ),
        Table(
            layer=Layer.GOLD,
            name="sums",
            description="One row per commune and year, with the sum of two years.",
            columns=(COMMUNE, ANNEE, COUNT, TOTAL),
            key=("code_commune",),
            inputs=("silver/facts",),
            function=_sums,
            lookback=1,
        ),
    ),
)
THEMES = {"toy": TOY}


def csv(*rows: str) -> bytes:
    """A file of the toy dataset."""
    return ("CODGEO;annee;nombre\n" + "".join(f"{row}\n" for row in rows)).encode()
