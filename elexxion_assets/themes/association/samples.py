"""Synthetic registers in the official layouts of the RNA, at any size, to try the lake without the real ones.

Real communes and codes, invented associations. As in the official files, a field is quoted only where it must be,
quotes are doubled, an empty text is `""` and an absent one nothing, days that are not known are `0001-01-01`.
"""

from __future__ import annotations

import random
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from io import TextIOWrapper
from itertools import groupby, islice
from pathlib import Path

from elexxion_assets.synthetic import PREFIX
from elexxion_assets.themes.association.reference import rows_of

WALDEC_HEADER = (
    "id;id_ex;siret;rup_mi;gestion;date_creat;date_decla;date_publi;date_disso;nature;groupement;titre;titre_court;objet;"
    "objet_social1;objet_social2;adrs_complement;adrs_numvoie;adrs_repetition;adrs_typevoie;adrs_libvoie;adrs_distrib;"
    "adrs_codeinsee;adrs_codepostal;adrs_libcommune;adrg_declarant;adrg_complemid;adrg_complemgeo;adrg_libvoie;"
    "adrg_distrib;adrg_codepostal;adrg_achemine;adrg_pays;dir_civilite;telephone;siteweb;email;publiweb;observation;"
    "position;maj_time"
)
IMPORT_HEADER = (
    "id;id_ex;siret;gestion;date_creat;date_publi;nature;groupement;titre;objet;objet_social1;objet_social2;adr1;adr2;adr3;"
    "adrs_codepostal;libcom;adrs_codeinsee;dir_civilite;telephone;siteweb;email;observation;position;rup_mi;maj_time"
)

_NO_DAY = "0001-01-01"
_FIRST_DAY = date(1905, 1, 1)
_WALDEC_DAY = date(2009, 1, 1)
_LINES_AT_ONCE = 5_000
_IN_NUMBERS = {"971": "9G", "972": "9M", "973": "9C", "974": "9R", "976": "9T"}
"""How the numbers of associations write the overseas départements."""

_TITLES = (
    "COMITE DES FETES DE {}",
    "FOYER RURAL DE {}",
    "AMICALE LAIQUE DE {}",
    'CLUB "LES JOYEUX RETRAITES" DE {}',
    "TENNIS CLUB DE {}",
    "CHORALE L'ECHO DE {}",
    "SOCIETE DE CHASSE DE {}",
    "LES AMIS DE L'ORGUE DE {} ; SAUVEGARDE DU PATRIMOINE",
    "ASSOCIATION DES PARENTS D'ELEVES DE {}",
    'COMPAGNIE "ÇA & LÀ" - {}',
)
_OBJECTS = (
    "organiser des fêtes et des manifestations culturelles et sportives",
    "promouvoir la musique \"ancienne\" et d'aujourd'hui ; organiser des concerts",
    "la pratique de l'éducation physique et des sports ; et toutes activités s'y rattachant",
    "défendre l'environnement, le cadre de vie et le patrimoine de la commune",
    "aider les familles ; lutter contre l'isolement : visites, repas, sorties",
    "dvpt et d\N{REPLACEMENT CHARACTER}mocratisation de la musique",
    'éditer le bulletin dit \\"le lien\\" et entretenir les relations entre ses membres',
    "accompagner toute personne en recherche d'emploi",
)
_COMPLEMENTS = ("", "", " ; ouvert à tous", ", dans un esprit d'entraide", ' (dite "la section")')
_SOCIAL_OBJECTS = (
    "001015",
    "003060",
    "005010",
    "006030",
    "006030",
    "006070",
    "007080",
    "009030",
    "009040",
    "010020",
    "011005",
    "011075",
    "011165",
    "011400",
    "013005",
    "013010",
    "014035",
    "015045",
    "016015",
    "017055",
    "018025",
    "019010",
    "020005",
    "021005",
    "022535",
    "023005",
    "024045",
    "030012",
    "032525",
    "034240",
    "036510",
    "038105",
    "040000",
    "050000",
    "000000",
)
_STREETS = ("de la Mairie", "des Écoles", "Pascal", "Paul Lafargue", "du 8 Mai 1945", "de l'Église", "Gît le coeur")
_STREET_KINDS = ("RUE", "RUE", "RUE", "AV", "PL", "CHE", "")
_PEOPLE = ("Camille EXEMPLE", "Dominique FICTIF", "Claude MODELE", "")


@dataclass(frozen=True)
class Place:
    """A commune, or an arrondissement of Paris, Lyon or Marseille, where associations have their seat."""

    departement: str
    code: str
    postal: str
    name: str


def places() -> list[Place]:
    """About 150 communes of all départements that the RNA covers, in order of their codes."""
    return [Place(*row) for row in rows_of("communes.csv")]


def field(text: str) -> str:
    """A text as a field of the official files."""
    if not text:
        return '""'
    if any(mark in text for mark in '";\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text


class _Writer:
    """Invents the associations of one register; the same seed gives the same ones."""

    def __init__(self, seed: int, snapshot: date) -> None:
        self.random = random.Random(seed)  # noqa: S311 - figures, not secrets
        self.days = [str(_FIRST_DAY + timedelta(n)) for n in range((snapshot - _FIRST_DAY).days)]
        self.waldec = (_WALDEC_DAY - _FIRST_DAY).days

    def pick(self, pool: Sequence[str]) -> str:
        return pool[int(self.random.random() * len(pool))]

    def day_since(self, first: int) -> int:
        """A day after `first`, known to the register."""
        return first + int(self.random.random() * (len(self.days) - first))

    def title(self, place: Place, number: int) -> str:
        return f"{self.pick(_TITLES).format(place.name.upper())} {number}"

    def waldec_line(self, place: Place, number: int) -> str:
        """One association of the WALDEC file."""
        chance, pick, days = self.random.random, self.pick, self.days
        # More recent years have more creations.
        created = int(len(days) * (1 - chance() ** 2 * 0.6))
        declared = self.day_since(created)
        fate = chance()
        position = "A" if fate < 0.80 else "D" if fate < 0.97 else "S"
        dissolved = self.day_since(declared) if position == "D" and chance() < 0.97 else None
        last = max(declared, dissolved or 0, self.waldec)
        title = self.title(place, number)
        street = f"{int(chance() * 120) + 1}"
        kind, way = pick(_STREET_KINDS), field(pick(_STREETS))
        prefix = _IN_NUMBERS.get(place.departement, place.departement)
        name, postal = field(place.name), place.postal
        return ";".join(
            (
                waldec_number(place.departement, number),
                f"0{prefix}{number:07}" if chance() < 0.3 else '""',
                f"{int(chance() * 10**14):014}" if chance() < 0.25 else '""',
                '""',
                f"{prefix}1P",
                days[created] if chance() < 0.97 else _NO_DAY,
                days[declared],
                days[min(created + 10, len(days) - 1)] if chance() < 0.6 else _NO_DAY,
                _NO_DAY if dissolved is None else days[dissolved],
                "D" if chance() < 0.995 else "R",
                "S" if chance() < 0.97 else "F",
                field(title),
                field(title if len(title) <= 38 else f"{title[:35]}..."),
                field(pick(_OBJECTS) + pick(_COMPLEMENTS)),
                pick(_SOCIAL_OBJECTS),
                pick(_SOCIAL_OBJECTS) if chance() < 0.3 else "000000",
                '""',
                street,
                "" if chance() < 0.5 else '""',
                kind or '""',
                way,
                "_",
                place.code,
                postal,
                name,
                field(pick(_PEOPLE)),
                '""',
                '""',
                field(f"{street} {kind} {way}"),
                '""',
                postal,
                name,
                "FRANCE",
                "PM" if chance() < 0.5 else "PF",
                f"019900{int(chance() * 10_000):04}" if chance() < 0.2 else '""',
                '""',
                f"contact{number}@asso.invalid" if chance() < 0.2 else '""',
                "1" if chance() < 0.5 else "0",
                '""',
                position,
                f"{days[self.day_since(last)]} 12:{int(chance() * 60):02}:34",
            )
        )

    def import_line(self, place: Place, number: int, taken_over: int) -> str:
        """One association of the older file; WALDEC has taken over the first `taken_over` ones."""
        chance, pick, days = self.random.random, self.pick, self.days
        created = int(chance() * self.waldec)
        prefix = _IN_NUMBERS.get(place.departement, place.departement)
        old = f"{place.departement.zfill(3)}{number:07}"
        is_taken = number <= taken_over
        position = "R" if is_taken else "A" if chance() < 0.9 else "D"
        return ";".join(
            (
                f"{prefix}1P{old}",
                old,
                '""',
                f"{prefix}1P",
                days[created] if chance() < 0.6 else _NO_DAY,
                days[created] if chance() < 0.5 else _NO_DAY,
                "D",
                "S",
                field(self.title(place, number)),
                field(pick(_OBJECTS)),
                pick(_SOCIAL_OBJECTS),
                "000000",
                field(f"{int(chance() * 120) + 1}        {pick(_STREET_KINDS)} {pick(_STREETS)}"),
                '""',
                '""',
                place.postal,
                field(place.name.upper()),
                place.code,
                "PM",
                '""',
                '""',
                '""',
                waldec_number(place.departement, number) if is_taken else '""',
                position,
                '""',
                f"{days[self.day_since(self.waldec)]} 07:33:24",
            )
        )

    def member(self, header: str, where: list[Place], rows: int, line: Callable[[Place, int], str]) -> Iterator[str]:
        """The text of one file, in blocks."""
        yield f"{header}\n"
        lines = (line(where[int(self.random.random() * len(where))], number) for number in range(1, rows + 1))
        while block := list(islice(lines, _LINES_AT_ONCE)):
            yield "\n".join(block) + "\n"


def waldec_number(departement: str, number: int) -> str:
    """The number of the n-th association of a département: W, département, greffe, six digits."""
    greffe, rest = divmod(number, 1_000_000)
    return f"W{_IN_NUMBERS.get(departement, departement)}{greffe + 1}{rest:06}"


def write_register(
    target: Path, rows: int, seed: int, *, snapshot: date = date(2025, 1, 1), where: Iterable[Place] | None = None
) -> None:
    """Writes a register in the layout of `rna_waldec`, streaming; the same arguments write the same bytes.

    Args:
        target: A ZIP archive to write, with one CSV per département as the official one, or a single CSV with all rows.
        rows: Number of associations; 2 million make about 900 MB of text.
        seed: Any whole number.
        snapshot: Day of publication; it stands in the names of the archive's files.
        where: Communes of the seats; each gets about the same number. Default: `places()`.
    """
    writer = _Writer(seed, snapshot)
    ordered = sorted(places() if where is None else where, key=lambda place: (place.departement, place.code))
    if target.suffix != ".zip":
        with target.open("w", encoding="utf-8", newline="") as file:
            file.writelines(writer.member(WALDEC_HEADER, ordered, rows, writer.waldec_line))
        return
    stamp = (snapshot.year, snapshot.month, snapshot.day, 0, 0, 0)
    done = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for departement, found in groupby(ordered, key=lambda place: place.departement):
            here = list(found)
            before, done = done, done + len(here)
            share = rows * done // len(ordered) - rows * before // len(ordered)
            info = zipfile.ZipInfo(f"rna_waldec_{snapshot:%Y%m%d}_dpt_{departement}.csv", stamp)
            info.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=True) as raw, TextIOWrapper(raw, "utf-8", newline="") as file:
                file.writelines(writer.member(WALDEC_HEADER, here, share, writer.waldec_line))


def write_import(
    target: Path, rows: int, seed: int, *, where: Sequence[Place], taken_over: int, snapshot: date = date(2025, 1, 1)
) -> None:
    """Writes one CSV in the layout of `rna_import`.

    Args:
        target: The file to write.
        rows: Number of associations.
        seed: Any whole number.
        where: Communes of the seats, all of one département.
        taken_over: How many of the associations WALDEC has taken over, under the first numbers of that département.
        snapshot: Day of publication.
    """
    writer = _Writer(seed, snapshot)

    def line(place: Place, number: int) -> str:
        return writer.import_line(place, number, taken_over)

    with target.open("w", encoding="utf-8", newline="") as file:
        file.writelines(writer.member(IMPORT_HEADER, list(where), rows, line))


def samples(folder: Path, seed: int) -> list[Path]:
    """Writes a small register of 1 January 2025; the same seed writes the same bytes.

    Args:
        folder: Existing folder to write into.
        seed: Any whole number.

    Returns:
        Paths of a ZIP archive of the WALDEC file (Ain, Corse-du-Sud, Paris and La Réunion, 1,200 associations) and of
        Ain's older file (150 associations, 30 of them taken over by WALDEC).
    """
    register = folder / f"{PREFIX}rna_waldec_20250101.zip"
    older = folder / f"{PREFIX}rna_import_20250101_dpt_01.csv"
    some = [place for place in places() if place.departement in {"01", "2A", "75", "974"}]
    write_register(register, 1_200, seed, where=some)
    write_import(older, 150, seed, where=[place for place in some if place.departement == "01"], taken_over=30)
    return [register, older]
