"""Columns of the election theme, each described once."""

from __future__ import annotations

from elexxion_assets.columns import COMMUNE_CIBLE, MOTIF, PART
from elexxion_assets.declare import Column, Kind
from elexxion_assets.geography.ministry import COMMUNE_PATTERN, DEPARTEMENT_PATTERN
from elexxion_assets.themes.election.layouts import LEVELS

SCRUTIN = Column(
    name="scrutin",
    kind=Kind.TEXT,
    description="Election and round: year, kind and round",
    pattern=r"[0-9]{4}-[a-z]+-t[12]",
    examples=("2022-presidentielle-t1", "2024-europeennes-t1"),
    counter_examples=("2022", "presidentielle 2022", "2022-presidentielle-t3"),
)
NIVEAU = Column(
    name="niveau",
    kind=Kind.TEXT,
    description="Territorial level of the row",
    isin=LEVELS,
    examples=("commune", "bureau"),
    counter_examples=("quartier",),
)
CODE_TERRITOIRE = Column(
    name="code_territoire",
    kind=Kind.TEXT,
    description="Code of the territory inside its level",
    pattern=(
        rf"{COMMUNE_PATTERN}(?:SR[0-9][0-9])?(?:_C[0-9][0-9])?"
        rf"|{COMMUNE_PATTERN}_[^|;]{{1,16}}"
        rf"|{DEPARTEMENT_PATTERN}(?:[0-9A-Z]{{2}})?"
    ),
    examples=("01001", "01001_0001", "0101", "01", "75056SR01", "ZZ001"),
    counter_examples=("1", "010", "AIN004"),
    warning="01001 is a commune, 01001_0001 one of its bureaux, 0101 a circonscription or a canton of the Ain.",
)
CODE_DEPARTEMENT = Column(
    name="code_departement",
    kind=Kind.TEXT,
    description="Code of the département; ZX (Saint-Martin and Saint-Barthélemy) and ZZ (abroad) are the ministry's",
    pattern=DEPARTEMENT_PATTERN,
    required=False,
    examples=("01", "2A", "974", "ZZ"),
    counter_examples=("1", "ZA", "999"),
)
CODE_COMMUNE = Column(
    name="code_commune",
    kind=Kind.TEXT,
    description="INSEE code of the commune in the year of the election; polling abroad has ZZ001 and the like",
    pattern=COMMUNE_PATTERN,
    required=False,
    examples=("01001", "2A004", "97411", "ZZ001"),
    counter_examples=("1001", "ZA101"),
    warning="Geography of the year of the election: compare elections by code_commune_cible.",
)
CODE_BUREAU = Column(
    name="code_bureau",
    kind=Kind.TEXT,
    description="Number of the bureau de vote inside its commune",
    required=False,
    examples=("0001", "0012B"),
)
CODE_PUBLIE = Column(
    name="code_publie",
    kind=Kind.TEXT,
    description="Codes of the territory as published, from the widest to the finest",
    required=False,
    examples=("1|4", "ZA|101|0001"),
)
LIBELLE = Column(
    name="libelle",
    kind=Kind.TEXT,
    description="Name of the territory as published",
    required=False,
    examples=("L'Abergement-Clémenciat",),
)


def _count(name: str, description: str, *, unit: str = "electors", required: bool = True) -> Column:
    return Column(
        name=name,
        kind=Kind.INTEGER,
        description=description,
        unit=unit,
        ge=0,
        required=required,
        examples=("0", "1343", "48 747 876"),
        counter_examples=("-1", "douze"),
    )


INSCRITS = _count("inscrits", "Electors on the lists").but(of_population=(0.2, 2.0))
ABSTENTIONS = _count("abstentions", "Electors who did not vote", required=False)
VOTANTS = _count("votants", "Electors who voted")
EXPRIMES = _count("exprimes", "Votes for a candidate or a list", unit="votes")
BLANCS = _count("blancs", "Blank votes, where they are counted apart (since 2014)", unit="votes", required=False)
NULS = _count("nuls", "Spoilt votes, where they are counted apart (since 2014)", unit="votes", required=False)
BLANCS_ET_NULS = _count("blancs_et_nuls", "Blank and spoilt votes together", unit="votes", required=False)
VOIX = _count("voix", "Votes for the candidate or the list", unit="votes")

NUMERO_PANNEAU = Column(
    name="numero_panneau",
    kind=Kind.INTEGER,
    description="Number of the candidate's panel or of the list",
    required=False,
    ge=0,
    examples=("1", "12"),
    counter_examples=("A",),
)
CANDIDAT = Column(
    name="candidat",
    kind=Kind.TEXT,
    description="Who received the votes: name and first name, title of the list, or nuance where no more is said",
    examples=("LE PEN Marine", "POUR UNE DEMOCRATIE REELLE", "REM"),
    warning="Namesakes in one territory get the number of their panel in brackets.",
)
NOM = Column(
    name="nom",
    kind=Kind.TEXT,
    description="Name of the candidate or of the head of the list, as published",
    required=False,
    examples=("LE PEN",),
)
PRENOM = Column(
    name="prenom",
    kind=Kind.TEXT,
    description="First name, as published",
    required=False,
    examples=("Marine",),
)
SEXE = Column(
    name="sexe",
    kind=Kind.TEXT,
    description="F or M, as declared",
    required=False,
    isin=("F", "M"),
    examples=("F", "M"),
    counter_examples=("X",),
)
NUANCE = Column(
    name="nuance",
    kind=Kind.TEXT,
    description="Nuance given by the ministry, as published",
    required=False,
    examples=("REM", "LDVG", "UG"),
    warning="One code may mean different parties in different years.",
)

CIBLE = (
    COMMUNE_CIBLE.but(
        description="Commune of the target vintage of the COG in which the figures count; null above the communes",
        warning="98601 is Wallis-et-Futuna, which the ministry counts as one; ZZ001 and the like are polling abroad.",
    ),
    PART.but(description=f"{PART.description}; null above the communes", required=False),
    MOTIF.but(description=f"{MOTIF.description}; null above the communes", required=False),
)
"""Where the figures of a row count, in the communes of the target vintage."""

TERRITOIRE = (NIVEAU, CODE_TERRITOIRE, CODE_DEPARTEMENT, CODE_COMMUNE, CODE_BUREAU, CODE_PUBLIE, LIBELLE)
"""Where a row is about."""

PARTICIPATION = (INSCRITS, ABSTENTIONS, VOTANTS, BLANCS, NULS, BLANCS_ET_NULS, EXPRIMES)
"""How many voted."""

CANDIDATURE = (NUMERO_PANNEAU, CANDIDAT, NOM, PRENOM, SEXE, NUANCE)
"""Who stood."""
