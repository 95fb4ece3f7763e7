"""Silver and gold of employment.

Silver says what each publisher says, codes of communes as published, and beside them the commune of the target vintage
of the COG. Gold `communes` speaks of those and lays the sources side by side: commune and year, and for each source the
year that its figures are of, since none of them publishes every year. Counts of communes that merged since are added
up and rates recomputed from them; a rate or a median that cannot be recomputed is null. Gold holds no arrondissements
of Paris, Lyon and Marseille: their figures count in the commune where it is not published beside them, once only.

The unemployment rate of zones d'emploi has a gold table of its own, `zones_emploi`. It stands beside the communes, too,
once a file says to which zone each belongs: Insee's `table-appartenance-geo-communes-YY`, of theme reference.
"""

from __future__ import annotations

from dataclasses import replace

import narwhals as nw

from elexxion_assets.columns import ANNEE, CODE_ZONE_EMPLOI, COMMUNE, COMMUNE_CIBLE, MOTIF, PART, ZONAGE
from elexxion_assets.declare import Column, Dataset, Frame, Kind, Layer, Rule, Table
from elexxion_assets.declare.frames import sum_in_any_order
from elexxion_assets.geography.plm import COMMUNE_OF, without_double_count
from elexxion_assets.themes.emploi.bdm import BDM
from elexxion_assets.themes.emploi.chomage import CHOMAGE_ZONE_EMPLOI, TAUX_CHOMAGE
from elexxion_assets.themes.emploi.demandeurs import DEMANDEURS_EMPLOI, DEMANDEURS_EMPLOI_EPCI, NOMBRE
from elexxion_assets.themes.emploi.files import EST_ARRONDISSEMENT, secret_flag
from elexxion_assets.themes.emploi.recensement import (
    ACTIFS_15_64,
    ACTIFS_OCCUPES_15_64,
    BASE_CC,
    CHOMEURS_15_64,
    DICTIONNAIRE,
    POPULATION_15_64,
    RECENSEMENT,
)
from elexxion_assets.themes.emploi.revenus import FILOSOFI, MENAGES_FISCAUX, REVENU_MEDIAN, TAUX_PAUVRETE, flag_name
from elexxion_assets.themes.emploi.statistiques_locales import STATISTIQUES_LOCALES

CARRIED_YEARS = 5
"""Years for which gold goes on with the last known census or incomes: a base of the census covers five."""

CATEGORIES = ("A", "B", "C", "ABC")


# --- silver -----------------------------------------------------------------------------------------------------------


def as_published(rows: Frame, *, period: str) -> Frame:
    """A dataset of a year as it is."""
    return rows


def with_arrondissements(rows: Frame, *, period: str) -> Frame:
    """A dataset of communes of a year; arrondissements of Paris, Lyon and Marseille are marked."""
    return rows.with_columns(est_arrondissement=nw.col("code_commune").is_in(list(COMMUNE_OF)))


_CARRIED = (COMMUNE_CIBLE.but(required=True), PART, MOTIF)


def _silver(dataset: Dataset, description: str, *rules: Rule, communes: bool = False) -> Table:
    first, *others = dataset.columns
    return Table(
        layer=Layer.SILVER,
        name=dataset.name,
        description=description,
        columns=(first, *_CARRIED, EST_ARRONDISSEMENT, *others) if communes else dataset.columns,
        key=(*dataset.key, COMMUNE_CIBLE.name) if communes else dataset.key,
        inputs=(dataset.name,),
        function=with_arrondissements if communes else as_published,
        rules=rules,
    )


_ACTIVE_SUM = Rule(
    name="actifs_somme",
    description="The active are those in work and the unemployed, within one person",
    broken=(nw.col("actifs_15_64") - nw.col("actifs_occupes_15_64") - nw.col("chomeurs_15_64")).abs() > 1,
)
_ACTIVE_WITHIN = Rule(
    name="actifs_dans_population",
    description="The active are no more than the population of their age",
    broken=nw.col("actifs_15_64") > nw.col("population_15_64") + 1,
)
_SECRET_IS_NULL = Rule(
    name="secret_sans_valeur",
    description="A count under secrecy has no value",
    broken=nw.col("est_secret") & ~nw.col("nombre").is_null(),
)
_MEDIAN_BETWEEN = Rule(
    name="mediane_entre_deciles",
    description="The median lies between the first and the ninth decile",
    broken=(nw.col("revenu_median") < nw.col("decile_1")) | (nw.col("revenu_median") > nw.col("decile_9")),
)


# --- gold: communes ---------------------------------------------------------------------------------------------------


def _placed(rows: Frame, *by: str) -> Frame:
    """The rows with `place`, the commune in which they count; nobody counts in a commune and its arrondissement."""
    target = nw.col(COMMUNE_CIBLE.name)
    place = target.replace_strict(list(COMMUNE_OF), list(COMMUNE_OF.values()), default=target, return_dtype=nw.String())
    return without_double_count(rows, "code_commune", by).with_columns(place.alias("place"))


def _newest(rows: Frame, year: int) -> Frame:
    """The rows of the newest year known by `year`, if it is no more than `CARRIED_YEARS` old, by place.

    One year for all communes: a commune that the newest year no longer has was merged into another, which counts it.
    """
    known = rows.filter(nw.col("annee") <= year, nw.col("annee") >= year - CARRIED_YEARS)
    return _placed(known.filter(nw.col("annee") == nw.col("annee").max()), "annee")


def _sum_of_all(column: str) -> nw.Expr:
    """The count of a place, null where one of the communes that count in it has none."""
    value = nw.col(column) * nw.col("part")
    return nw.when(value.count() == nw.len()).then(sum_in_any_order(value))


def _only(column: str) -> nw.Expr:
    """The figure of a place that is a single published commune or a part of one; null where there are several."""
    return nw.when(nw.len() == 1).then(nw.col(column).max())


_CENSUS = ("population_15_64", "actifs_15_64", "actifs_occupes_15_64", "chomeurs_15_64")


def _counts(base: Frame, year: int) -> Frame:
    """The counts of the newest census in the base."""
    counts = (_sum_of_all(name).alias(name) for name in _CENSUS)
    summed = _newest(base, year).group_by("place").agg(*counts, nw.col("annee").max().alias("recensement_annee"))
    return summed.rename({"place": "code_commune"})


def _rates(base: Frame, extract: Frame, year: int) -> Frame:
    """The unemployment rate of the newest census that has one for the commune; of one census, the base's own."""
    sensible = (nw.col("actifs_15_64") > 0) & (nw.col("chomeurs_15_64") <= nw.col("actifs_15_64"))
    computed = nw.when(sensible).then(100 * nw.col("chomeurs_15_64") / nw.col("actifs_15_64"))
    of_extract = (
        _newest(extract, year)
        .group_by("place")
        .agg(_only("taux_chomage").alias("taux_chomage"), nw.col("annee").max().alias("recensement_annee"))
    )
    rates = [
        rows.select(
            "code_commune",
            rate.alias("taux_chomage_recensement"),
            nw.col("recensement_annee").alias("taux_chomage_recensement_annee"),
            nw.lit(source).alias("taux_chomage_recensement_source"),
            (nw.col("recensement_annee") * 2 + preference).alias("rang"),
        )
        for rows, rate, source, preference in (
            (_counts(base, year), computed, BASE_CC.name, 1),
            (of_extract.rename({"place": "code_commune"}), nw.col("taux_chomage"), RECENSEMENT.name, 0),
        )
    ]
    known = nw.concat(rates, how="vertical").filter(~nw.col("taux_chomage_recensement").is_null())
    best = known.group_by("code_commune").agg(nw.col("rang").max())
    return known.join(best, on=["code_commune", "rang"], how="inner").drop("rang")


def _job_seekers(rows: Frame, year: int) -> Frame:
    """Job seekers of the last quarter or month of the year, by category; unadjusted, both sexes, all ages.

    What is withheld for one of the communes that merged since leaves the sum of the others, a floor that is marked.
    """
    wanted = rows.filter(
        nw.col("annee") == year,
        nw.col("type_donnees") == "Brutes",
        nw.col("sexe") == "Total",
        nw.col("tranche_age") == "Total",
        nw.col("categorie").is_in(list(CATEGORIES)),
    )
    wanted = _placed(wanted, "date", "categorie").with_columns(
        fin=nw.coalesce(nw.col("mois"), nw.col("trimestre") * 3), est_trimestre=nw.col("mois").is_null()
    )
    # Of December and the fourth quarter, the quarter: it is what DARES publishes for communes.
    ranked = wanted.with_columns(rang=nw.col("fin") * 2 + nw.col("est_trimestre").cast(nw.Int64()))
    last = ranked.group_by("place").agg(nw.col("rang").max())
    kept = ranked.join(last, on=["place", "rang"], how="inner")

    def of(category: str, value: nw.Expr) -> nw.Expr:
        return nw.when(nw.col("categorie") == category).then(value)

    number, secret = nw.col("nombre") * nw.col("part"), nw.col("est_secret").cast(nw.Int64())
    names = {category: f"demandeurs_emploi_{category.lower()}" for category in CATEGORIES}
    counted = kept.group_by("place").agg(
        nw.col("date").max().alias("demandeurs_emploi_date"),
        *(sum_in_any_order(of(category, number)).alias(name) for category, name in names.items()),
        *(of(category, number).count().alias(f"_with_{name}") for category, name in names.items()),
        *((of(category, secret).max() == 1).alias(f"{name}_est_secret") for category, name in names.items()),
    )
    counted = counted.with_columns(
        *(nw.when(nw.col(f"_with_{name}") > 0).then(nw.col(name)).alias(name) for name in names.values())
    )
    return counted.rename({"place": "code_commune"})


def _incomes(rows: Frame, year: int) -> Frame:
    """The newest incomes: households added up, poverty recomputed from persons; a median cannot be."""
    poor = nw.col("taux_pauvrete") * 0.01 * nw.col("personnes_menages_fiscaux") * nw.col("part")
    persons = nw.col("personnes_menages_fiscaux") * nw.col("part")
    placed = _newest(rows, year).with_columns(_poor=poor, _persons=nw.when(~poor.is_null()).then(persons))
    made = placed.group_by("place").agg(
        _only(REVENU_MEDIAN.name).alias(REVENU_MEDIAN.name),
        _only(TAUX_PAUVRETE.name).alias("_published"),
        nw.when(nw.col("_poor").count() == nw.len()).then(sum_in_any_order(nw.col("_poor"))).alias("_poor"),
        sum_in_any_order(nw.col("_persons")).alias("_persons"),
        _sum_of_all(MENAGES_FISCAUX.name).alias(MENAGES_FISCAUX.name),
        *(
            (nw.col(flag_name(measure.name)).cast(nw.Int64()).max() == 1).alias(flag_name(measure.name))
            for measure in _INCOMES
        ),
        nw.col("annee").max().alias("filosofi_annee"),
    )
    recomputed = nw.when(nw.col("_persons") > 0).then(nw.col("_poor") * 100.0 / nw.col("_persons"))
    made = made.with_columns(nw.coalesce(nw.col("_published"), recomputed).alias(TAUX_PAUVRETE.name))
    return made.drop("_published", "_poor", "_persons").rename({"place": "code_commune"})


_INCOMES = (REVENU_MEDIAN, TAUX_PAUVRETE, MENAGES_FISCAUX)


def _zones(membership: Frame, rates: Frame, year: int) -> Frame:
    """The zone d'emploi of every commune, and its newest rate in the zoning of the newest table of memberships."""
    newest = _placed(membership.filter(nw.col("millesime") == nw.col("millesime").max()))
    # Of communes that merged since, the zone is that of the one whose code stays, unless all lie in the same.
    own = nw.when(nw.col("code_commune") == nw.col("place")).then(nw.col("code_zone_emploi"))
    same = nw.col("code_zone_emploi").min() == nw.col("code_zone_emploi").max()
    placed = newest.with_columns(_own=own).group_by("place")
    zones = placed.agg(
        nw.col("_own").max(),
        nw.when(same).then(nw.col("code_zone_emploi").max()).alias("_same"),
        nw.col("zonage").max(),
        nw.col("millesime").max().alias("zone_emploi_millesime"),
    ).select(
        "zonage",
        "zone_emploi_millesime",
        nw.col("place").alias("code_commune"),
        nw.coalesce(nw.col("_own"), nw.col("_same")).alias("code_zone_emploi"),
    )
    known = rates.filter(
        nw.col("annee") <= year, nw.col("annee") >= year - CARRIED_YEARS, ~nw.col("taux_chomage").is_null()
    )
    last = known.group_by("zonage", "code_zone_emploi").agg(nw.col("annee").max())
    newest_rates = known.join(last, on=["zonage", "code_zone_emploi", "annee"], how="inner").select(
        "zonage",
        "code_zone_emploi",
        nw.col("taux_chomage").alias("taux_chomage_zone_emploi"),
        nw.col("annee").alias("taux_chomage_zone_emploi_annee"),
    )
    return (
        zones.filter(~nw.col("code_zone_emploi").is_null())
        .join(newest_rates, on=["zonage", "code_zone_emploi"], how="left")
        .rename({"zonage": "zone_emploi_zonage"})
    )


def communes(
    base: Frame, extract: Frame, seekers: Frame, incomes: Frame, rates: Frame, membership: Frame, *, period: str
) -> Frame:
    """One row per commune that some source knows, in the year `period`; the rate of its zone is no knowledge of it."""
    year = int(period)
    sources = [
        _counts(base, year),
        _rates(base, extract, year),
        _job_seekers(seekers, year),
        _incomes(incomes, year),
    ]
    places = nw.concat([source.select("code_commune") for source in sources], how="vertical").unique("code_commune")
    gold = places.with_columns(annee=nw.lit(year))
    for source in (*sources, _zones(membership, rates, year)):
        gold = gold.join(source, on="code_commune", how="left")
    return gold.select(column.name for column in COMMUNES_COLUMNS)


def _year_of(name: str, what: str) -> Column:
    return ANNEE.but(
        name=name,
        description=f"Year of {what}; up to {CARRIED_YEARS} years before `annee`, null where there is none",
        required=False,
        source_names=(),
    )


def _seekers_columns() -> tuple[Column, ...]:
    return (
        Column(
            name="demandeurs_emploi_date",
            kind=Kind.TEXT,
            description="Last quarter or month of the year for which job seekers are known",
            required=False,
        ),
        *(
            column
            for category in CATEGORIES
            for column in (
                NOMBRE.but(
                    name=f"demandeurs_emploi_{category.lower()}",
                    kind=Kind.NUMBER,
                    description=f"Job seekers of category {category} on the lists of France Travail, unadjusted",
                    source_names=(),
                    warning="A floor where the flag says that a part is withheld: a commune merged into this one.",
                ),
                secret_flag(f"demandeurs_emploi_{category.lower()}_est_secret", f"demandeurs_emploi_{category}").but(
                    required=False
                ),
            )
        ),
    )


_MEMBERSHIP = (
    "Null until a file that says it is in the lake: table-appartenance-geo-communes-YY of Insee "
    "(reference/silver/appartenance)."
)
COMMUNES_COLUMNS = (
    COMMUNE.but(description="Commune of the target vintage of the Code officiel géographique (COG)"),
    ANNEE,
    POPULATION_15_64,
    ACTIFS_15_64,
    ACTIFS_OCCUPES_15_64,
    CHOMEURS_15_64,
    _year_of(
        "recensement_annee", "the census of population_15_64, actifs, actifs_occupes and chomeurs (base communale)"
    ),
    Column(
        name="taux_chomage_recensement",
        kind=Kind.NUMBER,
        description="Unemployed among the active of 15 to 64 years, as declared in the census",
        unit="%",
        required=False,
        ge=0,
        le=100,
        warning="Not the ILO rate; in small communes a few persons change it much.",
    ),
    _year_of("taux_chomage_recensement_annee", "the census of taux_chomage_recensement"),
    Column(
        name="taux_chomage_recensement_source",
        kind=Kind.TEXT,
        description="Dataset that taux_chomage_recensement comes from",
        required=False,
        isin=(BASE_CC.name, RECENSEMENT.name),
    ),
    CODE_ZONE_EMPLOI.but(description="Zone d'emploi in which the commune lies", required=False, warning=_MEMBERSHIP),
    ZONAGE.but(
        name="zone_emploi_zonage",
        description="Year of the zoning that code_zone_emploi is of",
        required=False,
    ),
    ANNEE.but(
        name="zone_emploi_millesime",
        description="Vintage of the table that says in which zone d'emploi the commune lies",
        required=False,
        source_names=(),
    ),
    TAUX_CHOMAGE.but(
        name="taux_chomage_zone_emploi",
        description="Localised unemployment rate of the zone d'emploi: mean of the year's known quarters",
        warning="Of the whole zone, the same for all its communes; ILO definition, not that of the census.",
    ),
    _year_of("taux_chomage_zone_emploi_annee", "taux_chomage_zone_emploi (localised rates of Insee)"),
    *_seekers_columns(),
    *(
        column
        for measure in _INCOMES
        for column in (measure, secret_flag(flag_name(measure.name), measure.name).but(required=False))
    ),
    _year_of("filosofi_annee", "the incomes (FiLoSoFi)"),
)


# --- gold: zones d'emploi ---------------------------------------------------------------------------------------------


def zones_emploi(rows: Frame, *, period: str) -> Frame:
    """One row per zone d'emploi in the year `period`: rates of its quarters and their mean."""
    zones = rows.filter(~nw.col("est_partie_regionale"))
    value = nw.col("taux_chomage")
    quarters = [
        nw.when(nw.col("trimestre") == number).then(value).max().alias(f"taux_chomage_t{number}")
        for number in range(1, 5)
    ]
    quarterly = nw.when(~nw.col("trimestre").is_null()).then(value)
    mean = nw.when(nw.col("trimestres") > 0).then(nw.col("_sum") / nw.col("trimestres"))
    return (
        zones.group_by("zonage", "code_zone_emploi", "annee")
        .agg(
            nw.col("libelle_zone_emploi").max(),
            nw.col("code_region").max(),
            *quarters,
            nw.when(nw.col("trimestre").is_null()).then(value).max().alias("publie"),
            sum_in_any_order(quarterly).alias("_sum"),
            quarterly.count().alias("trimestres"),
        )
        .with_columns(mean.alias("moyenne"))
        .with_columns(taux_chomage=nw.coalesce(nw.col("publie"), nw.col("moyenne")))
        .select(column.name for column in ZONES_COLUMNS)
    )


_ZONE = {column.name: column for column in CHOMAGE_ZONE_EMPLOI.columns}
ZONES_COLUMNS = (
    _ZONE["zonage"],
    _ZONE["code_zone_emploi"],
    ANNEE,
    _ZONE["libelle_zone_emploi"],
    _ZONE["code_region"],
    TAUX_CHOMAGE.but(description="Localised unemployment rate: mean of the year's known quarters, or as published"),
    *(
        TAUX_CHOMAGE.but(name=f"taux_chomage_t{number}", description=f"Localised unemployment rate of quarter {number}")
        for number in range(1, 5)
    ),
    Column(
        name="trimestres",
        kind=Kind.INTEGER,
        description="Number of quarters known; under 4 the mean is of a part of the year",
        ge=0,
        le=4,
    ),
)

TABLES = (
    _silver(
        BASE_CC,
        "Census by commune and year: population, active, in work, unemployed, of 15 to 64 years",
        _ACTIVE_SUM,
        _ACTIVE_WITHIN,
        communes=True,
    ),
    replace(
        _silver(DICTIONNAIRE, "Variables and modalities of Insee's communal bases with their labels, and our columns"),
        in_process="a dictionary has some 40,000 lines",
    ),
    _silver(RECENSEMENT, "Census by commune and year: shares of ages, professions, diplomas", communes=True),
    _silver(
        DEMANDEURS_EMPLOI,
        "Job seekers per commune, quarter or month, category, sex and age; null where it is secret",
        _SECRET_IS_NULL,
        communes=True,
    ),
    _silver(
        DEMANDEURS_EMPLOI_EPCI,
        "Job seekers per EPCI, month, category and class; null where it is secret",
        _SECRET_IS_NULL,
    ),
    _silver(
        FILOSOFI,
        "Incomes and poverty per commune and year; null where it is secret, with a flag for each measure",
        _MEDIAN_BETWEEN,
        communes=True,
    ),
    _silver(CHOMAGE_ZONE_EMPLOI, "Unemployment rate per zone d'emploi and quarter"),
    _silver(
        STATISTIQUES_LOCALES, "Indicators of « Statistiques locales » per commune and year, one row each", communes=True
    ),
    _silver(BDM, "Values of the series of the BDM per quarter or month"),
    Table(
        layer=Layer.GOLD,
        name="zones_emploi",
        description="Unemployment rate per zone d'emploi and year: quarters and their mean",
        columns=ZONES_COLUMNS,
        key=("zonage", "code_zone_emploi", "annee"),
        inputs=("silver/chomage_zone_emploi",),
        function=zones_emploi,
    ),
    Table(
        layer=Layer.GOLD,
        name="communes",
        description="Employment per commune and year: census, zone d'emploi, job seekers, incomes, each with its year",
        columns=COMMUNES_COLUMNS,
        key=("code_commune", "annee"),
        inputs=(
            "silver/base_cc_emploi_pop_active",
            "silver/recensement",
            "silver/demandeurs_emploi",
            "silver/filosofi",
            "gold/zones_emploi",
            "reference/silver/appartenance",
        ),
        function=communes,
        lookback=CARRIED_YEARS,
        # Rates of zones reach further back than any census.
        may_be_empty=True,
        rules=(_ACTIVE_SUM, _ACTIVE_WITHIN),
    ),
)
