"""Sums of figures, whatever their order and their size."""

from __future__ import annotations

import math
import random

import narwhals as nw
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from elexxion_assets.declare.frames import sum_in_any_order


def total(figures: list[float]) -> float:
    rows = nw.from_native(pl.LazyFrame({"place": ["01001"] * len(figures), "figure": figures}))
    [(_, found)] = rows.group_by("place").agg(sum_in_any_order(nw.col("figure"))).collect().rows()
    return float(found)


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_shares_add_up_to_the_same_digits_in_any_order(figures: list[float], chance: random.Random) -> None:
    found = total(figures)
    assert math.isclose(found, math.fsum(figures), abs_tol=1e-9)
    assert total(chance.sample(figures, len(figures))) == found


@given(st.lists(st.integers(-(10**15), 10**15), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_figures_of_any_size_are_neither_refused_nor_wrapped(figures: list[int], chance: random.Random) -> None:
    whole = [float(figure) for figure in figures]
    assert total(whole) == sum(figures)
    assert total(chance.sample(whole, len(whole))) == sum(figures)
