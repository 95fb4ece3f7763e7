"""Plain declarations of columns, datasets, tables and themes. Nothing here knows an orchestrator or a storage."""

from elexxion_assets.declare.calendar import Calendar, Expected, corrected, every_month, every_year, together
from elexxion_assets.declare.column import MISSING, Column, Kind
from elexxion_assets.declare.dataset import (
    Dataset,
    Evolution,
    Frame,
    Geography,
    Match,
    match_by_columns,
    rename_columns,
    unknown_columns,
)
from elexxion_assets.declare.model import Baseline, Feature, Model, Predicts, Range
from elexxion_assets.declare.once import numbered, once_per_text
from elexxion_assets.declare.table import Layer, Rule, Table, Thresholds
from elexxion_assets.declare.text_table import Refusal, TextTable, slug
from elexxion_assets.declare.theme import Periods, Theme, Yearly

__all__ = [
    "MISSING",
    "Baseline",
    "Calendar",
    "Column",
    "Dataset",
    "Evolution",
    "Expected",
    "Feature",
    "Frame",
    "Geography",
    "Kind",
    "Layer",
    "Match",
    "Model",
    "Periods",
    "Predicts",
    "Range",
    "Refusal",
    "Rule",
    "Table",
    "TextTable",
    "Theme",
    "Thresholds",
    "Yearly",
    "corrected",
    "every_month",
    "every_year",
    "match_by_columns",
    "numbered",
    "once_per_text",
    "rename_columns",
    "slug",
    "together",
    "unknown_columns",
]
