"""Small files in the layouts of the ministry of the Interior, to the letter: invented figures, real headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

MERGED = (
    "Inscrits;Abstentions;% Abs/Ins;Votants;% Vot/Ins;Blancs et nuls;% BlNuls/Ins;% BlNuls/Vot;Exprimés;% Exp/Ins;"
    "% Exp/Vot"
)
SPLIT = (
    "Inscrits;Abstentions;% Abs/Ins;Votants;% Vot/Ins;Blancs;% Blancs/Ins;% Blancs/Vot;Nuls;% Nuls/Ins;% Nuls/Vot;"
    "Exprimés;% Exp/Ins;% Exp/Vot"
)
OF_2024 = (
    "Inscrits;Votants;% Votants;Abstentions;% Abstentions;Exprimés;% Exprimés/inscrits;% Exprimés/votants;Blancs;"
    "% Blancs/inscrits;% Blancs/votants;Nuls;% Nuls/inscrits;% Nuls/votants"
)
COMMUNE = "Code du département;Libellé du département;Code de la commune;Libellé de la commune"
CIRCONSCRIPTION = "Code du département;Libellé du département;Code de la circonscription;Libellé de la circonscription"
BUREAU = f"{CIRCONSCRIPTION};Code de la commune;Libellé de la commune;Code du b.vote"
CANTON = "Code du département;Libellé du département;Code du canton;Libellé du canton"
COMMUNE_2024 = "Code département;Libellé département;Code commune;Libellé commune"
BUREAU_2024 = f"{COMMUNE_2024};Code BV"
VOTES = "Voix;% Voix/Ins;% Voix/Exp"
VOTES_2024 = "Voix;% Voix/inscrits;% Voix/exprimés"

PRESIDENTIELLE_2012 = f"Sexe;Nom;Prénom;{VOTES}"
PRESIDENTIELLE_2017 = f"N°Panneau;Sexe;Nom;Prénom;{VOTES}"
LEGISLATIVES = f"N°Panneau;Sexe;Nom;Prénom;Nuance;{VOTES}"
EUROPEENNES_2019 = f"N°Liste;Libellé Abrégé Liste;Libellé Etendu Liste;Nom Tête de Liste;{VOTES}"
MUNICIPALES_2020 = f"N.Pan.;Code Nuance;Sexe;Nom;Prénom;Liste;Sièges / Elu;Sièges Secteur;Sièges CC;{VOTES}"
REGIONALES_2021 = f"N.Pan.;Nuance Liste;Libellé Abrégé Liste;Libellé Etendu Liste;Nom Tête de Liste;{VOTES}"
DEPARTEMENTALES = f"N.Pan.;Binôme;Nuance;{VOTES}"
LEGISLATIVES_2024 = (
    "Numéro de panneau;Nuance candidat;Nom candidat;Prénom candidat;Sexe candidat;"
    "Voix;% Voix/inscrits;% Voix/exprimés;Elu"
)
CANTONS_2024 = f"Nuance candidat;{VOTES_2024};Sièges"
EUROPEENNES_2024 = f"Numéro de panneau;Nuance liste;Libellé abrégé de liste;Libellé de liste;{VOTES_2024};Sièges"

CANDIDATES = {
    2012: "JOLY Eva,LE PEN Marine,SARKOZY Nicolas,MÉLENCHON Jean-Luc,POUTOU Philippe,ARTHAUD Nathalie,"
    "CHEMINADE Jacques,BAYROU François,DUPONT-AIGNAN Nicolas,HOLLANDE François",
    2017: "LE PEN Marine,MACRON Emmanuel,HAMON Benoît,ARTHAUD Nathalie,POUTOU Philippe,CHEMINADE Jacques,"
    "LASSALLE Jean,MÉLENCHON Jean-Luc,ASSELINEAU François,FILLON François,DUPONT-AIGNAN Nicolas",
    2022: "ARTHAUD Nathalie,ROUSSEL Fabien,MACRON Emmanuel,LASSALLE Jean,LE PEN Marine,ZEMMOUR Éric,"
    "MÉLENCHON Jean-Luc,HIDALGO Anne,JADOT Yannick,PÉCRESSE Valérie,POUTOU Philippe,DUPONT-AIGNAN Nicolas",
}
HEADS_2019 = (
    "AUBRY Manon",
    "LOISEAU Nathalie",
    "BARDELLA Jordan",
    "JADOT Yannick",
    "BELLAMY François-Xavier",
    "BROSSAT Ian",
    "GLUCKSMANN Raphaël",
)
PLACES = (
    ("01", "Ain", "004", "Ambérieu-en-Bugey"),
    ("01", "Ain", "033", "Valserhône"),
    ("2A", "Corse-du-Sud", "004", "Ajaccio"),
    ("2B", "Haute-Corse", "033", "Bastia"),
    ("75", "Paris", "056", "Paris"),
    ("69", "Rhône", "123", "Lyon"),
    ("13", "Bouches-du-Rhône", "055", "Marseille"),
    ("ZA", "Guadeloupe", "101", "Les Abymes"),
    ("ZB", "Martinique", "209", "Fort-de-France"),
    ("ZC", "Guyane", "302", "Cayenne"),
    ("ZD", "La Réunion", "411", "Saint-Denis"),
    ("ZM", "Mayotte", "611", "Mamoudzou"),
    ("ZN", "Nouvelle-Calédonie", "818", "Nouméa"),
    ("ZP", "Polynésie française", "735", "Papeete"),
    ("ZS", "Saint-Pierre-et-Miquelon", "502", "Saint-Pierre"),
    ("ZX", "Saint-Martin/Saint-Barthélemy", "701", "Saint-Barthélemy"),
    ("ZZ", "Français établis hors de France", "001", "Abidjan"),
)
"""Published codes of communes, since 2019, with every way in which the ministry writes overseas and abroad."""

INSEE = (
    *("01004", "01033", "2A004", "2B033", "75056", "69123", "13055", "97101", "97209", "97302", "97411", "97611"),
    *("98818", "98735", "97502", "97701", "ZZ001"),
)
"""The same places in INSEE's codes."""

_OVERSEAS = {"ZA": "971", "ZB": "972", "ZC": "973", "ZD": "974", "ZM": "976", "ZN": "988", "ZP": "987", "ZS": "975"}

VOTES_OF_A_ROW = 750


def people(names: str) -> list[dict[str, str]]:
    """Candidates of a présidentielle, from « FAMILY First, ... »."""
    found = []
    for rank, name in enumerate(names.split(","), start=1):
        family = " ".join(word for word in name.split() if word == word.upper())
        first = name.removeprefix(family).strip()
        found.append({"N°Panneau": str(rank), "Sexe": "M", "Nom": family, "Prénom": first})
    return found


def candidates(nuances: str) -> list[dict[str, str]]:
    """Candidates, lists or pairs of these nuances, under every name that a column of theirs has."""
    found = []
    for rank, nuance in enumerate(nuances.split(), start=1):
        who = {"N°Panneau": rank, "N.Pan.": rank, "N°Liste": rank, "Numéro de panneau": rank}
        names = {"Nom": f"NOM {rank}", "Prénom": "Camille", "Sexe": "F"}
        names |= {"Nom candidat": f"NOM {rank}", "Prénom candidat": "Camille", "Sexe candidat": "FEMININ"}
        lists = dict.fromkeys(("Liste", "Libellé Etendu Liste", "Libellé de liste"), f"LA LISTE {rank}")
        lists |= dict.fromkeys(("Libellé Abrégé Liste", "Libellé abrégé de liste"), f"L{rank}")
        codes = dict.fromkeys(("Nuance", "Code Nuance", "Nuance candidat", "Nuance liste", "Nuance Liste"), nuance)
        pair = {"Binôme": f"M. A{rank} Jean et Mme B{rank} Anne", "Nom Tête de Liste": f"TÊTE {rank}"}
        found.append({name: str(value) for name, value in (who | names | lists | codes | pair).items()})
    return found


def results(
    head: str,
    figures: str,
    block: str,
    standing: Sequence[Mapping[str, str]],
    *,
    names: str = "repeated",
    separator: str = ";",
    places: Sequence[tuple[str, str, str, str]] = PLACES,
) -> str:
    """A file of results: a line per place, a block of columns per candidate, in an order that differs per line.

    Args:
        head: Columns of the territory.
        figures: Columns of the participation.
        block: Columns of a candidate.
        standing: Values of the candidates' columns.
        names: `repeated`, `numbered`, or how the header goes on after the first candidate: it `ends`, or is `empty`.
        separator: Separator of fields.
        places: Published codes and names.

    Returns:
        The text, with CRLF; each line has `VOTES_OF_A_ROW` votes.
    """
    fields = block.split(";")
    header = [*head.split(";"), *figures.split(";")]
    for rank in range(1, len(standing) + 1):
        if names == "numbered":
            header += [f"{field} {rank}" for field in fields]
        elif names == "repeated" or rank == 1:
            header += fields
        elif names == "empty":
            header += [""] * len(fields)
    lines = [separator.join(header)]
    for number, place in enumerate(places):
        cells = _place(place, is_2024="Code commune" in head or "Code canton" in head) | _FIGURES
        order = [*standing[number % len(standing) :], *standing[: number % len(standing)]]
        row = [cells[name] for name in [*head.split(";"), *figures.split(";")]]
        share, rest = divmod(VOTES_OF_A_ROW, len(standing))
        for rank, candidate in enumerate(order):
            votes = {"Voix": str(share + rest if rank == 0 else share)}
            row += [
                votes.get(field, candidate.get(field, "10,00" if field.startswith("%") else "")) for field in fields
            ]
        lines.append(separator.join(row))
    return "\r\n".join(lines) + "\r\n"


_FIGURES = {"Inscrits": "1000", "Abstentions": "200", "Votants": "800", "Exprimés": str(VOTES_OF_A_ROW)}
_FIGURES |= {"Blancs": "30", "Nuls": "20", "Blancs et nuls": "50", "Etat saisie": "Complet"}
_FIGURES |= {share: "10,00" for figures in (MERGED, SPLIT) for share in figures.split(";") if share.startswith("%")}
_FIGURES |= {share: "10,00%" for share in OF_2024.split(";") if share.startswith("%")}


def _place(place: tuple[str, str, str, str], *, is_2024: bool) -> dict[str, str]:
    """The columns of a territory; since 2024 codes are INSEE's but for ZX and ZZ, and a commune's code is whole."""
    departement, name, commune, label = place
    if is_2024:
        code = _OVERSEAS.get(departement, departement)
        commune = code + (commune[1:] if len(code) == 3 else commune)
        departement = code
    codes = {"Code du département": departement, "Code département": departement, "Code de la commune": commune}
    codes |= {"Code commune": commune, "Code de la circonscription": "01", "Code du b.vote": "0001", "Code BV": "1"}
    codes |= {"Code B.Vote": "0001", "Code du canton": "05", "Code canton": "05"}
    labels = dict.fromkeys(("Libellé de la circonscription",), "1ère circonscription")
    labels |= dict.fromkeys(("Libellé du canton", "Libellé canton"), "Canton")
    labels |= dict.fromkeys(("Libellé du département", "Libellé département", "Libellé de la section électorale"), name)
    return codes | labels | dict.fromkeys(("Libellé de la commune", "Libellé commune"), label)
