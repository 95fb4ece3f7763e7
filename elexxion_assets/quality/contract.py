"""Applies a dataset's contract to rows of text: typed values, and the reasons for which a row is rejected.

Everything is an expression over a lazy frame, so that typing and judging happen in the pass that transforms, on any
engine that narwhals speaks to. No non-strict cast exists there: a value is cast only where its text has the right form.
"""

from __future__ import annotations

from collections.abc import Sequence

import narwhals as nw

from elexxion_assets.declare import Column, Frame, Kind

REASON = "_reason"
"""Column of the reasons, in words; null for a row that keeps its contract."""

_SPACES = "[ \u00a0\u202f\u2009\t]"
_INTEGER = r"^[+-]?[0-9]{1,18}(\.0+)?$"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_DATE = (
    r"^(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    r"|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)$"
)
_BOOLEANS = {
    "true": True,
    "1": True,
    "oui": True,
    "vrai": True,
    "false": False,
    "0": False,
    "non": False,
    "faux": False,
}


def _text(column: Column) -> nw.Expr:
    """The value without surrounding blanks, null where it means 'no value'."""
    value = nw.col(column.name).str.strip_chars()
    return nw.when(~value.is_in(list(column.missing))).then(value)


def _spelled(column: Column) -> nw.Expr:
    """The value in the one spelling that the type is read from."""
    value = _text(column)
    match column.kind:
        case Kind.TEXT:
            if column.width is None:
                return value
            digits = value.str.contains(r"^[0-9]+(\.0)?$")
            return nw.when(digits).then(value.str.replace_all(r"\.0$", "").str.zfill(column.width)).otherwise(value)
        case Kind.INTEGER | Kind.NUMBER:
            return value.str.replace_all(_SPACES, "").str.replace_all("%$", "").str.replace_all(",", ".", literal=True)
        case Kind.DATE:
            return value.str.slice(0, 10).str.replace_all(r"^([0-9]{2})/([0-9]{2})/([0-9]{4})$", "$3-$2-$1")
        case Kind.BOOLEAN:
            return value.str.to_lowercase()


def _is_well_formed(column: Column) -> nw.Expr:
    spelled = _spelled(column)
    match column.kind:
        case Kind.TEXT:
            if column.pattern is not None:
                return spelled.str.contains(f"^(?:{column.pattern})$")
            return ~spelled.is_null()
        case Kind.INTEGER:
            return spelled.str.contains(_INTEGER)
        case Kind.NUMBER:
            return spelled.str.contains(_NUMBER)
        case Kind.DATE:
            return spelled.str.contains(_DATE)
        case Kind.BOOLEAN:
            return spelled.is_in(list(_BOOLEANS))


def value(column: Column) -> nw.Expr:
    """The typed value of a text column, null where there is none or where the text has not the right form."""
    spelled = _spelled(column)
    formed = nw.when(_is_well_formed(column)).then(spelled)
    match column.kind:
        case Kind.TEXT:
            return formed.alias(column.name)
        case Kind.INTEGER:
            return formed.str.replace_all(r"\.0+$", "").cast(nw.Int64()).alias(column.name)
        case Kind.NUMBER:
            return formed.cast(nw.Float64()).alias(column.name)
        case Kind.DATE:
            return formed.str.to_date("%Y-%m-%d").alias(column.name)
        case Kind.BOOLEAN:
            truths = [text for text, truth in _BOOLEANS.items() if truth]
            return nw.when(~formed.is_null()).then(formed.is_in(truths)).alias(column.name)


_WANTED = {
    Kind.TEXT: "a valid code",
    Kind.INTEGER: "a whole number",
    Kind.NUMBER: "a number",
    Kind.DATE: "a date",
    Kind.BOOLEAN: "yes or no",
}


def reason(column: Column) -> nw.Expr | None:
    """Why the value of a column breaks its contract, in words, null where it does not; None if nothing can break it."""
    found = _text(column)
    shown = nw.concat_str([nw.lit(f"{column.name}: « "), found.str.slice(0, 80), nw.lit(" » ")])
    problems: list[tuple[nw.Expr, nw.Expr]] = []

    def problem(broken: nw.Expr, words: str) -> None:
        problems.append((broken, nw.concat_str([shown, nw.lit(words)])))

    if column.kind is not Kind.TEXT or column.pattern is not None:
        problem(~found.is_null() & ~_is_well_formed(column), f"is not {_WANTED[column.kind]}")
    if column.isin is not None:
        problem(~found.is_null() & ~value(column).is_in(list(column.isin)), "is not among the known values")
    if column.ge is not None:
        problem(value(column) < column.ge, f"is below {column.ge:g}")
    if column.le is not None:
        problem(value(column) > column.le, f"is above {column.le:g}")
    if column.required:
        problems.append((found.is_null(), nw.lit(f"{column.name}: no value")))
    if not problems:
        return None
    words = nw.lit(None, dtype=nw.String())
    for broken, said in reversed(problems):
        words = nw.when(broken).then(said).otherwise(words)
    return words


def apply(frame: Frame, columns: Sequence[Column]) -> Frame:
    """Types the contract's columns of a text frame and adds `_reason`; the other columns stay as they are."""
    reasons = [found for column in columns if (found := reason(column)) is not None]
    names = [f"_reason_{position}" for position in range(len(reasons))]
    judged = frame.with_columns(*(found.alias(name) for name, found in zip(names, reasons, strict=True)))
    joined = nw.concat_str([nw.col(name) for name in names], separator="; ", ignore_nulls=True)
    judged = judged.with_columns(nw.when(joined != "").then(joined).alias(REASON))
    return judged.with_columns(*(value(column) for column in columns)).drop(names)
