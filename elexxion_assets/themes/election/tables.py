"""Tables of the election theme: participation and results in silver, communes and départements in gold.

Silver keeps the published code beside the commune of the target vintage; the rows of a commune that was split since are
there once per target. Gold of communes speaks of the communes of the target vintage: counts are sums of count x `part`,
kept as numbers, because those of a split commune are shared out; where `est_partage` is false they are whole. Two units
stay what the ministry makes of them: Wallis-et-Futuna (98601), and polling abroad (ZZ001 and the like).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import narwhals as nw

from elexxion_assets.declare import Column, Dataset, Frame, Kind, Layer, Rule, Table
from elexxion_assets.declare.frames import known_to_be_empty
from elexxion_assets.geography.ministry import departement_of_commune
from elexxion_assets.themes.election import blocs
from elexxion_assets.themes.election.columns import (
    ABSTENTIONS,
    BLANCS,
    BLANCS_ET_NULS,
    CANDIDAT,
    CANDIDATURE,
    CIBLE,
    CODE_COMMUNE,
    CODE_DEPARTEMENT,
    EXPRIMES,
    INSCRITS,
    LIBELLE,
    NIVEAU,
    NUANCE,
    NULS,
    PARTICIPATION,
    SCRUTIN,
    TERRITOIRE,
    VOIX,
    VOTANTS,
)
from elexxion_assets.themes.election.datasets import DATASETS

BLOC = Column(
    name="bloc",
    kind=Kind.TEXT,
    description="Political bloc of the candidate or nuance, by the reference table of the theme (blocs.csv)",
    isin=blocs.BLOCS,
    required=False,
    examples=("gauche", "centre"),
    counter_examples=("LFI",),
    warning="A convention, not a fact; null where the reference table does not know the nuance.",
)
SOMME_VOIX = VOIX.but(
    name="somme_voix",
    description="Votes of all candidates together, where the source gives them; should be equal to exprimes",
    required=False,
)

_PLACE = [column.name for column in TERRITOIRE]
_TARGET = [column.name for column in CIBLE]
_FIGURES = [column.name for column in PARTICIPATION]
_VOTE = [column.name for column in (*CANDIDATURE, VOIX)]

_WALLIS_ET_FUTUNA = "98601"
_FIRST_OF_WALLIS_ET_FUTUNA = "98611"


def participation(*frames: Frame, period: str) -> Frame:
    """One row per territory and target commune, from the first dataset that has the territory."""
    parts = []
    for preference, frame in _with_targets(frames):
        told = frame.filter(~nw.col("inscrits").is_null())
        units = told.group_by("niveau", "code_territoire", "code_commune_cible").agg(
            *(nw.col(name).min() for name in _PLACE[2:]),
            *(nw.col(name).min() for name in _TARGET[1:]),
            *(nw.col(name).min() for name in _FIGURES),
            nw.col("voix").sum().alias("somme_voix"),
            nw.col("voix").count().alias("_candidates"),
            nw.col("_delivery").min(),
            nw.col("_line").min(),
        )
        parts.append(units.with_columns(nw.lit(preference).alias("_preference")))
    counted = nw.when(nw.col("_candidates") > 0).then(nw.col("somme_voix"))
    return _preferred(parts).with_columns(nw.lit(period).alias("scrutin"), counted.alias("somme_voix"))


def resultats(*frames: Frame, period: str) -> Frame:
    """One row per territory, target commune and candidate, from the first dataset that has the territory."""
    parts = [
        frame.filter(~nw.col("voix").is_null() & ~nw.col("candidat").is_null()).select(
            *_PLACE, *_TARGET, *_VOTE, "_delivery", "_line", nw.lit(preference).alias("_preference")
        )
        for preference, frame in _with_targets(frames)
    ]
    return _preferred(parts).with_columns(nw.lit(period).alias("scrutin"), blocs.bloc(period).alias("bloc"))


def _with_targets(frames: Sequence[Frame]) -> Iterator[tuple[int, Frame]]:
    """The frames of the datasets that hold anything, by preference, each with the commune in which every row counts."""
    held = [preference for preference, frame in enumerate(frames) if not known_to_be_empty(frame)]
    for preference in held or [0]:
        yield preference, _with_target(DATASETS[preference], frames[preference])


def _with_target(dataset: Dataset, frame: Frame) -> Frame:
    """The rows of a dataset, each with the commune in which it counts."""
    if dataset.geography is None:
        return frame.with_columns(nw.lit(None, dtype=column.kind.dtype).alias(column.name) for column in CIBLE)
    code, target, placed = nw.col("code_commune"), nw.col("code_commune_cible"), ~nw.col("code_commune").is_null()
    # The ministry counts Wallis-et-Futuna as one; nobody knows how its three circonscriptions voted.
    is_wallis = (code == _WALLIS_ET_FUTUNA).fill_null(value=False)
    return frame.filter(~is_wallis | (target == _FIRST_OF_WALLIS_ET_FUTUNA)).with_columns(
        nw.when(is_wallis).then(code).otherwise(target).alias("code_commune_cible"),
        nw.when(is_wallis).then(nw.lit(1.0)).otherwise(nw.col("part")).alias("part"),
        nw.when(is_wallis)
        .then(nw.lit("Wallis-et-Futuna, kept as one"))
        .otherwise(nw.when(placed).then(nw.col("motif")))
        .alias("motif"),
    )


def _preferred(parts: list[Frame]) -> Frame:
    """The rows of each territory that come from the first dataset that has it."""
    if len(parts) == 1:
        return parts[0]
    unit = ("niveau", "code_territoire")
    rows = nw.concat(parts)
    # A join with the short list of territories streams; a window over the rows would hold all of them in memory.
    first = rows.select(*unit, "_preference").group_by(*unit).agg(nw.col("_preference").min())
    return rows.join(first, on=[*unit, "_preference"], how="semi")


def _finest(frame: Frame, unit: str, levels: tuple[str, ...]) -> Frame:
    """The rows of the first level, in the order given, at which each unit is known: no vote is counted twice."""
    order = nw.lit(None, dtype=nw.Int64())
    for position, level in enumerate(levels):
        order = nw.when(nw.col("niveau") == level).then(nw.lit(position)).otherwise(order)
    known = frame.with_columns(order.alias("_order")).filter(~nw.col("_order").is_null() & ~nw.col(unit).is_null())
    first = known.select(unit, "_order").group_by(unit).agg(nw.col("_order").min())
    return known.join(first, on=[unit, "_order"], how="semi").drop("_order")


_GRAIN = 2**20


def _carried(rows: Frame, figures: Iterable[str]) -> Frame:
    """Rows with the target as `code_commune`, the published code as `_published`, and the figures times `part`.

    Shares are rounded to multiples of 1 / 2^20, and one target of each split commune takes what is then left of 1:
    floating sums of such products are exact in any order, so that no elector and no vote is lost or made up.
    """
    shared = (nw.col("part") < 1).fill_null(value=False)
    rounded = ((nw.col("part") * _GRAIN).cast(nw.Int64()) / _GRAIN).alias("_rounded")
    shares = rows.filter(shared).select("code_commune", "code_commune_cible", rounded).unique()
    whole = shares.group_by("code_commune").agg(
        nw.col("_rounded").sum().alias("_given"), nw.col("code_commune_cible").min().alias("code_commune_cible")
    )
    left = whole.with_columns((1 - nw.col("_given")).alias("_left")).drop("_given")
    exact = shares.join(left, on=["code_commune", "code_commune_cible"], how="left").with_columns(
        (nw.col("_rounded") + nw.col("_left").fill_null(0.0)).alias("_exact")
    )
    joined = rows.join(
        exact.drop("_rounded", "_left"), on=["code_commune", "code_commune_cible"], how="left"
    ).with_columns(nw.coalesce(nw.col("_exact"), nw.lit(1.0)).alias("_exact"))
    return joined.with_columns(
        *((nw.col(name) * nw.col("_exact")).alias(name) for name in figures),
        nw.col("code_commune").alias("_published"),
        nw.col("code_commune_cible").alias("code_commune"),
    ).drop("code_commune_cible", "_exact")


def _sums(frame: Frame, keys: tuple[str, ...], names: list[str], *others: nw.Expr) -> Frame:
    """Sums of columns by key, null where no row of the group has a value."""
    summed = frame.group_by(*keys).agg(
        *(nw.col(name).sum() for name in names),
        *(nw.col(name).count().alias(f"_{name}") for name in names),
        *others,
    )
    return summed.with_columns(*(nw.when(nw.col(f"_{name}") > 0).then(nw.col(name)).alias(name) for name in names))


def _percent(part: str, whole: str) -> nw.Expr:
    """A share, null where the part is larger than the whole: a slip in the source, or several votes per elector."""
    is_share = (nw.col(whole) > 0) & (nw.col(part) <= nw.col(whole))
    return nw.when(is_share).then(nw.col(part) * 100.0 / nw.col(whole))


def _votes_of_blocs(votes: Frame, key: str) -> Frame:
    """Votes of each bloc by unit, and the bloc in front, null where two share the first place."""
    by_bloc = [
        nw.when(nw.col("bloc") == bloc).then(nw.col("voix")).otherwise(nw.lit(0.0)).alias(f"voix_{bloc}")
        for bloc in blocs.BLOCS
    ]
    unknown = nw.when(nw.col("bloc").is_null()).then(nw.col("voix")).otherwise(nw.lit(0.0)).alias("voix_sans_bloc")
    names = [*(f"voix_{bloc}" for bloc in blocs.BLOCS), "voix_sans_bloc"]
    totals = votes.select(key, *by_bloc, unknown).group_by(key).agg(*(nw.col(name).sum() for name in names))
    best = nw.max_horizontal(*(nw.col(name) for name in names[:-1]))
    totals = totals.with_columns(best.alias("_best"))
    ties = nw.sum_horizontal(*((nw.col(name) == nw.col("_best")).cast(nw.Int64()) for name in names[:-1]))
    front = nw.lit(None, dtype=nw.String())
    for bloc in blocs.BLOCS:
        front = nw.when(nw.col(f"voix_{bloc}") == nw.col("_best")).then(nw.lit(bloc)).otherwise(front)
    alone = nw.when((ties == 1) & (nw.col("_best") > 0)).then(front)
    return totals.with_columns(alone.alias("bloc_en_tete"))


def _indicators(units: Frame, votes: Frame, key: str, period: str) -> Frame:
    """Participation and blocs of each unit, with rates."""
    joined = units.join(_votes_of_blocs(votes, key), on=key, how="left")
    shares = [_percent(f"voix_{bloc}", "exprimes").alias(f"part_{bloc}") for bloc in blocs.BLOCS]
    return joined.with_columns(
        nw.lit(period).alias("scrutin"), _percent("votants", "inscrits").alias("taux_participation"), *shares
    )


_COMMUNE_LEVELS = ("commune", "bureau")
_DEPARTEMENT_LEVELS = ("departement", "commune", "circonscription", "canton")


def _commune_rows(silver: Frame, figures: Iterable[str]) -> Frame:
    """The finest rows of each published commune, carried to the communes of the target vintage."""
    return _carried(_finest(silver, "code_commune", _COMMUNE_LEVELS), figures)


def _commune_units(participation: Frame) -> Frame:
    rows = _commune_rows(participation, _FIGURES)
    own_name = nw.when(nw.col("_published") == nw.col("code_commune")).then(nw.col("libelle"))
    units = _sums(
        rows,
        ("code_commune",),
        _FIGURES,
        own_name.min().alias("_own_name"),
        nw.col("libelle").min(),
        nw.col("niveau").min(),
        nw.col("part").min(),
        nw.col("_published").n_unique().alias("nombre_communes_publiees"),
    )
    return units.with_columns(
        departement_of_commune(nw.col("code_commune")).alias("code_departement"),
        nw.coalesce(nw.col("_own_name"), nw.col("libelle")).alias("libelle"),
        (nw.col("part") < 1).alias("est_partage"),
    )


def _commune_votes(rows: Frame) -> Frame:
    """Votes by commune and candidate, with the rank of each in the commune."""
    others = [nw.col(name).min() for name in ("nuance", "bloc")]
    votes = rows.group_by("code_commune", "candidat").agg(nw.col("voix").sum(), *others)
    rank = nw.col("voix").rank("min", descending=True).over("code_commune")
    return votes.with_columns(
        rank.cast(nw.Int64()).alias("rang"), departement_of_commune(nw.col("code_commune")).alias("code_departement")
    )


def communes(participation: Frame, resultats: Frame, period: str) -> Frame:
    """Participation, blocs and the candidate in front of each commune."""
    rows = _commune_rows(resultats, ("voix",))
    first = _commune_votes(rows).filter(nw.col("rang") == 1).group_by("code_commune")
    front = first.agg(nw.col("candidat").min(), nw.col("voix").max(), nw.len().alias("_tied"))
    alone = nw.col("_tied") == 1
    front = front.select(
        "code_commune",
        nw.when(alone).then(nw.col("candidat")).alias("candidat_en_tete"),
        nw.col("voix").alias("voix_en_tete"),
    )
    made = _indicators(_commune_units(participation), rows, "code_commune", period)
    return made.join(front, on="code_commune", how="left")


def communes_candidats(participation: Frame, resultats: Frame, period: str) -> Frame:
    """Votes, shares and rank of each candidate in each commune."""
    units = _commune_units(participation).select("code_commune", "inscrits", "exprimes", "est_partage")
    joined = _commune_votes(_commune_rows(resultats, ("voix",))).join(units, on="code_commune", how="left")
    return joined.with_columns(
        nw.lit(period).alias("scrutin"),
        _percent("voix", "exprimes").alias("part_exprimes"),
        _percent("voix", "inscrits").alias("part_inscrits"),
    )


def departements(participation: Frame, resultats: Frame, period: str) -> Frame:
    """Participation and blocs of each département: as published, or else the sum of what it is made of."""
    # The ministry counts Saint-Martin and Saint-Barthélemy as one, their communes have INSEE's 977 and 978.
    code = nw.col("code_departement")
    joint = nw.when(code.is_in(["977", "978"])).then(nw.lit("ZX")).otherwise(code).alias("code_departement")
    units = _rows_of_departements(participation.with_columns(joint))
    votes = _rows_of_departements(resultats.with_columns(joint))
    summed = _sums(units, ("code_departement",), _FIGURES, nw.col("niveau").min())
    return _indicators(summed, votes, "code_departement", period)


def _once(rows: Frame) -> Frame:
    """The rows of split communes once only, as published."""
    shared = (nw.col("part") < 1).fill_null(value=False)
    shares = rows.filter(shared).select("code_commune", "code_commune_cible")
    first = shares.group_by("code_commune").agg(nw.col("code_commune_cible").min())
    return nw.concat([rows.filter(~shared), rows.join(first, on=["code_commune", "code_commune_cible"], how="semi")])


def _rows_of_departements(frame: Frame) -> Frame:
    """The rows that each département is the sum of; each of its communes as published, or else by its bureaux."""
    communes = _once(_finest(frame, "code_commune", _COMMUNE_LEVELS))
    communes = communes.with_columns(nw.lit("commune").alias("niveau"))
    others = frame.filter(~nw.col("niveau").is_in(_COMMUNE_LEVELS))
    return _finest(nw.concat([communes, others]), "code_departement", _DEPARTEMENT_LEVELS)


def totals_of_communes(participation: Frame, resultats: Frame, period: str) -> Frame:
    """Electors and ballots of all communes as published, each once."""
    published = _once(_finest(participation, "code_commune", _COMMUNE_LEVELS))
    return published.select(nw.col(name).sum() for name in _FIGURES)


def totals_of_candidates(participation: Frame, resultats: Frame, period: str) -> Frame:
    """Votes for all candidates in all communes as published, each once."""
    return _once(_finest(resultats, "code_commune", _COMMUNE_LEVELS)).select(nw.col("voix").sum())


def rate(name: str, description: str) -> Column:
    """A share in per cent that may be unknown."""
    return Column(
        name=name,
        kind=Kind.NUMBER,
        description=description,
        unit="%",
        ge=0,
        le=100,
        required=False,
        examples=("0", "73.69"),
        counter_examples=("101",),
    )


NAMES_OF_BLOCS = {
    "extreme_gauche": "extrême gauche",
    "gauche": "gauche",
    "divers": "divers",
    "centre": "centre",
    "droite": "droite",
    "extreme_droite": "extrême droite",
}

_OF_BLOCS = (
    *(
        column
        for bloc, name in NAMES_OF_BLOCS.items()
        for column in (
            VOIX.but(name=f"voix_{bloc}", description=f"Votes of the bloc {name}", required=False),
            rate(f"part_{bloc}", f"Share of the bloc {name} in the votes cast for somebody"),
        )
    ),
    VOIX.but(name="voix_sans_bloc", description="Votes of candidates whose bloc is not known", required=False),
    BLOC.but(name="bloc_en_tete", description="Bloc with the most votes; null where two share the first place"),
)

_SOURCE_LEVEL = NIVEAU.but(description="Territorial level of the published figures that the row was made from")

_INDICATORS = (
    INSCRITS,
    ABSTENTIONS,
    VOTANTS,
    BLANCS,
    NULS,
    BLANCS_ET_NULS,
    EXPRIMES,
    rate("taux_participation", "Electors who voted, of those on the lists"),
    *_OF_BLOCS,
)

CODE_CIBLE = CODE_COMMUNE.but(
    description="Commune of the target vintage of the COG; Wallis-et-Futuna (98601) and polling abroad as published",
    required=True,
    warning=None,
)
_EST_PARTAGE = Column(
    name="est_partage",
    kind=Kind.BOOLEAN,
    description="Whether a share of the figures of a commune that was split since counts here",
    warning="Where true, counts are estimates and need not be whole.",
)


def _as_numbers(*columns: Column) -> tuple[Column, ...]:
    """The columns of counts that a split may leave with fractions."""
    return tuple(
        column.but(kind=Kind.NUMBER, counter_examples=("-1",)) if column.kind is Kind.INTEGER else column
        for column in columns
    )


_UNUSED = nw.coalesce(nw.col("blancs_et_nuls"), nw.col("blancs") + nw.col("nuls"))
"""Blank and spoilt votes together, null where the source lacks one of them."""

_VOTES_OF_ALL_BLOCS = nw.when(~nw.col("voix_sans_bloc").is_null()).then(
    nw.sum_horizontal(*(nw.col(f"voix_{bloc}") for bloc in (*blocs.BLOCS, "sans_bloc")))
)

_ONE_VOTE_PER_ELECTOR = ~nw.col("scrutin").str.contains("municipales", literal=True)
"""In communes of fewer than 1,000 inhabitants an elector of municipales votes for several candidates."""


def _identities(votes: nw.Expr) -> tuple[Rule, ...]:
    """What must hold between the figures of a row.

    Official files break each of them here and there (13 of 577 circonscriptions in the provisional file of 2024), so
    one row does not keep a table from being published. Many do: then the columns were mistaken for one another.

    Args:
        votes: Votes of all candidates of the row.
    """
    broken = {
        "votants_within_inscrits": nw.col("votants") > nw.col("inscrits"),
        "abstentions_complete_votants": nw.col("votants") + nw.col("abstentions") != nw.col("inscrits"),
        "ballots_add_up": nw.col("exprimes") + _UNUSED != nw.col("votants"),
        "voix_add_up": (votes != nw.col("exprimes")) & _ONE_VOTE_PER_ELECTOR,
    }
    any_broken = nw.any_horizontal(*broken.values(), ignore_nulls=True)
    many = (any_broken.cast(nw.Int64()).sum() > 20) & (any_broken.cast(nw.Int64()).mean() > 0.05)
    words = {
        "votants_within_inscrits": "No more electors voted than are on the lists.",
        "abstentions_complete_votants": "Electors who voted and electors who did not are all electors.",
        "ballots_add_up": "Votes for somebody, blank and spoilt ones are all votes.",
        "voix_add_up": "The votes of all candidates are the votes for somebody.",
    }
    return (
        *(Rule(name=name, description=words[name], broken=rule) for name, rule in broken.items()),
        Rule(
            name="figures_are_coherent",
            description="No more than one row in twenty breaks one of these identities.",
            broken=any_broken & many,
            blocking=True,
        ),
    )


WITH_COMMUNES = tuple(
    dataset.name
    for dataset in DATASETS
    if dataset.name not in {"cantons", "circonscriptions", "departements", "regions"}
)

PARTICIPATION_TABLE = Table(
    layer=Layer.SILVER,
    name="participation",
    description="One row per territory: how many electors, how many voted, at every level published; a commune that "
    "was split since, and its bureaux, have a row per target commune",
    columns=(SCRUTIN, *TERRITOIRE, *CIBLE, *PARTICIPATION, SOMME_VOIX),
    key=("niveau", "code_territoire", "code_commune_cible"),
    inputs=tuple(dataset.name for dataset in DATASETS),
    function=participation,
    rules=_identities(nw.col("somme_voix")),
)

RESULTATS_TABLE = Table(
    layer=Layer.SILVER,
    name="resultats",
    description="One row per territory and candidate or list: votes, nuance and bloc, at every level published; a "
    "commune that was split since, and its bureaux, have a row per target commune",
    columns=(SCRUTIN, *TERRITOIRE, *CIBLE, *CANDIDATURE, BLOC, VOIX),
    key=("niveau", "code_territoire", "code_commune_cible", "candidat"),
    inputs=tuple(dataset.name for dataset in DATASETS),
    function=resultats,
    rules=(
        Rule(
            name="bloc_is_known",
            description="The reference table of blocs knows every candidate or nuance.",
            broken=nw.col("bloc").is_null(),
        ),
    ),
)

COMMUNES = Table(
    layer=Layer.GOLD,
    name="communes",
    description="One row per commune of the target vintage: turnout, votes and shares of the blocs, who is in front",
    columns=(
        SCRUTIN,
        CODE_CIBLE,
        CODE_DEPARTEMENT,
        LIBELLE.but(description="Name of the commune, or of one of those that were merged into it, as published"),
        _SOURCE_LEVEL,
        Column(
            name="nombre_communes_publiees",
            kind=Kind.INTEGER,
            description="Number of published communes whose figures are added up here: more than 1 after a merger",
            ge=1,
        ),
        _EST_PARTAGE,
        *_as_numbers(*_INDICATORS),
        CANDIDAT.but(
            name="candidat_en_tete",
            description="Candidate or list with the most votes; null where two share the first place",
            required=False,
        ),
        *_as_numbers(
            VOIX.but(name="voix_en_tete", description="Votes of the candidate or list in front", required=False)
        ),
    ),
    key=("code_commune",),
    inputs=("silver/participation", "silver/resultats"),
    datasets=WITH_COMMUNES,
    function=communes,
    totals=totals_of_communes,
    rules=_identities(_VOTES_OF_ALL_BLOCS),
)

COMMUNES_CANDIDATS = Table(
    layer=Layer.GOLD,
    name="communes_candidats",
    description="One row per commune of the target vintage and candidate or list: votes, shares and rank",
    columns=(
        SCRUTIN,
        CODE_CIBLE,
        CODE_DEPARTEMENT,
        CANDIDAT,
        NUANCE,
        BLOC,
        _EST_PARTAGE.but(required=False),
        *_as_numbers(VOIX),
        rate("part_exprimes", "Share of the votes cast for somebody in the commune"),
        rate("part_inscrits", "Share of the electors of the commune"),
        Column(
            name="rang",
            kind=Kind.INTEGER,
            description="Place in the commune, from 1; candidates with as many votes share it",
            ge=1,
            examples=("1", "12"),
            counter_examples=("0",),
        ),
    ),
    key=("code_commune", "candidat"),
    inputs=("silver/participation", "silver/resultats"),
    datasets=WITH_COMMUNES,
    function=communes_candidats,
    totals=totals_of_candidates,
)

DEPARTEMENTS = Table(
    layer=Layer.GOLD,
    name="departements",
    description="One row per département: turnout, votes and shares of the blocs",
    columns=(SCRUTIN, CODE_DEPARTEMENT.but(required=True), _SOURCE_LEVEL, *_INDICATORS),
    key=("code_departement",),
    inputs=("silver/participation", "silver/resultats"),
    function=departements,
    rules=_identities(_VOTES_OF_ALL_BLOCS),
)

TABLES = (PARTICIPATION_TABLE, RESULTATS_TABLE, COMMUNES, COMMUNES_CANDIDATS, DEPARTEMENTS)
