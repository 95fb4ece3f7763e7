"""The shared vocabulary: columns that several themes speak of, described once."""

from elexxion_assets.declare import Column, Kind

COMMUNE = Column(
    name="code_commune",
    kind=Kind.TEXT,
    description="Code officiel géographique (COG) of the commune",
    pattern=r"(?:[0-9]{2}|2[AB])[0-9]{3}",
    width=5,
    examples=("01001", "2A004", "75056", "97411"),
    counter_examples=("1ABCD", "ZZ001", "2C004", "751056"),
    warning="Text, never a number: 01001 is not 1001.",
)
DEPARTEMENT = Column(
    name="code_departement",
    kind=Kind.TEXT,
    description="Code of the département (COG)",
    pattern=r"(?:0[1-9]|[1-8][0-9]|9[0-5]|2[AB]|97[1-8]|98[4-9])",
    width=2,
    examples=("01", "2A", "75", "974"),
    counter_examples=("00", "20C", "ZZ", "96"),
)
REGION = Column(
    name="code_region",
    kind=Kind.TEXT,
    description="Code of the région (COG, 2016 boundaries)",
    pattern=r"(?:0[1-6]|11|24|27|28|32|44|52|53|75|76|84|93|94)",
    width=2,
    examples=("01", "11", "84", "94"),
    counter_examples=("00", "99", "Bretagne"),
)
ANNEE = Column(
    name="annee",
    kind=Kind.INTEGER,
    description="Year that the figures are about",
    unit="year",
    ge=1900,
    le=2100,
    source_names=("annee", "année"),
    examples=("2016", "2023"),
    counter_examples=("16", "MMXVI"),
)
COMMUNE_CIBLE = COMMUNE.but(
    name="code_commune_cible",
    description="Commune of the target vintage of the COG in which the figures count",
    pattern=r"(?:(?:[0-9]{2}|2[AB])[0-9]{3}|ZZ[0-9]{3})",
    required=False,
    source_names=(),
    examples=("01001", "2A004", "75056", "ZZ001"),
    counter_examples=("ABCDE",),
)
PART = Column(
    name="part",
    kind=Kind.NUMBER,
    description="Share of the row's counts that goes to code_commune_cible",
    ge=0,
    le=1,
    examples=("1", "0.25"),
    counter_examples=("1.5",),
    warning="Below 1 for a commune that was split since: multiply counts by it, never rates.",
)
MOTIF = Column(
    name="motif",
    kind=Kind.TEXT,
    description="Why code_commune_cible differs from the published code, or that it does not",
    examples=("merged",),
)
ZONAGE = Column(
    name="zonage",
    kind=Kind.TEXT,
    description="Year of the zoning (zones d'emploi of 2010, of 2020); the codes of two zonings are not comparable",
    pattern="(?:19|20)[0-9]{2}",
    optional_in_file=True,
    examples=("2020",),
    counter_examples=("20",),
)
CODE_ZONE_EMPLOI = Column(
    name="code_zone_emploi",
    kind=Kind.TEXT,
    description="Code of the zone d'emploi in its zoning; it begins with 00 where the zone lies in several régions",
    pattern="[0-9]{4}",
    width=4,
    optional_in_file=True,
    examples=("0051", "9407"),
    counter_examples=("ZE51", "94070"),
)
