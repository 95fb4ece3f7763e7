"""Elections and rounds (scrutins): their keys, and which one a file is about.

A file hardly ever says it. What it holds does: the names of the candidates of a présidentielle, the nuances of
législatives, which change every year, the number of candidates, which tells the round. The name of the file only
fills what the content leaves open, and the person's `--scrutin` has the last word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import groupby
from statistics import median

import narwhals as nw

from elexxion_assets.declare import Calendar, Expected, Refusal, TextTable, slug
from elexxion_assets.themes.election import blocs
from elexxion_assets.themes.election.layouts import Layout, read_layout

YEARS: Mapping[str, tuple[int, ...]] = {
    "presidentielle": (1965, 1969, 1974, 1981, 1988, 1995, 2002, 2007, 2012, 2017, 2022),
    "legislatives": (
        1958,
        1962,
        1967,
        1968,
        1973,
        1978,
        1981,
        1986,
        1988,
        1993,
        1997,
        2002,
        2007,
        2012,
        2017,
        2022,
        2024,
    ),
    "europeennes": (1979, 1984, 1989, 1994, 1999, 2004, 2009, 2014, 2019, 2024),
    "municipales": (1959, 1965, 1971, 1977, 1983, 1989, 1995, 2001, 2008, 2014, 2020, 2026),
    "regionales": (1986, 1992, 1998, 2004, 2010, 2015, 2021),
    "departementales": (2015, 2021),
    "cantonales": (1992, 1994, 1998, 2001, 2004, 2008, 2011),
}
"""General elections since 1958; by-elections (partielles) are none."""

LAST_KNOWN_YEAR = 2026
"""After this year any kind of election is thought possible."""

_ONE_ROUND = ("europeennes",)

_SHORT = {
    "pres": "presidentielle",
    "legi": "legislatives",
    "euro": "europeennes",
    "muni": "municipales",
    "regi": "regionales",
    "dpmt": "departementales",
    "cant": "cantonales",
}
"""Kinds as written in the `id_election` of the aggregated files of data.gouv.fr."""


class Scrutins:
    """Keys such as `2022-presidentielle-t1`: year, kind, round. They sort by year; inside a year by kind and round."""

    description = "an election and its round, such as 2022-presidentielle-t1"
    pattern = rf"[0-9]{{4}}-(?:{'|'.join(YEARS)})-t[12]"

    def problem(self, key: str) -> str | None:
        """Why `key` is not a general election of one of the kinds known here, or None when it is one."""
        if not re.fullmatch(self.pattern, key):
            return f"« {key} » is not {self.description} (kinds: {', '.join(YEARS)})"
        year, kind, rank = key.split("-")
        if int(year) <= LAST_KNOWN_YEAR and int(year) not in YEARS[kind]:
            known = ", ".join(str(y) for y in YEARS[kind][-4:])
            return f"there was no general election « {kind} » in {year}; the latest were in {known}"
        if kind in _ONE_ROUND and rank != "t1":
            return f"« {kind} » have one round: {year}-{kind}-t1"
        return None


FIRST_ROUNDS: Mapping[tuple[int, str], date] = {
    (1999, "europeennes"): date(1999, 6, 13),
    (2001, "municipales"): date(2001, 3, 11),
    (2001, "cantonales"): date(2001, 3, 11),
    (2002, "presidentielle"): date(2002, 4, 21),
    (2002, "legislatives"): date(2002, 6, 9),
    (2004, "regionales"): date(2004, 3, 21),
    (2004, "cantonales"): date(2004, 3, 21),
    (2004, "europeennes"): date(2004, 6, 13),
    (2007, "presidentielle"): date(2007, 4, 22),
    (2007, "legislatives"): date(2007, 6, 10),
    (2008, "municipales"): date(2008, 3, 9),
    (2008, "cantonales"): date(2008, 3, 9),
    (2009, "europeennes"): date(2009, 6, 7),
    (2010, "regionales"): date(2010, 3, 14),
    (2011, "cantonales"): date(2011, 3, 20),
    (2012, "presidentielle"): date(2012, 4, 22),
    (2012, "legislatives"): date(2012, 6, 10),
    (2014, "municipales"): date(2014, 3, 23),
    (2014, "europeennes"): date(2014, 5, 25),
    (2015, "departementales"): date(2015, 3, 22),
    (2015, "regionales"): date(2015, 12, 6),
    (2017, "presidentielle"): date(2017, 4, 23),
    (2017, "legislatives"): date(2017, 6, 11),
    (2019, "europeennes"): date(2019, 5, 26),
    (2020, "municipales"): date(2020, 3, 15),
    (2021, "regionales"): date(2021, 6, 20),
    (2021, "departementales"): date(2021, 6, 20),
    (2022, "presidentielle"): date(2022, 4, 10),
    (2022, "legislatives"): date(2022, 6, 12),
    (2024, "europeennes"): date(2024, 6, 9),
    (2024, "legislatives"): date(2024, 6, 30),
    (2026, "municipales"): date(2026, 3, 15),
}
"""Days of the first rounds in mainland France, by the decrees that called the electors."""


_LATE_SECOND_ROUNDS: Mapping[tuple[int, str], date] = {(2020, "municipales"): date(2020, 6, 28)}
"""Second rounds that did not come a week (a présidentielle: two) after the first."""

DAYS_TO_PUBLISH = 14
"""Days in which the ministry publishes the definitive results of a round, with some grace."""


def results_expected(datasets: tuple[str, ...]) -> Calendar:
    """The results of every election whose day is known, two weeks after each round."""

    def calendar(today: date) -> Iterator[Expected]:
        for (year, kind), first in FIRST_ROUNDS.items():
            second = first + timedelta(weeks=2 if kind == "presidentielle" else 1)
            rounds = [first, _LATE_SECOND_ROUNDS.get((year, kind), second)]
            for rank, day in enumerate(rounds[: 1 if kind in _ONE_ROUND else 2], start=1):
                due = day + timedelta(days=DAYS_TO_PUBLISH)
                yield Expected(datasets=datasets, period=f"{year}-{kind}-t{rank}", due=due)

    return calendar


def year_of(scrutin: str) -> int:
    """The year in a key."""
    return int(scrutin[:4])


def election_of(scrutin: str) -> tuple[int, str, int]:
    """Year, kind and round of a key."""
    year, kind, rank = scrutin.split("-")
    return int(year), kind, int(rank[1:])


def day_of(scrutin: str) -> date:
    """The day of the vote; the first of January of its year where it is not in `FIRST_ROUNDS`."""
    year, kind, rank = election_of(scrutin)
    if (year, kind, rank) == (2020, "municipales", 2):
        return date(2020, 6, 28)  # put off from March
    weeks = (rank - 1) * (2 if kind == "presidentielle" else 1)
    return FIRST_ROUNDS.get((year, kind), date(year, 1, 1)) + timedelta(weeks=weeks)


def was_before(earlier: str, later: str) -> bool:
    """Whether the results of one scrutin were known when another was held.

    Of two elections of a year whose days are not in `FIRST_ROUNDS`, neither is before the other.
    """
    (year, kind, rank), (later_year, later_kind, later_rank) = election_of(earlier), election_of(later)
    if year != later_year:
        return year < later_year
    if kind == later_kind:
        return rank < later_rank
    days = FIRST_ROUNDS.get((year, kind)), FIRST_ROUNDS.get((later_year, later_kind))
    return days[0] is not None and days[1] is not None and (days[0], rank) < (days[1], later_rank)


def in_order(scrutins: Iterable[str]) -> list[str]:
    """Keys in the order in which the elections were held, as far as it is known; others by kind and round."""

    def day(scrutin: str) -> tuple[date, int, str]:
        year, kind, rank = election_of(scrutin)
        return FIRST_ROUNDS.get((year, kind), date(year, 1, 1)), rank, kind

    return sorted(scrutins, key=day)


@dataclass(frozen=True)
class Evidence:
    """What is known of a scrutin, each part possibly unknown."""

    year: int | None = None
    kind: str | None = None
    round: int | None = None

    def or_else(self, other: Evidence) -> Evidence:
        """Fills what is unknown from another source, unless the two speak of different elections."""
        if self.kind and other.kind and self.kind != other.kind:
            return replace(self, round=self.round or other.round)
        return Evidence(self.year or other.year, self.kind or other.kind, self.round or other.round)

    @property
    def key(self) -> str | None:
        """The key, when all is known."""
        rank = 1 if self.kind in _ONE_ROUND else self.round
        return f"{self.year}-{self.kind}-t{rank}" if self.year and self.kind and rank else None

    def words(self) -> str:
        """What is known, for people."""
        parts = [str(self.year or ""), self.kind or "", f"round {self.round}" if self.round else ""]
        return " ".join(part for part in parts if part) or "nothing"


_FINALISTS: Mapping[int, frozenset[str]] = {
    2002: frozenset({"CHIRAC", "LE PEN"}),
    2007: frozenset({"SARKOZY", "ROYAL"}),
    2012: frozenset({"HOLLANDE", "SARKOZY"}),
    2017: frozenset({"MACRON", "LE PEN"}),
    2022: frozenset({"MACRON", "LE PEN"}),
}

_NUANCES_OF_LEGISLATIVES: Mapping[int, frozenset[str]] = {
    2002: frozenset({"PREP", "MNR", "UDF", "DL", "RPF"}),
    2007: frozenset({"UDFD", "MAJ"}),
    2012: frozenset({"FG", "NCE", "ALLI", "PRV", "CEN"}),
    2017: frozenset({"REM", "DLF"}),
    2022: frozenset({"NUP", "DXG", "DXD"}),
    2024: frozenset({"UG", "UXD", "HOR", "REN"}),
}
"""Nuances that candidates of législatives had in one year only."""

_NUANCES_OF_LISTS: Mapping[tuple[int, str], frozenset[str]] = {
    (2009, "europeennes"): frozenset({"LCOP"}),
    (2014, "europeennes"): frozenset(),
    (2024, "europeennes"): frozenset({"LENS"}),
    (2014, "municipales"): frozenset({"LPG"}),
    (2020, "municipales"): frozenset({"LGJ", "LNC"}),
    (2021, "regionales"): frozenset({"LUGE", "LUCD", "LUCG"}),
    (2026, "municipales"): frozenset({"LUDR", "LUXD", "LHOR", "LREN"}),
}
"""Nuances that lists had in one election only."""

_NO_NUANCE = frozenset({"NC", "LNC", "BC-NC"})
"""What the ministry writes for candidates and lists to whom it gave no nuance."""

_OF_LISTS = frozenset({"liste", "liste_abregee", "tete_de_liste"})
"""Fields of a block that only lists have."""

_FIRST_PUBLISHED = 1999
"""The first year of which the ministry publishes files."""

_STYLE_OF_2022 = frozenset({2021, 2022})
"""Years of files called « resultats-par-niveau », which tell the state of the count (« Etat saisie »)."""

_STYLE_OF_2024 = frozenset({2024, 2026})
"""Years of files with numbered columns, such as « % Voix/inscrits 1 »."""

_EUROPEENNES_2014 = frozenset({"LDIV", "LDVD", "LDVG", "LEXD", "LEXG", "LFG", "LFN", "LUC", "LUG", "LUMP", "LVEC"})

_HEADS_OF_2019 = frozenset({"BARDELLA", "LOISEAU", "JADOT", "BELLAMY", "AUBRY", "GLUCKSMANN", "BROSSAT"})


def scrutin_of(table: TextTable) -> nw.Expr | str:
    """The scrutin of every row of a table: one key, or an expression for files that hold several.

    Args:
        table: Facts about the table, with its sample.

    Returns:
        A key of `Scrutins`, or an expression of such keys.

    Raises:
        Refusal: `unknown_scrutin` when it cannot be told, `partial_election` for a by-election.
    """
    layout = read_layout(table)
    if "id_election" in layout.head:
        return _from_identifier(nw.col(layout.head["id_election"]))
    if hint := table.hints.get("scrutin"):
        if problem := Scrutins().problem(hint):
            raise Refusal("unknown_scrutin", problem)
        return hint
    if "partielle" in slug(f"{table.file} {table.member}"):
        raise Refusal("partial_election", "By-elections (élections partielles) are not part of this theme.")
    said = _from_names(table)
    seen = _from_content(table, layout)
    found = _completed(seen.or_else(said), table, layout)
    if "tour" in layout.head and found.year and found.kind:
        rank = nw.col(layout.head["tour"]).str.strip_chars()
        key_of_row = nw.concat_str([nw.lit(f"{found.year}-{found.kind}-t"), rank])
        return nw.when(rank.is_in(["1", "2"])).then(key_of_row)
    key = found.key
    if key is not None and Scrutins().problem(key) is None:
        return key
    raise Refusal(
        "unknown_scrutin",
        f"Cannot tell which election this is: the content shows {seen.words()}, the names of file and sheet "
        f"{said.words()}. Say it: elexxion drop --scrutin 2022-presidentielle-t1 « {table.file} »",
    )


def presidentielle_of(names: Iterable[str]) -> Evidence:
    """Which présidentielle had these candidates.

    Args:
        names: Family names, with or without accents.

    Returns:
        Year, kind and round; without the year where two elections had the same finalists.
    """
    seen = {blocs.plain(name) for name in names}
    if len(seen) < 2:
        return Evidence()
    if len(seen) == 2:
        years = [year for year, finalists in _FINALISTS.items() if seen == finalists]
        if not years:
            return Evidence()
        return Evidence(years[0] if len(years) == 1 else None, "presidentielle", 2)
    for year, candidates in blocs.presidential_candidates().items():
        if seen <= {blocs.plain(family) for family in candidates}:
            return Evidence(year, "presidentielle", 1)
    return Evidence()


def _from_identifier(identifier: nw.Expr) -> nw.Expr:
    """Keys from identifiers such as `2022_pres_t1`; null for others."""
    short = identifier.str.slice(5, 4)
    kind = nw.lit(None, dtype=nw.String())
    for code, name in _SHORT.items():
        kind = nw.when(short == code).then(nw.lit(name)).otherwise(kind)
    key = nw.concat_str([identifier.str.slice(0, 4), kind, identifier.str.slice(10, 2)], separator="-")
    return nw.when(identifier.str.contains(r"^[0-9]{4}_[a-z]{4}_t[12]$")).then(key)


def _from_names(table: TextTable) -> Evidence:
    """What the names of file and sheet and the lines above the header say."""
    text = " ".join([table.file, table.member, *table.preamble])
    plain = re.sub(r"[\W_]+", " ", blocs.plain(text)).strip().lower()
    plain = re.sub(r"(?<=[a-z])(?=[0-9])|(?<=[0-9])(?=[a-z])", " ", plain)
    year = next((int(found) for found in re.findall(r"\b(?:19|20)[0-9][0-9]\b", plain)), None)
    if year is None and (short := re.search(r"\b(?:pr|lg|leg|eu|euro|mn|rg|reg)\s?([0-9][0-9])\b", plain)):
        year = 2000 + int(short.group(1))
    kinds = {
        "presidentielle": r"presidentiel|\bpr(?:es)?\b",
        "legislatives": r"legislati|\b(?:leg|legi|lg)\b",
        "europeennes": r"europeen|\b(?:euro|eu)\b",
        "municipales": r"municipal|\b(?:muni|mn)\b",
        "regionales": r"elections? regionales?|\bregionales\b|\brg\b|\breg (?:15|21)\b",
        "departementales": r"departementales",
        "cantonales": r"cantonales",
    }
    kind = next((kind for kind, words in kinds.items() if re.search(words, plain)), None)
    rank = re.search(
        r"\bt ?([12])\b|\btour ?([12])\b|\b([12]) ?(?:er?|e|eme|nd|re) tour\b|(premier|second|deuxieme) tour", plain
    )
    spoken = {"premier": "1", "second": "2", "deuxieme": "2"}
    number = next((spoken.get(group, group) for group in rank.groups() if group), None) if rank else None
    return Evidence(year, kind, int(number) if number else None)


def _from_content(table: TextTable, layout: Layout) -> Evidence:
    """What candidates, nuances and their number say."""
    if not layout.blocks:
        return _from_column_names(layout.unknown)
    names = _values(table, layout, "nom")
    nuances = _nuances(table, layout)
    if names and (found := presidentielle_of(names)).kind:
        return found
    lists = bool(layout.fields() & _OF_LISTS)
    heads = {word for value in _values(table, layout, "tete_de_liste") for word in blocs.plain(value).split()}
    if lists and len(heads & _HEADS_OF_2019) >= 4:
        return Evidence(2019, "europeennes", 1)
    if lists or (nuances and all(nuance.startswith("L") for nuance in nuances - {"NC"}) and not names):
        return _lists(nuances, table)
    if any(nuance.startswith("BC-") for nuance in nuances):
        return Evidence(None, "departementales", _round(table, layout))
    year = next((year for year, own in _NUANCES_OF_LEGISLATIVES.items() if nuances & own), None)
    if year is None:
        return Evidence()
    return Evidence(year, "legislatives", _round(table, layout) if names else None)


def _from_column_names(names: Sequence[str]) -> Evidence:
    """Files with one column per candidate or nuance."""
    if (found := presidentielle_of([name for name in names if name.upper() == name])).kind:
        return found
    if frozenset(names) & _EUROPEENNES_2014 and frozenset(names) <= _EUROPEENNES_2014:
        return Evidence(2014, "europeennes", 1)
    year = next((year for year, own in _NUANCES_OF_LEGISLATIVES.items() if set(names) & own), None)
    return Evidence(year, "legislatives") if year else Evidence()


def _lists(nuances: set[str], table: TextTable) -> Evidence:
    found = next((which for which, own in _NUANCES_OF_LISTS.items() if nuances & own), None)
    if found is not None:
        year, kind = found
        return Evidence(year, kind, 1 if kind in _ONE_ROUND else None)
    if nuances and nuances == _EUROPEENNES_2014:
        return Evidence(2014, "europeennes", 1)
    seats = [slug(column) for column in table.columns]
    if "libelledelasectionelectorale" in seats:
        return Evidence(None, "regionales")
    if any(re.search(r"sieges(cc|aucc|cm|aucm|secteur)", name) for name in seats):
        return Evidence(None, "municipales")
    return Evidence()


def _completed(found: Evidence, table: TextTable, layout: Layout) -> Evidence:
    """What content and names leave open, from nuances that several elections share and from the style of the file."""
    names = bool(_values(table, layout, "nom"))
    by_canton = "code_canton" in layout.head and "code_circonscription" not in layout.head
    if found.kind is None and names and not by_canton and _fitting("legislatives", _nuances(table, layout)):
        found = replace(found, kind="legislatives", round=found.round or _round(table, layout))
    if found.kind is None and layout.fields() & _OF_LISTS:
        found = _one_of_lists(_nuances(table, layout)).or_else(found)
    if found.kind is not None and found.year is None:
        found = replace(found, year=_year_of(found.kind, table, layout))
    if found.kind == "legislatives" and found.round is None and not names:
        found = replace(found, round=_round_of_nuances(table, layout))
    return found


def _one_of_lists(nuances: set[str]) -> Evidence:
    """The one election by lists of which every nuance seen is known."""
    kinds = ("europeennes", "municipales", "regionales")
    fitting = [Evidence(year, kind) for kind in kinds for year in _fitting(kind, nuances)]
    return fitting[0] if len(fitting) == 1 else Evidence()


def _nuances(table: TextTable, layout: Layout) -> set[str]:
    return {value.upper() for value in _values(table, layout, "nuance")}


def _fitting(kind: str, nuances: set[str]) -> frozenset[int]:
    """The years of a kind of election of which every nuance seen is known; none where none was seen."""
    known = blocs.nuances_of(kind)
    return frozenset(year for year, own in known.items() if nuances and nuances - _NO_NUANCE <= own)


def _year_of(kind: str, table: TextTable, layout: Layout) -> int | None:
    """The one year that nuances and the style of header and name leave possible for a kind of election."""
    years = {year for year in YEARS[kind] if year >= _FIRST_PUBLISHED}
    names = {slug(name) for name in table.columns}
    if any(name.startswith("%voixinscrits") for name in names):
        years &= _STYLE_OF_2024
    elif "etat_saisie" in layout.head or "resultatsparniveau" in slug(table.file):
        years &= _STYLE_OF_2022
    if nuances := _nuances(table, layout):
        years &= _fitting(kind, nuances)
    return years.pop() if len(years) == 1 else None


def _values(table: TextTable, layout: Layout, field: str) -> set[str]:
    """The values of a field in all blocks of the sample."""
    columns = [block[field] for block in layout.blocks if field in block]
    positions = [table.columns.index(column) for column in columns]
    values = (row[position] for row in table.sample for position in positions if position < len(row))
    return {value.strip() for value in values if value and value.strip()}


def _round_of_nuances(table: TextTable, layout: Layout) -> int | None:
    """The round of législatives of which only the votes of each nuance are told: the first has many more of them."""
    if layout.level in ("canton", "circonscription"):
        return _round(table, layout)
    number = _usual_number(table, layout)
    return None if number is None or 6 < number < 8 else (1 if number >= 8 else 2)


def _round(table: TextTable, layout: Layout) -> int | None:
    """The round, from the number of candidates in each territory: four and more is a first round."""
    usual = _usual_number(table, layout)
    if usual is None or 3 < usual < 4:
        return None
    return 1 if usual >= 4 else 2


def _usual_number(table: TextTable, layout: Layout) -> float | None:
    """The number of candidates that is usual in a territory of the sample."""
    positions = [table.columns.index(block["voix"]) for block in layout.blocks]
    if len(positions) == 1:
        codes = [table.columns.index(column) for field, column in layout.head.items() if field.startswith("code_")]
        territories = [tuple(row[position] for position in codes) for row in table.sample]
        # The sample may end inside the last territory.
        filled = [len(list(rows)) for _, rows in groupby(territories)][:-1]
    else:
        filled = [sum(1 for p in positions if p < len(row) and (row[p] or "").strip()) for row in table.sample]
    return median(filled) if filled else None
