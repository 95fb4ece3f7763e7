"""The reference files as tables of their vintage, and the communes of a vintage with their population."""

from __future__ import annotations

import narwhals as nw

from elexxion_assets.columns import ANNEE, COMMUNE, COMMUNE_CIBLE, MOTIF, PART
from elexxion_assets.declare import Column, Dataset, Frame, Kind, Layer, Rule, Table
from elexxion_assets.geography import Cog
from elexxion_assets.themes.reference.datasets import (
    APPARTENANCE,
    ARRONDISSEMENTS_PLM,
    CODES_POSTAUX,
    COMMUNES,
    DEPARTEMENTS,
    MOUVEMENTS,
    PASSAGE,
    POPULATION,
    REGIONS,
)

MILLESIME = ANNEE.but(
    name="millesime",
    description="Vintage of the COG: the geography on 1 January of that year",
    examples=("2024",),
    source_names=(),
)
EST_CONNUE = Column(
    name="est_connue",
    kind=Kind.BOOLEAN,
    description="Whether the COG that comes with the package has the commune in that vintage; null for parts of "
    "communes and for later vintages",
    required=False,
)
OLDEST_POPULATION = 5
"""Vintages back to which a population is looked for: that of a year is published three years later."""


def of_vintage(rows: Frame, *, period: str) -> Frame:
    """The rows with their vintage."""
    return rows.with_columns(nw.lit(int(period)).alias(MILLESIME.name))


def as_published(rows: Frame, *, period: str) -> Frame:
    """The rows; their year is among them."""
    return rows


def communes_of_vintage(rows: Frame, *, period: str) -> Frame:
    """The list of communes of a vintage, set against what the package's own edition knows of it."""
    known, vintage = Cog.builtin(), int(period)
    listed = of_vintage(rows, period=period)
    if vintage not in known.vintages:
        return listed.with_columns(nw.lit(None, dtype=nw.Boolean()).alias(EST_CONNUE.name))
    there = nw.col("code_commune").is_in(sorted(known.codes(vintage)))
    return listed.with_columns(nw.when(nw.col("type") == "COM").then(there).alias(EST_CONNUE.name))


def communes_of(communes: Frame, departements: Frame, regions: Frame, population: Frame, *, period: str) -> Frame:
    """The communes of a vintage, with the names of their département and région and their latest population."""
    current = nw.col(MILLESIME.name) == int(period)
    kept = communes.filter(current, nw.col("type") == "COM")
    named = departements.filter(current).select("code_departement", libelle_departement=nw.col("libelle"))
    region = regions.filter(current).select("code_region", libelle_region=nw.col("libelle"))
    known = population.filter(~nw.col("population").is_null()).select("code_commune", "annee", "population")
    latest = known.group_by("code_commune").agg(nw.col("annee").max().alias("annee"))
    counted = known.join(latest, on=["code_commune", "annee"], how="inner").rename({"annee": "annee_population"})
    return (
        kept.join(named, on="code_departement", how="left")
        .join(region, on="code_region", how="left")
        .join(counted, on="code_commune", how="left")
    )


def _silver(dataset: Dataset, description: str) -> Table:
    return Table(
        layer=Layer.SILVER,
        name=dataset.name,
        description=description,
        columns=(MILLESIME, *dataset.columns),
        key=dataset.key,
        inputs=(dataset.name,),
        function=of_vintage,
    )


_LIBELLE = COMMUNES.columns[2]
_CODE_DEPARTEMENT, _CODE_REGION = COMMUNES.columns[3:5]
_POPULATION = POPULATION.columns[3]

TABLES = (
    Table(
        layer=Layer.SILVER,
        name=COMMUNES.name,
        description="Communes of a vintage, their parts (délégué or associated) and arrondissements municipaux.",
        columns=(MILLESIME, *COMMUNES.columns, EST_CONNUE),
        key=COMMUNES.key,
        inputs=(COMMUNES.name,),
        function=communes_of_vintage,
        rules=(
            Rule(
                name="communes_connues",
                description="Every commune is one that the edition of the package has in that vintage",
                broken=~nw.col(EST_CONNUE.name),
            ),
        ),
    ),
    _silver(MOUVEMENTS, "Events on communes since 1943, as Insee knows them at a vintage."),
    _silver(DEPARTEMENTS, "Départements of a vintage."),
    _silver(REGIONS, "Régions of a vintage."),
    _silver(PASSAGE, "Pairs of codes: from any vintage, or from each, to the vintage of the table."),
    Table(
        layer=Layer.SILVER,
        name=APPARTENANCE.name,
        description="Département, région, EPCI and zone d'emploi of every commune of a vintage.",
        columns=(MILLESIME, *APPARTENANCE.columns, COMMUNE_CIBLE, PART, MOTIF),
        key=(*APPARTENANCE.key, COMMUNE_CIBLE.name),
        inputs=(APPARTENANCE.name,),
        function=of_vintage,
    ),
    _silver(ARRONDISSEMENTS_PLM, "Arrondissements municipaux and their commune."),
    _silver(CODES_POSTAUX, "Postal codes of the communes, several of each where there are."),
    Table(
        layer=Layer.SILVER,
        name=POPULATION.name,
        description="Population municipale per commune and year, in the geography of its release.",
        columns=POPULATION.columns,
        key=POPULATION.key,
        inputs=(POPULATION.name,),
        function=as_published,
    ),
    Table(
        layer=Layer.GOLD,
        name="communes",
        description="One row per commune of a vintage, with its département, région and latest known population.",
        columns=(
            MILLESIME,
            COMMUNE,
            _LIBELLE,
            _CODE_DEPARTEMENT,
            _LIBELLE.but(name="libelle_departement", description="Name of the département", required=False),
            _CODE_REGION,
            _LIBELLE.but(name="libelle_region", description="Name of the région", required=False),
            _POPULATION.but(warning="Missing for a commune whose code the populations do not have."),
            ANNEE.but(
                name="annee_population",
                kind=Kind.INTEGER,
                description="Year of the population",
                required=False,
                source_names=(),
            ),
        ),
        key=("code_commune",),
        inputs=("silver/communes", "silver/departements", "silver/regions", "silver/population"),
        function=communes_of,
        lookback=OLDEST_POPULATION,
        datasets=("communes",),
    ),
)
