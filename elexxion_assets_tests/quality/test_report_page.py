"""The page in a real browser: it shows what it is given, runs nothing, asks nothing, and fits a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from elexxion_assets.lake.reports import quality_facts, renew
from elexxion_assets.lake.storage import DirectoryStorage
from elexxion_assets.lake.survey import Memory, survey
from elexxion_assets.quality.report_page import report_page
from elexxion_assets_tests.small_lake import SmallLake
from elexxion_assets_tests.toy import THEMES, csv

CHROMIUM = Path("/usr/bin/chromium")
HOSTILE = (
    "<script>document.title='owned';fetch('https://evil.example/s')</script>",
    '"><img src=https://evil.example/i onerror="document.title=\'owned\'">',
    "'); background:url(https://evil.example/c)/*",
    "</style><style>@import url(https://evil.example/f)</style>",
    "{{ 7 * 7 }}{% for x in y %}",
    "javascript:document.title='owned'",
    "\u202egnp.exe \u0000\u0007 \u05e9\u05dc\u05d5\u05dd \udcff",
    "é" * 127 + "x",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"no browser: {CHROMIUM} is not here")
    with sync_playwright() as made:
        opened = made.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a lake says of itself in which everything went wrong that can."""
    lake = SmallLake(DirectoryStorage(tmp_path_factory.mktemp("lake")), THEMES)
    for year in range(2001, 2026):
        lake.drop(f"{year}.csv", csv(f"01001;{year};1", f"01002;{year};{'-1' if year % 5 == 0 else '150'}"))
    lake.drop("no.csv", csv("01001;2022;9"), refuse="yes")
    lake.build()
    found = survey(lake.storage, lake.ledger, lake.themes, Memory())
    told = quality_facts(lake.storage.url, found, THEMES, date(2026, 11, 21))
    told["damaged"] = [{"key": "output/x.json", "problem": "no JSON"}]
    told["drift"] = told["checks"][:1]
    moved = {"changed": 3, "compared": 9, "median_change": 0.01}
    revised = {"rows_added": 1, "rows_removed": 2, "columns": {"nombre": moved}}
    told["revisions"] = [{"table": "toy/silver/facts", "period": "2020", **revised}]
    told["freshness"] = [
        {"state": state, "words": f"{state} words https://example.org/a", "page": "https://example.org/a"}
        for state in ("late", "due", "never", "fresh")
    ]
    return told


def with_texts(value: Any, texts: Iterator[str], key: str = "") -> Any:
    """The same with every text, and every name that is not ours, replaced."""
    if isinstance(value, dict):
        changed = {name: with_texts(item, texts, name) for name, item in value.items()}
        return (
            {next(texts): item for item in changed.values()} if key == "examples" and "line" not in value else changed
        )
    if isinstance(value, list):
        return [with_texts(item, texts, key) for item in value]
    if isinstance(value, str) and key not in {"state", "day", "received_at", "made_at"}:
        return next(texts)
    return value


def hostile() -> Iterator[str]:
    while True:
        yield from HOSTILE


def opened(browser: Browser, html: str, tmp_path: Path, asked: list[str], **context: Any) -> Page:
    file = tmp_path / "page.html"
    file.write_bytes(html.encode("utf-8", "backslashreplace"))
    page = browser.new_context(**context).new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: asked.append(f"error {error}"))
    page.on("dialog", lambda dialog: asked.append(f"dialog {dialog.message}"))
    page.goto(file.as_uri())
    return page


def test_hostile_content_in_every_field_is_shown_and_does_nothing(
    browser: Browser, facts: dict[str, Any], tmp_path: Path
) -> None:
    asked: list[str] = []
    # The policy of the page would forbid it anyway: what is tested is that nothing gets as far.
    html = re.sub(r"<meta http-equiv[^>]*>", "", report_page(with_texts(facts, hostile())))
    page = opened(browser, html, tmp_path, asked)
    page.wait_for_timeout(300)
    assert asked == [(tmp_path / "page.html").as_uri()]
    assert page.title() == "Quality of the lake"
    assert page.locator("script, img, iframe, object, link, form, base, [onerror], [onclick]").count() == 0
    assert page.locator("style").count() == 1
    assert {a.get_attribute("href")[:1] for a in page.locator("a").all()} == {"#"}  # type: ignore[index]
    text = page.locator("body").text_content() or ""
    assert "<script>document.title='owned'" in text
    assert "{{ 7 * 7 }}" in text
    assert "⟨U+202E⟩gnp.exe ⟨U+0000⟩" in text
    assert "\u202e" not in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(390, 844), (1280, 900)], ids=["phone", "desktop"])
def test_the_page_fits_phone_and_desk_in_light_and_dark(
    browser: Browser, facts: dict[str, Any], tmp_path: Path, size: tuple[int, int], scheme: str
) -> None:
    asked: list[str] = []
    viewport = {"width": size[0], "height": size[1]}
    for told in (facts, with_texts(facts, hostile())):
        page = opened(browser, report_page(told), tmp_path, asked, viewport=viewport, color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        paper, ink = page.evaluate(
            "['backgroundColor', 'color'].map(name => getComputedStyle(document.body)[name])"
            ".map(colour => colour.match(/[0-9]+/g).map(Number))"
        )
        assert (sum(paper) > sum(ink)) == (scheme == "light")
        assert abs(sum(paper) - sum(ink)) > 400, "letters stand out from the page"
        assert page.locator("svg rect").count() > 3
    assert {address.split("/")[0] for address in asked} == {"file:"}


def test_the_sections_say_what_was_found(browser: Browser, facts: dict[str, Any], tmp_path: Path) -> None:
    page = opened(browser, report_page(facts), tmp_path, [])
    assert page.locator("td.ok").count() == 5 + 25
    assert page.locator("#quarantine ~ .scroll").first.inner_text().split("\n")[2].startswith("toy/counts\tnombre: ge")
    said = page.locator("body").inner_text()
    for words in ("it was said to refuse this file", "No count is over 100.", "late words", "3 of 9 values changed"):
        assert words in said
    assert page.get_by_role("link", name="https://example.org/a").count() == 3


def test_an_empty_lake_has_a_page(tmp_path: Path) -> None:
    lake = SmallLake(DirectoryStorage(tmp_path / "lake"), THEMES)
    renew(lake.storage, lake.ledger, THEMES, date(2026, 11, 21))
    html = lake.storage.read("reports/quality.html").decode()
    assert "None yet." in html
    assert "No row was rejected." in html


def test_every_tag_of_the_page_is_closed(facts: dict[str, Any]) -> None:
    stack: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag != "meta":
                stack.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert stack.pop() == tag

    Reader().feed(report_page(facts))
    assert stack == []
