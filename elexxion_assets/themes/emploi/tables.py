"""Silver and gold of employment.

Silver says what each publisher says, codes of communes as published. Gold `communes` lays the sources side by side:
commune and year, and for each source the year that its figures are of, since none of them publishes every year. It
holds no arrondissements of Paris, Lyon and Marseille, which the communes contain: sums over it count nobody twice.

The unemployment rate of zones d'emploi has a gold table of its own, `zones_emploi`: none of the files says to which
zone a commune belongs, so that it cannot stand beside the communes.
"""

from __future__ import annotations

import narwhals as nw

from elexxion_assets.columns import ANNEE, COMMUNE
from elexxion_assets.declare import Column, Dataset, Frame, Kind, Layer, Rule, Table
from elexxion_assets.geography.plm import COMMUNE_OF
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


def _silver(dataset: Dataset, description: str, *rules: Rule, communes: bool = False) -> Table:
    first, *others = dataset.columns
    return Table(
        layer=Layer.SILVER,
        name=dataset.name,
        description=description,
        columns=(first, EST_ARRONDISSEMENT, *others) if communes else dataset.columns,
        key=dataset.key,
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


def _newest(rows: Frame, year: int) -> Frame:
    """The communes of the newest year known by `year`, if it is no more than `CARRIED_YEARS` old.

    One year for all communes: a commune that the newest year no longer has was merged into another, which counts it.
    """
    known = rows.filter(nw.col("annee") <= year, nw.col("annee") >= year - CARRIED_YEARS)
    return known.filter(nw.col("annee") == nw.col("annee").max(), ~nw.col("est_arrondissement"))


def _counts(base: Frame, year: int) -> Frame:
    """The counts of the newest census in the base."""
    return _newest(base, year).select(
        "code_commune",
        "population_15_64",
        "actifs_15_64",
        "actifs_occupes_15_64",
        "chomeurs_15_64",
        nw.col("annee").alias("recensement_annee"),
    )


def _rates(base: Frame, extract: Frame, year: int) -> Frame:
    """The unemployment rate of the newest census that has one for the commune; of one census, the base's own."""
    computed = nw.when(nw.col("actifs_15_64") > 0).then(100 * nw.col("chomeurs_15_64") / nw.col("actifs_15_64"))
    rates = [
        _newest(rows, year).select(
            "code_commune",
            rate.alias("taux_chomage_recensement"),
            nw.col("annee").alias("taux_chomage_recensement_annee"),
            nw.lit(source).alias("taux_chomage_recensement_source"),
            (nw.col("annee") * 2 + preference).alias("rang"),
        )
        for rows, rate, source, preference in (
            (base, computed, BASE_CC.name, 1),
            (extract, nw.col("taux_chomage"), RECENSEMENT.name, 0),
        )
    ]
    known = nw.concat(rates, how="vertical").filter(~nw.col("taux_chomage_recensement").is_null())
    best = known.group_by("code_commune").agg(nw.col("rang").max())
    return known.join(best, on=["code_commune", "rang"], how="inner").drop("rang")


def _job_seekers(rows: Frame, year: int) -> Frame:
    """Job seekers of the last quarter or month of the year, by category; unadjusted, both sexes, all ages."""
    wanted = rows.filter(
        nw.col("annee") == year,
        ~nw.col("est_arrondissement"),
        nw.col("type_donnees") == "Brutes",
        nw.col("sexe") == "Total",
        nw.col("tranche_age") == "Total",
        nw.col("categorie").is_in(list(CATEGORIES)),
    ).with_columns(fin=nw.coalesce(nw.col("mois"), nw.col("trimestre") * 3), est_trimestre=nw.col("mois").is_null())
    # Of December and the fourth quarter, the quarter: it is what DARES publishes for communes.
    ranked = wanted.with_columns(rang=nw.col("fin") * 2 + nw.col("est_trimestre").cast(nw.Int64()))
    last = ranked.group_by("code_commune").agg(nw.col("rang").max())
    kept = ranked.join(last, on=["code_commune", "rang"], how="inner")

    def of(category: str, value: nw.Expr) -> nw.Expr:
        return nw.when(nw.col("categorie") == category).then(value).max()

    secret = nw.col("est_secret").cast(nw.Int64())
    return kept.group_by("code_commune").agg(
        nw.col("date").max().alias("demandeurs_emploi_date"),
        *(of(name, nw.col("nombre")).alias(f"demandeurs_emploi_{name.lower()}") for name in CATEGORIES),
        *((of(name, secret) == 1).alias(f"demandeurs_emploi_{name.lower()}_est_secret") for name in CATEGORIES),
    )


_INCOMES = (REVENU_MEDIAN, TAUX_PAUVRETE, MENAGES_FISCAUX)


def communes(base: Frame, extract: Frame, seekers: Frame, incomes: Frame, *, period: str) -> Frame:
    """One row per commune that some source knows, in the year `period`."""
    year = int(period)
    sources = [
        _counts(base, year),
        _rates(base, extract, year),
        _job_seekers(seekers, year),
        _newest(incomes, year).select(
            "code_commune",
            *(name for measure in _INCOMES for name in (measure.name, flag_name(measure.name))),
            nw.col("annee").alias("filosofi_annee"),
        ),
    ]
    places = nw.concat([source.select("code_commune") for source in sources], how="vertical").unique("code_commune")
    gold = places.with_columns(annee=nw.lit(year))
    for source in sources:
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
                    description=f"Job seekers of category {category} on the lists of France Travail, unadjusted",
                    source_names=(),
                ),
                secret_flag(f"demandeurs_emploi_{category.lower()}_est_secret", f"demandeurs_emploi_{category}").but(
                    required=False
                ),
            )
        ),
    )


COMMUNES_COLUMNS = (
    COMMUNE,
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
    return (
        zones.group_by("zonage", "code_zone_emploi", "annee")
        .agg(
            nw.col("libelle_zone_emploi").max(),
            nw.col("code_region").max(),
            *quarters,
            nw.when(nw.col("trimestre").is_null()).then(value).max().alias("publie"),
            nw.when(~nw.col("trimestre").is_null()).then(value).mean().alias("moyenne"),
            nw.when(~nw.col("trimestre").is_null()).then(value).count().alias("trimestres"),
        )
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
    _silver(DICTIONNAIRE, "Variables and modalities of Insee's communal bases with their labels, and our columns"),
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
        name="communes",
        description="Employment per commune and year: census, job seekers, incomes, each with the year it is of",
        columns=COMMUNES_COLUMNS,
        key=("code_commune", "annee"),
        inputs=(
            "silver/base_cc_emploi_pop_active",
            "silver/recensement",
            "silver/demandeurs_emploi",
            "silver/filosofi",
        ),
        function=communes,
        lookback=CARRIED_YEARS,
        rules=(_ACTIVE_SUM, _ACTIVE_WITHIN),
    ),
    Table(
        layer=Layer.GOLD,
        name="zones_emploi",
        description="Unemployment rate per zone d'emploi and year: quarters and their mean",
        columns=ZONES_COLUMNS,
        key=("zonage", "code_zone_emploi", "annee"),
        inputs=("silver/chomage_zone_emploi",),
        function=zones_emploi,
    ),
)
