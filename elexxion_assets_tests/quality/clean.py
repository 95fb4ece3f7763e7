"""Clean files in official layouts, large enough for statistics: communes of every département, two periods each."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from elexxion_assets.geography import Cog
from elexxion_assets.lake.storage import DirectoryStorage
from elexxion_assets.themes import all_themes
from elexxion_assets_tests.small_lake import SmallLake

INDICATORS = (
    "Cambriolages de logement",
    "Vols avec armes",
    "Vols d'accessoires sur véhicules",
    "Vols dans les véhicules",
    "Vols de véhicule",
    "Vols sans violence contre des personnes",
    "Vols violents sans arme",
    "Destructions et dégradations volontaires",
)
CANDIDATES = (("M", "MACRON", "Emmanuel"), ("F", "LE PEN", "Marine"), ("M", "MÉLENCHON", "Jean-Luc"))
CRIME_HEADER = (
    "CODGEO_2025;annee;indicateur;unite_de_compte;nombre;taux_pour_mille;est_diffuse;insee_pop;insee_pop_millesime;"
    "insee_log;insee_log_millesime;complement_info_nombre;complement_info_taux"
)
SCRUTINS = ("2017-presidentielle-t1", "2022-presidentielle-t1")
YEARS = (2022, 2023)


def communes(each: int = 2) -> list[str]:
    """The largest communes of every département of mainland France: hardly a figure of theirs is secret."""
    by_departement: dict[str, list[str]] = {}
    for code in sorted(Cog.builtin().codes(2025)):
        if not code.startswith(("97", "98")):
            by_departement.setdefault(code[:2], []).append(code)
    largest = (sorted(codes, key=_people, reverse=True)[:each] for codes in by_departement.values())
    return sorted(code for codes in largest for code in codes)


def _people(code: str) -> int:
    return _inhabitants()[code]


@cache
def _inhabitants() -> Mapping[str, int]:
    return Cog.builtin().inhabitants(Cog.builtin().newest)


def crime(codes: Sequence[str], years: Sequence[int] = YEARS, seed: int = 1) -> str:
    """The communal base of the SSMSI; a figure from 1 to 4 is secret."""
    rows = [CRIME_HEADER]
    for code in codes:
        chance = random.Random(f"{seed} {code}")  # noqa: S311
        people = _people(code)
        means = [chance.expovariate(1 / (people * 0.001)) for _ in INDICATORS]
        for year in years:
            for indicator, mean in zip(INDICATORS, means, strict=True):
                number = max(0, round(chance.gauss(mean, mean**0.5)))
                base = people // 2 if indicator.startswith("Cambriolages") else people
                if 0 < number < 5:
                    figure, rate, said, extra = "NA", "NA", "ndiff", "2,5;0,8"
                else:
                    figure, rate, said, extra = str(number), f"{number * 1000 / base:.8f}", "diff", "NA;NA"
                unit = "Infraction" if indicator.startswith(("Camb", "Destr")) else "Victime entendue"
                unit = "Véhicule" if "éhicule" in indicator else unit
                figures = f"{figure};{rate.replace('.', ',')};{said};{people};2021;{people // 2};2021;{extra}"
                rows.append(f"{code};{year};{indicator};{unit};{figures}")
    return "\n".join(rows) + "\n"


def election(codes: Sequence[str], scrutin: str, seed: int = 1) -> str:
    """Results of a présidentielle by commune, in the layout of the ministry of 2017."""
    block = ["N°Panneau", "Sexe", "Nom", "Prénom", "Voix", "% Voix/Ins", "% Voix/Exp"]
    header = (
        "Code du département;Libellé du département;Code de la commune;Libellé de la commune;Inscrits;Abstentions;"
        "% Abs/Ins;Votants;% Vot/Ins;Blancs;% Blancs/Ins;% Blancs/Vot;Nuls;% Nuls/Ins;% Nuls/Vot;Exprimés;% Exp/Ins;"
        "% Exp/Vot"
    )
    rows = [";".join([header, *block * len(CANDIDATES)])]
    for code in codes:
        chance = random.Random(f"{seed} {scrutin} {code}")  # noqa: S311
        inscrits = round(_people(code) * chance.uniform(0.65, 0.75))
        votants = round(inscrits * chance.uniform(0.7, 0.85))
        blancs, nuls = round(votants * 0.015), round(votants * 0.007)
        exprimes = votants - blancs - nuls
        first = round(exprimes * chance.uniform(0.25, 0.4))
        second = round(exprimes * chance.uniform(0.25, 0.4))
        cells = [code[:2], f"Département {code[:2]}", code[2:], f"Commune {code}", inscrits, inscrits - votants, "0,00"]
        cells += [votants, "0,00", blancs, "0,00", "0,00", nuls, "0,00", "0,00", exprimes, "0,00", "0,00"]
        for number, (who, votes) in enumerate(
            zip(CANDIDATES, (first, second, exprimes - first - second), strict=True), start=1
        ):
            cells += [number, *who, votes, "0,00", "0,00"]
        rows.append(";".join(map(str, cells)))
    return "\n".join(rows) + "\n"


def lake(folder: Path, codes: Sequence[str]) -> SmallLake:
    """A lake that holds both themes, built."""
    made = SmallLake(DirectoryStorage(folder), all_themes())
    made.drop("communale-2023.csv", crime(codes))
    for scrutin in SCRUTINS:
        made.drop(f"{scrutin}-provisoire.csv", election(codes, scrutin), scrutin=scrutin)
    made.build()
    return made
