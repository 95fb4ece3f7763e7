"""Every header of the official families is read right, through the real path: dropped, recognised, typed.

The headers are those of the national files, which are too large to be here; the figures are invented.
"""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import polars as pl
import pytest

from elexxion_assets_tests import official as o
from elexxion_assets_tests.reading.workbooks import workbook
from elexxion_assets_tests.trial import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def csv(header: str, *rows: str, newline: str = "\n") -> str:
    return newline.join([header, *rows]) + newline


def read(lake: Lake, name: str, content: str | bytes, dataset: str, *, encoding: str = "utf-8") -> list[str]:
    """Drops a file, and checks what it is recognised as; gives its periods."""
    delivery = lake.drop(name, content if isinstance(content, bytes) else content.encode(encoding))
    assert delivery.reasons == []
    theme, _, expected = dataset.partition("/")
    assert (delivery.theme, {facts["dataset"] for facts in delivery.tables}) == (theme, {expected})
    return sorted({period for facts in delivery.tables for period in facts["periods"]})


# --- SSMSI ------------------------------------------------------------------------------------------------------------

LABELS = ("Cambriolages de logement", "Vols de véhicules", "Violences sexuelles")
UNITS = ("Infraction", "Véhicule", "Victime")


@pytest.mark.parametrize("release", [2021, 2023])
def test_ssmsi_departements_until_2023(lake: Lake, release: int) -> None:
    quoted = '"' if release == 2023 else ""
    names = "classe;annee;Code.département;Code.région;unité.de.compte;millPOP;millLOG;faits;POP;LOG;tauxpourmille"
    rows = [
        f"{quoted}{label}{quoted};{year};{quoted}{code}{quoted};84;{unit};16;16;1442;638425;308491,16;2,25085170536868073"
        for year in range(16, release - 1999)
        for code in ("01", "2A", "974")
        for label, unit in zip(LABELS, UNITS, strict=True)
    ]
    header = ";".join(f"{quoted}{name}{quoted}" for name in names.split(";"))
    years = read(lake, f"donnee-dep-data.gouv-{release}.csv", csv(header, *rows), "crime/departementale")
    assert years == [str(year) for year in range(2016, release + 1)]
    silver = lake.make("crime/silver/departementale", "2016")
    assert set(silver["code_departement"]) == {"01", "2A", "974"}
    assert silver["nombre"].unique().to_list() == [1442]
    assert silver["taux_pour_mille"][0] == pytest.approx(2.25085170536868)


def test_ssmsi_departements_2024(lake: Lake) -> None:
    header = (
        '"Code_departement";"Code_region";"annee";"indicateur";"unite_de_compte";"nombre";"taux_pour_mille";'
        '"insee_pop";"insee_pop_millesime";"insee_log";"insee_log_millesime"'
    )
    rows = [
        f'"{code}";"84";{year};"{label}";"{unit}";1437;"2,25";638425;2016;308491;2016'
        for year in range(2016, 2025)
        for code in ("01", "2A", "974")
        for label, unit in zip(LABELS, UNITS, strict=True)
    ]
    years = read(lake, "donnee-dep-data.gouv-2024.csv", csv(header, *rows), "crime/departementale")
    assert years == [str(year) for year in range(2016, 2025)]
    assert lake.make("crime/silver/departementale", "2024")["millesime_population"].unique().to_list() == [2016]


def test_ssmsi_regions_have_no_departement(lake: Lake) -> None:
    header = "classe;annee;Code.région;unité.de.compte;millPOP;millLOG;faits;POP;LOG;tauxpourmille"
    rows = [
        f"{label};22;{code};{unit};16;16;1442;638425;308491,16;2,25"
        for code in ("01", "11", "84", "94")
        for label, unit in zip(LABELS, UNITS, strict=True)
    ]
    assert read(lake, "donnee-reg-data.gouv-2022.csv", csv(header, *rows), "crime/regionale") == ["2022"]
    assert lake.make("crime/silver/regionale", "2022")["code_region"].n_unique() == 4


@pytest.mark.parametrize("vintage", [2021, 2024])
def test_ssmsi_communes_until_2024_say_the_geography_in_a_name(lake: Lake, vintage: int) -> None:
    header = (
        f"CODGEO_{vintage};annee;classe;unité.de.compte;valeur.publiée;faits;tauxpourmille;complementinfoval;"
        "complementinfotaux;POP;millPOP;LOG;millLOG"
    )
    rows = [
        f"{code};20;{row};15000;20;8000;20"
        for code in ("01004", "2A004", "75056", "97411")
        for row in (
            "Cambriolages de logement;Infraction;diff;12;7,83177350511023e-03;NA;NA",
            "Violences sexuelles;victime;ndiff;NA;NA;2,05;1,5",
        )
    ]
    packed = gzip.compress(csv(header, *rows).encode())
    assert read(lake, f"donnee-data.gouv-geographie{vintage}.csv.gz", packed, "crime/communale") == ["2020"]
    silver = lake.make("crime/silver/communale", "2020")
    assert silver["geographie"].unique().to_list() == [str(vintage)]
    assert silver.filter(~pl.col("est_diffuse"))["nombre"].to_list() == [None] * 4
    assert silver.filter("est_diffuse")["taux_pour_mille"].to_list() == [pytest.approx(0.00783177350511023)] * 4


@pytest.mark.parametrize("vintage", [2025, 2026])
def test_ssmsi_communes_since_2025_mask_rows(lake: Lake, vintage: int) -> None:
    header = (
        f"CODGEO_{vintage};annee;indicateur;unite_de_compte;nombre;taux_pour_mille;est_diffuse;insee_pop;"
        "insee_pop_millesime;insee_log;insee_log_millesime;complement_info_nombre;complement_info_taux"
    )
    rows = [
        f'"{code}";{year};{row}'
        for year in (2016, vintage - 1)
        for code in ("01004", "2A004", "75056", "75101", "97411")
        for row in (
            '"Cambriolages de logement";"Infraction";12;0,78;"diff";15000;2016;8000;2016;NA;NA',
            '"Violences sexuelles";"Victime";NA;NA;"ndiff";15000;2016;8000;2016;2,05;0,37',
        )
    ]
    years = read(lake, f"donnee-data.gouv-geographie{vintage}.csv", csv(header, *rows), "crime/communale")
    assert years == ["2016", str(vintage - 1)]
    masked = lake.make("crime/silver/communale", "2016").filter(~pl.col("est_diffuse"))
    assert masked["nombre"].null_count() == masked.height == 5
    assert masked["complement_info_nombre"].unique().to_list() == [2.05]


# --- ministry of the Interior -----------------------------------------------------------------------------------------

MAYOTTE_BEFORE_2019 = tuple(place if place[0] != "ZM" else ("ZM", "Mayotte", "511", "Mamoudzou") for place in o.PLACES)
SECTION = "Code du département;Libellé de la section électorale;Code de la commune;Libellé de la commune"
TOWNS = (o.PLACES[0], *o.PLACES[2:4], *o.PLACES[7:12])
SECTORS = tuple(("75", "Paris", f"056SR{rank:02}", f"Paris secteur {rank}") for rank in range(1, 17))
ENDS = {"names": "ends"}
EMPTY = {"names": "empty"}
NUMBERED = {"names": "numbered"}

RESULTS = {
    "MI commune 2012": (
        "PR12_Communes.csv",
        o.results(o.COMMUNE, o.MERGED, o.PRESIDENTIELLE_2012, o.people(o.CANDIDATES[2012]), places=MAYOTTE_BEFORE_2019),
        "communes 2012-presidentielle-t1",
    ),
    "MI commune 2017 T1": (
        "Communes.csv",
        o.results(o.COMMUNE, o.SPLIT, o.PRESIDENTIELLE_2017, o.people(o.CANDIDATES[2017]), places=MAYOTTE_BEFORE_2019),
        "communes 2017-presidentielle-t1",
    ),
    "MI commune 2017 T2, no N°Panneau": (
        "Presidentielle_2017_Resultats_Communes_Tour_2.csv",
        o.results(o.COMMUNE, o.SPLIT, o.PRESIDENTIELLE_2012, o.people("MACRON Emmanuel,LE PEN Marine")),
        "communes 2017-presidentielle-t2",
    ),
    "MI bureau 2017 .txt": (
        "PR17_BVot_T1_FE.txt",
        o.results(o.BUREAU, o.SPLIT, o.PRESIDENTIELLE_2017, o.people(o.CANDIDATES[2017]), **ENDS),
        "bureaux 2017-presidentielle-t1",
    ),
    "MI 2022 subcom": (
        "resultats-par-niveau-subcom-t1-france-entiere.txt",
        o.results(o.COMMUNE, f"Etat saisie;{o.SPLIT}", o.PRESIDENTIELLE_2017, o.people(o.CANDIDATES[2022]), **ENDS),
        "communes 2022-presidentielle-t1",
    ),
    "MI 2022 burvot": (
        "resultats-par-niveau-burvot-t1-france-entiere.txt",
        o.results(o.BUREAU, o.SPLIT, o.PRESIDENTIELLE_2017, o.people(o.CANDIDATES[2022]), **EMPTY),
        "bureaux 2022-presidentielle-t1",
    ),
    "MI 2022 burvot T2, the finalists of 2017": (
        "resultats-par-niveau-burvot-t2-france-entiere.txt",
        o.results(o.BUREAU, o.SPLIT, o.PRESIDENTIELLE_2017, o.people("MACRON Emmanuel,LE PEN Marine"), **EMPTY),
        "bureaux 2022-presidentielle-t2",
    ),
    "Legis 2017": (
        "Leg_2017_T1_c.txt",
        o.results(
            o.COMMUNE,
            o.SPLIT,
            f"{o.LEGISLATIVES};Sièges",
            o.candidates("REM LR FN FI ECO SOC"),
            places=MAYOTTE_BEFORE_2019,
        ),
        "communes 2017-legislatives-t1",
    ),
    "Legis 2022": (
        "resultats-par-niveau-subcom-t1-france-entiere.txt",
        o.results(
            o.COMMUNE,
            f"Etat saisie;{o.SPLIT}",
            f"{o.LEGISLATIVES};Sièges",
            o.candidates("NUP ENS RN DXG LR DSV"),
            **ENDS,
        ),
        "communes 2022-legislatives-t1",
    ),
    "Legis 2022 T2, nuances that 2024 has too": (
        "resultats-par-niveau-burvot-t2-france-entiere.txt",
        o.results(o.BUREAU, o.SPLIT, o.LEGISLATIVES, o.candidates("ENS RN"), **EMPTY),
        "bureaux 2022-legislatives-t2",
    ),
    "Legis 2022 departement": (
        "resultats-par-niveau-dpt-t1-france-entiere.txt",
        o.results(
            "Code du département;Libellé du département",
            f"Etat saisie;{o.SPLIT}",
            f"Code Nuance;{o.VOTES};Sièges",
            o.candidates("NUP ENS RN DXG LR DSV REC UXD DVG"),
            places=o.PLACES[1:8],
        ),
        "departements 2022-legislatives-t1",
    ),
    "Euro 2019": (
        "resultats-definitifs-par-commune.csv",
        o.results(
            o.COMMUNE,
            o.SPLIT,
            o.EUROPEENNES_2019,
            [
                dict(who, **{"Nom Tête de Liste": head})
                for who, head in zip(o.candidates("A B C D E F G"), o.HEADS_2019, strict=True)
            ],
            **EMPTY,
        ),
        "communes 2019-europeennes-t1",
    ),
    "MI 2024": (
        "resultats-definitifs-par-bureau-de-vote.csv",
        o.results(o.BUREAU_2024, o.OF_2024, o.LEGISLATIVES_2024, o.candidates("UG RN ENS LR EXG UXD"), **NUMBERED),
        "bureaux 2024-legislatives-t1",
    ),
    "MI 2024 T2, nuances that 2022 has too": (
        "resultats-definitifs-par-communes.csv",
        o.results(o.COMMUNE_2024, o.OF_2024, o.LEGISLATIVES_2024, o.candidates("RN ENS"), **NUMBERED),
        "communes 2024-legislatives-t2",
    ),
    "MI 2024 cantons": (
        "resultats-definitifs-par-cantons.csv",
        o.results(
            "Code département;Libellé département;Code canton;Libellé canton",
            o.OF_2024,
            o.CANTONS_2024,
            o.candidates("UG RN ENS LR REC"),
            **NUMBERED,
            places=o.PLACES[1:4],
        ),
        "cantons 2024-legislatives-t1",
    ),
    "MI 2024 euro": (
        "resultats-definitifs-par-commune.csv",
        o.results(o.COMMUNE_2024, o.OF_2024, o.EUROPEENNES_2024, o.candidates("LDIV LRN LENS LUG LFI"), **NUMBERED),
        "communes 2024-europeennes-t1",
    ),
    "Municipales 2020": (
        "2020-05-18-resultats-par-niveau-burvot-t1-france-entiere.txt",
        o.results(
            f"{o.COMMUNE};Code B.Vote",
            o.SPLIT,
            o.MUNICIPALES_2020,
            o.candidates("LDVC LDVD LNC"),
            names="ends",
            separator="\t",
            places=TOWNS,
        ),
        "bureaux 2020-municipales-t1",
    ),
    "Municipales 2020 arr": (
        "2020-06-29-resultats-t2-arrondissements.txt",
        o.results(o.COMMUNE, o.SPLIT, o.MUNICIPALES_2020, o.candidates("LREM LUG LRN"), names="ends", places=SECTORS),
        "communes 2020-municipales-t2",
    ),
    "Régionales 2015": (
        "Reg_15_Resultats_Communes_T1_c.csv",
        o.results(o.COMMUNE, o.SPLIT, o.REGIONALES_2021, o.candidates("LUD LUG LFN LVEC LFG LDLF"), **ENDS),
        "communes 2015-regionales-t1",
    ),
    "Régionales 2021": (
        "resultats-par-niveau-burvot-t1-france-entiere.txt",
        o.results(
            f"{SECTION};Code du b.vote", o.SPLIT, o.REGIONALES_2021, o.candidates("LUCD LRN LECO LEXG LDVC"), **ENDS
        ),
        "bureaux 2021-regionales-t1",
    ),
    "Départementales 2021": (
        "resultats-par-niveau-burvot-t2-france-entiere.txt",
        o.results(
            f"{o.CANTON};Code de la commune;Libellé de la commune;Code du b.vote",
            o.SPLIT,
            o.DEPARTEMENTALES,
            o.candidates("BC-UD BC-RN"),
            **ENDS,
            places=TOWNS,
        ),
        "bureaux 2021-departementales-t2",
    ),
    "Départementales 2015": (
        "Dep_15_Resultats_T1_c.csv",
        o.results(
            o.CANTON, o.SPLIT, o.DEPARTEMENTALES, o.candidates("BC-UMP BC-SOC BC-FN BC-FG BC-UDI"), places=o.PLACES[1:4]
        ),
        "cantons 2015-departementales-t1",
    ),
}


@pytest.mark.parametrize("layout", RESULTS)
def test_a_layout_of_results_gives_every_vote(lake: Lake, layout: str) -> None:
    name, text, expected = RESULTS[layout]
    dataset, _, scrutin = expected.partition(" ")
    encoding = "utf-8" if "2024" in layout else "latin-1"
    assert read(lake, name, text, f"election/{dataset}", encoding=encoding) == [scrutin]
    silver = lake.make("election/silver/resultats", scrutin)
    units = lake.make("election/silver/participation", scrutin)
    lines = text.count("\n") - 1
    assert (silver["voix"] * silver["part"].fill_null(1.0)).sum() == lines * o.VOTES_OF_A_ROW
    assert units["inscrits"].unique().to_list() == [1000]
    assert units["_line"].n_unique() == lines
    assert silver["candidat"].null_count() == 0
    if lines == len(o.PLACES):
        assert set(silver["code_commune"]) == set(o.INSEE)
    assert lake.quarantined() == []
    assert lake.refused == {}


def test_mi_2024_long_has_a_line_per_candidate(lake: Lake) -> None:
    header = (
        "Departement,CodCirElec,LibCirElec,NbSap,NbSiePourvus,Inscrits,Abstentions,Votants,Blancs,Nuls,Exprimes,"
        "NumPanneauCand,NomPsn,PrenomPsn,CivilitePsn,CodNuaCand,LibNuaCand,NbVoix,RapportExprimes,RapportInscrits,Elu"
    )
    rows = [
        f'Ain,{code},"1ère, circonscription",1,1,1000,200,800,30,20,750,{rank},NOM {rank},Anne,Mme,{nuance},X,150,'
        '"20,00","15,00",'
        for code in ("0101", "0102", "2A01", "97101", "ZX01", "ZZ05", "98701", "98801")
        for rank, nuance in enumerate(("UG", "RN", "ENS", "LR", "EXG"))
    ]
    [scrutin] = read(lake, "candidats.csv", csv(header, *rows), "election/circonscriptions")
    assert scrutin == "2024-legislatives-t1"
    silver = lake.make("election/silver/resultats", scrutin)
    assert silver["voix"].sum() == 8 * 750
    assert set(silver["code_departement"]) == {"01", "2A", "971", "ZX", "ZZ", "987", "988"}


def test_mi_aggregated_holds_many_elections(lake: Lake) -> None:
    header = (
        "id_election;id_brut_miom;code_departement;code_commune;code_bv;no_panneau;voix;ratio_voix_inscrits;"
        "ratio_voix_exprimes;nuance;sexe;nom;prenom;liste;libelle_abrege_liste;libelle_etendu_liste;nom_tete_liste;binome"
    )
    rows = [
        f"{election};{code}_0001;{code[:2]};{code};0001;{rank};375;37.5;50;;M;{name};Camille;;;;;"
        for election in ("2022_pres_t2", "2017_pres_t2")
        for code in ("01004", "2A004", "97411", "ZZ001")
        for rank, name in enumerate(("MACRON", "LE PEN"))
    ]
    rows += [
        f"2021_dpmt_t1;{code}_0001;{code[:2]};{code};0001;1;750;75;100;BC-DVD;;;;;;;;M. A Jean et Mme B Anne"
        for code in ("01004", "2A004")
    ]
    scrutins = read(lake, "candidats_results.txt", csv(header, *rows), "election/agregees_candidats")
    assert scrutins == ["2017-presidentielle-t2", "2021-departementales-t1", "2022-presidentielle-t2"]
    assert lake.make("election/silver/resultats", scrutins[2])["voix"].sum() == 4 * 750
    assert lake.make("election/silver/resultats", scrutins[1])["candidat"].unique().to_list() == [
        "M. A Jean et Mme B Anne"
    ]


def test_municipales_2014_hold_both_rounds_in_one_file(lake: Lake) -> None:
    header = (
        "N° tour;Code département;Code commune;Nom de la commune;N° de bureau de vote;Inscrits;Votants;Exprimés;"
        "N° de dépôt de la liste;Nom du candidat tête de liste;Prénom du candidat tête de liste;"
        "Code nuance de la liste;Nombre de voix"
    )
    rows = [
        f"{rank};01;{code};Commune;0001;1000;800;750;{panel};NOM {panel};Anne;{nuance};250"
        for code in ("004", "007", "033")
        for rank in (1, 2)
        for panel, nuance in enumerate(("LUMP", "LSOC", "LFN"))
    ]
    text = csv(header, *rows, newline="\r\n")
    scrutins = read(lake, "MN14_Bvot_T1T2.txt", text, "election/bureaux", encoding="latin-1")
    assert scrutins == ["2014-municipales-t1", "2014-municipales-t2"]
    for scrutin in scrutins:
        assert lake.make("election/silver/resultats", scrutin)["voix"].sum() == 3 * 750


# --- employment and incomes -------------------------------------------------------------------------------------------

COMMUNES = ("01004", "2A004", "75056", "75101", "69123", "13055", "97411", "59350")


@pytest.mark.parametrize("census", [2012, 2015, 2022])
def test_base_cc_emploi_of_every_census(lake: Lake, census: int) -> None:
    years = [census - 10, census - 5, census]
    names = [
        f"P{year % 100:02}_{name}"
        for year in reversed(years)
        for name in ("POP1564", "ACT1564", "ACTOCC1564", "CHOM1564")
    ]
    rows = [";".join([code, *["620.5", "468.334839973719", "400", "68.334839973719"] * 3]) for code in COMMUNES]
    name = f"base-cc-emploi-pop-active-{census}.CSV"
    found = read(lake, name, csv(f"CODGEO;{';'.join(names)}", *rows), "emploi/base_cc_emploi_pop_active")
    assert found == [str(year) for year in years]
    silver = lake.make("emploi/silver/base_cc_emploi_pop_active", str(census))
    assert silver["code_commune"].n_unique() == len(COMMUNES)
    assert silver["actifs_15_64"].unique().to_list() == [468.334839973719]


def test_the_dictionary_of_a_base(lake: Lake) -> None:
    rows = [
        f'{code};"Pop 15-64 ans";"Nombre de personnes";;;NUM;14'
        for code in ("P17_POP1564", "P17_ACT1564", "P12_POP1564", "P07_POP1564", "C17_ACT1564_CS1")
    ]
    rows.append("CODGEO;Code;Code du département;01004;Ambérieu-en-Bugey;CHAR;5")
    header = "COD_VAR;LIB_VAR;LIB_VAR_LONG;COD_MOD;LIB_MOD;TYPE_VAR;LONG_VAR"
    assert read(lake, "meta_base.CSV", csv(header, *rows), "emploi/dictionnaire") == ["2017"]


@pytest.mark.parametrize("year", [2012, 2016, 2021])
def test_filosofi_of_every_year(lake: Lake, year: int) -> None:
    two = year % 100
    names = f"NBMENFISC{two};NBPERSMENFISC{two};MED{two};PIMP{two};TP60{two};PIMPOT{two};D1{two};D9{two};RD{two}"
    rows = [f"{code};315;815;24820;s;nd;-15,3;11000;40000;3,4" for code in COMMUNES]
    assert read(lake, f"cc_filosofi_{year}_COM.csv", csv(f"CODGEO;{names}", *rows), "emploi/filosofi") == [str(year)]
    silver = lake.make("emploi/silver/filosofi", str(year))
    assert silver["taux_pauvrete"].null_count() == silver.height
    assert silver["taux_pauvrete_est_secret"].all()
    assert silver["part_impots"].unique().to_list() == [-15.3]


@pytest.mark.parametrize(
    ("written", "year"), [("2015-T4", "2015"), ("T1 2020", "2020"), ("2017-12", "2017"), ("31/12/2018", "2018")]
)
def test_dares_defm(lake: Lake, written: str, year: str) -> None:
    header = (
        "Date,Code région,Région,Code département,Département,Code commune,Commune,Type de données,Catégorie,Sexe,"
        "Tranche d'âge,Nombre de demandeurs d'emploi"
    )
    rows = [
        f"{written},84,ARA,{code[:2]},X,{code},X,Brutes,{category},Total,Total,15"
        for code in COMMUNES
        for category in ("A", "B", "ABC")
    ]
    assert read(lake, "export.csv", csv(header, *rows), "emploi/demandeurs_emploi", encoding="utf-8-sig") == [year]
    assert lake.make("emploi/silver/demandeurs_emploi", year)["nombre"].sum() == 15 * 3 * len(COMMUNES)


ZONES = ("0051;Alençon;00;", "1101;Cergy;11;IDF", "8401;Ambert;84;ARA", "9401;Ajaccio;94;Corse", "0101;Basse-Terre;01;")
QUARTERS = [(year, quarter) for year in range(2003, 2024) for quarter in range(1, 5)]


def test_chomage_by_zone_has_two_header_lines_in_csv_and_titles_in_a_workbook(lake: Lake) -> None:
    labels = [f"{quarter}{'er' if quarter == 1 else 'e'} trimestre {year}" for year, quarter in QUARTERS]
    said = ["Code de la zone d'emploi 2020", "Libellé de la zone d'emploi 2020", "Code région", "Libellé région"]
    codes = ["ZE2020", "LIBZE2020", "REG", "LIBREG", *(f"{year}-T{quarter}" for year, quarter in QUARTERS)]
    rows = [f"{zone};" + ";".join(["7,2"] * len(QUARTERS)) for zone in ZONES]
    text = csv(";".join([*said, *labels]), ";".join(codes), *rows, newline="\r\n")
    dataset = "emploi/chomage_zone_emploi"
    assert read(lake, "chomage.csv", text, dataset, encoding="utf-8-sig")[-1] == "2023"
    assert lake.make("emploi/silver/chomage_zone_emploi", "2003").height == 4 * len(ZONES)
    titles: list[list[object]] = [["Taux de chômage localisés par zone d'emploi"], ["Données CVS, en %"], [], codes]
    figures: list[list[object]] = [[*zone.split(";"), *[7.2] * len(QUARTERS)] for zone in ZONES]
    book = workbook({"txcho_ze": [*titles, *figures, [], ["Source : Insee"]]})
    assert read(lake, "chomage.xlsx", book, dataset)[0] == "2003"
    assert set(lake.make("emploi/silver/chomage_zone_emploi", "2023")["taux_chomage"]) == {7.2}


def test_bdm_has_rows_of_codes_and_a_legend(lake: Lake) -> None:
    periods = [f"{year}-T{quarter}" for year in range(1982, 2024) for quarter in range(1, 5)]
    rows = []
    for number in range(3):
        values = ";".join(["8,1"] * len(periods))
        rows.append(f"Taux de chômage localisé - {number};00173724{number};30/03/2023 12:00;;{values}")
        rows.append("Codes;;;;" + ";".join(["A"] * len(periods)))
    text = csv(
        f"Libellé;idBank;Dernière mise à jour;Période;{';'.join(periods)}",
        *rows,
        "",
        "A;Valeur normale",
        "P;Provisoire",
    )
    years = read(lake, "valeurs_trimestrielles.csv", text, "emploi/bdm")
    assert (years[0], years[-1]) == ("1982", "2023")
    silver = lake.make("emploi/silver/bdm", "2023")
    assert silver.select("valeur", "code_valeur").unique().rows() == [(8.1, "A")]
    assert silver.height == 12
    assert {reason.split(" ")[0] for reason in lake.quarantined()} == {"idbank:"}


# --- associations and reference ---------------------------------------------------------------------------------------

WALDEC = (
    "id;id_ex;siret;rup_mi;gestion;date_creat;date_decla;date_publi;date_disso;nature;groupement;titre;titre_court;objet;"
    "objet_social1;objet_social2;adrs_complement;adrs_numvoie;adrs_repetition;adrs_typevoie;adrs_libvoie;adrs_distrib;"
    "adrs_codeinsee;adrs_codepostal;adrs_libcommune;adrg_declarant;adrg_complemid;adrg_complemgeo;adrg_libvoie;"
    "adrg_distrib;adrg_codepostal;adrg_achemine;adrg_pays;dir_civilite;telephone;siteweb;email;publiweb;observation;"
    "position;maj_time"
)
IMPORT = (
    "id;id_ex;siret;gestion;date_creat;date_publi;nature;groupement;titre;objet;objet_social1;objet_social2;adr1;adr2;"
    "adr3;adrs_codepostal;libcom;adrs_codeinsee;dir_civilite;telephone;siteweb;email;observation;position;rup_mi;maj_time"
)


def association(header: str, number: str, **more: str) -> str:
    values = dict.fromkeys(header.split(";"), "")
    values |= {"id": number, "date_creat": "2010-05-12", "titre": "LES AMIS", "objet": "se voir", "position": "A"}
    values |= {"objet_social1": "006030", "adrs_codeinsee": "01004", "adrs_codepostal": "01500", "nature": "D"}
    values |= {"date_disso": "0001-01-01", "maj_time": "2024-05-01 10:00:00"} | more
    return ";".join('"' + values[name].replace('"', '""') + '"' for name in header.split(";"))


def quoted(header: str) -> str:
    return ";".join(f'"{name}"' for name in header.split(";"))


def test_rna_waldec_is_a_zip_with_a_csv_per_departement(lake: Lake) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for departement in ("01", "2A", "9R"):
            rows = [association(WALDEC, f"W{departement}10000{rank:02}", position="ADS"[rank % 3]) for rank in range(9)]
            archive.writestr(f"rna_waldec_20240601_dpt_{departement}.csv", csv(quoted(WALDEC), *rows))
    lake.drop("rna_waldec_20240601.zip", content.getvalue())
    silver = lake.make("association/silver/registre", "2024")
    assert silver.height == 27
    assert silver["_delivery"].n_unique() == 3
    assert dict(silver["position"].value_counts().rows()) == {"A": 9, "D": 9, "S": 9}
    assert silver["date_dissolution"].null_count() == 27


def test_rna_import(lake: Lake) -> None:
    rows = [association(IMPORT, f"011P000{rank:05}") for rank in range(9)]
    assert read(lake, "rna_import_20240601_dpt_01.csv", csv(quoted(IMPORT), *rows), "association/rna_import") == [
        "2024"
    ]
    assert lake.make("association/silver/registre", "2024")["origine"].unique().to_list() == ["import"]


@pytest.mark.parametrize("vintage", [2019, 2026])
def test_cog_of_communes(lake: Lake, vintage: int) -> None:
    header = "TYPECOM,COM,REG,DEP,CTCD,ARR,TNCC,NCC,NCCENR,LIBELLE,CAN,COMPARENT"
    rows = [f"COM,{code},84,01,01D,011,5,X,X,X,0108," for code in ("01001", "01002", "01004", "01005")]
    rows += ["COMD,01015,,,,,1,ARBIGNIEU,Arbignieu,Arbignieu,,01015", "ARM,75101,,,,,0,PARIS 1,P,P,,75056"]
    rows += ["COMA,01059,,,,,0,X,X,X,,01004"]
    assert read(lake, f"v_commune_{vintage}.csv", csv(header, *rows), "reference/communes") == [str(vintage)]
    types = lake.make("reference/silver/communes", str(vintage))["type"].value_counts().rows()
    assert dict(types) == {"COM": 4, "COMD": 1, "ARM": 1, "COMA": 1}


def test_movements_say_their_vintage_by_their_last_day(lake: Lake) -> None:
    after = "TYPECOM_AP,COM_AP,TNCC_AP,NCC_AP,NCCENR_AP,LIBELLE_AP"
    header = f"MOD,DATE_EFF,TYPECOM_AV,COM_AV,TNCC_AV,NCC_AV,NCCENR_AV,LIBELLE_AV,{after}"
    rows = [f"32,{year}-01-01,COM,0100{n},0,X,X,X{n},COM,01015,0,Y,Y,Y" for year in (2016, 2023) for n in range(5)]
    assert read(lake, "mouvements-communes.csv", csv(header, *rows), "reference/mouvements") == ["2023"]
    assert lake.make("reference/silver/mouvements", "2023").height == 10
