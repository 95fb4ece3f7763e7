"""Large files in official layouts, from a seed and a number of rows; the same arguments write the same bytes."""

from __future__ import annotations

import gzip
import itertools
import shutil
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from elexxion_assets.geography import Cog
from elexxion_assets.themes.association.samples import write_register
from elexxion_assets_tests.quality.clean import CRIME_HEADER

INDICATORS = {
    "Cambriolages de logement": "Infraction",
    "Destructions et dégradations volontaires": "Infraction",
    "Vols avec armes": "Infraction",
    "Vols violents sans arme": "Infraction",
    "Vols d'accessoires sur véhicules": "Véhicule",
    "Vols dans les véhicules": "Véhicule",
    "Vols de véhicule": "Véhicule",
    "Vols sans violence contre des personnes": "Victime entendue",
    "Violences physiques intrafamiliales": "Victime",
    "Violences physiques hors cadre familial": "Victime",
    "Violences sexuelles": "Victime",
    "Escroqueries et fraudes aux moyens de paiement": "Victime",
    "Trafic de stupéfiants": "Mis en cause",
    "Usage de stupéfiants": "Mis en cause",
    "Usage de stupéfiants (AFD)": "Mis en cause",
}

CANDIDATES = (
    ("F", "ARTHAUD", "Nathalie"),
    ("M", "ROUSSEL", "Fabien"),
    ("M", "MACRON", "Emmanuel"),
    ("M", "LASSALLE", "Jean"),
    ("F", "LE PEN", "Marine"),
    ("M", "ZEMMOUR", "Éric"),
    ("M", "MÉLENCHON", "Jean-Luc"),
    ("F", "HIDALGO", "Anne"),
    ("M", "JADOT", "Yannick"),
    ("F", "PÉCRESSE", "Valérie"),
    ("M", "POUTOU", "Philippe"),
    ("M", "DUPONT-AIGNAN", "Nicolas"),
)
_UNIT = (
    "Code du département;Libellé du département;Code de la circonscription;Libellé de la circonscription;"
    "Code de la commune;Libellé de la commune;Code du b.vote"
)
_FIGURES = (
    "Inscrits;Abstentions;% Abs/Ins;Votants;% Vot/Ins;Blancs;% Blancs/Ins;% Blancs/Vot;Nuls;% Nuls/Ins;% Nuls/Vot;"
    "Exprimés;% Exp/Ins;% Exp/Vot"
)
_BLOCK = "N°Panneau;Sexe;Nom;Prénom;Voix;% Voix/Ins;% Voix/Exp"


def communal_base(path: Path, rows: int, seed: int = 1) -> list[str]:
    """A communal base of the SSMSI of about so many rows, the years from 2016 on; gives its years.

    Args:
        path: The file to write; packed if it is called `.gz`.
        rows: Number of rows; a small base holds fewer communes, so that there are at least three years.
        seed: Other figures for another one.
    """
    known = sorted(Cog.builtin().codes(2025))
    years = max(3, round(rows / (35_000 * len(INDICATORS))))
    wanted = max(100, rows // (years * len(INDICATORS)))
    codes = pl.DataFrame({"code": known[:: max(1, len(known) // wanted)]}).lazy()
    indicators = pl.LazyFrame({"indicateur": list(INDICATORS), "unite": list(INDICATORS.values())})
    grid = codes.join(pl.LazyFrame({"annee": range(2016, 2016 + years)}), how="cross").join(indicators, how="cross")
    noise = pl.concat_str("code", "annee", "indicateur").hash(7 * seed)
    people = pl.col("code").hash(3 * seed) % 9_000 + 100
    number = (noise % 997 * people // 60_000).cast(pl.Int64)
    secret = (number > 0) & (number < 5)
    dwelling = pl.col("indicateur").str.starts_with("Cambriolages")
    base = pl.when(dwelling).then(people // 2).otherwise(people)
    na = pl.lit("NA")
    rate = (number * 1000 / base).cast(pl.String).str.replace(".", ",", literal=True)
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    grid.select(
        "code",
        "annee",
        "indicateur",
        "unite",
        pl.when(secret).then(na).otherwise(number.cast(pl.String)).alias("nombre"),
        pl.when(secret).then(na).otherwise(rate).alias("taux"),
        pl.when(secret).then(pl.lit("ndiff")).otherwise(pl.lit("diff")).alias("est_diffuse"),
        people.alias("pop"),
        pl.lit(2021).alias("pop_annee"),
        (people // 2).alias("log"),
        pl.lit(2021).alias("log_annee"),
        pl.when(secret).then(pl.lit("2,5")).otherwise(na).alias("c1"),
        pl.when(secret).then(pl.lit("0,8")).otherwise(na).alias("c2"),
    ).rename(dict(zip(_grid_names(), CRIME_HEADER.split(";"), strict=True))).sink_csv(plain, separator=";")
    if plain != path:
        _packed(plain, path)
    return [str(year) for year in range(2016, 2016 + years)]


def _grid_names() -> list[str]:
    """The columns of `communal_base` before they get the names of the publisher."""
    named = "code annee indicateur unite nombre taux est_diffuse pop pop_annee log log_annee c1 c2"
    return named.split()


def _packed(plain: Path, path: Path) -> None:
    with plain.open("rb") as source, gzip.GzipFile(path, "wb", compresslevel=6, mtime=0) as target:
        shutil.copyfileobj(source, target, 1 << 20)
    plain.unlink()


def bureaux_de_vote(path: Path, rows: int, encoding: str = "latin-1", seed: int = 1, vintage: int = 2022) -> None:
    """Results of the présidentielle of 2022 by bureau de vote: 105 columns, those of the first candidate alone named.

    Args:
        path: The file to write.
        rows: Number of bureaux.
        encoding: What the ministry writes is latin-1, which lacks œ, ’ and €: in others some labels, none of which gold
            takes, are spelt with them.
        seed: Other figures for another one.
        vintage: Year of the communes.
    """
    communes = _communes(vintage)
    plain = encoding == "latin-1"
    each = pl.int_range(pl.len()) * communes.height // rows
    grid = pl.select(bureau=pl.int_range(rows)).with_columns(place=each).lazy()
    communes = communes.with_row_index("place").with_columns(pl.col("place").cast(pl.Int64))
    code = pl.col("code_commune")

    def drawn(what: str, most: int) -> pl.Expr:
        return (pl.concat_str(pl.col("bureau"), pl.lit(f" {what}")).hash(11 * seed) % most).cast(pl.Int64)

    def percent(part: str, whole: str) -> pl.Expr:
        share = (pl.col(part) * 100 / pl.max_horizontal(pl.col(whole), 1)).round(2).cast(pl.String)
        return share.str.replace(".", ",", literal=True)

    voices = [f"v{position}" for position in range(len(CANDIDATES))]
    made = (
        grid.join(communes.lazy(), on="place")
        .with_columns(inscrits=drawn("i", 900) + 300)
        .with_columns((drawn(name, 1000) * pl.col("inscrits") // 18_000).alias(name) for name in voices)
        .with_columns(exprimes=pl.sum_horizontal(voices), blancs=drawn("b", 9), nuls=drawn("n", 5))
        .with_columns(votants=pl.col("exprimes") + pl.col("blancs") + pl.col("nuls"))
        .with_columns(abstentions=pl.col("inscrits") - pl.col("votants"))
        .sort("bureau")
    )
    candidates = []
    for position, (name, (sexe, nom, prenom)) in enumerate(zip(voices, CANDIDATES, strict=True), 1):
        said = [pl.lit(text) for text in (str(position), sexe, nom, prenom)]
        candidates += [*said, pl.col(name).cast(pl.String), percent(name, "inscrits"), percent(name, "exprimes")]
    figures = [
        "inscrits",
        *("abstentions", percent("abstentions", "inscrits")),
        *("votants", percent("votants", "inscrits")),
        *("blancs", percent("blancs", "inscrits"), percent("blancs", "votants")),
        *("nuls", percent("nuls", "inscrits"), percent("nuls", "votants")),
        *("exprimes", percent("exprimes", "inscrits"), percent("exprimes", "votants")),
    ]
    unit = [
        code.str.slice(0, 2),
        pl.lit("Département de l'Hérault et d'ailleurs" if plain else "Département de l’Hérault et d’ailleurs"),
        pl.lit("01"),
        pl.lit("1ère circonscription" if plain else "1ère circonscription, cœur de ville à 1 €"),
        code.str.slice(2, 3),
        pl.col("libelle").str.replace_many(["œ", "Œ", "’"], ["oe", "Oe", "'"]),
        (pl.col("bureau") - pl.col("bureau").min().over("place") + 1).cast(pl.String).str.zfill(4),
    ]
    fields = [field if isinstance(field, pl.Expr) else pl.col(field).cast(pl.String) for field in (*unit, *figures)]
    lines = made.select(pl.concat_str([*fields, *candidates], separator=";").alias("line")).collect(engine="streaming")
    header = f"{_UNIT};{_FIGURES};{_BLOCK}" + ";" * (len(CANDIDATES) - 1) * len(_BLOCK.split(";"))
    with path.open("w", encoding=encoding, newline="") as file:
        file.write(header + "\r\n")
        for part in lines["line"].to_frame().iter_slices(10_000):
            file.write("\r\n".join(part["line"].to_list()) + "\r\n")


def _communes(vintage: int) -> pl.DataFrame:
    """The communes of a year without those overseas, in order of their codes."""
    cog = Cog.builtin()
    code = pl.col("code_commune")
    return cog.communes.filter(code.is_in(list(cog.codes(vintage))) & ~code.str.contains("^9[78]")).sort(code)


CATEGORIES = ("A", "B", "C", "D", "ABC")
QUARTERS = tuple(f"{year}-T{quarter}" for year in range(2024, 1995, -1) for quarter in (4, 3, 2, 1))


def job_seekers(
    path: Path, communes: pl.DataFrame, quarters: Sequence[str], categories: Sequence[str] = CATEGORIES, seed: int = 1
) -> None:
    """Job seekers in the layout of the DARES: of a commune, quarter and category six rows, by sex and age.

    Args:
        path: The file to write.
        communes: The communes, as `Cog.communes` has them.
        quarters: Quarters such as `2024-T1`.
        categories: Categories such as `ABC`.
        seed: Other figures for another one.
    """
    grid = communes.lazy()
    for name, values in (
        ("date", quarters),
        ("categorie", categories),
        ("sexe", ("Total", "Hommes")),
        ("age", ("Total", "Moins de 25 ans", "50 ans ou plus")),
    ):
        grid = grid.join(pl.LazyFrame({name: values}), how="cross")
    columns = {
        "Date": pl.col("date"),
        "Code région": pl.col("code_region"),
        "Région": pl.lit("Région de l'extrait"),
        "Code département": pl.col("code_departement"),
        "Département": pl.lit("Département de l'extrait"),
        "Code commune": pl.col("code_commune"),
        "Commune": pl.col("libelle"),
        "Type de données": pl.lit("Brutes"),
        "Catégorie": pl.col("categorie"),
        "Sexe": pl.col("sexe"),
        "Tranche d'âge": pl.col("age"),
        "Nombre de demandeurs d'emploi": pl.concat_str("code_commune", "date", "categorie", "sexe", "age").hash(
            13 * seed
        )
        % 400
        * 5,
    }
    grid.select(field.alias(name) for name, field in columns.items()).sink_csv(path)


SCRUTINS = tuple(f"{year}-presidentielle-t{turn}" for year in (2022, 2017, 2012, 2007, 2002) for turn in (1, 2))
_CRIME, _BUREAU, _ASSOCIATION, _SEEKERS = 101, 547, 422, 108
"""Bytes of a row in the layouts of crime, bureaux de vote, associations and job seekers."""


def mixed_files(folder: Path, size: int, seed: int = 1) -> None:
    """Files of four themes: of the bytes 10 % crime, 8 % bureaux de vote, 40 % associations, 42 % job seekers.

    Args:
        folder: Where they are written, each scrutin in a folder of its own, which says it.
        size: Bytes of all files, about, when unpacked.
        seed: Other figures for another one.
    """
    communal_base(folder / "donnee-comm-data.gouv-geographie2025.csv.gz", size * 10 // 100 // _CRIME, seed)
    register_of_associations(folder / "rna_waldec_20250101.zip", size * 40 // 100 // _ASSOCIATION, seed)
    bureaux = size * 8 // 100 // _BUREAU
    scrutins = SCRUTINS[: max(1, round(bureaux / 70_000))]
    for scrutin in scrutins:
        (folder / f"scrutin={scrutin}").mkdir()
        file = folder / f"scrutin={scrutin}" / "resultats-par-bureau.txt"
        bureaux_de_vote(file, bureaux // len(scrutins), "latin-1", seed, int(scrutin[:4]))
    communes = _communes(2024)
    wanted = size * 42 // 100 // _SEEKERS // (6 * len(CATEGORIES))
    quarters = QUARTERS[: max(1, round(wanted / communes.height))]
    some = communes.gather_every(max(1, communes.height * len(quarters) // wanted))
    job_seekers(folder / "dares_defm_communales-brutes.csv", some, quarters, seed=seed)


def small_files(folder: Path, size: int, seed: int = 1) -> None:
    """Job seekers by département, quarter and category: files of 230 kB on average.

    Args:
        folder: Where they are written.
        size: Bytes of all files, about.
        seed: Other figures for another one.
    """
    departements = _communes(2024).partition_by("code_departement", as_dict=True, maintain_order=True)
    written = 0
    for quarter, category, (code,) in itertools.product(QUARTERS, CATEGORIES, departements):
        if written >= size:
            return
        file = folder / f"dares_defm_{code}_{quarter}_{category}.csv"
        job_seekers(file, departements[code,], [quarter], [category], seed)
        written += file.stat().st_size


def register_of_associations(path: Path, rows: int, seed: int = 1) -> None:
    """The register of associations of WALDEC, one CSV or (`.zip`) one per département."""
    write_register(path, rows, seed)
