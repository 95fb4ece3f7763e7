"""Rates of communes seen against their département: smoothed, and those of the other communes.

Rates are smoothed by the empirical Bayes estimator of Marshall (1991). Over the k communes of a département whose count
y_i is known, with exposure n_i (thousands of inhabitants, say) and rate r_i = y_i / n_i:

    m   = sum(y_i) / sum(n_i)                                       the département's rate
    A   = max(0, sum(n_i (r_i - m)²) / sum(n_i) - m / mean(n_i))    variance between communes, beyond that of counts
    w_i = A / (A + m / n_i)                                         0 where y_i is not known
    smoothed rate = m + w_i (r_i - m)

so that large communes keep their own rate and small ones get near to the département's. Where the département has no
known count, m is the rate of all communes.

Source: R. J. Marshall, « Mapping disease and mortality rates using empirical Bayes estimators », Applied Statistics 40
(1991).
"""

from __future__ import annotations

from collections.abc import Sequence

import narwhals as nw

from elexxion_assets.declare import Frame

DECIMALS = 6
"""Of smoothed rates and means of neighbours: sums over communes differ from run to run in the digits beyond."""


def against_departement(places: Frame, names: Sequence[str]) -> Frame:
    """Sets every commune's rates against those of its département.

    Args:
        places: One row per commune: `code_departement` and, for each name, the count `<name>_y` and its exposure
            `<name>_n`, null where they are not known.
        names: Names of the measures.

    Returns:
        The rows with, for each name, `<name>_lisse`, the smoothed rate, `<name>_voisins`, the rate of the other
        communes of the département taken together (null where none has a known count), and `<name>_n_all`, the known
        exposure of all communes. Rates are in counts per unit of exposure, to be rounded to `DECIMALS`.
    """
    usable = {name: (nw.col(f"{name}_n") > 0) & ~nw.col(f"{name}_y").is_null() for name in names}
    places = places.with_columns(
        *(
            nw.when(usable[name]).then(nw.col(f"{name}_{what}")).alias(f"{name}_{what}")
            for name in names
            for what in ("y", "n")
        )
    )
    sums = [
        expression
        for name in names
        for expression in (
            nw.col(f"{name}_y").sum().alias(f"{name}_Y"),
            nw.col(f"{name}_n").sum().alias(f"{name}_N"),
            nw.col(f"{name}_n").count().alias(f"{name}_K"),
            (nw.col(f"{name}_y") * nw.col(f"{name}_y") / nw.col(f"{name}_n")).sum().alias(f"{name}_Q"),
        )
    ]
    everywhere = places.select(
        *(nw.col(f"{name}_{what}").sum().alias(f"{name}_{what}_all") for name in names for what in ("y", "n"))
    )
    of_departement = places.group_by("code_departement").agg(*sums)
    judged = places.join(of_departement, on="code_departement", how="left").join(everywhere, how="cross")
    return judged.with_columns(
        *(_smoothed(name).alias(f"{name}_lisse") for name in names),
        *(_of_others(name).alias(f"{name}_voisins") for name in names),
    )


def _smoothed(name: str) -> nw.Expr:
    """The estimator of the module's docstring; sum(n_i (r_i - m)²) is sum(y_i² / n_i) - m² sum(n_i)."""
    count, exposure, weight = nw.col(f"{name}_y"), nw.col(f"{name}_n"), nw.col(f"{name}_N")
    anywhere = nw.when(nw.col(f"{name}_n_all") > 0).then(nw.col(f"{name}_y_all") / nw.col(f"{name}_n_all"))
    mean = nw.coalesce(nw.when(weight > 0).then(nw.col(f"{name}_Y") / weight), anywhere)
    between = nw.col(f"{name}_Q") / weight - mean * mean - mean * nw.col(f"{name}_K") / weight
    moved = between / (between + mean / exposure) * (count / exposure - mean)
    # No count of one's own, or no more variance than counts have by chance: the département's rate.
    return mean + nw.when(~exposure.is_null() & (between > 0)).then(moved).otherwise(nw.lit(0.0))


def _of_others(name: str) -> nw.Expr:
    """The rate of the other communes of the département taken together; null where none has a known count."""
    others = nw.col(f"{name}_K") - (~nw.col(f"{name}_n").is_null()).cast(nw.Int64())
    count = nw.col(f"{name}_Y") - nw.col(f"{name}_y").fill_null(0.0)
    exposure = nw.col(f"{name}_N") - nw.col(f"{name}_n").fill_null(0.0)
    return nw.when(others > 0).then(count / exposure)
