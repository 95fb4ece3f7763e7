"""Hostile and broken files, made here: what no publisher should send and some will."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
import struct
import tarfile
import zipfile
from collections.abc import Callable

import polars as pl
from xlsx_bytes import sheet_xml, xlsx

HEAD = b"code;nom;voix\n"
ROWS = [("01", "Ain", "1"), ("02", "Aisne", "2"), ("03", "Allier", "3")]
PLAIN = HEAD + b"".join(";".join(row).encode() + b"\n" for row in ROWS)

Rows = list[tuple[str | None, ...]]
Made = tuple[Callable[[], bytes], str | int | Rows]


def table(*rows: bytes) -> bytes:
    return HEAD + b"".join(row + b"\n" for row in rows)


def parquet(**options: object) -> bytes:
    out = io.BytesIO()
    frame = pl.DataFrame({"code": [f"{n:05}" for n in range(5000)], "n": list(range(5000))})
    frame.write_parquet(out, **options)  # type: ignore[arg-type]
    return out.getvalue()


def footer_changed(old: bytes, new: bytes) -> bytes:
    """A Parquet whose last metadata say something else."""
    whole = parquet(compression="uncompressed", statistics=False)
    start = len(whole) - 8 - struct.unpack("<I", whole[-8:-4])[0]
    return whole[:start] + whole[start:].replace(old, new, 1)


def varint(number: int) -> bytes:
    """A zigzag number, as Thrift writes them."""
    number, out = number << 1, b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def workbook_with(part: str, content: str) -> bytes:
    """A good workbook in which one part says something else."""
    good = io.BytesIO(xlsx({"a": sheet_xml({1: ["code", "nom"], 2: ["01", "Ain"]})}))
    with zipfile.ZipFile(good) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    return zipped(files | {part: content.encode()})


def ods(body: str, *, encrypted: bool = False) -> bytes:
    office = "urn:oasis:names:tc:opendocument:xmlns"
    manifest = (
        f'<manifest:manifest xmlns:manifest="{office}:manifest:1.0">'
        '<manifest:file-entry manifest:full-path="content.xml"'
        + ("><manifest:encryption-data/></manifest:file-entry>" if encrypted else "/>")
        + "</manifest:manifest>"
    )
    content = (
        f'<office:document-content xmlns:office="{office}:office:1.0" xmlns:table="{office}:table:1.0" '
        f'xmlns:text="{office}:text:1.0"><office:body><office:spreadsheet><table:table table:name="a">{body}'
        "</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    mime = b"application/vnd.oasis.opendocument.spreadsheet"
    return zipped(
        {"mimetype": mime, "content.xml": content.encode(), "META-INF/manifest.xml": manifest.encode()},
    )


def ods_row(*cells: str, repeated: str = "") -> str:
    inner = "".join(
        f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p></table:table-cell>' for cell in cells
    )
    return f"<table:table-row{repeated}>{inner}</table:table-row>"


def tarred() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for kind, name in ((tarfile.CHRTYPE, "null"), (tarfile.SYMTYPE, "link"), (tarfile.FIFOTYPE, "pipe")):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        member = tarfile.TarInfo("a.csv")
        member.size = len(PLAIN)
        archive.addfile(member, io.BytesIO(PLAIN))
    return out.getvalue()


def noise(size: int) -> bytes:
    return random.Random(1).randbytes(size)  # noqa: S311


LOL = "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))

CASES: dict[str, Made] = {
    # Nothing at all
    "one byte": (lambda: b"x", "not_a_table"),
    "one newline": (lambda: b"\n", "empty"),
    "only spaces": (lambda: b" " * 5000, "empty"),
    "only NULs": (lambda: b"\0" * 5000, "empty"),
    "only semicolons": (lambda: b";;;;\n" * 500, "empty"),
    "only commas on one line": (lambda: b"," * 5000, "empty"),
    "only tabs": (lambda: b"\t\t\t\n" * 500, "empty"),
    "only quotes": (lambda: b'"' * 5001, "not_a_table"),
    "only empty quotes": (lambda: b'"";"";""\n' * 500, 500),
    "UTF-16 mark alone": (lambda: b"\xff\xfe", "empty"),
    "UTF-16 BE mark alone": (lambda: b"\xfe\xff", "empty"),
    "UTF-32 mark alone": (lambda: b"\xff\xfe\0\0", "empty"),
    "UTF-16 of a header": (lambda: "code;nom\n".encode("utf-16"), "no_rows"),
    "empty gzip": (lambda: gzip.compress(b""), "empty"),
    "empty zip": (lambda: b"PK\x05\x06" + b"\0" * 18, "archive"),
    "empty array": (lambda: b"[\n]\n", "no_rows"),
    "empty object": (lambda: b"{}", "no_rows"),
    "JSON null": (lambda: b"null", "not_a_table"),
    "empty workbook": (lambda: xlsx({"a": sheet_xml({})}), "no_rows"),
    "empty ODS": (lambda: ods(""), "no_rows"),
    # Encodings
    "UTF-16 with an odd byte": (lambda: PLAIN.decode().encode("utf-16") + b"\0", "encoding"),
    "UTF-16 of lone surrogates": (lambda: b"\xff\xfe" + PLAIN.decode().encode("utf-16-le") + b"\x00\xd8", "encoding"),
    "UTF-32 BE": (lambda: b"\0\0\xfe\xff" + PLAIN.decode().encode("utf-32-be"), ROWS),
    "UTF-32 with impossible signs": (lambda: b"\xff\xfe\0\0" + b"\xff\xff\xff\x7f" * 20, "encoding"),
    "UTF-7": (lambda: HEAD + "01;Orléans;1\n02;Été;2\n".encode("utf-7"), 2),
    "EBCDIC": (lambda: (PLAIN.decode() * 20).encode("cp037"), "not_a_table"),
    "overlong UTF-8": (lambda: table(b"01;\xc0\xafAin;1", b"02;Aisne;2"), 2),
    "surrogates in UTF-8": (lambda: table(b"01;\xed\xa0\x80Ain;1", b"02;Aisne;2"), 2),
    "cut in the middle of a sign": (lambda: table(b"01;Ain;1") + "02;Nîmes;2".encode()[:5], 2),
    "mark in the middle": (lambda: PLAIN + b"\xef\xbb\xbf04;Alpes;4\n", [*ROWS, ("04", "Alpes", "4")]),
    "two marks": (lambda: b"\xef\xbb\xbf\xef\xbb\xbf" + PLAIN, ROWS),
    "NUL in every value": (lambda: table(*(b"0%d;A\0B;%d" % (n, n) for n in range(1, 4))), "binary"),
    "right-to-left override": (
        lambda: table("01;A\u202eniA;1".encode(), b"02;Aisne;2"),
        [("01", "A\u202eniA", "1"), ROWS[1]],
    ),
    "zero-width signs in a code": (
        lambda: table("0\u200b1;Ain;1".encode(), b"02;Aisne;2"),
        [("0\u200b1", "Ain", "1"), ROWS[1]],
    ),
    "escape sequences of a terminal": (lambda: table(b"01;\x1b[31mAin;1", *[b"02;Aisne;2"] * 9), 10),
    # Lines, separators, quotes
    "CR alone": (lambda: PLAIN.replace(b"\n", b"\r"), ROWS),
    "CR CR LF": (lambda: PLAIN.replace(b"\n", b"\r\r\n"), ROWS),
    "LF CR": (lambda: PLAIN.replace(b"\n", b"\n\r"), 3),
    "mixed newlines": (lambda: b"code;nom;voix\r\n01;Ain;1\n02;Aisne;2\r\n03;Allier;3\n", ROWS),
    "no last newline": (lambda: PLAIN[:-1], ROWS),
    "end of file sign of DOS": (lambda: PLAIN + b"\x1a", 4),
    "form feeds": (lambda: PLAIN.replace(b"\n02", b"\n\f02"), 3),
    "line and paragraph separators": (
        lambda: table("01;A\u2028in\u2029;1".encode(), b"02;Aisne;2"),
        [("01", "A\u2028in\u2029", "1"), ROWS[1]],
    ),
    "next line sign": (lambda: table("01;A\u0085in;1".encode(), b"02;Aisne;2"), [("01", "A\u0085in", "1"), ROWS[1]]),
    "separator changes in the middle": (lambda: PLAIN + b"04,Alpes,4\n05,Hautes-Alpes,5\n", 5),
    "sep line of Excel": (lambda: b"sep=;\n" + PLAIN, ROWS),
    "header again in the middle": (lambda: PLAIN + PLAIN, 7),
    "two tables in a file": (lambda: PLAIN + b"\n\nregion;prefet;cantons;communes\n84;Lyon;9;4\n27;Dijon;8;5\n", 6),
    "quote never closed": (lambda: table(b'01;"Ain;1', *[b"02;Aisne;2"] * 50), "unclosed_quote"),
    "odd quote inside a value": (
        lambda: table(b'01;A"in;1', b"02;Aisne;2"),
        [("01", 'A"in', "1"), ROWS[1]],
    ),
    "quote after a quoted value": (lambda: table(b'01;"Ain"x;1', b"02;Aisne;2"), 2),
    "single quotes": (lambda: table(b"01;'Ain';1", b"02;'Aisne';2"), [("01", "'Ain'", "1"), ("02", "'Aisne'", "2")]),
    "typographic quotes": (lambda: table("01;“Ain;1".encode(), b"02;Aisne;2"), [("01", "“Ain", "1"), ROWS[1]]),
    "quoted newlines of all kinds": (
        lambda: table(b'01;"A\r\ni\rn\n";1', b"02;Aisne;2"),
        [("01", "A\r\ni\rn\n", "1"), ROWS[1]],
    ),
    "ten thousand columns": (
        lambda: b";".join(b"c%d" % n for n in range(10_000)) + b"\n" + b";".join([b"1"] * 10_000) + b"\n",
        [("1",) * 10_000],
    ),
    "thirty thousand columns": (lambda: b";".join(b"c%d" % n for n in range(30_000)) + b"\n1;2\n", "too_many_columns"),
    "a name of a million signs": (lambda: b"code;" + b"n" * 1_000_000 + b"\n01;1\n02;2\n", [("01", "1"), ("02", "2")]),
    "a thousand equal names": (
        lambda: b";".join([b"a"] * 1000) + b"\n" + b";".join([b"1"] * 1000) + b"\n",
        [("1",) * 1000],
    ),
    "names of the house": (lambda: b"_line;_period;_reason\n1;2;3\n4;5;6\n", [("1", "2", "3"), ("4", "5", "6")]),
    "one row a thousand times wider": (lambda: table(b"01;Ain;1", b";".join([b"x"] * 1000), b"02;Aisne;2"), 3),
    # Values
    "formulas": (
        lambda: table(b"=1+1;@SUM(A1);-2", b"+3;=cmd|' /C calc'!A0;4"),
        [("=1+1", "@SUM(A1)", "-2"), ("+3", "=cmd|' /C calc'!A0", "4")],
    ),
    "numbers of four hundred digits": (
        lambda: table(b"01;" + b"9" * 400 + b";1", b"02;0." + b"0" * 400 + b"1;2"),
        [
            ("01", "9" * 400, "1"),
            ("02", "0." + "0" * 400 + "1", "2"),
        ],
    ),
    "infinities": (
        lambda: table(b"01;inf;1e999", b"02;-Infinity;NaN"),
        [("01", "inf", "1e999"), ("02", "-Infinity", "NaN")],
    ),
    "dates that no calendar has": (
        lambda: table(b"01;0000-00-00;9999-12-31", b"02;30/02/2020;31/12/0000"),
        [("01", "0000-00-00", "9999-12-31"), ("02", "30/02/2020", "31/12/0000")],
    ),
    "codes with their zeros": (
        lambda: table(b"00001;007;0", b"2A004;1e5;00"),
        [("00001", "007", "0"), ("2A004", "1e5", "00")],
    ),
    "markup": (
        lambda: table(b"01;<script>alert(1)</script>;1", b"02;<b>;2"),
        [("01", "<script>alert(1)</script>", "1"), ("02", "<b>", "2")],
    ),
    "SQL": (lambda: table(b"01;' OR 1=1 --;1", b"02;Aisne;2"), [("01", "' OR 1=1 --", "1"), ROWS[1]]),
    "templates": (
        lambda: table(b"01;{{ 7*7 }};${jndi}", b"02;%s%n;2"),
        [("01", "{{ 7*7 }}", "${jndi}"), ("02", "%s%n", "2")],
    ),
    # Other things under the name of a table
    "a web page of errors": (lambda: b"<html><body><h1>502 Bad Gateway</h1></body></html>", "html"),
    "a web page after a comment": (lambda: b"<!-- x --><html><body>login</body></html>", "html"),
    "XML of S3": (lambda: b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "unsupported_format"),
    "billion laughs in XML": (
        lambda: f'<?xml version="1.0"?><!DOCTYPE a [{LOL}]><a>&j;</a>'.encode(),
        "unsupported_format",
    ),
    "SVG": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>', "unsupported_format"),
    "JSON of an error": (lambda: b'{"error": "not found", "status": 404}', 1),
    "a text of an error": (lambda: b"503 Service Unavailable\n", "not_a_table"),
    "LFS pointer": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 1\n", "lfs_pointer"),
    "PDF": (lambda: b"%PDF-1.4\n" + noise(3000), "unsupported_format"),
    "PNG": (lambda: b"\x89PNG\r\n\x1a\n" + noise(3000), "unsupported_format"),
    "JPEG": (lambda: b"\xff\xd8\xff\xe0" + noise(3000), "unsupported_format"),
    "GIF": (lambda: b"GIF89a" + noise(3000), "unsupported_format"),
    "TIFF": (lambda: b"II*\0" + noise(3000), "binary"),
    "WebP": (lambda: b"RIFF\0\0\0\0WEBP" + noise(3000), "binary"),
    "MP4": (lambda: b"\0\0\0\x18ftypmp42" + noise(3000), "binary"),
    "WAV": (lambda: b"RIFF\0\0\0\0WAVE" + noise(3000), "binary"),
    "bzip2": (lambda: bz2.compress(PLAIN * 50), "unsupported_format"),
    "xz": (lambda: lzma.compress(PLAIN * 50), "unsupported_format"),
    "LZMA": (lambda: lzma.compress(PLAIN * 50, lzma.FORMAT_ALONE), "binary"),
    "Zstandard": (lambda: b"\x28\xb5\x2f\xfd" + noise(300), "unsupported_format"),
    "RAR": (lambda: b"Rar!\x1a\x07\x01\x00" + noise(300), "unsupported_format"),
    "tar with devices, links and a pipe": (tarred, "binary"),
    "gzip of a tar": (lambda: gzip.compress(tarred()), "binary"),
    "SQLite": (lambda: b"SQLite format 3\0" + noise(3000), "unsupported_format"),
    "Arrow": (lambda: b"ARROW1\0\0" + noise(3000), "unsupported_format"),
    "ORC": (lambda: b"ORC" + noise(3000), "binary"),
    "Avro": (lambda: b"Obj\x01" + noise(3000), "binary"),
    "dBase": (lambda: b"\x03\x7a\x01\x01" + noise(3000), "binary"),
    "ELF": (lambda: b"\x7fELF" + noise(3000), "binary"),
    "a pickle": (lambda: b"\x80\x04\x95" + noise(3000), "binary"),
    "a Python program": (lambda: b"import os\nos.system('true')\n", "not_a_table"),
    "noise": (lambda: noise(100_000), "binary"),
    "a log": (lambda: b"2026-11-21 10:00:00 INFO started\n" * 50, "not_a_table"),
    # JSON
    "JSON too deep": (lambda: b'[{"a": ' + b"[" * 200_000, "broken_json"),
    "JSON objects too deep": (lambda: b'[{"a":' * 50_000, "broken_json"),
    "JSON with a million digits": (lambda: b'[{"a": ' + b"9" * 1_000_000 + b"}]", [("9" * 1_000_000,)]),
    "JSON with NaN": (lambda: b'[{"a": NaN}, {"a": 1}]', 2),
    "JSON with comments": (lambda: b'[{"a": 1}, // x\n{"a": 2}]', "truncated"),
    "JSON with a comma too many": (lambda: b'[{"a": 1},]', 1),
    "JSON with single quotes": (lambda: b"[{'a': 1}]", "truncated"),
    "JSON with lone surrogates": (lambda: b'[{"a": "\\ud800"}, {"a": "b"}]', "broken_json"),
    "JSON with a NUL": (lambda: b'[{"a": "x\\u0000y"}]', [("x\0y",)]),
    "JSON of ten thousand names": (
        lambda: json.dumps([{f"c{n}": 1 for n in range(10_000)}]).encode(),
        [("1",) * 10_000],
    ),
    "JSON of ever new names": (lambda: json.dumps([{f"c{n}": 1} for n in range(25_000)]).encode(), "not_a_table"),
    "JSON in UTF-16": (lambda: json.dumps([{"a": "é"}]).encode("utf-16"), [("é",)]),
    "JSON lines with a broken one": (lambda: b'{"a": 1}\n{"a": 2}\n{"a":\n{"a": 4}\n', "truncated"),
    # gzip
    "gzip of noise after the end": (lambda: gzip.compress(PLAIN) + noise(50), "corrupt"),
    "gzip with zeros after the end": (lambda: gzip.compress(PLAIN) + b"\0" * 50, ROWS),
    "gzip bomb": (lambda: gzip.compress(gzip.compress(b"0" * (300 << 20), 1)), "bomb"),
    "gzip with a false length": (lambda: gzip.compress(PLAIN)[:-4] + b"\xff\xff\xff\xff", "corrupt"),
    "gzip of a zip": (lambda: gzip.compress(zipped({"a.csv": PLAIN})), "archive"),
    "gzip header alone": (lambda: b"\x1f\x8b", "truncated"),
    # Workbooks
    "entities": (
        lambda: xlsx(
            {"a": sheet_xml({1: ["code", "nom"], 2: ["01", "BOMB"]}).replace("BOMB", "&j;")},
            prolog=f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "lol">{LOL}]>',
        ),
        "corrupt",
    ),
    "entity of a file": (
        lambda: xlsx(
            {"a": sheet_xml({1: ["code", "nom"], 2: ["01", "BOMB"]}).replace("BOMB", "&x;")},
            prolog='<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        ),
        "corrupt",
    ),
    "a dimension of all cells": (
        lambda: xlsx({"a": sheet_xml({1: ["code", "nom"], 2: ["01", "Ain"]}, dimension="A1:XFD1048576")}),
        [("01", "Ain")],
    ),
    "a dimension of one cell": (
        lambda: xlsx({"a": sheet_xml({1: ["code", "nom"], 2: ["01", "Ain"]}, dimension="A1")}),
        [("01", "Ain")],
    ),
    "a dimension that is none": (
        lambda: xlsx({"a": sheet_xml({1: ["code", "nom"], 2: ["01", "Ain"]}, dimension="ZZZZ9:-1")}),
        "corrupt",
    ),
    "shared strings that are not there": (
        lambda: workbook_with(
            "xl/worksheets/sheet1.xml",
            sheet_xml({1: ["code", "nom"], 2: ["01", "Ain"]}).replace(
                "</sheetData>", '<row r="3"><c r="A3" t="s"><v>99999999</v></c></row></sheetData>'
            ),
        ),
        "corrupt",
    ),
    "shared strings that say that they are a billion": (
        lambda: workbook_with(
            "xl/sharedStrings.xml",
            '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" count="4000000000" '
            'uniqueCount="4000000000"><si><t>a</t></si></sst>',
        ),
        "too_big",
    ),
    "a workbook without sheets": (
        lambda: workbook_with("xl/workbook.xml", "<workbook><sheets/></workbook>"),
        "no_rows",
    ),
    "a workbook whose sheet is elsewhere": (
        lambda: workbook_with("xl/_rels/workbook.xml.rels", "<Relationships/>"),
        "corrupt",
    ),
    "a workbook in noise": (lambda: workbook_with("xl/worksheets/sheet1.xml", "\x01\x02<<<>>>"), "no_rows"),
    "rows in disorder": (
        lambda: xlsx({"a": sheet_xml({3: ["02", "Aisne"], 1: ["code", "nom"], 2: ["01", "Ain"]})}),
        2,
    ),
    "formulas without values": (
        lambda: xlsx(
            {
                "a": sheet_xml({1: ["code", "nom"], 2: ["01", "Ain"]}).replace(
                    "</sheetData>",
                    '<row r="3"><c r="A3"><f>1+1</f></c><c r="B3" t="str"><v>x</v></c></row></sheetData>',
                )
            }
        ),
        [("01", "Ain"), (None, "x")],
    ),
    "an old workbook in noise": (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + noise(20_000), "corrupt"),
    "an old workbook of zeros": (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 20_000, "corrupt"),
    "an old workbook cut": (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "corrupt"),
    "ODS": (
        lambda: ods(ods_row("code", "nom") + ods_row("01", "Ain") + ods_row("02", "Aisne")),
        [("01", "Ain"), ("02", "Aisne")],
    ),
    "ODS with a row a billion times": (
        lambda: ods(ods_row("code", "nom") + ods_row("01", "Ain", repeated=' table:number-rows-repeated="1000000000"')),
        "cut_by_excel",
    ),
    "ODS with empty rows a million times": (
        lambda: ods(
            ods_row("code", "nom")
            + ods_row("01", "Ain")
            + '<table:table-row table:number-rows-repeated="1048570"><table:table-cell/></table:table-row>'
        ),
        1,
    ),
    "ODS under a password": (lambda: ods(ods_row("a"), encrypted=True), "corrupt"),
    "ODS cut": (lambda: ods(ods_row("code", "nom") + ods_row("01", "Ain"))[:200], "corrupt"),
    # Parquet
    "Parquet magic alone": (lambda: b"PAR1", "corrupt"),
    "Parquet magic twice": (lambda: b"PAR1PAR1", "corrupt"),
    "Parquet with an endless footer": (lambda: parquet()[:-8] + b"\xff\xff\xff\x7fPAR1", "corrupt"),
    "Parquet with a negative footer": (lambda: parquet()[:-8] + b"\xff\xff\xff\xffPAR1", "corrupt"),
    "Parquet with an empty footer": (lambda: parquet()[:-8] + b"\0\0\0\0PAR1", "corrupt"),
    "Parquet that says a billion rows": (lambda: footer_changed(varint(5000), varint(1_000_000_000)), "corrupt"),
    "Parquet that says fewer rows": (lambda: footer_changed(varint(5000), varint(4000)), 5000),
    "Parquet with another codec": (
        lambda: parquet(compression="uncompressed").replace(b"\x15\x00\x19\x1c", b"\x15\x0c\x19\x1c"),
        5000,
    ),
    "Parquet under a password": (lambda: b"PARE" + parquet()[4:-4] + b"PARE", "binary"),
    "Parquet without its end": (lambda: parquet()[: len(parquet()) // 2], "truncated"),
    "Parquet without its beginning": (lambda: b"PAR1" + parquet()[2000:], "corrupt"),
    "Parquet of noise": (lambda: b"PAR1" + noise(20_000) + b"PAR1", "corrupt"),
    # Archives, read as if they were tables
    "zip in zip": (lambda: zipped({"b.zip": zipped({"a.csv": PLAIN})}), "archive"),
    "zip called as a workbook": (lambda: zipped({"xl/a.csv": PLAIN}), "archive"),
    "zip with something before": (lambda: b"#!/bin/sh\n" + zipped({"a.csv": PLAIN}), "binary"),
}
"""What each is, and what must come of it: the rows, how many there are, or the rule of the refusal."""
