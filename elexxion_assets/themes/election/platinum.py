"""Features of elections: what is known of a commune before a scrutin, ready for a model of that scrutin.

Five earlier scrutins are looked at, each the latest of its sort: `precedent`, of the same kind and round;
`avant_precedent`, the one before that; `dernier`, of any kind, for a second round the first round of the same election;
`autre`, a first round of another kind; `second_tour`, of the election of `precedent`.
The scrutin itself gives nothing but the columns that begin with `cible_`: those are the answers and no features, and
are null while they are not known. Its national swing is no feature either: nobody knows it before. Who stands is known
weeks before; it is read from the reference table of the blocs, never from results.

Of the other themes, each commune's newest year up to the year before the scrutin's is taken, with a column that says
which. What is missing stays null and is counted in `entrees_manquantes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import narwhals as nw

from elexxion_assets.columns import ANNEE
from elexxion_assets.declare import Column, Frame, Kind, Layer, Table
from elexxion_assets.geography.plm import COMMUNE_OF
from elexxion_assets.themes.election import blocs
from elexxion_assets.themes.election.columns import CODE_DEPARTEMENT, SCRUTIN
from elexxion_assets.themes.election.scrutins import election_of, in_order, was_before, year_of
from elexxion_assets.themes.election.tables import BLOC, CODE_CIBLE, NAMES_OF_BLOCS, WITH_COMMUNES, rate

LOOKBACK = 30
"""Keys from a scrutin back to the last but one of its kind and round: 30 for the municipales of 2008, fewer since."""

_REFERENCES = {
    "precedent": "the latest scrutin of the same kind and round",
    "avant_precedent": "the scrutin of the same kind and round before the latest",
    "dernier": "the latest scrutin of any kind",
    "autre": "the latest first round of another kind",
    "second_tour": "the second round of the latest election of the same kind",
}
_COUNTED = ("precedent", "avant_precedent", "dernier")
"""Scrutins whose absence is counted: the others are there for some kinds of elections alone."""
_COMPARED = ("precedent", "dernier")
"""Scrutins within which a commune is compared with its département."""

_AGAIN = ("precedent", "avant_precedent")
"""Scrutins of which the votes for those who stand again are told apart."""

_VOTES = tuple(f"voix_{bloc}" for bloc in blocs.BLOCS)
_RATES = ("taux_participation", *(f"part_{bloc}" for bloc in blocs.BLOCS))


def communes(gold: Frame, candidates: Frame, crime: Frame, emploi: Frame, association: Frame, *, period: str) -> Frame:
    """The features of every commune before the scrutin `period`.

    Args:
        gold: Rows of gold `communes` of that scrutin and earlier ones; later ones are left alone.
        candidates: Rows of gold `communes_candidats`, of the same scrutins.
        crime: Rows of gold `communes` of crime, every year.
        emploi: Rows of gold `communes` of emploi, every year.
        association: Rows of gold `communes` of association, every year.
        period: Key of the scrutin.

    Returns:
        One row per commune known from one of the earlier scrutins; none where there is none.
    """
    scrutins = gold.select("scrutin").unique().collect()["scrutin"].to_list()
    references = references_of(period, scrutins)
    known = {name: _of_scrutin(gold, references.get(name)) for name in _REFERENCES}
    sides = [_reference(name, rows) for name, rows in known.items()]
    places = nw.concat([side.select("code_commune", "code_departement") for side in sides]).unique("code_commune")
    made = places
    for side in sides:
        made = made.join(side.drop("code_departement"), on="code_commune", how="left")
    for name in _COMPARED:
        made = made.join(_departements(name, known[name]), on="code_departement", how="left")
    for name, rows in known.items():
        made = made.join(_nation(name, rows), how="cross")
    standing = standing_again(period, references)
    for name in _AGAIN:
        people, suffix = _candidates_of(candidates, references.get(name), standing[name]), f"_{name}_revenants"
        made = made.join(_shares_of(people, suffix), on="code_commune", how="left")
        made = made.join(_shares_together(people, f"{suffix}_national"), how="cross")
    year = year_of(period)
    for side in (_of_crime(crime, year), _of_emploi(emploi, year), _of_associations(association, year)):
        made = made.join(side, on="code_commune", how="left")
    made = made.join(_answers(_of_scrutin(gold, period)), on="code_commune", how="left")
    again = _shares_of(_candidates_of(candidates, period, standing["precedent"]), "_revenants", before="cible_")
    made = made.join(again, on="code_commune", how="left")
    inputs = (*(f"inscrits_{name}" for name in _COUNTED), "crime_annee", "emploi_annee", "association_annee")
    return made.with_columns(
        nw.lit(period).alias("scrutin"),
        *(nw.lit(references.get(name), dtype=nw.String()).alias(f"scrutin_{name}") for name in _REFERENCES),
        *(
            (nw.col(f"{what}_{name}") - nw.col(f"{what}_{name}_departement")).alias(f"{what}_{name}_ecart")
            for name in _COMPARED
            for what in _RATES
        ),
        *(
            (nw.col(f"{what}_precedent") - nw.col(f"{what}_avant_precedent")).alias(f"variation_{what}")
            for what in _RATES
        ),
        _growth("inscrits_precedent", "inscrits_avant_precedent").alias("variation_inscrits"),
        _growth("inscrits_dernier", "inscrits_precedent").alias("variation_inscrits_depuis_precedent"),
        _per_thousand("association_stock", "inscrits_dernier").alias("association_stock_pour_mille"),
        _per_thousand("association_creations", "inscrits_dernier").alias("association_creations_pour_mille"),
        nw.sum_horizontal(*(nw.col(name).is_null().cast(nw.Int64()) for name in inputs)).alias("entrees_manquantes"),
    )


def references_of(period: str, scrutins: list[str]) -> dict[str, str]:
    """The earlier scrutins that a scrutin is seen against, those that there are.

    Args:
        period: Key of the scrutin.
        scrutins: Keys of the scrutins at hand.
    """
    earlier = in_order(key for key in scrutins if was_before(key, period))
    alike = [key for key in earlier if election_of(key)[1:] == election_of(period)[1:]]
    others = [key for key in earlier if election_of(key)[1] != election_of(period)[1] and election_of(key)[2] == 1]
    second = [key for key in earlier if alike and key == f"{alike[-1].removesuffix('-t1')}-t2"]
    found = {"precedent": alike, "avant_precedent": alike[:-1], "dernier": earlier, "autre": others}
    return {name: keys[-1] for name, keys in {**found, "second_tour": second}.items() if keys}


def standing_again(period: str, references: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Candidates of a scrutin who stood before: at `precedent`, and there and at `avant_precedent` too.

    By the reference table of the blocs, which names the candidates of the présidentielles alone.
    """

    def of(scrutin: str | None) -> frozenset[str]:
        return frozenset(row.candidat for row in blocs.of_scrutin(scrutin) if row.candidat) if scrutin else frozenset()

    twice = of(period) & of(references.get("precedent"))
    return {"precedent": twice, "avant_precedent": twice & of(references.get("avant_precedent"))}


def _candidates_of(candidates: Frame, scrutin: str | None, people: frozenset[str]) -> Frame:
    """The candidates of a scrutin, with `voix_<bloc>`: their votes where they are one of those people of that bloc.

    Empty where nobody is: then nothing is said, rather than 0.
    """
    spelt = sorted({form for name in people for form in blocs.spellings(name)})
    of_them = nw.col("candidat").is_in(spelt).fill_null(False)
    return _of_scrutin(candidates, scrutin if people else None).with_columns(
        nw.when(of_them & (nw.col("bloc") == bloc)).then(nw.col("voix")).otherwise(0).alias(f"voix_{bloc}")
        for bloc in blocs.BLOCS
    )


def _shares_of(candidates: Frame, suffix: str, before: str = "") -> Frame:
    """Per commune and bloc, the share of the votes that those people have."""
    votes = candidates.group_by("code_commune").agg(nw.col("voix", *_VOTES).sum())
    return votes.select("code_commune", *_of_all_votes(suffix, before))


def _shares_together(candidates: Frame, suffix: str) -> Frame:
    """The same for all communes together, in one row."""
    return candidates.select(nw.col("voix", *_VOTES).sum()).select(*_of_all_votes(suffix))


def _of_all_votes(suffix: str, before: str = "") -> Iterator[nw.Expr]:
    for bloc in blocs.BLOCS:
        share = 100 * nw.col(f"voix_{bloc}") / nw.col("voix")
        yield nw.when(nw.col("voix") > 0).then(share).alias(f"{before}part_{bloc}{suffix}")


def _nation(name: str, rows: Frame) -> Frame:
    """The same rates for all communes together; one row, null where there is no such scrutin."""
    return _rates_together(rows, f"_{name}_national", None)


def _of_scrutin(gold: Frame, scrutin: str | None) -> Frame:
    return gold.filter(nw.col("scrutin") == nw.lit(scrutin, dtype=nw.String()))


def _reference(name: str, rows: Frame) -> Frame:
    """What one earlier scrutin says of each commune."""
    return rows.select(
        "code_commune", "code_departement", *(nw.col(what).alias(f"{what}_{name}") for what in ("inscrits", *_RATES))
    )


def _departements(name: str, rows: Frame) -> Frame:
    """The same rates for the whole of each département, of the communes at hand."""
    return _rates_together(rows, f"_{name}_departement", "code_departement")


def _rates_together(rows: Frame, suffix: str, by: str | None) -> Frame:
    counts = ("inscrits", "votants", "exprimes", *_VOTES)
    totals = [nw.col(count).sum() for count in counts]
    sums = rows.select(*totals) if by is None else rows.group_by(by).agg(*totals)
    rates = {"taux_participation": ("votants", "inscrits")}
    rates |= {f"part_{bloc}": (f"voix_{bloc}", "exprimes") for bloc in blocs.BLOCS}
    return sums.select(
        *([] if by is None else [by]),
        *(
            nw.when((nw.col(whole) > 0) & (nw.col(part) <= nw.col(whole)))
            .then(100 * nw.col(part) / nw.col(whole))
            .alias(f"{what}{suffix}")
            for what, (part, whole) in rates.items()
        ),
    )


def _answers(rows: Frame) -> Frame:
    return rows.select(
        "code_commune",
        *(nw.col(what).alias(f"cible_{what}") for what in ("inscrits", "exprimes", *_RATES, "bloc_en_tete")),
    )


def _growth(now: str, before: str) -> nw.Expr:
    return nw.when(nw.col(before) > 0).then(nw.col(now) / nw.col(before) - 1)


def _per_thousand(count: str, of: str) -> nw.Expr:
    return nw.when(nw.col(of) > 0).then(1000 * nw.col(count) / nw.col(of))


# --- other themes -----------------------------------------------------------------------------------------------------


def _newest(rows: Frame, year: int) -> Frame:
    """Each commune's newest row of a year before `year`."""
    known = rows.filter(nw.col("annee") < year)
    newest = known.group_by("code_commune").agg(nw.col("annee").max())
    return known.join(newest, on=["code_commune", "annee"], how="semi")


def _of_crime(gold: Frame, year: int) -> Frame:
    rows = _newest(gold.filter(~nw.col("est_arrondissement")), year)
    return rows.select(
        "code_commune",
        nw.col("annee").alias("crime_annee"),
        _per_thousand("total", "population").alias("crime_taux_total"),
        nw.col("total_est_partiel").alias("crime_total_est_partiel"),
        nw.col("indicateurs_masques").alias("crime_indicateurs_masques"),
    )


def _of_emploi(gold: Frame, year: int) -> Frame:
    return _newest(gold, year).select(
        "code_commune",
        nw.col("annee").alias("emploi_annee"),
        nw.col("taux_chomage_recensement").alias("emploi_taux_chomage"),
        nw.col("taux_chomage_recensement_annee").alias("emploi_taux_chomage_annee"),
        nw.col("revenu_median").alias("emploi_revenu_median"),
        nw.col("taux_pauvrete").alias("emploi_taux_pauvrete"),
        nw.col("filosofi_annee").alias("emploi_revenus_annee"),
        _per_thousand("demandeurs_emploi_abc", "population_15_64").alias("emploi_demandeurs_abc_pour_mille"),
    )


def _of_associations(gold: Frame, year: int) -> Frame:
    # Seats in Paris, Lyon and Marseille are in an arrondissement; votes are counted in the commune.
    code = nw.col("code_commune")
    whole = code.replace_strict(list(COMMUNE_OF), list(COMMUNE_OF.values()), default=code, return_dtype=nw.String())
    rows = gold.with_columns(whole.alias("code_commune")).group_by("code_commune", "annee")
    return _newest(rows.agg(nw.col("stock").sum(), nw.col("creations").sum()), year).select(
        "code_commune",
        nw.col("annee").alias("association_annee"),
        nw.col("stock").alias("association_stock"),
        nw.col("creations").alias("association_creations"),
    )


# --- columns ----------------------------------------------------------------------------------------------------------

_WORDS = {"taux_participation": "Turnout"} | {
    f"part_{bloc}": f"Share of the bloc {NAMES_OF_BLOCS[bloc]}" for bloc in blocs.BLOCS
}


def _number(name: str, description: str, unit: str, *, ge: float | None = 0, warning: str | None = None) -> Column:
    return Column(
        name=name, kind=Kind.NUMBER, description=description, unit=unit, required=False, ge=ge, warning=warning
    )


def _year(name: str, what: str) -> Column:
    return ANNEE.but(
        name=name,
        description=f"Year of {what}, before the year of the scrutin",
        required=False,
        source_names=(),
        warning="The year that the figures are about; some are published years later, or revised since.",
    )


def _of_references() -> Iterator[Column]:
    for name, words in _REFERENCES.items():
        yield SCRUTIN.but(name=f"scrutin_{name}", description=f"Key of {words} before this one", required=False)
    for name, words in _REFERENCES.items():
        yield _number(f"inscrits_{name}", f"Electors on the lists, {words}", "electors")
        for what in _RATES:
            yield rate(f"{what}_{name}", f"{_WORDS[what]}, {words}")
            yield rate(f"{what}_{name}_national", f"{_WORDS[what]} in all communes together, {words}")
            if name in _COMPARED:
                yield rate(f"{what}_{name}_departement", f"{_WORDS[what]} in the whole département, {words}")
                ecart = f"{_WORDS[what]}: the commune less its département, {words}"
                yield _number(f"{what}_{name}_ecart", ecart, "points", ge=-100)
    for name in _AGAIN:
        for bloc in blocs.BLOCS:
            people = f"candidates of the bloc {NAMES_OF_BLOCS[bloc]} who stand again"
            yield rate(f"part_{bloc}_{name}_revenants", f"Share of the {people}, {_REFERENCES[name]}")
            together = f"Share of the {people} in all communes together, {_REFERENCES[name]}"
            yield rate(f"part_{bloc}_{name}_revenants_national", together)
    for what in _RATES:
        change = f"{_WORDS[what]}: change between the two latest scrutins of the same kind and round"
        yield _number(f"variation_{what}", change, "points", ge=-100)
    yield _number(
        "variation_inscrits", "Growth of the lists between the two latest scrutins of the same kind", "ratio", ge=-1
    )
    yield _number(
        "variation_inscrits_depuis_precedent",
        "Growth of the lists from the latest scrutin of the same kind to the latest of any kind",
        "ratio",
        ge=-1,
    )


_OF_OTHER_THEMES = (
    _year("crime_annee", "the recorded crime"),
    _number(
        "crime_taux_total",
        "Recorded total per 1,000 inhabitants",
        "‰",
        warning="A floor where crime_total_est_partiel says so.",
    ),
    Column(
        name="crime_total_est_partiel",
        kind=Kind.BOOLEAN,
        description="Whether the recorded total is only a floor",
        required=False,
    ),
    Column(
        name="crime_indicateurs_masques",
        kind=Kind.INTEGER,
        description="Number of indicators of crime whose count is not published",
        required=False,
        ge=0,
    ),
    _year("emploi_annee", "the row of employment"),
    rate("emploi_taux_chomage", "Unemployed among the active of 15 to 64 years, as declared in the census"),
    _year("emploi_taux_chomage_annee", "that census"),
    _number("emploi_revenu_median", "Median disposable income per consumption unit", "€"),
    rate("emploi_taux_pauvrete", "Rate of poverty"),
    _year("emploi_revenus_annee", "income and poverty"),
    _number("emploi_demandeurs_abc_pour_mille", "Job seekers (A, B, C) per 1,000 inhabitants of 15 to 64 years", "‰"),
    _year("association_annee", "the register of associations"),
    _number("association_stock", "Active associations at the end of that year", "associations"),
    _number("association_stock_pour_mille", "Active associations per 1,000 electors of the latest scrutin", "‰"),
    _number("association_creations", "Associations created in that year", "associations"),
    _number("association_creations_pour_mille", "Created associations per 1,000 electors of the latest scrutin", "‰"),
)

_ANSWERS = (
    _number("cible_inscrits", "Answer: electors on the lists", "electors"),
    _number("cible_exprimes", "Answer: votes for a candidate or a list", "votes"),
    *(rate(f"cible_{what}", f"Answer: {_WORDS[what]}") for what in _RATES),
    *(
        rate(
            f"cible_part_{bloc}_revenants",
            f"Answer: Share of those of the bloc {NAMES_OF_BLOCS[bloc]} who stood at {_REFERENCES['precedent']}",
        )
        for bloc in blocs.BLOCS
    ),
    BLOC.but(name="cible_bloc_en_tete", description="Answer: bloc with the most votes", required=False),
)

COLUMNS = (
    SCRUTIN,
    CODE_CIBLE,
    CODE_DEPARTEMENT,
    Column(
        name="entrees_manquantes",
        kind=Kind.INTEGER,
        description="Of three earlier scrutins and three other themes, those that say nothing of the commune",
        ge=0,
        le=6,
    ),
    *_of_references(),
    *_OF_OTHER_THEMES,
    *_ANSWERS,
)

FEATURES = tuple(column.name for column in COLUMNS if not column.name.startswith("cible_"))
"""Everything that may be shown to a model of the scrutin."""

COMMUNES = Table(
    layer=Layer.PLATINUM,
    name="communes",
    description="Features per commune and scrutin, known before it: earlier scrutins, département, crime, employment, "
    "associations; what begins with cible_ is of the scrutin itself and no feature",
    columns=COLUMNS,
    key=("code_commune",),
    inputs=(
        "gold/communes",
        "gold/communes_candidats",
        "crime/gold/communes",
        "emploi/gold/communes",
        "association/gold/communes",
    ),
    datasets=WITH_COMMUNES,
    function=communes,
    lookback=LOOKBACK,
    may_be_empty=True,
)
