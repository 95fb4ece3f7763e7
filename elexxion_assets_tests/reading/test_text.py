"""Text as it really comes: encodings, separators, headers, footers, ragged and broken records."""

from __future__ import annotations

import csv
import io

import pytest
from reading_of import cells_of, table_of, tables_of

from elexxion_assets.declare import Refusal
from elexxion_assets.reading import limits

FRENCH = "code;nom;voix\n01001;L'Abergement-Clémenciat;12\n01002;Été à Noël – cœur d’Évian;3\n2A004;Ajaccio;\n"


def refusal_of(content: bytes) -> Refusal:
    with pytest.raises(Refusal) as refused:
        tables_of(content)
    assert len(refused.value.reason) > 20
    return refused.value


# Encodings


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-32"])
def test_an_encoding_is_told_and_read(encoding: str) -> None:
    table, frame = table_of(FRENCH.encode(encoding))
    assert table.encoding == encoding
    assert frame["nom"][1] == "Été à Noël – cœur d’Évian"


@pytest.mark.parametrize("encoding", ["latin-1", "cp850", "utf-16-le", "utf-16-be"])
def test_an_encoding_without_the_rare_signs_is_told_and_read(encoding: str) -> None:
    plain = FRENCH.replace("–", "-").replace("œ", "oe").replace("’", "'")
    table, frame = table_of(plain.encode(encoding))
    assert table.encoding == encoding
    assert frame["nom"][1] == "Été à Noël - coeur d'Évian"


def test_one_accent_in_cp850_is_enough() -> None:
    assert cells_of(b"code;circonscription\n01;1\x8are\n02;2e\n")[0] == ("01", "1ère")


def test_one_apostrophe_in_cp1252_is_enough() -> None:
    assert cells_of(b"code;commune\n01;L\x92Abergement\n02;Lyon\n")[0] == ("01", "L’Abergement")


def test_a_late_byte_does_not_change_the_encoding_of_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BLOCK", 1 << 12)
    good = "".join(f"{n:05};Clémenciat;é\n" for n in range(3000)).encode()
    table, frame = table_of(b"code;nom;signe\n" + good + b"99999;Cl\xe9menciat;\xe9\n" + good.replace(b"0", b"1"))
    assert table.encoding == "utf-8"
    assert frame["nom"].unique().to_list() == ["Clémenciat"]
    assert any("line 3002" in defect for defect in table.defects)


def test_an_accent_after_megabytes_of_ascii_is_seen() -> None:
    ascii_only = "".join(f"{n:06};Lyon\n" for n in range(300_000)).encode()
    table, frame = table_of(b"code;nom\n" + ascii_only + "999999;Nîmes\n".encode("latin-1"))
    assert (table.encoding, frame["nom"][-1]) == ("latin-1", "Nîmes")


def test_files_of_two_encodings_glued_together_are_read_line_by_line() -> None:
    body = "".join(f"{n:05};Créteil;à\n" for n in range(50))
    table, frame = table_of(b"code;nom;mot\n" + body.encode() + body.replace("0", "9").encode("cp1252"))
    assert frame["nom"].unique().to_list() == ["Créteil"]
    assert any("50 lines are not UTF-8" in defect for defect in table.defects)


def test_a_mark_in_the_middle_is_told_and_no_part_of_a_code() -> None:
    table, frame = table_of(b"\xef\xbb\xbfcode;nom\n01;Ain\n\xef\xbb\xbf02;Aisne\n")
    assert frame["code"].to_list() == ["01", "02"]
    assert any("byte order mark" in defect for defect in table.defects)


def test_a_few_nuls_are_kept_and_told() -> None:
    table, frame = table_of(FRENCH.encode() * 5 + b"01003;A\0B;4\n")
    assert frame["nom"][-1] == "A\0B"
    assert any("NUL" in defect for defect in table.defects)


# Separators


@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
def test_a_separator_is_told(separator: str) -> None:
    table, frame = table_of(FRENCH.replace(";", separator).encode())
    assert (table.separator, frame.row(0)[:3]) == (separator, ("01001", "L'Abergement-Clémenciat", "12"))


def test_decimal_commas_do_not_separate() -> None:
    table, _ = table_of(b"code;taux;part\n01;12,5;3,5\n02;13,5;4,5\n03;14,5;5,5\n")
    assert (table.separator, len(table.columns)) == (";", 3)


def test_coordinates_in_a_quoted_column_do_not_separate() -> None:
    shape = '"{""coordinates"": [[1,2],[3,4],[5,6],[7,8]]}"'
    table, frame = table_of(f"code;nom;forme\n01;Ain;{shape}\n02;Aisne;{shape}\n".encode())
    assert table.separator == ";"
    assert frame["forme"][0] == '{"coordinates": [[1,2],[3,4],[5,6],[7,8]]}'


def test_a_title_with_a_comma_does_not_decide() -> None:
    rows = "".join(f"{n:04};Zone {n};7,0;7,4\n" for n in range(60))
    table, _ = table_of(f"Taux de chômage, en moyenne\nZE;LIBZE;T1;T2\n{rows}".encode())
    assert (table.separator, table.header) == (";", ("ZE", "LIBZE", "T1", "T2"))


# Lines and records


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r", "\r\r\n"])
def test_newlines_of_all_systems(newline: str) -> None:
    _, frame = table_of(FRENCH.replace("\n", newline).encode())
    assert frame["code"].to_list() == ["01001", "01002", "2A004"]
    assert frame["_line"].to_list() == [2, 3, 4]


def test_a_carriage_return_inside_a_value_ends_no_record() -> None:
    assert cells_of(b"code;nom\n01;Ain\rnord\n02;Aisne\n") == [("01", "Ain\rnord"), ("02", "Aisne")]


def test_short_rows_are_padded_and_long_ones_widen_the_table() -> None:
    table, frame = table_of(b"code;nom;voix\n01;Ain;1\n02\n03;Allier;3;de trop;encore\n04;Alpes;4\n")
    assert table.columns == ("code", "nom", "voix", "_4", "_5")
    assert frame.rows()[1] == ("02", None, None, None, None, 3)
    assert frame.rows()[2] == ("03", "Allier", "3", "de trop", "encore", 4)
    assert any("2 of 4 rows" in defect and "line 3" in defect for defect in table.defects)


def test_a_header_shorter_than_the_data() -> None:
    row = "01;Ain;645;1;F;ARTHAUD;3;2;M;ROUSSEL;6"
    table, frame = table_of(f"Code;Libellé;Inscrits;N°Panneau;Sexe;Nom;Voix\n{row}\n{row}\n{row}\n".encode())
    assert table.columns[7:] == ("_8", "_9", "_10", "_11")
    assert len(table.header) == 7
    assert table.defects == ()
    assert frame.row(0)[-2] == "6"


def test_repeated_and_empty_names_are_all_different() -> None:
    table, _ = table_of(b"code;Voix;Voix;;Voix.2;_line;Voix\n01;1;2;3;4;5;6\n02;1;2;3;4;5;6\n")
    assert table.columns == ("code", "Voix", "Voix.2", "_4", "Voix.2.2", "_line.2", "Voix.3")
    assert table.header == ("code", "Voix", "Voix", "", "Voix.2", "_line", "Voix")


def test_newlines_in_quotes_keep_lines_true() -> None:
    table, frame = table_of(b'code;objet;n\n01;"une\nassociation\n";1\n02;"autre";2\n\n03;x;3\n')
    assert frame["objet"].to_list() == ["une\nassociation\n", "autre", "x"]
    assert frame["_line"].to_list() == [2, 5, 7]
    assert table.rows == 3


def test_a_quote_in_an_unquoted_value_merges_nothing() -> None:
    cells = cells_of(b'id;titre;ville\n1;les "Amis";Ain\n2;ecran 5" plat;Aisne\n3;x;Allier\n')
    assert cells == [("1", 'les "Amis"', "Ain"), ("2", 'ecran 5" plat', "Aisne"), ("3", "x", "Allier")]


def test_escaped_quotes() -> None:
    content = b'id;objet;ville\n1;"dit ""bonjour"" ; oui";Ain\n2;"";Aisne\n'
    assert cells_of(content) == [("1", 'dit "bonjour" ; oui', "Ain"), ("2", None, "Aisne")]
    content = b'id;objet;ville\n1;"dit \\"bonjour; ici\\" oui";Ain\n2;"";Aisne\n3;"a";Allier\n'
    assert cells_of(content) == [("1", 'dit "bonjour; ici" oui', "Ain"), ("2", None, "Aisne"), ("3", "a", "Allier")]


def test_a_quote_that_is_never_closed_is_refused_with_its_line() -> None:
    refusal = refusal_of(b'id;titre;ville\n1;a;Ain\n2;"ouvert;Aisne\n' + b"3;x;Allier\n" * 500)
    assert refusal.rule == "unclosed_quote"
    assert "line 3" in refusal.reason


def test_an_unclosed_quote_in_a_large_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_RECORD", 1 << 16)
    refusal = refusal_of(b'id;titre;ville\n1;a;Ain\n2;"ouvert;Aisne\n' + b"3;x;Allier\n" * 50_000)
    assert refusal.rule == "unclosed_quote"


def test_a_record_over_many_lines_is_told() -> None:
    table, _ = table_of(b'id;titre;ville\n1;"' + b"x;y\n" * 80 + b'";Ain\n2;b;Aisne\n3;c;Allier\n')
    assert any("line 2 runs over 81 lines" in defect for defect in table.defects)


def test_records_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BLOCK", 1000)
    rows = [[f"{n:05}", "Nîmes; Gard" * (n % 7), f"{n},5"] for n in range(4000)]
    out = io.StringIO()
    csv.writer(out, delimiter=";").writerows([["code", "nom", "taux"], *rows])
    for encoding in ("utf-8", "latin-1"):
        assert cells_of(out.getvalue().encode(encoding)) == [tuple(cell or None for cell in row) for row in rows]


def test_a_late_stray_quote_sends_the_whole_file_another_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BLOCK", 1000)
    content = b"code;nom\n" + b"".join(b"%05d;Ain\n" % n for n in range(2000)) + b'99999;un "mot"\n'
    _, frame = table_of(content)
    assert frame.height == 2001
    assert frame.row(-1) == ("99999", 'un "mot"', 2002)


# Header, preamble, footer


def test_titles_stand_above_and_notes_below() -> None:
    rows = "".join(f"{n:05};Commune {n};{n}\n" for n in range(1, 40))
    table, frame = table_of(
        f"Emploi ;;\nFrance, par commune;;\n\nCode;Libellé;Nombre\n{rows}\nSource : Insee;;\n".encode()
    )
    assert (table.preamble, table.header_line) == (("Emploi", "France, par commune"), 4)
    assert table.footer == ("Source : Insee",)
    assert (frame["_line"][0], frame["_line"][-1], frame.height) == (5, 43, 39)


def test_a_data_row_of_one_value_is_no_footer() -> None:
    table, frame = table_of(b"nom;a;b\nAin;1;2\nAisne;3;4\nAllier;;\n")
    assert (table.footer, frame.height) == ((), 3)


def test_a_data_row_is_never_the_header() -> None:
    table, frame = table_of(b"01;Ain;5\n02;Aisne;6\n03;Allier;7\n")
    assert (table.header, table.header_line, table.columns) == ((), 0, ("_1", "_2", "_3"))
    assert frame.height == 3
    assert any("no header" in defect for defect in table.defects)


def test_a_first_row_without_figures_is_data() -> None:
    table, frame = table_of(b"dep;nom;nuance;voix\nZZ;Monde;NA;NA\n01;Ain;DVG;5\n02;Aisne;DVD;6\n03;Allier;COM;7\n")
    assert (table.header_line, frame.height) == (1, 4)


def test_years_as_names_are_a_header() -> None:
    table, frame = table_of(b"Zone;2003;2004;2005\nAin;7;8;9\nAisne;4;5;6\nAllier;1;2;3\n")
    assert (table.header, frame.height) == (("Zone", "2003", "2004", "2005"), 3)


def test_a_table_of_words_has_its_first_row_as_header() -> None:
    table, frame = table_of("nom;prénom;ville\nMartin;Anne;Lyon\nPetit;Luc;Nice\n".encode())
    assert (table.header, frame.height) == (("nom", "prénom", "ville"), 2)


def test_ten_thousand_columns() -> None:
    header = ";".join(f"c{n}" for n in range(10_000))
    row = ";".join(str(n) for n in range(10_000))
    table, frame = table_of(f"{header}\n{row}\n{row}\n".encode())
    assert len(table.columns) == 10_000
    assert frame.row(1)[9_999] == "9999"


def test_a_cell_of_some_megabytes() -> None:
    huge = "é" * 3_000_000
    assert cells_of(f'code;texte\n01;{huge}\n02;"{huge}\n{huge}"\n'.encode())[1] == ("02", f"{huge}\n{huge}")


def test_codes_stay_text() -> None:
    assert cells_of(b"code;n\n01001;007\n2A004;1e5\n75056;1.0\n2E10;NA\n") == [
        ("01001", "007"),
        ("2A004", "1e5"),
        ("75056", "1.0"),
        ("2E10", "NA"),
    ]


# What is no table


@pytest.mark.parametrize(
    ("content", "rule", "words"),
    [
        (b"", "empty", "0 bytes"),
        (b"\n\n  \n", "empty", "blanks"),
        (b"\xef\xbb\xbf", "empty", "blanks"),
        (b"code;nom;voix\n", "no_rows", "header"),
        (b"code;nom;voix", "no_rows", "header"),
        (b"code;nom;voix\n\n\n", "no_rows", "header"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d\nsize 1\n",
            "lfs_pointer",
            "git lfs pull",
        ),
        (b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head></html>", "html", "404 Not Found"),
        (b"\n  <html><body>Connexion</body></html>", "html", "web page"),
        (b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>', "unsupported_format", "XML"),
        (b'"root":{1 item\n"target":{5736 items\n"7476734":string"No"\n', "viewer_dump", "viewer"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "unsupported_format", "PDF"),
        (b"7z\xbc\xaf\x27\x1c\0\x04", "unsupported_format", "7-Zip"),
        (bytes(range(256)) * 50, "binary", "not text"),
        (b"\x7fELF\x02\x01\x01" + b"\0" * 3000, "binary", "not text"),
        (b"Une note de quelques mots\nsans aucune colonne\n", "not_a_table", "separator"),
        (b"\xff\xfe" + b"\x00\xd8" * 50, "encoding", "UTF-16"),
    ],
)
def test_what_is_no_table_is_refused_in_words(content: bytes, rule: str, words: str) -> None:
    refusal = refusal_of(content)
    assert refusal.rule == rule
    assert words in refusal.reason


def test_too_many_columns_are_refused() -> None:
    assert refusal_of(b"a;b\n1;2\n" + b";" * 30_000 + b"\n").rule == "too_many_columns"
    assert refusal_of(b'a;b\n1;x "y"\n' + b";" * 30_000 + b"\n").rule == "too_many_columns"


def test_an_endless_line_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BLOCK", 1 << 16)
    monkeypatch.setattr(limits, "MAX_RECORD", 1 << 20)
    assert refusal_of(b"code;nom\n01;Ain\n" + b"x" * (4 << 20)).rule == "huge_record"


def test_a_file_of_as_many_lines_as_a_spreadsheet_holds_is_told() -> None:
    table, _ = table_of(b"code;nom\n" + b"01;Ain\n" * 65_535)
    assert any("65,536" in defect for defect in table.defects)
