"""Small synthetic files in the official layouts of the SSMSI, to try the lake without the real ones.

Real codes, invented figures: every file says so in its name, and `datasets.release` lets any real file win over them.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from elexxion_assets.synthetic import PREFIX
from elexxion_assets.themes.crime.datasets import MASKED
from elexxion_assets.themes.crime.indicators import INDICATORS, Indicator

_FIRST = 2016
_BOM = "\N{BYTE ORDER MARK}"

_RATES = {
    "homicides": 0.014,
    "tentatives_homicide": 0.05,
    "violences_physiques_intrafamiliales": 2.6,
    "violences_physiques_hors_cadre_familial": 2.8,
    "violences_sexuelles": 1.3,
    "vols_avec_armes": 0.13,
    "vols_violents_sans_arme": 0.9,
    "vols_sans_violence": 10.0,
    "cambriolages_logement": 6.0,
    "vols_de_vehicule": 2.1,
    "vols_dans_vehicules": 4.0,
    "vols_accessoires_vehicules": 1.4,
    "destructions_degradations": 8.2,
    "usage_stupefiants_afd": 2.0,
    "usage_stupefiants_hors_afd": 2.4,
    "trafic_stupefiants": 0.7,
    "escroqueries": 5.6,
}
"""Orders of magnitude per 1,000 inhabitants (dwellings for cambriolages)."""

_COMMUNES = {
    "01004": 14_081,
    "01033": 12_400,
    "01053": 41_500,
    "01071": 5_100,
    "01283": 22_600,
    "01344": 1_350,
    "2A004": 72_000,
    "2A041": 3_200,
    "2A247": 11_800,
    "2A249": 740,
    "69123": 520_000,
    "69259": 66_600,
    "69266": 152_000,
    "69381": 29_000,
    "69382": 30_000,
    "69383": 104_000,
    "69388": 86_000,
    "75056": 2_145_000,
    "75101": 16_000,
    "75113": 181_000,
    "75119": 184_000,
    "97407": 33_000,
    "97411": 154_000,
    "97424": 5_600,
}
_DEPARTEMENTS = {"01": 663_000, "2A": 162_000, "69": 1_890_000, "75": 2_145_000, "974": 874_000}
_REGION_OF = {"01": "84", "2A": "94", "69": "84", "75": "11", "974": "04"}
_REGIONS = {"04": 874_000, "11": 12_317_000, "84": 8_114_000, "94": 348_000}


@dataclass(frozen=True)
class _Figures:
    """Invented figures of one release: the same seed, place, indicator and year always give the same number."""

    seed: int
    last: int

    @property
    def years(self) -> range:
        return range(_FIRST, self.last + 1)

    def _draw(self, *words: str | int) -> random.Random:
        return random.Random(":".join(map(str, (self.seed, *words))))  # noqa: S311 - figures, not secrets

    def vintage(self, year: int) -> int:
        """The census known when the release appears is two years old."""
        return min(year, self.last - 2)

    def population(self, code: str, inhabitants: int, year: int) -> int:
        growth = self._draw("growth", code).uniform(-0.004, 0.012)
        return round(inhabitants * (1 + growth) ** (self.vintage(year) - _FIRST))

    def dwellings(self, code: str, inhabitants: int, year: int) -> float:
        return self.population(code, inhabitants, year) * self._draw("dwellings", code).uniform(0.42, 0.55)

    @cache  # noqa: B019 - the object lives as long as one call of `samples`
    def number(self, code: str, inhabitants: int, indicator: Indicator, year: int) -> int:
        """Facts of the year; a total is the sum of its parts, and each release revises the years of the one before."""
        if indicator.parts:
            parts = (part for part in INDICATORS if part.code in indicator.parts)
            return sum(self.number(code, inhabitants, part, year) for part in parts)
        if indicator.code == "usage_stupefiants_afd" and year < 2020:
            return 0
        base = self.dwellings if indicator.per_dwelling else self.population
        local = self._draw("local", code, indicator.code).uniform(0.5, 1.6)
        of_year = self._draw("year", code, indicator.code, year).gauss(1, 0.06)
        revised = self._draw("revised", self.last, code, indicator.code, year).gauss(1, 0.002)
        expected = base(code, inhabitants, year) * _RATES[indicator.code] / 1000 * local
        return max(0, round(expected * of_year * revised))

    def rate(self, code: str, inhabitants: int, indicator: Indicator, year: int) -> float:
        base = self.dwellings if indicator.per_dwelling else self.population
        return self.number(code, inhabitants, indicator, year) * 1000 / base(code, inhabitants, year)

    def is_published(self, code: str, inhabitants: int, indicator: Indicator, year: int) -> bool:
        """The rule of secrecy of the SSMSI: more than 5 facts, or none, in three successive years."""
        for first in range(max(_FIRST, year - 2), min(year, self.last - 2) + 1):
            window = [self.number(code, inhabitants, indicator, y) for y in range(first, first + 3)]
            if all(number > 5 for number in window) or not any(window):
                return True
        return False

    @cache  # noqa: B019 - as above
    def means_of_secret(self, departement: str, indicator: Indicator, year: int) -> tuple[float, float]:
        """Mean number and mean rate of the département's communes under secrecy."""
        secret = [
            place
            for place in _COMMUNES.items()
            if _departement(place[0]) == departement and not self.is_published(*place, indicator, year)
        ]
        numbers = [self.number(*place, indicator, year) for place in secret]
        rates = [self.rate(*place, indicator, year) for place in secret]
        return sum(numbers) / len(numbers), sum(rates) / len(rates)


def _departement(commune: str) -> str:
    return commune[:3] if commune.startswith("97") else commune[:2]


def _lines(header: str, rows: Iterable[Sequence[str | None]]) -> str:
    """Every field in quotes but the missing ones, which are a bare NA."""
    fields = (header.split(";"), *rows)
    return "".join(";".join("NA" if field is None else f'"{field}"' for field in row) + "\n" for row in fields)


def _comma(number: str) -> str:
    return number.replace(".", ",")


def _old_label(indicator: Indicator) -> str:
    """The name of the releases 2022 and 2023."""
    renamed = {
        "violences_physiques_intrafamiliales": "Coups et blessures volontaires intrafamiliaux",
        "violences_physiques_hors_cadre_familial": "Autres coups et blessures volontaires",
        "vols_de_vehicule": "Vols de véhicules",
        "escroqueries": "Escroqueries",
    }
    return renamed.get(indicator.code, indicator.label)


def _old_unit(indicator: Indicator) -> str:
    return "Mis en cause" if indicator.unit == "mis en cause" else indicator.unit


_NOT_IN_2023 = {"tentatives_homicide", "usage_stupefiants_afd", "usage_stupefiants_hors_afd"}
_OLD = tuple(indicator for indicator in INDICATORS if indicator.code not in _NOT_IN_2023)
_NEW = tuple(indicator for indicator in INDICATORS if indicator.code != "coups_et_blessures")


def _area_2023(figures: _Figures, areas: dict[str, int], *, departemental: bool) -> str:
    """The departmental or regional base of July 2024."""
    header = "classe;annee;Code.département;Code.région;unité.de.compte;millPOP;millLOG;faits;POP;LOG;tauxpourmille"
    if not departemental:
        header = header.replace("Code.département;", "")

    def rows() -> Iterator[list[str | None]]:
        for indicator in _OLD:
            for year in figures.years:
                vintage = str(figures.vintage(year) % 100)
                for place in areas.items():
                    rate = figures.rate(*place, indicator, year)
                    yield [
                        _old_label(indicator),
                        str(year % 100),
                        *([place[0], _REGION_OF[place[0]]] if departemental else [place[0]]),
                        _old_unit(indicator),
                        vintage,
                        vintage,
                        str(figures.number(*place, indicator, year)),
                        str(figures.population(*place, year)),
                        _comma(f"{figures.dwellings(*place, year):.10f}"),
                        _comma(f"{rate:.14e}" if departemental else f"{rate:.17f}"),
                    ]

    return _BOM + _lines(header, rows())


def _departements_2024(figures: _Figures) -> str:
    """The departmental base of 2025."""
    header = (
        "Code_departement;Code_region;annee;indicateur;unite_de_compte;nombre;taux_pour_mille;"
        "insee_pop;insee_pop_millesime;insee_log;insee_log_millesime"
    )
    rows = (
        [
            place[0],
            _REGION_OF[place[0]],
            str(year),
            indicator.label,
            indicator.unit.capitalize(),
            str(figures.number(*place, indicator, year)),
            _comma(f"{figures.rate(*place, indicator, year):.7f}"),
            str(figures.population(*place, year)),
            str(figures.vintage(year)),
            str(round(figures.dwellings(*place, year))),
            str(figures.vintage(year)),
        ]
        for indicator in _NEW
        for year in figures.years
        for place in _DEPARTEMENTS.items()
    )
    return _BOM + _lines(header, rows)


def _secret_or_not(
    figures: _Figures, place: tuple[str, int], indicator: Indicator, year: int, decimals: int
) -> tuple[str | None, str | None, str, str | None, str | None]:
    """Number, rate, flag, and the two means that replace a secret figure."""
    if figures.is_published(*place, indicator, year):
        number, rate = figures.number(*place, indicator, year), figures.rate(*place, indicator, year)
        return str(number), _comma(f"{rate:.{decimals}f}"), "diff", None, None
    mean, mean_rate = figures.means_of_secret(_departement(place[0]), indicator, year)
    return None, None, MASKED, _comma(f"{mean:.{decimals}f}"), _comma(f"{mean_rate:.{decimals}f}")


def _communes_2023(figures: _Figures) -> str:
    """The communal base of July 2024, in the geography of 2024."""
    header = (
        "CODGEO_2024;annee;classe;unité.de.compte;valeur.publiée;faits;tauxpourmille;complementinfoval;"
        "complementinfotaux;POP;millPOP;LOG;millLOG"
    )

    def rows() -> Iterator[list[str | None]]:
        for place in _COMMUNES.items():
            for year in figures.years:
                vintage = str(figures.vintage(year) % 100)
                for indicator in (indicator for indicator in _OLD if indicator.communal):
                    number, rate, flag, mean, mean_rate = _secret_or_not(figures, place, indicator, year, 14)
                    yield [
                        place[0],
                        str(year % 100),
                        _old_label(indicator),
                        _old_unit(indicator),
                        flag,
                        number,
                        rate,
                        mean,
                        mean_rate,
                        str(figures.population(*place, year)),
                        vintage,
                        _comma(f"{figures.dwellings(*place, year):.10f}"),
                        vintage,
                    ]

    return _BOM + _lines(header, rows())


def _communes_2024(figures: _Figures) -> str:
    """The communal base of 2025, in the geography of 2025."""
    header = (
        "CODGEO_2025;annee;indicateur;unite_de_compte;nombre;taux_pour_mille;est_diffuse;insee_pop;"
        "insee_pop_millesime;insee_log;insee_log_millesime;complement_info_nombre;complement_info_taux"
    )

    def rows() -> Iterator[list[str | None]]:
        for place in _COMMUNES.items():
            for year in figures.years:
                vintage = str(figures.vintage(year))
                for indicator in (indicator for indicator in _NEW if indicator.communal):
                    number, rate, flag, mean, mean_rate = _secret_or_not(figures, place, indicator, year, 7)
                    yield [
                        place[0],
                        str(year),
                        indicator.label,
                        indicator.unit.capitalize(),
                        number,
                        rate,
                        flag,
                        str(figures.population(*place, year)),
                        vintage,
                        str(round(figures.dwellings(*place, year))),
                        vintage,
                        mean,
                        mean_rate,
                    ]

    return _lines(header, rows())


def samples(folder: Path, seed: int) -> list[Path]:
    """Writes synthetic files in the official layouts of the three bases; the same seed writes the same bytes.

    Args:
        folder: Existing folder to write into.
        seed: Any whole number.

    Returns:
        Paths of the communal base in both layouts, the departmental base in both, and the regional base: 24 communes,
        5 départements and 4 régions, years 2016 to 2023 or 2024, about 7,500 rows in all.
    """
    of_2023, of_2024 = _Figures(seed, 2023), _Figures(seed, 2024)
    texts = {
        "donnee-data.gouv-2023-geographie2024.csv.gz": _communes_2023(of_2023),
        "donnee-data.gouv-2024-geographie2025.csv.gz": _communes_2024(of_2024),
        "donnee-dep-data.gouv-2023-geographie2024.csv": _area_2023(of_2023, _DEPARTEMENTS, departemental=True),
        "donnee-dep-data.gouv-2024-geographie2025.csv": _departements_2024(of_2024),
        "donnee-reg-data.gouv-2023-geographie2024.csv": _area_2023(of_2023, _REGIONS, departemental=False),
    }
    paths = []
    for name, text in texts.items():
        path = folder / f"{PREFIX}{name}"
        content = text.encode("utf-8")
        # A time stamp in the header of gzip would make every run differ.
        path.write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
        paths.append(path)
    return paths
