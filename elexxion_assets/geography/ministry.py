"""From the codes that the ministry of the Interior publishes to INSEE's (Code officiel géographique).

The ministry writes the département and the commune apart (`1`, `4` for 01004), overseas départements in letters, and a
commune overseas by its last three characters. Since 2024 `Code commune` holds all five characters already. Codes that
a spreadsheet took for numbers (`1004`, `1.0`) are mended. What is no commune of the COG keeps a code of its own:
polling abroad `ZZ001`, Wallis-et-Futuna counted as one unit `98601`.

Source: headers and values of the ministry's files of 2012, 2017, 2022 and 2024 on data.gouv.fr.
"""

from __future__ import annotations

from collections.abc import Iterable

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

DEPARTEMENT_PATTERN = r"(?:0[1-9]|[1-8][0-9]|9[0-5]|2[AB]|97[1-8]|98[678]|ZX|ZZ)"
"""Codes that `departement_insee` gives: the COG's, and the two that only the ministry has."""

COMMUNE_PATTERN = r"(?:[0-9]{2}|2[AB]|ZZ)[0-9]{3}"
"""Codes that `commune_insee` gives."""


def _plain(code: nw.Expr) -> nw.Expr:
    """A code without blanks and without the `.0` of a spreadsheet, in capitals."""
    return code.str.strip_chars().str.to_uppercase().str.replace_all(r"\.0$", "")


def _rewritten(text: nw.Expr, rules: Iterable[tuple[str, str]]) -> nw.Expr:
    """A text after regular expressions applied one after the other: one chain, which stays small on any engine."""
    for pattern, replacement in rules:
        text = text.str.replace_all(pattern, replacement)
    return text


def departement_insee(departement: nw.Expr) -> nw.Expr:
    """The INSEE code of a département from the ministry's.

    Args:
        departement: Text such as `1`, `01`, `2A`, `ZA`, `971`, `ZZ`.

    Returns:
        Text such as `01`, `2A`, `971`; `ZX` and `ZZ` stay. Other texts pass as they are and break the column's pattern.
    """
    letters = ((f"^{code}$", insee) for code, insee in OVERSEAS.items())
    return _rewritten(
        _plain(departement), [(r"^0([0-9][0-9]|2[AB])$", "$1"), (r"^([0-9])$", "0$1"), (r"^99$", ABROAD), *letters]
    )


_PACIFIC = (("ZN", "988"), ("ZP", "987"), ("ZW", "986"))

_COMMUNE_RULES = (
    (r"SR[0-9]{2}$", ""),  # the sector of a large city
    (r"^[^|]*\|([0-9]{4})$", "=0$1"),  # a whole code whose zero a spreadsheet cut
    (r"^(?:ZM|976)\|975([0-9][0-9])$", "=976$1"),
    (r"^[^|]*\|((?:[0-9]{2}|2[AB])[0-9]{3})$", "=$1"),  # a whole code
    (r"^[^|]*\|(Z[A-Z])([0-9]{3})$", "$1|$2"),
    (r"\|([0-9])$", "|00$1"),
    (r"\|([0-9][0-9])$", "|0$1"),
    (r"^([0-9])\|", "0$1|"),
    (r"^0([0-9][0-9]|2[AB])\|", "$1|"),
    (r"^99\|", f"{ABROAD}|"),
    # Overseas the first of the three digits repeats the département's last one. Mayotte (501 until 2017, 601 since) and
    # the Pacific do not keep to it: there only the last two digits count.
    (r"^(?:Z[ABCDSX]|97[1234578])\|([0-9]{3})$", "=97$1"),
    (r"^(?:ZM|976)\|[0-9]([0-9][0-9])$", "=976$1"),
    *((rf"^(?:{letters}|{insee})\|[0-9]([0-9][0-9])$", f"={insee}$1") for letters, insee in _PACIFIC),
    (r"^([^|=]{2})\|([0-9]{3})$", "=$1$2"),
    (r"^[^=].*$", ""),
    (r"^=", ""),
)


def commune_insee(departement: nw.Expr, commune: nw.Expr) -> nw.Expr:
    """The INSEE code of a commune from the ministry's codes of the département and of the commune.

    Args:
        departement: Text such as `1`, `ZM`; only looked at where `commune` does not hold it.
        commune: Text such as `4`, `004`, `01004`, `1004`, `ZX701`; the sector of `056SR01` is left out.

    Returns:
        Text of five characters, empty where no code can be made, null where there is no commune. Paris, Lyon and
        Marseille are 75056, 69123 and 13055.
    """
    return commune_of_codes(published_codes(departement, commune))


def published_codes(departement: nw.Expr, commune: nw.Expr) -> nw.Expr:
    """The ministry's codes of a département and of a commune in one text, `ZM|501`; null where there is no commune."""
    where = nw.coalesce(_plain(departement), nw.lit(""))
    return nw.concat_str([where, nw.lit("|"), _plain(commune)])


def commune_of_codes(codes: nw.Expr) -> nw.Expr:
    """What `commune_insee` gives, from `published_codes`: of a whole file, each different text needs one look only."""
    return _rewritten(codes, _COMMUNE_RULES)


def departement_of_commune(code_commune: nw.Expr) -> nw.Expr:
    """The département in an INSEE commune code: two characters, three overseas; `ZZ` abroad."""
    overseas = code_commune.str.contains("^9[78][0-9]")
    return nw.when(overseas).then(code_commune.str.slice(0, 3)).otherwise(code_commune.str.slice(0, 2))


def sector(commune: nw.Expr) -> nw.Expr:
    """The sector of Paris, Lyon or Marseille in a municipal election (`SR01` of `056SR01`), an empty text elsewhere."""
    code = _plain(commune)
    return nw.when(code.str.contains(r"SR[0-9]{2}$")).then(code.str.slice(-4)).otherwise(nw.lit(""))
