"""The card of a release as one HTML page that asks nothing of the network and takes no text for markup."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from elexxion_assets.page import page

_STYLE = """
.verdict { border-left: .3rem solid var(--line); background: var(--panel); padding: .7rem 1rem; margin: 1rem 0; }
.verdict.yes { border-color: var(--good); } .verdict.no { border-color: var(--bad); }
tr.best td { font-weight: 600; }
.bar { display: grid; grid-template-columns: 1fr max-content; gap: 0 1rem; font-size: .85rem; margin-bottom: .35rem; }
.bar b { font-weight: 400; font-variant-numeric: tabular-nums; }
.bar i { grid-column: 1 / 3; height: .35rem; background: var(--model); border-radius: 1px; justify-self: start; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; }
dt { color: var(--soft); } dd { margin: 0; }
"""

_NAMES = {
    "mae_ponderee": "weighted MAE",
    "mae": "MAE",
    "r2": "R²",
    "premier": "first named right, %",
    "pinball": "pinball loss",
    "couverture_50": "inside 50 %",
    "couverture_90": "inside 90 %",
}
_FEATURES = 25


def card_page(card: Mapping[str, Any]) -> str:
    """The page; every text in the card is escaped."""
    said = "The model is published" if card["published"] == "modele" else "The baseline is published, not the model"
    sections = [
        f"<h1>{escape(card['title'])}</h1>",
        f'<p class="soft">{escape(card["theme"])} / {escape(card["model"])} / {escape(card["period"])}</p>',
        "<p><strong>Made from synthetic data: no figure here is real.</strong></p>" if card["synthetic"] else "",
        f"<p>{escape(card['description'])}</p>",
        f'<div class="verdict {"yes" if card["published"] == "modele" else "no"}"><strong>{said}.</strong> '
        f'{escape(_sentence(card["reason"]))}<br><span class="soft">{escape(_sentence(card["decision"]["reason"]))}'
        "</span></div>",
        *_baselines(card),
        *_sizes(card),
        *_calibration(card),
        *_map(card),
        *_features(card),
        *_effects(card),
        *_search(card),
        *_facts(card),
    ]
    return page(f"{card['title']}, {card['period']}", "\n".join(filter(None, sections)), _STYLE)


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:].rstrip(".") + "."


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]], best: int | None = None) -> str:
    """A table; columns after the first hold numbers. Every cell is escaped."""
    first, *others = heads
    head = f"<th>{escape(first)}</th>" + "".join(f'<th class="n">{escape(name)}</th>' for name in others)
    body = ""
    for place, (name, *cells) in enumerate(rows):
        mark = ' class="best"' if place == best else ""
        body += (
            f"<tr{mark}><td>{escape(name)}</td>" + "".join(f'<td class="n">{escape(c)}</td>' for c in cells) + "</tr>"
        )
    return (
        f'<div class="scroll"><table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _called(card: Mapping[str, Any], predictor: str) -> str:
    return "Model" if predictor == "modele" else str(card["baselines"].get(predictor, predictor))


def _baselines(card: Mapping[str, Any]) -> list[str]:
    made = ["<h2>Against its baselines</h2>"]
    if not card["folds"]:
        return [*made, "<p>No earlier period on which it could be judged.</p>"]
    for fold in card["folds"]:
        values = fold["values"]
        order = sorted(values, key=lambda name: values[name][card["headline"]] or 0)
        kind = "the period itself" if fold["own"] else "an earlier period"
        caption = f"{fold['period']} ({kind}), trained on {', '.join(fold['trained'])}; {fold['rows']:,} rows"
        rows = [[_called(card, name), *(_number(values[name][metric]) for metric in _NAMES)] for name in order]
        made.append(_table(caption, ["predictor", *_NAMES.values()], rows, best=0))
        made.append(
            f'<p class="soft">Advantage over « {escape(_called(card, fold["baseline"]))} » by '
            f"{_NAMES[card['headline']]}: "
            f"{_number(fold['baseline_value'] - fold['model_value'])}, 95 % interval {_number(fold['low'])} to "
            f"{_number(fold['high'])} (bootstrap of whole départements).</p>"
        )
    return made


def _sizes(card: Mapping[str, Any]) -> list[str]:
    if not card["sizes"]:
        return []
    names = list(card["sizes"][0]["mae"])
    rows = [
        [part["size"], f"{part['rows']:,}", *(_number(part["mae"][name]) for name in names)] for part in card["sizes"]
    ]
    caption = f"Mean absolute error in {card['folds'][-1]['period']}, by size of the unit"
    return ["<h2>Errors by size</h2>", _table(caption, ["size", "rows", *(_called(card, n) for n in names)], rows)]


def _calibration(card: Mapping[str, Any]) -> list[str]:
    found = card["calibration"]
    if found is None:
        return []
    covered = ", ".join(
        f"{_number(share, 1)} % of the answers lie in the {level} % interval"
        for level, share in found["coverage"].items()
    )
    charts = [
        f"<div><h3>{escape(card['outputs'][output])}</h3>{_against(values['said'], values['there'])}</div>"
        for output, values in found["outputs"].items()
    ]
    return [
        "<h2>Calibration</h2>",
        f"<p>In {escape(found['period'])}, of what is published: {covered}. Below, what was there (up) against what "
        "was said (right), by tenths; on the line, both are equal.</p>",
        f'<div class="grid">{"".join(charts)}</div>',
    ]


def _map(card: Mapping[str, Any]) -> list[str]:
    groups = card["departements"]
    if not groups:
        return []
    charts = []
    for output, words in card["outputs"].items():
        values = [(group["code"], group["residuals"][output]) for group in groups]
        charts.append(f"<div><h3>{escape(words)}</h3>{_tiles(values)}</div>")
    return [
        "<h2>Residuals by département</h2>",
        f"<p>Mean of what was there less what the model said, in {escape(card['folds'][-1]['period'])}: orange where "
        "there was more, blue where there was less. Each map has its own scale; the number under it is its darkest "
        "tile.</p>",
        f'<div class="grid">{"".join(charts)}</div>',
    ]


def _features(card: Mapping[str, Any]) -> list[str]:
    features = card["features"][:_FEATURES]
    if not features:
        return []
    bars = _bars([(feature["description"], feature["importance"]) for feature in features])
    rest = len(card["features"]) - len(features)
    return [
        "<h2>What it looks at</h2>",
        "<p>Mean absolute SHAP value: by how much an input moves a prediction from the anchor's, on average."
        f"{f' {rest} more inputs move it less.' if rest else ''}</p>",
        bars,
    ]


def _effects(card: Mapping[str, Any]) -> list[str]:
    if not card["effects"]:
        return []
    called = {feature["name"]: feature for feature in card["features"]}
    charts = [
        f"<div><h3>{escape(called[name]['description'])}</h3>"
        f'<p class="soft">on {escape(card["outputs"][found["output"]])}</p>{_line(found["x"], found["y"])}</div>'
        for name, found in card["effects"].items()
    ]
    return [
        "<h2>Partial effects</h2>",
        "<p>What the strongest inputs add (up), by their value (right), on the target that they move most.</p>",
        f'<div class="grid">{"".join(charts)}</div>',
    ]


def _search(card: Mapping[str, Any]) -> list[str]:
    search = card["search"]
    if search is None:
        return ["<h2>Search of parameters</h2>", "<p>None: the model's own parameters were used.</p>"]
    ended = "the number of trials" if search["ended_by"] == "trials" else "time, so that it depends on the machine"
    params = (
        [name for name in search["trials"][0] if name not in ("essai", "etat", "valeur")] if search["trials"] else []
    )
    rows = [
        [
            str(trial["essai"]),
            trial["etat"],
            _number(trial["valeur"], 4),
            *(
                f"{trial.get(p, ''):.6g}" if isinstance(trial.get(p), int | float) else str(trial.get(p, ""))
                for p in params
            ),
        ]
        for trial in search["trials"]
    ]
    return [
        "<h2>Search of parameters</h2>",
        f"<p>{len(search['trials'])} trials, {search['seconds']:,} s; ended by {ended}.</p>",
        '<div class="grid">',
        f"<div><h3>Value of every trial</h3>{trials_chart(search['trials'])}</div>",
        f"<div><h3>Importance of the parameters</h3>{_bars(list(search['importance'].items()))}</div>",
        "</div>",
        f"<details><summary>All trials</summary>{_table('', ['trial', 'state', 'value', *params], rows)}</details>",
    ]


def _facts(card: Mapping[str, Any]) -> list[str]:
    training = card["training"]
    facts = {
        "Made": card["made_at"],
        "Data": card["data"],
        "Code": card["code"],
        "Text of the model": card["text"],
        "Seed": str(card["seed"]),
        "Trained on": f"{', '.join(training['periods'])}: {training['rows']:,} rows",
        "Learns the residual of": training["anchor"],
        "Objective": training["objective"],
        "Parameters": ", ".join(
            f"{name} = {value:.6g}" if isinstance(value, float) else f"{name} = {value}"
            for name, value in training["params"].items()
        ),
        "Versions": ", ".join(f"{name} {value}" for name, value in card["versions"].items()),
    }
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    return ["<h2>Data, code, versions</h2>", f"<dl>{rows}</dl>"]


# --- drawings ---------------------------------------------------------------------------------------------------------


def _bars(values: Sequence[tuple[str, float]]) -> str:
    if not values:
        return "<p>The trials do not differ.</p>"
    largest = max(value for _, value in values) or 1
    rows = "".join(
        f'<div class="bar"><span>{escape(name)}</span><b>{value:.3g}</b>'
        f'<i style="width:{100 * value / largest:.1f}%"></i></div>'
        for name, value in values
    )
    return f'<div class="bars">{rows}</div>'


def _tiles(values: Sequence[tuple[str, float]], across: int = 13) -> str:
    largest = max(abs(value) for _, value in values) or 1
    drawn = ""
    for place, (code, value) in enumerate(values):
        x, y = 22 * (place % across), 22 * (place // across)
        colour = "var(--more)" if value > 0 else "var(--less)"
        drawn += (
            f'<rect x="{x}" y="{y}" width="20" height="20" rx="2" fill="{colour}" stroke="var(--line)" '
            f'fill-opacity="{abs(value) / largest:.3f}"><title>{escape(code)}: {value:+.2f}</title></rect>'
            f'<text x="{x + 10}" y="{y + 13}" text-anchor="middle" style="font-size:8px">{escape(code)}</text>'
        )
    height = 22 * ((len(values) - 1) // across + 1)
    return _svg(22 * across, height, drawn, "tiles") + f'<p class="soft">±{largest:.2f}</p>'


def _scale(values: Sequence[float], size: float, *, up: bool) -> tuple[list[float], float, float]:
    low, high = min(values), max(values)
    width = (high - low) or 1
    places = [(value - low) / width * size for value in values]
    return [size - place if up else place for place in places], low, high


def _line(x: Sequence[float], y: Sequence[float]) -> str:
    across, left, right = _scale(x, 230, up=False)
    upwards, low, high = _scale(y, 90, up=True)
    points = [f"{a + 40:.1f},{b + 8:.1f}" for a, b in zip(across, upwards, strict=True)]
    drawn = _frame(left, right, low, high)
    drawn += f'<polyline points="{" ".join(points)}" fill="none" stroke="var(--model)" stroke-width="2"/>'
    drawn += "".join(
        f'<circle cx="{p.split(",")[0]}" cy="{p.split(",")[1]}" r="2.5" fill="var(--model)"/>' for p in points
    )
    return _svg(280, 120, drawn, "line")


def _against(said: Sequence[float], there: Sequence[float]) -> str:
    low, high = min(*said, *there), max(*said, *there)
    width = (high - low) or 1
    dots = "".join(
        f'<circle cx="{40 + (a - low) / width * 230:.1f}" cy="{98 - (b - low) / width * 90:.1f}" r="3.5" '
        'fill="var(--model)"/>'
        for a, b in zip(said, there, strict=True)
    )
    line = '<line x1="40" y1="98" x2="270" y2="8" stroke="var(--other)" stroke-dasharray="3"/>'
    return _svg(280, 120, _frame(low, high, low, high) + line + dots, "calibration")


def _frame(left: float, right: float, low: float, high: float) -> str:
    return (
        '<line class="axis" x1="40" y1="98" x2="270" y2="98"/><line class="axis" x1="40" y1="8" x2="40" y2="98"/>'
        f'<text x="40" y="112">{left:.3g}</text><text x="270" y="112" text-anchor="end">{right:.3g}</text>'
        f'<text x="36" y="98" text-anchor="end">{low:.3g}</text><text x="36" y="14" text-anchor="end">{high:.3g}</text>'
    )


def trials_chart(trials: Sequence[Mapping[str, Any]]) -> str:
    """The value of every trial that came to its end, and the best so far."""
    told = [(trial["essai"], trial["valeur"]) for trial in trials if trial["etat"] == "complete"]
    if not told:
        return "<p>No trial came to its end.</p>"
    across, left, right = _scale([place for place, _ in told], 230, up=False)
    upwards, low, high = _scale([value for _, value in told], 90, up=True)
    best, points = float("-inf"), []
    for a, b in zip(across, upwards, strict=True):
        best = max(best, b)  # further down is better
        points.append(f"{a + 40:.1f},{best + 8:.1f}")
    dots = "".join(
        f'<circle cx="{a + 40:.1f}" cy="{b + 8:.1f}" r="3" fill="var(--other)"/>'
        for a, b in zip(across, upwards, strict=True)
    )
    line = f'<polyline points="{" ".join(points)}" fill="none" stroke="var(--model)" stroke-width="2"/>'
    return _svg(280, 120, _frame(left, right, low, high) + dots + line, "trials")


def _svg(width: float, height: float, drawn: str, label: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(label)}">{drawn}</svg>'
    )


def as_picture(svg: str, words: str) -> str:
    """A drawing as a picture in Markdown, with the colours of the light page."""
    colours = {
        "--model": "#1f6feb",
        "--other": "#9aa5b1",
        "--line": "#d9dee4",
        "--more": "#c2410c",
        "--less": "#1f6feb",
    }
    for name, colour in colours.items():
        svg = svg.replace(f"var({name})", colour)
    style = "<style>text{font:10px sans-serif;fill:#5b6570}.axis{stroke:#d9dee4}</style>"
    svg = svg.replace('">', f'">{style}', 1)
    return f"![{words}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"
