"""Applies a dataset's contract to rows of text: typed values, and the reasons for which a row is rejected.

Everything is an expression over a lazy frame, so that typing and judging happen in the pass that transforms, on any
engine that narwhals speaks to. No non-strict cast exists there: a value is cast only where its text has the right form.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence

import narwhals as nw

from elexxion_assets.declare import Column, Frame, Kind

REASON = "_reason"
"""Column of the reasons, in words; null for a row that keeps its contract."""

BREACHES = "_breaches"
"""Column of the same, each as column, text, rule and words: `BREACH` takes one apart, `NEXT` stands between two."""

RESCUED = "_rescued"
"""Column of the texts that a row could not take, as a JSON object; null where there are none."""

TEXT, SAID = "_text_", "_reason_"
"""Before the name of a column: the text of its value, and how it breaks the contract."""

NEXT, PART = "\x1e", "\x1f"
BREACH = f"([^{PART}]*){PART}([^{PART}]*){PART}([^{PART}]*){PART}([^{PART}{NEXT}]*)"

_BLANKS = (" ", "\u00a0", "\u202f", "\u2009", "\t")
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


def _spelled(column: Column, text: nw.Expr) -> nw.Expr:
    """A text in the one spelling that the type is read from."""
    match column.kind:
        case Kind.TEXT:
            if column.width is None:
                return text
            digits = text.str.replace_all(r"^([0-9]+)\.0$", "$1")
            return nw.when(digits.str.contains("^[0-9]+$")).then(digits.str.zfill(column.width)).otherwise(text)
        case Kind.INTEGER | Kind.NUMBER:
            for blank in _BLANKS:
                text = text.str.replace_all(blank, "", literal=True)
            # A percentage sign is a unit, and the unit is the column's to say.
            return text.str.replace_all("%", "", literal=True).str.replace_all(",", ".", literal=True)
        case Kind.DATE:
            return text.str.slice(0, 10).str.replace_all(r"^([0-9]{2})/([0-9]{2})/([0-9]{4})$", "$3-$2-$1")
        case Kind.BOOLEAN:
            return text.str.to_lowercase()


def _value(column: Column, spelled: nw.Expr) -> nw.Expr:
    """The typed value of a spelled text, null where it has not the right form."""

    def formed(pattern: str) -> nw.Expr:
        return nw.when(spelled.str.contains(pattern)).then(spelled)

    match column.kind:
        case Kind.TEXT:
            return spelled if column.pattern is None else formed(f"^(?:{column.pattern})$")
        case Kind.INTEGER:
            return formed(_INTEGER).str.replace_all(r"\.0+$", "").cast(nw.Int64())
        case Kind.NUMBER:
            return formed(_NUMBER).cast(nw.Float64())
        case Kind.DATE:
            return formed(_DATE).str.to_date("%Y-%m-%d")
        case Kind.BOOLEAN:
            yes = [text for text, truth in _BOOLEANS.items() if truth]
            return nw.when(spelled.is_in(list(_BOOLEANS))).then(spelled.is_in(yes))


_WANTED = {
    Kind.TEXT: "a valid code",
    Kind.INTEGER: "a whole number",
    Kind.NUMBER: "a number",
    Kind.DATE: "a date",
    Kind.BOOLEAN: "yes or no",
}


def _reason(column: Column, text: nw.Expr, *, rescued: bool) -> nw.Expr | None:
    """How a value breaks its column's contract: column, text, rule, words; None if nothing can break it.

    Null where nothing is broken, as for a malformed text that is rescued.
    """
    value = nw.col(column.name)
    problems: list[tuple[nw.Expr, str, str]] = []
    if (column.kind is not Kind.TEXT or column.pattern is not None) and not rescued:
        problems.append((value.is_null(), "type", f"is not {_WANTED[column.kind]}"))
    if column.isin is not None:
        problems.append((~value.is_in(list(column.isin)), "isin", "is not among the known values"))
    if column.ge is not None:
        problems.append((value < column.ge, "ge", f"is below {column.ge:g}"))
    if column.le is not None:
        problems.append((value > column.le, "le", f"is above {column.le:g}"))
    if not problems and not column.required:
        return None
    words = nw.lit(None, dtype=nw.String())
    for broken, rule, said in reversed(problems):
        words = nw.when(broken).then(nw.lit(f"{PART}{rule}{PART} » {said}")).otherwise(words)
    shown = nw.concat_str([nw.lit(f"{column.name}{PART}« "), text.str.slice(0, 80), words])
    if not column.required:
        return nw.when(~text.is_null()).then(shown)
    nothing = nw.lit(f"{column.name}{PART}{PART}required{PART}no value")
    return nw.when(text.is_null()).then(nothing).otherwise(shown)


def apply(frame: Frame, columns: Sequence[Column], rescued: Collection[str] = ()) -> Frame:
    """Types the contract's columns of a text frame; the other columns stay as they are.

    Each text is looked at once: a value is malformed when its text is there and its typed value is not.

    Args:
        frame: Rows of text.
        columns: The contract.
        rescued: Columns whose malformed texts are kept in `_rescued` instead of rejecting the row.

    Returns:
        The typed rows, with `_reason`, `_breaches` and `_rescued`.
    """
    texts = {column.name: f"{TEXT}{column.name}" for column in columns}
    judged = judged_by_column(frame, columns, rescued)
    known = judged.collect_schema().names()
    reasons = [name for column in columns if (name := f"{SAID}{column.name}") in known]
    saved = {
        column.name: nw.when(nw.col(column.name).is_null()).then(nw.col(texts[column.name]))
        for column in columns
        if column.name in rescued
    }
    joined = nw.lit(None, dtype=nw.String())
    if reasons:
        said = nw.concat_str([nw.col(name) for name in reasons], separator=NEXT, ignore_nulls=True)
        broken = nw.any_horizontal(*(~nw.col(name).is_null() for name in reasons), ignore_nulls=True)
        joined = nw.when(broken).then(said)
    return (
        judged.with_columns(joined.alias(BREACHES), json_object(saved).alias(RESCUED))
        .with_columns(_words(nw.col(BREACHES)).alias(REASON))
        .drop(*reasons, *texts.values())
    )


def judged_by_column(frame: Frame, columns: Sequence[Column], rescued: Collection[str] = ()) -> Frame:
    """Types the contract's columns and tells of each value how it breaks the contract.

    Args:
        frame: Rows of text.
        columns: The contract.
        rescued: Columns whose malformed texts break nothing.

    Returns:
        The typed rows; of each column `C` also `TEXT + C`, the text that its value was read from, and, if anything can
        break its contract, `SAID + C`: column, text, rule and words of the breach, or null.
    """
    texts = {column.name: f"{TEXT}{column.name}" for column in columns}
    reasons = {
        f"{SAID}{column.name}": said
        for column in columns
        if (said := _reason(column, nw.col(texts[column.name]), rescued=column.name in rescued)) is not None
    }
    typed = (
        frame.with_columns(*(_text(column).alias(texts[column.name]) for column in columns))
        .with_columns(*(_spelled(column, nw.col(texts[column.name])).alias(column.name) for column in columns))
        .with_columns(*(_value(column, nw.col(column.name)).alias(column.name) for column in columns))
    )
    return typed.with_columns(*(said.alias(name) for name, said in reasons.items())) if reasons else typed


def _words(breaches: nw.Expr) -> nw.Expr:
    """What breaks the contract, for people."""
    said = breaches.str.replace_all(f"{BREACH}{NEXT}", "$1: $2$4; ")
    return said.str.replace_all(f"{BREACH}$", "$1: $2$4")


def json_object(texts: Mapping[str, nw.Expr]) -> nw.Expr:
    """A JSON object of those texts that are not null, itself null where all are."""
    if not texts:
        return nw.lit(None, dtype=nw.String())
    parts = []
    for name, text in texts.items():
        safe = text.str.replace_all("\\", "\\\\", literal=True).str.replace_all('"', '\\"', literal=True)
        parts.append(nw.concat_str([nw.lit(f'{json.dumps(name, ensure_ascii=False)}: "'), safe, nw.lit('"')]))
    body = nw.concat_str(parts, separator=", ", ignore_nulls=True)
    for code in range(0x20):
        # Names are escaped already: what control characters are left are the texts' own.
        body = body.str.replace_all(chr(code), json.dumps(chr(code))[1:-1], literal=True)
    anything = nw.any_horizontal(*(~text.is_null() for text in texts.values()), ignore_nulls=True)
    return nw.when(anything).then(nw.concat_str([nw.lit("{"), body, nw.lit("}")]))
