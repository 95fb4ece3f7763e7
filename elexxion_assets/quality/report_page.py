"""The quality of the lake as one HTML page; every text in it is escaped, and nothing is asked of the network."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from elexxion_assets.page import page

if TYPE_CHECKING:
    from jinja2 import Template

SHOWN = 100
"""Rows that a section shows before it only counts the others."""

PERIODS = 30
"""Periods that the grid of a theme shows, the latest; the JSON beside the page has all of them."""

_STYLE = """
.tiles { display: grid; gap: .7rem; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); margin: 1.2rem 0; }
.tiles div { background: var(--panel); padding: .6rem .8rem; border-left: .25rem solid var(--line); }
.tiles b { display: block; font-size: 1.4rem; font-variant-numeric: tabular-nums; line-height: 1.2; }
.tiles .bad { border-color: var(--bad); } .tiles .good { border-color: var(--good); }
.tiles .warn { border-color: var(--warn); }
.ok { color: var(--good); } .warning { color: var(--warn); } .refused, .late { color: var(--bad); }
.periods { width: auto; } .periods th, .periods td { padding: .2rem .45rem; text-align: center; white-space: nowrap; }
.periods th:first-child { text-align: left; position: sticky; left: 0; background: var(--paper); min-width: 9rem; }
.periods thead th { font-weight: 400; font-size: .8rem; color: var(--soft); }
.periods thead span { writing-mode: vertical-rl; transform: rotate(180deg); }
th, td { overflow-wrap: normal; } thead th { white-space: nowrap; } .scroll { margin-bottom: 1rem; }
.name { min-width: 15rem; max-width: 26rem; overflow-wrap: anywhere; }
.words { min-width: 14rem; overflow-wrap: anywhere; }
svg.meter { height: .5rem; width: 100%; min-width: 5rem; } details { margin: .3rem 0; }
summary { cursor: pointer; color: var(--soft); } code { font: .85em ui-monospace, monospace; }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin: .8rem 0; } a { color: var(--model); }
.synthetic { font-weight: 600; color: var(--warn); }
@media (max-width: 40rem) { body { padding: 1rem .8rem 3rem; } .name, .words { min-width: 9rem; }
  td:first-child, .periods th:first-child { max-width: 9rem; white-space: normal; overflow-wrap: anywhere; } }
"""


def report_page(facts: Mapping[str, Any]) -> str:
    """The page of what `lake.reports.quality_facts` found."""
    return page("Quality of the lake", _template().render(facts=facts, shown=SHOWN, last=PERIODS), _STYLE)


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("elexxion_assets.quality", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"visible": visible, "size": size, "link": link, "count": "{:,}".format}
    return environment.get_template("report_page.jinja")


def visible(text: Any) -> str:
    """A text in which nothing is hidden: control characters and those that turn the direction of writing are spelled.

    >>> visible("a\\u202etxt.exe")
    'a⟨U+202E⟩txt.exe'
    """
    return "".join(
        f"⟨U+{ord(c):04X}⟩" if unicodedata.category(c) in ("Cc", "Cf", "Cs") and c not in "\n\t" else c
        for c in str(text)
    )


def size(count: float | None) -> str:
    """A number of bytes in few digits.

    >>> size(5_400_000)
    '5.4 MB'
    """
    if count is None:
        return "–"
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}" if unit != "B" else f"{count:.0f} B"
        count /= 1000
    return f"{count:,.1f} TB"


def link(address: str) -> str:
    """An address that a page may lead to; empty for one that would do something else than open a page."""
    return address if re.match(r"https?://", address) else ""
