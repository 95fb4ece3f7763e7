"""The dictionary says all that is declared, and the Dagster UI shows the same words."""

from __future__ import annotations

from pathlib import Path

import pytest

from elexxion_assets.declare import Layer
from elexxion_assets.publishing.dictionary import table_page, write_dictionary
from elexxion_assets.themes import all_themes

THEMES = all_themes()
TABLES = [(theme, table) for theme in THEMES.values() for table in theme.tables]


@pytest.mark.parametrize(("theme", "table"), TABLES, ids=lambda item: item.name)
def test_a_page_holds_every_column_key_source_name_warning_and_rule(theme, table) -> None:  # type: ignore[no-untyped-def]
    page = table_page(theme, table)
    for column in table.columns:
        [row] = [line for line in page.splitlines() if line.startswith(f"| `{column.name}` |")]
        assert column.kind.value in row
        assert column.description.replace("|", "\\|") in row
        assert column.unit is None or column.unit in row
        assert column.warning is None or column.warning in page
    assert all(f"`{rule.name}`: {rule.description}" in page for rule in table.rules)
    if table.layer is Layer.SILVER:
        declared = {column.name for column in table.columns}
        for name in table.inputs:
            for column in theme.dataset(name).columns:
                if column.name in declared:
                    assert all(f"`{source}`" in page for source in column.source_names)


def test_there_is_a_page_per_dataset_and_table(tmp_path: Path) -> None:
    written = {str(path.relative_to(tmp_path)) for path in write_dictionary(THEMES, tmp_path)}
    assert {f"{theme.name}/{table.layer}/{table.name}.md" for theme, table in TABLES} <= written
    assert {f"{t.name}/bronze/{d.name}.md" for t in THEMES.values() for d in t.datasets} <= written
