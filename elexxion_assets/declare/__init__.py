"""Plain declarations of columns, datasets, tables and themes. Nothing here knows an orchestrator or a storage."""

from elexxion_assets.declare.column import MISSING, Column, Kind
from elexxion_assets.declare.dataset import Dataset, Frame, Geography, Match, match_by_columns, rename_columns
from elexxion_assets.declare.model import Baseline, Feature, Model, Predicts, Range
from elexxion_assets.declare.table import Layer, Rule, Table
from elexxion_assets.declare.text_table import Refusal, TextTable, slug
from elexxion_assets.declare.theme import Periods, Theme, Yearly

__all__ = [
    "MISSING",
    "Baseline",
    "Column",
    "Dataset",
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
    "Yearly",
    "match_by_columns",
    "rename_columns",
    "slug",
]
