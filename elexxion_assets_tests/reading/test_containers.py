"""gzip, ZIP, Parquet and JSON: whole, broken and hostile."""

from __future__ import annotations

import gzip
import io
import json
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading_of import cells_of, table_of, tables_of
from xlsx_bytes import sheet_xml, xlsx

from elexxion_assets.declare import Refusal
from elexxion_assets.reading import is_archive, limits, open_archive

CSV = b"code;nom\n01;Ain\n02;Aisne\n"
CELLS = [("01", "Ain"), ("02", "Aisne")]


def refusal_of(content: bytes) -> Refusal:
    with pytest.raises(Refusal) as refused:
        tables_of(content)
    assert len(refused.value.reason) > 20
    return refused.value


# gzip


@pytest.mark.parametrize("content", [CSV, xlsx({"a": sheet_xml({1: ["code", "nom"], 2: ["01", "Ain"]})})])
def test_gzip_is_transparent(content: bytes) -> None:
    assert cells_of(gzip.compress(content)) == cells_of(content)


def test_gzip_of_several_members_is_one_file() -> None:
    assert cells_of(gzip.compress(CSV) + gzip.compress(b"03;Allier\n")) == [*CELLS, ("03", "Allier")]


@pytest.mark.parametrize("cut", [11, 30, -9, -1])
def test_a_cut_gzip_is_refused(cut: int) -> None:
    assert refusal_of(gzip.compress(CSV * 50)[:cut]).rule == "truncated"


def test_a_damaged_gzip_is_refused() -> None:
    content = bytearray(gzip.compress(CSV * 50))
    content[-6] ^= 0xFF
    assert refusal_of(bytes(content)).rule == "corrupt"
    assert refusal_of(b"\x1f\x8b\x08\x00" + b"garbage" * 30).rule == "corrupt"


PACKED = gzip.compress(CSV * 50)


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (PACKED + b"\0" * 99, ""),
        (PACKED + b"x", "corrupt"),
        (PACKED + b"what follows is no member", "corrupt"),
        (PACKED + PACKED[:40], "truncated"),
        (PACKED[:-8] + b"\1\2\3\4" + PACKED[-4:], "corrupt"),
        (PACKED[:-4] + b"\1\2\3\4", "corrupt"),
        (PACKED[:2] + b"\7" + PACKED[3:], "corrupt"),
        # A name, a comment and a checksum of the header that is wrong, which the standard module lets pass.
        (PACKED[:3] + b"\x1a" + PACKED[4:10] + b"name\0comment\0\0\0" + PACKED[10:], ""),
    ],
)
def test_a_gzip_is_taken_or_refused_as_the_standard_module_does(content: bytes, rule: str) -> None:
    if rule:
        assert refusal_of(content).rule == rule
        with pytest.raises((EOFError, OSError, zlib.error)):
            gzip.decompress(content)
    else:
        assert cells_of(content) == cells_of(gzip.decompress(content))


def test_a_gzip_bomb_is_refused_before_it_unfolds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RATIO_MATTERS_FROM", 1 << 20)
    assert refusal_of(gzip.compress(b"\0" * (20 << 20))).rule == "bomb"


def test_gzip_in_gzip_has_an_end() -> None:
    assert cells_of(gzip.compress(CSV)) == CELLS
    content = CSV
    for _ in range(5):
        content = gzip.compress(content)
    assert refusal_of(content).rule == "bomb"


# ZIP


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


Opened = Callable[[bytes], dict[str, bytes | str]]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """Opens an archive given as bytes: contents by name, or the rule of the refusal."""

    def open_bytes(content: bytes) -> dict[str, bytes | str]:
        path, scratch = tmp_path / "dropped", tmp_path / "scratch"
        scratch.mkdir(exist_ok=True)
        path.write_bytes(content)
        found: dict[str, bytes | str] = {}
        for name, member in open_archive(path, scratch):
            assert sum(1 for _ in scratch.iterdir()) <= limits.MAX_DEPTH
            found[name] = member.rule if isinstance(member, Refusal) else member.read_bytes()
        assert list(scratch.iterdir()) == []
        assert sorted(entry.name for entry in tmp_path.iterdir()) == ["dropped", "scratch"]
        return found

    return open_bytes


def test_the_files_of_an_archive(opened: Opened) -> None:
    content = zipped(
        {"dossier/": b"", "dossier/é.csv": CSV, "b.csv": b"x", "__MACOSX/._b.csv": b"y", ".DS_Store": b"z"}
    )
    assert opened(content) == {"dossier/é.csv": CSV, "b.csv": b"x"}


def test_what_is_an_archive_its_bytes_say(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for content, expected in [
        (zipped({"a.csv": CSV}), True),
        (zipped({"a.csv": CSV})[:40], True),
        (xlsx({"a": sheet_xml({})}), False),
        (xlsx({"a": sheet_xml({})})[:300], False),
        (gzip.compress(CSV), False),
        (CSV, False),
        (b"", False),
    ]:
        path.write_bytes(content)
        assert is_archive(path) is expected


def test_an_archive_is_no_table() -> None:
    assert refusal_of(zipped({"a.csv": CSV})).rule == "archive"


@pytest.mark.parametrize("name", ["../evil.csv", "a/../../evil.csv", "/etc/evil.csv", "C:\\evil.csv", "..\\evil.csv"])
def test_names_that_lead_outside_are_refused_and_the_others_come(opened: Opened, name: str) -> None:
    found = opened(zipped({name: b"evil", "good.csv": CSV}))
    assert found["good.csv"] == CSV
    assert sorted(map(str, found.values())) == sorted(["bad_name", str(CSV)])


def test_links_are_refused(opened: Opened) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("lien.csv")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert opened(out.getvalue()) == {"lien.csv": "bad_name"}


def test_an_archive_in_an_archive_is_opened_but_not_for_ever(opened: Opened) -> None:
    inner = zipped({"a.csv": CSV})
    assert opened(zipped({"inner.zip": inner})) == {"inner.zip/a.csv": CSV}
    deep = zipped({"deep.zip": zipped({"inner.zip": inner})})
    assert opened(deep) == {"deep.zip/inner.zip": "nested_archive"}


def test_a_member_under_a_password_is_refused(opened: Opened) -> None:
    content = bytearray(zipped({"secret.csv": CSV, "b.csv": b"x"}))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    content[6] |= 1
    assert opened(bytes(content)) == {"secret.csv": "encrypted", "b.csv": b"x"}


def test_a_damaged_member_is_refused_and_the_others_come(opened: Opened) -> None:
    content = bytearray(zipped({"a.csv": CSV, "b.csv": b"x"}, zipfile.ZIP_STORED))
    content[content.index(b"Aisne")] ^= 1
    assert opened(bytes(content)) == {"a.csv": "corrupt", "b.csv": b"x"}


def test_an_unknown_compression_is_refused(opened: Opened) -> None:
    content = bytearray(zipped({"a.csv": CSV}))
    content[8] = content[content.index(b"PK\x01\x02") + 10] = 9
    assert opened(bytes(content)) == {"a.csv": "unsupported_format"}


@pytest.mark.parametrize("content", [zipped({"a.csv": CSV})[:-30], b"PK\x03\x04" + b"\0" * 100])
def test_a_cut_archive_is_refused(opened: Opened, content: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        opened(content)
    assert refused.value.rule == "truncated"


def test_an_archive_without_files_is_refused(opened: Opened) -> None:
    with pytest.raises(Refusal) as refused:
        opened(zipped({}))
    assert refused.value.rule == "empty"


def test_a_bomb_is_refused(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RATIO_MATTERS_FROM", 1 << 20)
    assert opened(zipped({"bomb.csv": b"0" * (20 << 20), "a.csv": CSV})) == {"bomb.csv": "bomb", "a.csv": CSV}


def test_many_members_that_unfold_too_far_together_are_refused(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_UNPACKED", 3 << 20)
    found = opened(zipped({f"{n}.csv": b"0123456789" * 100_000 for n in range(5)}))
    assert [found[f"{n}.csv"] for n in (3, 4)] == ["bomb", "bomb"]


def test_too_many_members_are_refused(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_MEMBERS", 20)
    with pytest.raises(Refusal) as refused:
        opened(zipped({f"{n}.csv": CSV for n in range(30)}))
    assert refused.value.rule == "too_many_members"


# Parquet


def parquet(frame: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.write_parquet(out)
    return out.getvalue()


def test_parquet_values_are_text_as_a_person_would_write_them() -> None:
    frame = pl.DataFrame(
        {
            "code": ["01001", "", None],
            "entier": [1, None, 3],
            "nombre": [1.0, 0.1, float("nan")],
            "date": pl.Series(["2017-04-23", None, None]).str.to_date(),
            "heure": pl.Series(["2017-04-23T20:00:00", None, None]).str.to_datetime(),
            "oui": [True, False, None],
            "liste": [[1, 2], [], None],
            "objet": [{"a": 1, "b": "é"}, None, None],
            "octets": [b"\x01\xff", None, None],
        }
    )
    assert cells_of(parquet(frame)) == [
        ("01001", "1", "1", "2017-04-23", "2017-04-23T20:00:00.000000", "true", "[1,2]", '{"a":1,"b":"é"}', "01ff"),
        (None, None, "0.1", None, None, "false", "[]", None, None),
        (None, "3", "NaN", None, None, None, None, None, None),
    ]


@pytest.mark.parametrize("damage", ["cut", "garbage", "pages"])
def test_a_damaged_parquet_is_refused(damage: str) -> None:
    content = bytearray(parquet(pl.DataFrame({"code": [f"{n:05}" for n in range(20_000)]})))
    match damage:
        case "cut":
            assert refusal_of(bytes(content[:-100])).rule == "truncated"
        case "garbage":
            assert refusal_of(b"PAR1" + b"garbage" * 100 + b"PAR1").rule == "corrupt"
        case "pages":
            content[100 : len(content) // 2] = b"\xff" * (len(content) // 2 - 100)
            assert refusal_of(bytes(content)).rule == "corrupt"


def test_a_parquet_without_rows_is_refused() -> None:
    assert refusal_of(parquet(pl.DataFrame({"code": []}, schema={"code": pl.String}))).rule == "no_rows"


# JSON


def test_json_arrays_and_lines_give_the_same_table() -> None:
    rows = [{"code": "01001", "n": 1.50, "oui": True}, {"code": None, "nom": "é\n;"}, {"liste": [1, {"a": 2.0}]}]
    expected = [
        ("01001", "1.5", "true", None, None),
        (None, None, None, "é\n;", None),
        (None, None, None, None, '[1, {"a": 2.0}]'),
    ]
    lines = "\n".join(json.dumps(row) for row in rows)
    for content in (json.dumps(rows), json.dumps(rows, indent=2), lines, "\ufeff" + lines + "\n\n"):
        table, frame = table_of(content.encode())
        assert table.header == ("code", "n", "oui", "nom", "liste")
        assert frame.select(table.columns).rows() == expected
        assert frame["_line"].to_list() == [1, 2, 3]


def test_json_numbers_stay_as_written() -> None:
    assert cells_of(b'[{"n": 1.10, "m": 12345678901234567890.5, "o": 1e400, "p": -0}]') == [
        ("1.10", "12345678901234567890.5", "1e400", "-0")
    ]


def test_json_longer_than_a_block() -> None:
    rows = [{"code": f"{n:05}", "texte": "é" * 200} for n in range(20_000)]
    table, frame = table_of(json.dumps(rows).encode())
    assert table.rows == 20_000
    assert frame["code"][-1] == "19999"


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"[]", "no_rows"),
        (b"[{}, {}]", "no_rows"),
        (b"[1, 2, 3]", "not_a_table"),
        (b'{"data": {"a": [1, 2]}}', "not_a_table"),
        (b'{"type": "FeatureCollection", "features": []}', "not_a_table"),
        (b'[{"a": 1}, {"a": 2', "truncated"),
        (b'[{"a": 1},', "truncated"),
        (b'[{"a": 1}] trailing', "broken_json"),
        (b'[{"a": 1}, {a: 2}' + b', {"a": 3}' * 50 + b"]", "broken_json"),
        (b'[{"a": 1, "a": 2}]', "broken_json"),
        (b'[{"a": "\xe9"}]', "encoding"),
        (b'[{"a": ' + b"[" * 100_000, "broken_json"),
    ],
)
def test_json_that_is_no_table_is_refused(content: bytes, rule: str) -> None:
    assert refusal_of(content).rule == rule


# Anything


@given(
    st.binary(max_size=400), st.sampled_from([b"", b"PK\x03\x04", b"\x1f\x8b\x08", b"PAR1", b"[{", b"code;nom\n01;"])
)
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_read_or_refused_in_words(content: bytes, start: bytes) -> None:
    try:
        found = tables_of(start + content)
    except Refusal as refusal:
        found = []
        said = refusal.reason
    else:
        said = "read"
    assert found or len(said) > 10


@given(st.integers(0, 10_000), st.integers(0, 255), st.sampled_from(["gzip", "parquet", "zip", "zlib"]))
@settings(max_examples=150, deadline=None)
def test_one_wrong_byte_is_survived(position: int, byte: int, kind: str) -> None:
    whole = {
        "gzip": gzip.compress(CSV * 20),
        "parquet": parquet(pl.DataFrame({"code": ["01", "02"] * 50, "n": list(range(100))})),
        "zip": zipped({"a.csv": CSV}),
        "zlib": zlib.compress(CSV),
    }[kind]
    content = bytearray(whole)
    content[position % len(content)] = byte
    try:
        rows = sum(table.rows for table, _ in tables_of(bytes(content)))
    except Refusal as refusal:
        rows = len(refusal.reason)
    assert rows > 0
