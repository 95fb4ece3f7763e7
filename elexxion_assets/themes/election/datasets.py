"""The official files of results, by level, in every layout in which they were published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from elexxion_assets.declare import Column, Dataset, Frame, Geography, Match, TextTable
from elexxion_assets.synthetic import is_synthetic
from elexxion_assets.themes.election.candidates import COLUMNS, long_rows, long_rows_of_columns
from elexxion_assets.themes.election.columns import CANDIDATURE, PARTICIPATION, VOIX
from elexxion_assets.themes.election.layouts import Layout, read_layout
from elexxion_assets.themes.election.scrutins import scrutin_of, year_of

MINISTRY = "Ministère de l'Intérieur"
PAGE = "https://www.data.gouv.fr/pages/donnees-des-elections"

_FIGURES = ("inscrits", "votants", "exprimes")

_CODES: Mapping[str, tuple[str, ...]] = {
    "commune": ("« Code de la commune »",),
    "bureau": ("« Code de la commune »", "« Code du b.vote »"),
    "canton": ("« Code du canton »",),
    "circonscription": ("« Code de la circonscription »",),
    "departement": ("« Code du département »",),
    "region": ("« Code de la région »",),
}


def release_of(table: TextTable, _rows: Mapping[str, int]) -> str:
    """Order of publication: made-up samples, then provisional results, then all others (the latest received wins)."""
    if is_synthetic(table):
        return "0-synthetique"
    names = f"{table.file} {table.member}".lower()
    return "1-provisoire" if "provisoire" in names or "temporaire" in names else "2"


def match_level(level: str, _dataset: Dataset, table: TextTable) -> Match:
    """Compares a table with the layouts of one territorial level: codes, participation, blocks of candidates."""
    layout = read_layout(table)
    if layout.names_only:
        return Match(
            score=layout.explained, missing=("votes (« Voix »): this is a list of candidates, without results",)
        )
    missing = _missing_figures(layout)
    if layout.level != level:
        missing.insert(0, _wrong_level(layout, level))
    if not layout.blocks:
        missing.append("votes per candidate (« Voix », in one block of columns per candidate)")
    return _match(layout, missing)


def match_columns_of_votes(_dataset: Dataset, table: TextTable) -> Match:
    """Compares a table with the layout that has one column of votes per candidate or nuance."""
    layout = read_layout(table)
    candidates = columns_of_votes(layout)
    missing = _missing_figures(layout)
    if not layout.level:
        missing.insert(0, "a column with the code of the territory (« departement », « commune »)")
    if layout.blocks or len(candidates) < 2:
        missing.append("one column of votes per candidate or nuance, named in capitals")
    return Match(score=layout.explained + (0 if missing else len(candidates)), missing=tuple(missing))


def match_aggregated(with_votes: bool, _dataset: Dataset, table: TextTable) -> Match:
    """Compares a table with the two aggregated files of data.gouv.fr: participation, or votes, of many elections."""
    layout = read_layout(table)
    if "id_election" not in layout.head:
        return Match(score=0, missing=("column « id_election » (such as 2022_pres_t1)",))
    missing = []
    if layout.level not in ("commune", "bureau"):
        missing.append("columns « code_commune » and « code_bv »")
    if with_votes and (not layout.blocks or "inscrits" in layout.head):
        missing.append("votes per candidate (« voix ») without participation")
    if not with_votes:
        missing += _missing_figures(layout)
        if layout.blocks:
            missing.append("participation without votes per candidate")
    return _match(layout, missing)


def columns_of_votes(layout: Layout) -> tuple[str, ...]:
    """The columns named in capitals that nothing else explains: family names or nuances."""
    return tuple(name for name in layout.unknown if name == name.upper() and any(c.isalpha() for c in name))


def normalise(_dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
    """One row per line and candidate."""
    return long_rows(frame, read_layout(table))


def normalise_columns_of_votes(_dataset: Dataset, frame: Frame, table: TextTable) -> Frame:
    """One row per line and column of votes."""
    layout = read_layout(table)
    return long_rows_of_columns(frame, layout, columns_of_votes(layout))


def unknown(_dataset: Dataset, table: TextTable) -> tuple[str, ...]:
    """The named columns that are neither territory, participation, candidates nor what says nothing more."""
    return read_layout(table).unknown


def unknown_beside_votes(_dataset: Dataset, table: TextTable) -> tuple[str, ...]:
    """The same for a file with one column of votes per candidate."""
    layout = read_layout(table)
    return tuple(name for name in layout.unknown if name not in columns_of_votes(layout))


def _missing_figures(layout: Layout) -> list[str]:
    official = {"inscrits": "Inscrits", "votants": "Votants", "exprimes": "Exprimés"}
    return [f"column « {official[name]} »" for name in _FIGURES if name not in layout.head]


def _wrong_level(layout: Layout, level: str) -> str:
    wanted = " and ".join(_CODES[level])
    if not layout.level:
        return f"column {wanted}"
    return f"one row per {level} (column {wanted}): this file has one row per {layout.level}"


def _match(layout: Layout, missing: Sequence[str]) -> Match:
    """A match; what else differs is only worth saying of a file that is taken."""
    unknown = () if missing else layout.unknown
    unused = tuple(f"column « {name} » is not in the official layouts and is not used" for name in unknown)
    return Match(score=layout.explained, missing=tuple(missing), differences=unused)


def _optional(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    return tuple(column.but(required=False) for column in columns)


_KEY = ("niveau", "code_territoire", "candidat")

GEOGRAPHY = Geography(vintage=lambda _table, scrutin: year_of(scrutin))
"""General elections are held from March on, in the communes of 1 January: nearly all mergers date from that day."""

_LEVELS = {
    "communes": ("commune", "Results by commune"),
    "bureaux": ("bureau", "Results by bureau de vote"),
    "cantons": ("canton", "Results by canton"),
    "circonscriptions": ("circonscription", "Results by circonscription législative"),
    "departements": ("departement", "Results by département"),
    "regions": ("region", "Results by région"),
}

LEVEL_DATASETS = tuple(
    Dataset(
        name=name,
        title=title,
        source=MINISTRY,
        page=PAGE,
        columns=COLUMNS,
        key=_KEY,
        period=scrutin_of,
        release=release_of,
        match=partial(match_level, level),
        normalise=normalise,
        unknown=unknown,
        geography=GEOGRAPHY if level in ("commune", "bureau") else None,
        counted=VOIX.name,
    )
    for name, (level, title) in _LEVELS.items()
)

LARGES = Dataset(
    name="larges",
    title="Results with one column per candidate or nuance",
    source=f"{MINISTRY}, rearranged by A. Augusti",
    page="https://github.com/aktiur/resultats-electoraux",
    columns=COLUMNS,
    key=_KEY,
    period=scrutin_of,
    release=release_of,
    match=match_columns_of_votes,
    normalise=normalise_columns_of_votes,
    unknown=unknown_beside_votes,
    geography=GEOGRAPHY,
    counted=VOIX.name,
)

AGREGEES_PARTICIPATION = Dataset(
    name="agregees_participation",
    title="Aggregated elections: participation by bureau de vote",
    source=f"{MINISTRY}, aggregated by data.gouv.fr",
    page="https://www.data.gouv.fr/datasets/donnees-des-elections-agregees",
    columns=tuple(_optional((c,))[0] if c in (*CANDIDATURE, VOIX) else c for c in COLUMNS),
    key=("niveau", "code_territoire"),
    period=scrutin_of,
    release=release_of,
    match=partial(match_aggregated, False),
    normalise=normalise,
    unknown=unknown,
    geography=GEOGRAPHY,
    addresses=("https://object.files.data.gouv.fr/data-pipeline-open/elections/general_results.parquet",),
)

AGREGEES_CANDIDATS = Dataset(
    name="agregees_candidats",
    title="Aggregated elections: votes per candidate by bureau de vote",
    source=f"{MINISTRY}, aggregated by data.gouv.fr",
    page="https://www.data.gouv.fr/datasets/donnees-des-elections-agregees",
    columns=tuple(_optional((c,))[0] if c in PARTICIPATION else c for c in COLUMNS),
    key=_KEY,
    period=scrutin_of,
    release=release_of,
    match=partial(match_aggregated, True),
    normalise=normalise,
    unknown=unknown,
    geography=GEOGRAPHY,
    counted=VOIX.name,
    addresses=("https://object.files.data.gouv.fr/data-pipeline-open/elections/candidats_results.parquet",),
)

DATASETS = (*LEVEL_DATASETS, LARGES, AGREGEES_PARTICIPATION, AGREGEES_CANDIDATS)
"""In order of preference: where two give the same territory, the first is taken."""
