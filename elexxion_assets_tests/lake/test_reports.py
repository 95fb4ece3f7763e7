"""What the reports say of a lake, and what renewing them costs."""

from __future__ import annotations

import dataclasses
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from elexxion_assets.declare import Column, Kind
from elexxion_assets.lake import layout
from elexxion_assets.lake.alerting import lake_problems
from elexxion_assets.lake.build import note_refusal, stage
from elexxion_assets.lake.reports import renew
from elexxion_assets.lake.storage import DirectoryStorage, Storage
from elexxion_assets.lake.survey import Memory, survey
from elexxion_assets_tests.small_lake import SmallLake
from elexxion_assets_tests.toy import CODE, THEMES, TOY, counts, csv

TODAY = date(2026, 11, 21)


@pytest.fixture
def lake(tmp_path: Path) -> SmallLake:
    return SmallLake(DirectoryStorage(tmp_path / "lake"), THEMES)


def report(lake: SmallLake) -> dict[str, Any]:
    return renew(lake.storage, lake.ledger, lake.themes, TODAY)


def document(lake: SmallLake, delivery: str) -> dict[str, Any]:
    return dict(json.loads(lake.storage.read(layout.delivery_report_key(delivery))))


def versions(storage: Storage, prefix: str) -> dict[str, str]:
    return {entry.key: entry.etag for entry in storage.list(prefix)}


def test_a_delivery_s_document_counts_its_rejected_rows_by_rule_with_examples(lake: SmallLake) -> None:
    good = lake.drop("good.csv", csv("01001;2020;1", "01002;2020;2"))
    fine = [f"{code:05};2021;1" for code in range(1001, 1041)]
    wrong = ["02002;2021;x", "02004;2021;-3", "02005;2021;y", "02006;2021;150"]
    bad = lake.drop("bad.csv", csv(*fine, *wrong))
    refused = lake.drop("no.csv", csv("01001;2022;9"), refuse="yes")
    lake.build()
    facts = report(lake)
    found = document(lake, bad.id)
    assert (found["rows"], found["rejected"]) == (44, 3)
    assert [(rule["column"], rule["rule"], rule["count"]) for rule in found["rules"]] == [
        ("nombre", "type", 2),
        ("nombre", "ge", 1),
    ]
    assert found["rules"][0]["examples"][0] == {
        "period": "2021",
        "line": 42,
        "reason": "nombre: « x » is not a whole number",
    }
    [check] = [check for check in found["checks"] if check["rule"] == "small"]
    assert (check["table"], check["count"], check["examples"][0]["nombre"]) == ("toy/silver/facts", 1, 150)
    assert document(lake, good.id)["rules"] == []
    assert document(lake, good.id)["held"] > 3
    assert document(lake, refused.id)["reasons"] == [{"rule": "told_to", "reason": "it was said to refuse this file"}]
    assert {check["rule"] for check in facts["checks"]} == {"small", "known_communes"}
    assert facts["totals"] | {"bytes": 0} == {
        "deliveries": 3,
        "refused": 1,
        "tables": 2,
        "periods": 4,
        "rows": 86,
        "bytes": 0,
        "refused_tables": 0,
        "warnings": 2,
        "rejected": 3,
        "late": 0,
    }


def test_a_refused_table_is_told_until_a_good_one_is_published(lake: SmallLake) -> None:
    lake.drop("wrong.csv", csv("01001;2020;5000"))
    with stage(lake.storage, lake.ledger, THEMES, TOY, TOY.tables[0], "2020") as staged:
        note_refusal(lake.storage, staged)
    facts = report(lake)
    assert facts["totals"]["refused_tables"] == 1
    assert facts["grid"][0]["tables"][0]["cells"] == [{"state": "refused", "rows": 1, "failed": ["sane"]}]
    lake.drop("right.csv", csv("01001;2020;5"), release="2021")
    lake.build()
    facts = report(lake)
    assert facts["totals"]["refused_tables"] == 0
    assert {cell["state"] for row in facts["grid"][0]["tables"] for cell in row["cells"]} <= {"ok", "warning"}


def test_what_was_not_changed_is_neither_read_nor_written_again(
    lake: SmallLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = lake.drop("a.csv", csv("01001;2020;1", "01002;2020;-1"))
    lake.drop("b.csv", csv("01001;2021;1"))
    lake.build()
    report(lake)
    before = versions(lake.storage, layout.delivery_report_key("").removesuffix(".json"))
    read: list[str] = []
    genuine = lake.storage.read

    def noted(key: str, *where: Any) -> bytes:
        read.append(key)
        return genuine(key, *where)

    monkeypatch.setattr(lake.storage, "read", noted)
    report(lake)
    assert {key.split("/")[0] for key in read} == {"reports"}
    assert versions(lake.storage, layout.delivery_report_key("").removesuffix(".json")) == before
    lake.drop("c.csv", csv("01001;2020;7", "01002;2020;8"), release="2021")
    lake.build()
    report(lake)
    after = versions(lake.storage, layout.delivery_report_key("").removesuffix(".json"))
    assert len(after) == 3
    assert after[layout.delivery_report_key(first.id)] != before[layout.delivery_report_key(first.id)]


def test_personal_values_are_in_no_report(tmp_path: Path) -> None:
    secret = counts.columns[2].but(personal=True)
    dataset = dataclasses.replace(counts, columns=(CODE, counts.columns[1], secret))
    theme = dataclasses.replace(TOY, datasets=(dataset,), tables=())
    lake = SmallLake(DirectoryStorage(tmp_path / "lake"), {"toy": theme})
    delivery = lake.drop("a.csv", csv("01001;2020;1", "01002;2020;-987654"))
    table = dataclasses.replace(TOY.tables[0], columns=(*TOY.tables[0].columns[:2], secret))
    with stage(lake.storage, lake.ledger, lake.themes, theme, table, "2020"):
        pass  # what is wrong is in quarantine now
    report(lake)
    assert [rule["examples"][0]["reason"] for rule in document(lake, delivery.id)["rules"]] == ["***"]
    for entry in lake.storage.list(layout.REPORTS):
        assert b"987654" not in lake.storage.read(entry.key), entry.key


def test_a_cell_that_slid_is_in_no_report_no_refusal_and_no_alert(tmp_path: Path) -> None:
    secret = Column(name="mel", kind=Kind.TEXT, description="Address", required=False, personal=True)
    dataset = dataclasses.replace(counts, columns=(*counts.columns, secret))
    theme = dataclasses.replace(TOY, datasets=(dataset,))
    lake = SmallLake(DirectoryStorage(tmp_path / "lake"), {"toy": theme})
    header, mail = "CODGEO;annee;nombre;mel\n", "jeanne@example.org"
    refused = lake.drop("a.csv", (header + f"01001;2020;{mail};\n01002;2020;{mail};\n").encode())
    assert "sampled values of « nombre »" in refused.reasons[0]["reason"]
    rows = "".join(f"{code:05};2020;1;\n" for code in range(1001, 1020))
    lake.drop("b.csv", (header + rows + f"01030;2020;{mail};\n").encode())
    lake.build()
    assert [rule["column"] for rule in report(lake)["quarantine"]] == ["nombre"]
    for prefix in (layout.REPORTS, "metadata/"):
        for entry in lake.storage.list(prefix):
            assert mail.encode() not in lake.storage.read(entry.key), entry.key
    found = survey(lake.storage, lake.ledger, lake.themes, Memory())
    problems = lake_problems(found, lake.themes, TODAY, "")
    assert "***" in problems[f"refused:{refused.id}"].words
    assert mail not in str(problems)


def test_a_damaged_object_is_told_and_hides_nothing_else(lake: SmallLake) -> None:
    lake.drop("a.csv", csv("01001;2020;1"))
    lake.drop("b.csv", csv("01001;2021;-1"))
    lake.build()
    lake.storage.write("output/argent/toy/facts/2020.json", b"{ not JSON")
    [rejected] = lake.storage.list("quarantine/toy/")
    lake.storage.write(rejected.key, b"no Parquet")
    facts = report(lake)
    assert {item["key"] for item in facts["damaged"]} == {"output/argent/toy/facts/2020.json", rejected.key}
    assert facts["totals"]["deliveries"] == 2
    assert "gold/sums" in [row["table"] for row in facts["grid"][0]["tables"]]


def test_a_damaged_memory_is_forgotten(lake: SmallLake) -> None:
    lake.drop("a.csv", csv("01001;2020;1"))
    lake.build()
    for name in ("memory.json", "versions.json"):
        lake.storage.write(layout.report_key(name), b'["damaged"')
    assert report(lake)["totals"]["deliveries"] == 1


def test_the_cost_of_a_table_is_in_its_document_and_in_the_report(lake: SmallLake) -> None:
    lake.drop("a.csv", csv("01001;2020;1"))
    lake.build()
    cost = lake.document("toy/silver/facts", "2020")["cost"]
    assert 0 < cost["seconds"] < 60
    assert 0 < cost["cpu_seconds"] < 60
    assert 10_000_000 < cost["peak_memory_bytes"] < 100_000_000_000
    [silver] = [item for item in report(lake)["cost"] if item["table"] == "toy/silver/facts"]
    assert {name: silver[name] for name in cost} == cost
    assert (silver["rows"], silver["periods"]) == (1, 1)


def test_tables_of_older_code_have_no_cost_and_no_history(lake: SmallLake) -> None:
    lake.drop("a.csv", csv("01001;2020;1"))
    lake.build()
    for key in ("output/argent/toy/facts/2020.json", "output/or/toy/sums/2020.json"):
        old = json.loads(lake.storage.read(key))
        for name in ("cost", "history", "revisions", "cog"):
            del old[name]
        lake.storage.write(key, json.dumps(old).encode())
    assert {item["seconds"] for item in report(lake)["cost"]} == {None}
    assert "–" in lake.storage.read(layout.report_key("quality.html")).decode()
