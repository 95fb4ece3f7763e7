"""The data dictionary: one page per table, made from its declaration and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from elexxion_assets.declare import Column, Dataset, Layer, Table, Theme


def table_page(theme: Theme, table: Table) -> str:
    """What one table holds, as Markdown: columns, types, units, key, source names, warnings, rules, lineage."""
    lines = [
        f"# {theme.name}/{table.layer}/{table.name}",
        "",
        f"{table.description.rstrip('.')}.",
        "",
        f"- Theme: {theme.title} ({theme.owner})",
        f"- One file per period ({theme.periods.description})",
        f"- Key: {', '.join(f'`{name}`' for name in table.key)}",
        f"- Made from: {', '.join(_lineage(theme, table))}",
    ]
    if table.lookback:
        lines.append(f"- Also looks at the {table.lookback} periods before")
    lines += ["", "| column | type | unit | required | description | in official files |", "|---|---|---|---|---|---|"]
    names = _source_names(theme, table)
    lines += [_row(column, names.get(column.name, ())) for column in table.columns]
    if table.layer is Layer.SILVER:
        lines += ["| `_delivery` | text | | yes | Delivery that the row comes from | |"]
        lines += ["| `_line` | integer | | yes | Line of the delivery's file, or row of its sheet | |"]
        lines += ["| `_rescued` | text | | no | What else that line holds: a JSON object of texts by column | |"]
    warnings = [f"- `{column.name}`: {column.warning}" for column in table.columns if column.warning]
    if warnings:
        lines += ["", "## Before you use it", "", *warnings]
    if table.rules:
        lines += ["", "## Rules", ""]
        lines += [
            f"- `{rule.name}`: {rule.description}" + (" Blocks." if rule.blocking else "") for rule in table.rules
        ]
    return "\n".join(lines) + "\n"


def dataset_page(theme: Theme, dataset: Dataset) -> str:
    """What one official dataset is, as Markdown."""
    lines = [
        f"# {theme.name}/bronze/{dataset.name}",
        "",
        f"{dataset.title}, published by {dataset.source}: <{dataset.page}>.",
        "",
        "Bronze keeps every column of a file as text, under its own name, with `_line`. The contract below is what",
        "silver tables are made from; a row that breaks it goes to quarantine with the reason.",
        "",
        f"- Key: {', '.join(f'`{name}`' for name in dataset.key)}",
        "",
        "| column | type | unit | required | description | in official files |",
        "|---|---|---|---|---|---|",
        *(_row(column, column.source_names) for column in dataset.columns),
    ]
    return "\n".join(lines) + "\n"


def write_dictionary(themes: Mapping[str, Theme], folder: Path) -> list[Path]:
    """Writes one page per dataset and table under `folder/<theme>/<layer>/`; gives their paths."""
    written = []
    for theme in themes.values():
        pages = {f"bronze/{dataset.name}": dataset_page(theme, dataset) for dataset in theme.datasets}
        pages |= {f"{table.layer}/{table.name}": table_page(theme, table) for table in theme.all_tables}
        for name, text in pages.items():
            path = folder / theme.name / f"{name}.md"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written


def _lineage(theme: Theme, table: Table) -> list[str]:
    layer = f"{Layer.BRONZE}/" if table.layer is Layer.SILVER else ""
    names = [name if name.count("/") == 2 else f"{theme.name}/{layer}{name}" for name in table.inputs]
    return [*names, "the populations known, of the lake or of the COG's edition"] if table.populations else names


def _source_names(theme: Theme, table: Table) -> dict[str, tuple[str, ...]]:
    """Names in official files of a silver table's columns; the columns of other layers are made here."""
    found: dict[str, tuple[str, ...]] = {}
    if table.layer is Layer.SILVER:
        for name in table.inputs:
            for column in theme.dataset(name).columns:
                found[column.name] = tuple(dict.fromkeys((*found.get(column.name, ()), *column.source_names)))
    return found


def _row(column: Column, names: tuple[str, ...]) -> str:
    marks = " Personal data." if column.personal else ""
    bounds = [f"{sign} {value:g}" for sign, value in (("≥", column.ge), ("≤", column.le)) if value is not None]
    kind = " ".join([column.kind.value, *bounds])
    cells = (
        f"`{column.name}`",
        kind,
        column.unit or "",
        "yes" if column.required else "no",
        column.description + ("" if column.description.endswith(".") else ".") + marks,
        ", ".join(f"`{name}`" for name in names),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
