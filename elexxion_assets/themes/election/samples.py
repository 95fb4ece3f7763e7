"""Made-up results of two présidentielles, in the ministry's layouts, to try the house without real files.

Codes, names and sizes of the communes are real (COG and INSEE populations of 2019, rounded); every vote is drawn from
the seed. The names of the files say that they are synthetic.
"""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path

from elexxion_assets.synthetic import PREFIX
from elexxion_assets.themes.election import blocs

_DEPARTEMENTS = {"01": "Ain", "2A": "Corse-du-Sud", "69": "Rhône", "75": "Paris", "974": "La Réunion"}

_CANDIDATES_2017 = {
    "DUPONT-AIGNAN Nicolas": 0.047,
    "LE PEN Marine": 0.213,
    "MACRON Emmanuel": 0.240,
    "HAMON Benoît": 0.064,
    "ARTHAUD Nathalie": 0.006,
    "POUTOU Philippe": 0.011,
    "CHEMINADE Jacques": 0.002,
    "LASSALLE Jean": 0.012,
    "MÉLENCHON Jean-Luc": 0.196,
    "ASSELINEAU François": 0.009,
    "FILLON François": 0.200,
}
"""Candidates in order of their panels, and about their national share."""

_CANDIDATES_2022 = {
    "ARTHAUD Nathalie": 0.006,
    "ROUSSEL Fabien": 0.023,
    "MACRON Emmanuel": 0.278,
    "LASSALLE Jean": 0.031,
    "LE PEN Marine": 0.232,
    "ZEMMOUR Éric": 0.071,
    "MÉLENCHON Jean-Luc": 0.220,
    "HIDALGO Anne": 0.017,
    "JADOT Yannick": 0.046,
    "PÉCRESSE Valérie": 0.048,
    "POUTOU Philippe": 0.008,
    "DUPONT-AIGNAN Nicolas": 0.021,
}

_WOMEN = ("ARTHAUD", "LE PEN", "HIDALGO", "PÉCRESSE")

_POSITION = {"extreme_gauche": -1.0, "gauche": -0.8, "divers": 0.3, "centre": 0.0, "droite": 0.5, "extreme_droite": 1.0}
"""Where the blocs stand for a commune that leans to one side."""

_HEAD_2017 = (
    "Code du département;Libellé du département;Code de la commune;Libellé de la commune;Inscrits;Abstentions;"
    "% Abs/Ins;Votants;% Vot/Ins;Blancs;% Blancs/Ins;% Blancs/Vot;Nuls;% Nuls/Ins;% Nuls/Vot;"
    "Exprimés;% Exp/Ins;% Exp/Vot"
)
_HEAD_2022 = _HEAD_2017.replace(";Inscrits", ";Etat saisie;Inscrits", 1)
_BLOCK = ";N°Panneau;Sexe;Nom;Prénom;Voix;% Voix/Ins;% Voix/Exp"


@dataclass(frozen=True, kw_only=True)
class _Count:
    """The count of one commune."""

    departement: str
    commune: str
    libelle: str
    inscrits: int
    votants: int
    blancs: int
    nuls: int
    voix: Mapping[str, int]

    @property
    def exprimes(self) -> int:
        return self.votants - self.blancs - self.nuls


def samples(folder: Path, seed: int) -> list[Path]:
    """Writes présidentielle 2017 (wide CSV) and 2022 (`.txt` of the ministry), first rounds, for some 290 communes.

    Args:
        folder: Existing folder to write into.
        seed: The same seed gives the same bytes.

    Returns:
        The paths of the files.
    """
    of_2017 = folder / f"{PREFIX}presidentielle-2017-communes-tour-1.csv"
    of_2017.write_bytes(_text_2017(_counts(seed, 2017, _CANDIDATES_2017)).encode("utf-8"))
    of_2022 = folder / f"{PREFIX}presidentielle-2022-subcom-t1.txt"
    of_2022.write_bytes(_text_2022(_counts(seed, 2022, _CANDIDATES_2022)).encode("latin-1"))
    return [of_2017, of_2022]


def _counts(seed: int, year: int, national: Mapping[str, float]) -> list[_Count]:
    bloc_of = {row.candidat: row.bloc for row in blocs.of_scrutin(f"{year}-presidentielle-t1") if row.candidat}
    text = files(__package__).joinpath("samples.csv").read_text(encoding="utf-8")
    counts = []
    for row in csv.DictReader(text.splitlines()):
        code = row["code_commune"]
        lasting, draw = random.Random(f"{seed} {code}"), random.Random(f"{seed} {code} {year}")  # noqa: S311
        leaning = lasting.gauss(0, 0.5)
        inscrits = max(12, round(int(row["population"]) * lasting.uniform(0.66, 0.78) * draw.uniform(0.98, 1.02)))
        votants = round(inscrits * min(0.95, max(0.4, draw.gauss(0.76, 0.05))))
        blancs, nuls = (round(votants * draw.uniform(0, most)) for most in (0.03, 0.012))
        weights = {
            name: share * math.exp(leaning * _POSITION[bloc_of[name]] + draw.gauss(0, 0.15))
            for name, share in national.items()
        }
        overseas = code.startswith("97")
        counts.append(
            _Count(
                departement=code[:3] if overseas else code[:2],
                commune=code[2:],
                libelle=row["libelle"],
                inscrits=inscrits,
                votants=votants,
                blancs=blancs,
                nuls=nuls,
                voix=_shared_out(votants - blancs - nuls, weights),
            )
        )
    return counts


def _shared_out(votes: int, weights: Mapping[str, float]) -> dict[str, int]:
    """Whole votes in proportion to weights, by largest remainder, so that they add up."""
    total = sum(weights.values())
    quotas = {name: votes * weight / total for name, weight in weights.items()}
    shares = {name: int(quota) for name, quota in quotas.items()}
    largest_first = sorted(quotas, key=lambda name: shares[name] - quotas[name])
    for name in largest_first[: votes - sum(shares.values())]:
        shares[name] += 1
    return shares


def _text_2017(counts: list[_Count]) -> str:
    """Codes as numbers, candidates by votes, names of all blocks, decimal points, LF."""
    lines = [_HEAD_2017 + _BLOCK * len(_CANDIDATES_2017)]
    panels = {name: rank for rank, name in enumerate(_CANDIDATES_2017, start=1)}
    for count in counts:
        codes = [_published(count.departement).lstrip("0"), _DEPARTEMENTS[count.departement]]
        fields = [*codes, count.commune.lstrip("0"), count.libelle, *_figures(count, _point)]
        for name in sorted(count.voix, key=lambda name: (-count.voix[name], panels[name])):
            fields += _block(count, panels[name], name, _point)
        lines.append(";".join(fields))
    return "\n".join(lines) + "\n"


def _text_2022(counts: list[_Count]) -> str:
    """Codes with their zeros, candidates by panel, names of the first block only, decimal commas, CRLF."""
    lines = [_HEAD_2022 + _BLOCK]
    for count in counts:
        codes = [_published(count.departement), _DEPARTEMENTS[count.departement], count.commune, count.libelle]
        fields = [*codes, "Complet", *_figures(count, _comma)]
        for panel, name in enumerate(_CANDIDATES_2022, start=1):
            fields += _block(count, panel, name, _comma)
        lines.append(";".join(fields))
    return "\r\n".join(lines) + "\r\n"


def _published(departement: str) -> str:
    return "ZD" if departement == "974" else departement


def _figures(count: _Count, percent: partial[str]) -> list[str]:
    inscrits, votants, exprimes = count.inscrits, count.votants, count.exprimes
    absent = inscrits - votants
    fields = [str(inscrits), str(absent), percent(absent, inscrits), str(votants), percent(votants, inscrits)]
    for ballots in (count.blancs, count.nuls, exprimes):
        fields += [str(ballots), percent(ballots, inscrits), percent(ballots, votants)]
    return fields


def _block(count: _Count, panel: int, name: str, percent: partial[str]) -> list[str]:
    family, _, first = name.rpartition(" ")
    votes = count.voix[name]
    shares = [percent(votes, count.inscrits), percent(votes, count.exprimes)]
    return [str(panel), "F" if family in _WOMEN else "M", family, first, str(votes), *shares]


def _share(spelt: str, mark: str, part: int, whole: int) -> str:
    return format(100 * part / whole if whole else 0.0, spelt).replace(".", mark)


_point = partial(_share, ".4g", ".")
_comma = partial(_share, ".2f", ",")
