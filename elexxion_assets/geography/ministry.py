"""From the codes that the ministry of the Interior publishes to INSEE's (Code officiel géographique).

The ministry writes the département and the commune apart (`1`, `4` for 01004), overseas départements in letters, and a
commune overseas by its last three characters. Since 2024 `Code commune` holds all five characters already. Codes that
a spreadsheet took for numbers (`1004`, `1.0`) are mended. What is no commune of the COG keeps a code of its own:
polling abroad `ZZ001`, Wallis-et-Futuna counted as one unit `98601`.

Source: headers and values of the ministry's files of 2012, 2017, 2022 and 2024 on data.gouv.fr.
"""

from __future__ import annotations

import narwhals as nw

OVERSEAS = {
    "ZA": "971",
    "ZB": "972",
    "ZC": "973",
    "ZD": "974",
    "ZM": "976",
    "ZN": "988",
    "ZP": "987",
    "ZS": "975",
    "ZW": "986",
}
"""The ministry's letters of overseas départements and territories, and their INSEE codes."""

SAINT_MARTIN_SAINT_BARTHELEMY = "ZX"
"""One département for the ministry; 977 (Saint-Barthélemy) and 978 (Saint-Martin) for INSEE."""

ABROAD = "ZZ"
"""French citizens abroad."""

DEPARTEMENT_PATTERN = r"(?:0[1-9]|[1-8]\d|9[0-5]|2[AB]|97[1-8]|98[678]|ZX|ZZ)"
"""Codes that `departement_insee` gives: the COG's, and the two that only the ministry has."""

COMMUNE_PATTERN = r"(?:\d{2}|2[AB]|ZZ)\d{3}"
"""Codes that `commune_insee` gives."""


def _plain(code: nw.Expr) -> nw.Expr:
    """A code without blanks and without the `.0` of a spreadsheet, in capitals."""
    return code.str.strip_chars().str.to_uppercase().str.replace_all(r"\.0$", "")


def departement_insee(departement: nw.Expr) -> nw.Expr:
    """The INSEE code of a département from the ministry's.

    Args:
        departement: Text such as `1`, `01`, `2A`, `ZA`, `971`, `ZZ`.

    Returns:
        Text such as `01`, `2A`, `971`; `ZX` and `ZZ` stay. Other texts pass as they are and break the column's pattern.
    """
    code = _plain(departement).str.replace_all(r"^0(\d\d|2[AB])$", "$1")
    code = nw.when(code.str.contains(r"^\d$")).then(code.str.zfill(2)).otherwise(code)
    overseas = nw.lit(None, dtype=nw.String())
    for letters, insee in OVERSEAS.items():
        overseas = nw.when(code == letters).then(nw.lit(insee)).otherwise(overseas)
    return nw.coalesce(overseas, code)


def commune_insee(departement: nw.Expr, commune: nw.Expr) -> nw.Expr:
    """The INSEE code of a commune from the ministry's codes of the département and of the commune.

    Args:
        departement: Text such as `1`, `ZM`; only looked at where `commune` does not hold it.
        commune: Text such as `4`, `004`, `01004`, `1004`, `ZX701`; the sector of `056SR01` is left out.

    Returns:
        Text of five characters, null where no code can be made. Paris, Lyon and Marseille are 75056, 69123, 13055.
    """
    code = _plain(commune).str.replace_all(r"SR\d{2}$", "")
    code = nw.when(code.str.contains(r"^\d{4}$")).then(code.str.zfill(5)).otherwise(code)
    is_whole = code.str.contains(r"^(?:\d{2}|2[AB]|Z[A-Z])\d{3}$")
    number = nw.when(is_whole).then(code.str.slice(2)).otherwise(code)
    number = nw.when(number.str.contains(r"^\d{1,3}$")).then(number.str.zfill(3))
    in_letters = is_whole & code.str.starts_with("Z")
    where = nw.when(in_letters).then(departement_insee(code.str.slice(0, 2))).otherwise(departement_insee(departement))
    last_two = number.str.slice(1)
    made = nw.concat_str([where, number])
    # Overseas the first of the three digits repeats the département's last one; Mayotte (501 until 2017, 601 since) and
    # the Pacific do not keep to it, so there the département's three characters are followed by the last two digits.
    made = nw.when(where.is_in(["971", "972", "973", "974", "975", "977", "978", SAINT_MARTIN_SAINT_BARTHELEMY])).then(
        nw.concat_str([nw.lit("97"), number])
    ).otherwise(made)
    made = nw.when(where.is_in(["976", "986", "987", "988"])).then(nw.concat_str([where, last_two])).otherwise(made)
    settled = is_whole & ~in_letters & ~((where == "976") & code.str.starts_with("975")).fill_null(False)
    return nw.when(settled).then(code).otherwise(made)


def departement_of_commune(code_commune: nw.Expr) -> nw.Expr:
    """The département in an INSEE commune code: two characters, three overseas; `ZZ` abroad."""
    overseas = code_commune.str.contains(r"^9[78]")
    return nw.when(overseas).then(code_commune.str.slice(0, 3)).otherwise(code_commune.str.slice(0, 2))


def sector(commune: nw.Expr) -> nw.Expr:
    """The sector of Paris, Lyon or Marseille in a municipal election (`SR01` of `056SR01`), an empty text elsewhere."""
    code = _plain(commune)
    return nw.when(code.str.contains(r"SR\d{2}$")).then(code.str.slice(-4)).otherwise(nw.lit(""))
