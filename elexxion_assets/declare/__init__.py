"""Plain declarations of columns, datasets, tables and themes. Nothing here knows an orchestrator or a storage."""

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
from elexxion_assets.declare.table import Layer, Rule, Table, Thresholds
from elexxion_assets.declare.text_table import Refusal, TextTable, slug
from elexxion_assets.declare.theme import Periods, Theme, Yearly

__all__ = [
    "MISSING",
    "Column",
    "Dataset",
    "Evolution",
    "Frame",
    "Geography",
    "Kind",
    "Layer",
    "Match",
    "Periods",
    "Refusal",
    "Rule",
    "Table",
    "TextTable",
    "Theme",
    "Thresholds",
    "Yearly",
    "match_by_columns",
    "rename_columns",
    "slug",
    "unknown_columns",
]
