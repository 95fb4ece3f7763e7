"""The shell of every HTML page that is written: light and dark, readable on a phone, nothing asked of the network."""

from __future__ import annotations

from html import escape

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5b6570; --paper: #fff; --line: #d9dee4; --panel: #f5f7f9;
  --model: #1f6feb; --other: #9aa5b1; --more: #c2410c; --less: #1f6feb; --good: #1a7f37; --bad: #b42318;
  --warn: #9a6700; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #9aa5b1; --paper: #14171b; --line: #333a42;
  --panel: #1c2127; --model: #6aa8ff; --other: #6b7683; --more: #fb923c; --less: #6aa8ff; --good: #4ac26b;
  --bad: #ff7b72; --warn: #d9a520; } }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 62rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin: 0 0 .2rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
h3 { font-size: .95rem; margin: 0 0 .3rem; } p { margin: .4rem 0; } .soft, caption { color: var(--soft); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .9rem; }
caption { text-align: left; padding-bottom: .3rem; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.grid { display: grid; gap: 1.2rem; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--ink); font: 10px system-ui, sans-serif; }
svg .axis { stroke: var(--line); } th:first-child, td:first-child { min-width: 9rem; }
"""


def page(title: str, body: str, style: str = "") -> str:
    """A whole page.

    Args:
        title: Its title, as text.
        body: Its body, as HTML: what is not ours in it must be escaped.
        style: Rules of its own, after those that all pages share.
    """
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'\">"
        f"<title>{escape(title)}</title><style>{_STYLE}{style}</style></head>\n<body>\n{body}\n</body></html>\n"
    )
