"""Whether a feature says what nobody knew yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from elexxion_assets.declare import Model
from elexxion_assets.learning.rows import as_known, known_late

if TYPE_CHECKING:
    import pandas as pd


def late(model: Model, frame: pd.DataFrame) -> dict[str, int]:
    """By feature, the rows in which it was published only after the prediction was asked for; `as_known` hides them."""
    counts = {f.name: int((known_late(model, f, frame) & frame[f.name].notna()).sum()) for f in model.features}
    return {name: count for name, count in counts.items() if count}


def changed(model: Model, made: pd.DataFrame, without_future: pd.DataFrame) -> tuple[str, ...]:
    """The features that are not the same, to the byte, when the table is made with everything later deleted.

    Args:
        model: The model.
        made: Its platinum table as it is.
        without_future: The same table made from what was there on the day asked.

    Returns:
        Names of the features that differ in any row; the key and the period too where rows are missing or added.
    """
    names = (*model.key, model.period, *(feature.name for feature in model.features))
    sides = [as_known(model, f).sort_values(list(model.key)).reset_index(drop=True) for f in (made, without_future)]
    return tuple(name for name in names if not sides[0][name].equals(sides[1][name]))
