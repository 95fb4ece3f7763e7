"""Small synthetic files in the official layouts, to try the lake without the real ones.

Real codes, invented figures: every file says so in its name, and releases let any real file win over them.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from pathlib import Path

from elexxion_assets.synthetic import PREFIX

_BOM = "\N{BYTE ORDER MARK}"

_COMMUNES = {
    "01001": ("L'Abergement-Clémenciat", 500),
    "01004": ("Ambérieu-en-Bugey", 9_000),
    "01053": ("Bourg-en-Bresse", 26_000),
    "01283": ("Oyonnax", 14_000),
    "2A004": ("Ajaccio", 45_000),
    "2A247": ("Porto-Vecchio", 7_400),
    "69266": ("Villeurbanne", 104_000),
    **{f"6938{n}": (f"Lyon {n}e Arrondissement", 20_000 + 4_000 * n) for n in range(1, 10)},
    "97411": ("Saint-Denis", 102_000),
    "97424": ("Cilaos", 3_600),
}
"""Name and population of 15 to 64 years. Lyon is added as the sum of its nine arrondissements."""

_LYON = "69123"
_ZONES = {
    "0051": ("Alençon", "00", "INTERRÉGIONAL "),
    "8401": ("Ambérieu-en-Bugey", "84", "AUVERGNE-RHÔNE-ALPES"),
    "8405": ("Bourg en Bresse", "84", "AUVERGNE-RHÔNE-ALPES"),
    "8421": ("Lyon", "84", "AUVERGNE-RHÔNE-ALPES"),
    "9401": ("Ajaccio", "94", "CORSE"),
    "0403": ("Le Nord", "04", "LA REUNION"),
}


def _draw(*words: str | int) -> random.Random:
    return random.Random(":".join(map(str, words)))  # noqa: S311 - figures, not secrets


def _lines(separator: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "".join(separator.join(row) + "\n" for row in (header, *rows))


def _census(seed: int, code: str, year: int) -> dict[str, float]:
    """Invented figures of one commune and census, the active being those in work and the unemployed."""
    draw = _draw(seed, "census", code, year)
    growth = _draw(seed, "growth", code).uniform(-0.005, 0.012)
    population = _COMMUNES[code][1] * (1 + growth) ** (year - 2017) * draw.gauss(1, 0.005)
    active = population * draw.uniform(0.70, 0.80)
    unemployed = active * _draw(seed, "rate", code).uniform(0.06, 0.22) * draw.gauss(1, 0.05)
    return {"POP1564": population, "ACT1564": active, "ACTOCC1564": active - unemployed, "CHOM1564": unemployed}


def _base_cc(seed: int, year: int) -> str:
    """The base of a census: its year, five and ten years before, newest first; Lyon beside its arrondissements."""
    years = (year, year - 5, year - 10)
    rows: dict[str, list[float]] = {}
    for code in _COMMUNES:
        rows[code] = [value for y in years for value in _census(seed, code, y).values()]
    lyon = [row for code, row in rows.items() if code.startswith("6938")]
    rows[_LYON] = [sum(values) for values in zip(*lyon, strict=True)]
    names = [f"P{y % 100:02}_{name}" for y in years for name in _census(seed, "01001", year)]
    return _lines(";", ["CODGEO", *names], ([code, *(f"{v:.12f}" for v in rows[code])] for code in sorted(rows)))


def _dares(seed: int) -> str:
    """Job seekers per commune in the fourth quarters of 2015 to 2023, rounded to multiples of 5."""
    header = [
        "Date",
        "Code région",
        "Région",
        "Code département",
        "Département",
        "Code commune",
        "Commune",
        "Type de données",
        "Catégorie",
        "Sexe",
        "Tranche d'âge",
        "Nombre de demandeurs d'emploi",
    ]
    regions = {"01": ("84", "Auvergne-Rhône-Alpes", "Ain"), "69": ("84", "Auvergne-Rhône-Alpes", "Rhône")}

    def rows() -> Iterable[list[str]]:
        for year in range(2015, 2024):
            counts = {
                code: 5 * round(_census(seed, code, year)["CHOM1564"] * 1.2 / 5)
                for code in _COMMUNES
                if code[:2] in regions
            }
            counts[_LYON] = sum(count for code, count in counts.items() if code.startswith("6938"))
            for code, count in sorted(counts.items()):
                region, name, departement = regions[code[:2]]
                place = "Lyon" if code == _LYON else _COMMUNES[code][0]
                men = 5 * round(count * _draw(seed, "men", code, year).uniform(0.45, 0.53) / 5)
                for sex, value in {"Total": count, "Hommes": men, "Femmes": count - men}.items():
                    where = [f"{year}-T4", region, name, code[:2], departement, code, place]
                    yield [*where, "Brutes", "ABC", sex, "Total", str(value)]

    return _BOM + _lines(",", header, rows())


def _filosofi(seed: int, year: int) -> str:
    """Incomes of a year: small communes under secrecy (s), one younger than the data (nd)."""
    names = ["NBMENFISC", "NBPERSMENFISC", "MED", "PIMP", "TP60", "D1", "D9", "RD"]

    def row(code: str, adults: int) -> list[str]:
        draw = _draw(seed, "incomes", code, year)
        if code == "01001":
            return [code, *["nd"] * len(names)]
        median = 10 * round(draw.gauss(2150, 250))
        first, ninth = 10 * round(median * 0.052), 10 * round(median * 0.18)
        households = [str(round(adults * 0.75)), str(round(adults * 1.6)), str(median)]
        if adults < 2_000:
            return [code, *households, *["s"] * 5]
        shares = [f"{draw.uniform(30, 70):.1f}", str(round(draw.uniform(7, 40))) + ".0", str(first), str(ninth)]
        return [code, *(text.replace(".", ",") for text in (*households, *shares, f"{ninth / first:.1f}"))]

    rows = [row(code, adults) for code, (_, adults) in _COMMUNES.items()]
    rows.append(row("01002", 150)[:4] + ["s"] * 5)
    return _lines(";", ["CODGEO", *(f"{name}{year % 100}" for name in names)], sorted(rows))


def _zones(seed: int) -> str:
    """Unemployment rates per zone d'emploi: labels above codes, a quarter a column, overseas a year later."""
    periods = [(year, quarter) for year in range(2015, 2024) for quarter in range(1, 5)]
    ordinals = {1: "1er", 2: "2e", 3: "3e", 4: "4e"}
    labels = [
        "Code de la zone d'emploi 2020",
        "Libellé de la zone d'emploi 2020",
        "Code région 2016",
        "Libellé région 2016",
        *(f"{ordinals[quarter]} trimestre {year}" for year, quarter in periods),
    ]
    codes = ["ZE2020", "LIBZE2020", "REG", "LIBREG", *(f"{year}-T{quarter}" for year, quarter in periods)]

    def rates(zone: str) -> list[str]:
        level = _draw(seed, "zone", zone).uniform(5, 14)
        overseas = zone.startswith("04")
        return [
            ""
            if overseas and year < 2016
            else f"{level * _draw(seed, zone, year, quarter).gauss(1, 0.02):.1f}".replace(".", ",")
            for year, quarter in periods
        ]

    rows = ([zone, *words, *rates(zone)] for zone, words in _ZONES.items())
    return _BOM + _lines(";", labels, [codes, *rows]).replace("\n", "\r\n")


def samples(folder: Path, seed: int) -> list[Path]:
    """Writes synthetic files in the official layouts; the same seed writes the same bytes.

    Args:
        folder: Existing folder to write into.
        seed: Any whole number.

    Returns:
        Paths of three bases of the census (2016, 2017, 2021: years 2006 to 2021), one DARES extract (2015 to 2023), two
        years of FiLoSoFi (2020, 2021) and the rates of six zones d'emploi (2015 to 2023): 19 communes, about 500 rows.
    """
    texts = {
        "base-cc-emploi-pop-active-2016.CSV": _base_cc(seed, 2016),
        "base-cc-emploi-pop-active-2017.CSV": _base_cc(seed, 2017),
        "base-cc-emploi-pop-active-2021.CSV": _base_cc(seed, 2021),
        "dares_defm_communales-brutes.csv": _dares(seed),
        "cc_filosofi_2020_COM.csv": _filosofi(seed, 2020),
        "cc_filosofi_2021_COM.csv": _filosofi(seed, 2021),
        "chomage-zone-t1-2015-t4-2023.csv": _zones(seed),
    }
    paths = []
    for name, text in texts.items():
        path = folder / f"{PREFIX}{name}"
        path.write_bytes(text.encode("utf-8"))
        paths.append(path)
    return paths
