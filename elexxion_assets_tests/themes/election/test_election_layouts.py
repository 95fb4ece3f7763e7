"""Every header that the ministry has used gives the same rows: who got how many votes, where."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elexxion_assets.declare import Refusal
from elexxion_assets.quality import contract
from elexxion_assets_tests.themes.election.delivered import take, text_table

SHARES = "% Voix/Ins;% Voix/Exp"
HEAD_2012 = (
    "Code du département;Libellé du département;Code de la commune;Libellé de la commune;Inscrits;Abstentions;"
    "% Abs/Ins;Votants;% Vot/Ins;Blancs et nuls;% BlNuls/Ins;% BlNuls/Vot;Exprimés;% Exp/Ins;% Exp/Vot"
)
PARTS_2017 = (
    "Inscrits;Abstentions;% Abs/Ins;Votants;% Vot/Ins;Blancs;% Blancs/Ins;% Blancs/Vot;Nuls;% Nuls/Ins;% Nuls/Vot;"
    "Exprimés;% Exp/Ins;% Exp/Vot"
)
COMMUNE = "Code du département;Libellé du département;Code de la commune;Libellé de la commune"
BUREAU = (
    "Code du département;Libellé du département;Code de la circonscription;Libellé de la circonscription;"
    "Code de la commune;Libellé de la commune;Code du b.vote"
)
PARTS_2024 = (
    "Inscrits;Votants;% Votants;Abstentions;% Abstentions;Exprimés;% Exprimés/inscrits;% Exprimés/votants;"
    "Blancs;% Blancs/inscrits;% Blancs/votants;Nuls;% Nuls/inscrits;% Nuls/votants"
)
FIGURES_2012 = "100;20;20.00;80;80.00;5;5.00;6.25;75;75.00;93.75"
FIGURES_2017 = "100;20;20,00;80;80,00;3;3,00;3,75;2;2,00;2,50;75;75,00;93,75"
FIGURES_2024 = "100;80;80,00%;20;20,00%;75;75,00%;93,75%;3;3,00%;3,75%;2;2,00%;2,50%"


def rows_of(delivered):
    assert delivered.judged[contract.REASON].null_count() == delivered.judged.height, delivered.judged
    return delivered.valid


def numbered(block: str, *ranks: int) -> str:
    return ";".join(f"{name} {rank}" for rank in ranks for name in block.split(";"))


def test_2012_with_blank_and_spoilt_together(deliver):
    block = f"Sexe;Nom;Prénom;Voix;{SHARES}"
    delivered = deliver(
        f"{HEAD_2012};{block};{block}",
        f"1;AIN;4;Ambérieu;{FIGURES_2012};F;JOLY;Eva;25;25.00;33.33;M;HOLLANDE;François;50;50.00;66.67",
    )
    rows = rows_of(delivered)
    assert delivered.dataset.name == "communes"
    assert rows["code_territoire"].to_list() == ["01004", "01004"]
    assert rows["code_publie"].unique().to_list() == ["1|4"]
    assert rows.select("candidat", "sexe", "voix").rows() == [("JOLY Eva", "F", 25), ("HOLLANDE François", "M", 50)]
    assert rows.row(0, named=True) | {"blancs_et_nuls": 5, "blancs": None, "nuls": None} == rows.row(0, named=True)


def test_bureau_with_names_of_the_first_candidate_only(deliver):
    delivered = deliver(
        f"{BUREAU};{PARTS_2017};N°Panneau;Sexe;Nom;Prénom;Nuance;Voix;{SHARES}",
        f"01;Ain;04;4e circonscription;001;L'Abergement;1;{FIGURES_2017};"
        "3;F;DUPONT;Anne;REM;45;45,00;60,00;7;M;DURAND;Paul;LR;30;30,00;40,00",
        f"01;Ain;04;4e circonscription;001;L'Abergement;2;{FIGURES_2017};7;M;DURAND;Paul;LR;75;75,00;100,00",
        hints={"scrutin": "2017-legislatives-t1"},
    )
    rows = rows_of(delivered)
    assert (delivered.dataset.name, delivered.period) == ("bureaux", "2017-legislatives-t1")
    assert rows.sort("code_territoire", "numero_panneau").select(
        "code_territoire", "code_commune", "code_bureau", "candidat", "nuance", "numero_panneau", "voix"
    ).rows() == [
        ("01001_0001", "01001", "0001", "DUPONT Anne", "REM", 3, 45),
        ("01001_0001", "01001", "0001", "DURAND Paul", "LR", 7, 30),
        ("01001_0002", "01001", "0002", "DURAND Paul", "LR", 7, 75),
    ]


def test_2024_numbered_columns(deliver):
    block = (
        "Numéro de panneau;Nuance candidat;Nom candidat;Prénom candidat;Sexe candidat;Voix;% Voix/inscrits;"
        "% Voix/exprimés;Elu"
    )
    delivered = deliver(
        "Code localisation;Libellé localisation;Code département;Libellé département;Code commune;Libellé commune;"
        f"Code BV;{PARTS_2024};{numbered(block, 1, 2)}",
        f"DOM;Outre-mer;974;La Réunion;97411;Saint-Denis;12B;{FIGURES_2024};"
        "1;UG;PAYET;Marie;FEMININ;45;45,00%;60,00%;élu;2;RN;HOAREAU;Jean;MASCULIN;30;30,00%;40,00%;",
        hints={"scrutin": "2024-legislatives-t1"},
    )
    rows = rows_of(delivered)
    assert rows["code_territoire"].to_list() == ["97411_12B"] * 2
    assert rows["code_departement"].to_list() == ["974"] * 2
    assert rows.select("candidat", "sexe", "nuance", "voix").rows() == [
        ("PAYET Marie", "F", "UG", 45),
        ("HOAREAU Jean", "M", "RN", 30),
    ]
    assert delivered.dataset.match(delivered.dataset, delivered.table).differences == ()


def test_lists_of_europeennes(deliver):
    of_2019 = f"N°Liste;Libellé Abrégé Liste;Libellé Etendu Liste;Nom Tête de Liste;Voix;{SHARES}"
    delivered = deliver(
        f"{COMMUNE};{PARTS_2017};{of_2019};{of_2019}",
        f"01;Ain;004;Ambérieu;{FIGURES_2017};5;RENAISSANCE;RENAISSANCE SOUTENUE PAR LREM;LOISEAU Nathalie;45;45;60;"
        "23;PRENEZ LE POUVOIR;PRENEZ LE POUVOIR, LISTE RN;BARDELLA Jordan;30;30;40",
        hints={"scrutin": "2019-europeennes-t1"},
    )
    assert rows_of(delivered).select("candidat", "nom", "voix").rows() == [
        ("RENAISSANCE SOUTENUE PAR LREM", "LOISEAU Nathalie", 45),
        ("PRENEZ LE POUVOIR, LISTE RN", "BARDELLA Jordan", 30),
    ]
    of_2024 = "Numéro de panneau;Nuance liste;Libellé abrégé de liste;Libellé de liste;Voix;% Voix/inscrits;Sièges"
    delivered = deliver(
        f"Code département;Code commune;{PARTS_2024};{numbered(of_2024, 1, 2)}",
        f"ZX;ZX701;{FIGURES_2024};1;LENS;BESOIN;BESOIN D'EUROPE;45;45,00%;0;2;LRN;RN;LA FRANCE REVIENT;30;30,00%;0",
    )
    assert delivered.period == "2024-europeennes-t1"
    assert rows_of(delivered).select("code_commune", "candidat", "nuance").rows() == [
        ("97701", "BESOIN D'EUROPE", "LENS"),
        ("97701", "LA FRANCE REVIENT", "LRN"),
    ]


@pytest.mark.parametrize(
    ("header", "codes", "dataset", "code"),
    [
        ("Code de la région;Libellé de la région", "6;Mayotte", "regions", "06"),
        ("Code du département;Libellé du département", "ZA;Guadeloupe", "departements", "971"),
        ("Code département;Libellé département;Code canton;Libellé canton", "1;Ain;2;Attignat", "cantons", "0102"),
        ("Code département;Code circonscription législative", "1;101", "circonscriptions", "0101"),
        ("Code département;Code circonscription législative", "ZZ;ZZ11", "circonscriptions", "ZZ11"),
        ("Code département;Code circonscription législative", "971;97102", "circonscriptions", "97102"),
        ("Code du département;Code de la circonscription", "2A;2", "circonscriptions", "2A02"),
    ],
)
def test_nuances_by_level(deliver, header, codes, dataset, code):
    delivered = deliver(
        f"{header};{PARTS_2017};{';'.join([f'Code Nuance;Voix;{SHARES};Sièges'] * 2)}",
        f"{codes};{FIGURES_2017};REM;45;45,00;60,00;0;FI;30;30,00;40,00;0",
        file="Leg_2017_T1.xlsx",
    )
    rows = rows_of(delivered)
    assert (delivered.dataset.name, delivered.period) == (dataset, "2017-legislatives-t1")
    assert rows["code_territoire"].unique().to_list() == [code]
    assert rows.select("candidat", "nuance", "voix").rows() == [("REM", "REM", 45), ("FI", "FI", 30)]


def test_one_line_per_candidate(deliver):
    delivered = deliver(
        "Departement;CodCirElec;LibCirElec;NbSap;NbSiePourvus;Inscrits;Abstentions;Votants;Blancs;Nuls;Exprimes;"
        "NumPanneauCand;NomPsn;PrenomPsn;CivilitePsn;CodNuaCand;LibNuaCand;NbVoix;RapportExprimes;RapportInscrits;Elu",
        "Ain;0101;1ère circonscription;1;1;100;20;80;3;2;75;1;DUPONT;Anne;Mme;UG;Union de la gauche;45;60,00;45,00;",
        "Ain;0101;1ère circonscription;1;1;100;20;80;3;2;75;2;DURAND;Paul;M.;RN;Rassemblement National;30;40,00;30,00;",
        hints={"scrutin": "2024-legislatives-t1"},
    )
    rows = rows_of(delivered)
    assert delivered.dataset.name == "circonscriptions"
    assert rows.select("code_territoire", "code_departement", "candidat", "sexe", "voix").rows() == [
        ("0101", "01", "DUPONT Anne", "F", 45),
        ("0101", "01", "DURAND Paul", "M", 30),
    ]


def test_aggregated_files(deliver):
    votes = deliver(
        "id_election;id_brut_miom;code_departement;code_commune;code_bv;no_panneau;voix;ratio_voix_inscrits;"
        "ratio_voix_exprimes;nuance;sexe;nom;prenom;liste;libelle_abrege_liste;libelle_etendu_liste;nom_tete_liste;binome",
        "2022_pres_t1;01001_0001;01;01001;0001;3;150;23.26;28.85;;M;MACRON;Emmanuel;;;;;",
        "2015_dpmt_t1;01001_0001;01;01001;0001;1;50;20;30;BC-DVD;;;;;;;;M. DURAND et Mme MARTIN",
    )
    assert votes.dataset.name == "agregees_candidats"
    assert rows_of(votes).select("niveau", "code_territoire", "candidat", "voix").rows() == [
        ("bureau", "01001_0001", "MACRON Emmanuel", 150),
        ("bureau", "01001_0001", "M. DURAND et Mme MARTIN", 50),
    ]
    turnout = deliver(
        "id_election;id_brut_miom;code_departement;libelle_departement;code_commune;libelle_commune;code_bv;inscrits;"
        "abstentions;votants;blancs;nuls;exprimes;ratio_abstentions_inscrits",
        "2022_pres_t1;01001_0001;01;Ain;01001;L'Abergement;0001;645;108;537;16;1;520;16.74",
        "2008_muni_t1;01001;01;Ain;01001;L'Abergement;;645;108;537;;17;520;16.74",
    )
    assert turnout.dataset.name == "agregees_participation"
    assert rows_of(turnout).select("niveau", "code_territoire", "inscrits", "candidat").rows() == [
        ("bureau", "01001_0001", 645, None),
        ("commune", "01001", 645, None),
    ]


def test_one_column_per_nuance_or_candidate(deliver):
    nuances = deliver(
        "departement;commune;commune_libelle;inscrits;votants;exprimes;LFG;LFN",
        "ZM;501;Acoua;100;80;75;45;30",
        hints={"scrutin": "2014-europeennes-t1"},
    )
    assert nuances.dataset.name == "larges"
    assert rows_of(nuances).select("code_commune", "candidat", "nuance", "voix").rows() == [
        ("97601", "LFG", "LFG", 45),
        ("97601", "LFN", "LFN", 30),
    ]
    people = deliver(
        "departement;commune;bureau;circonscription;commune_libelle;inscrits;votants;blancs;exprimes;MACRON;MÉLENCHON;FILLON",
        "01;001;0001;4;L'Abergement;100;80;3;75;45;20;10",
    )
    assert people.period == "2017-presidentielle-t1"
    assert rows_of(people).select("code_territoire", "candidat", "nuance").rows() == [
        ("01001_0001", "MACRON Emmanuel", None),
        ("01001_0001", "MÉLENCHON Jean-Luc", None),
        ("01001_0001", "FILLON François", None),
    ]


def test_municipales_by_sector_keep_the_commune(deliver):
    block = f"N.Pan.;Code Nuance;Sexe;Nom;Prénom;Liste;Sièges / Elu;Sièges Secteur;Sièges CC;Voix;{SHARES}"
    delivered = deliver(
        f"{COMMUNE};{PARTS_2017};{block}",
        f"75;Paris;056SR01;Paris secteur 1;{FIGURES_2017};1;LDVC;F;DUPONT;Anne;PARIS ENSEMBLE;1;1;1;75;75,00;100,00",
        hints={"scrutin": "2020-municipales-t1"},
    )
    assert rows_of(delivered).select("code_territoire", "code_commune", "candidat", "nom").rows() == [
        ("75056SR01", "75056", "PARIS ENSEMBLE", "DUPONT")
    ]


def test_namesakes_of_one_line_stay_apart(deliver):
    block = "N°Panneau;Sexe;Nom;Prénom;Nuance;Voix"
    delivered = deliver(
        f"{COMMUNE};{PARTS_2017};{block};{block}",
        f"75;Paris;056;Paris;{FIGURES_2017};3;M;MARTIN;Pierre;DVD;45;8;M;MARTIN;Pierre;DIV;30",
        hints={"scrutin": "2017-legislatives-t1"},
    )
    assert rows_of(delivered)["candidat"].to_list() == ["MARTIN Pierre (3)", "MARTIN Pierre (8)"]


def test_a_commune_shared_by_circonscriptions_keeps_its_parts(deliver):
    delivered = deliver(
        f"{BUREAU.removesuffix(';Code du b.vote')};{PARTS_2017};Nom;Prénom;Nuance;Voix",
        f"75;Paris;01;1e;056;Paris;{FIGURES_2017};MARTIN;Anne;REM;75",
        f"75;Paris;02;2e;056;Paris;{FIGURES_2017};DURAND;Paul;REM;75",
        hints={"scrutin": "2022-legislatives-t1"},
    )
    assert delivered.dataset.name == "communes"
    assert rows_of(delivered).select("code_territoire", "code_commune").rows() == [
        ("75056_C01", "75056"),
        ("75056_C02", "75056"),
    ]


def test_bad_lines_are_rejected_whole_with_words(deliver):
    delivered = deliver(
        f"{COMMUNE};{PARTS_2017};Nom;Prénom;Voix;Nom;Prénom;Voix",
        f"1;Ain;4;Ambérieu;{FIGURES_2017};MACRON;Emmanuel;45;LE PEN;Marine;trente",
        f"Ain;;Ambérieu;x;{FIGURES_2017};MACRON;Emmanuel;45;LE PEN;Marine;30",
        f"1;Ain;5;Ambléon;{FIGURES_2017}",
        hints={"scrutin": "2017-presidentielle-t2"},
    )
    reasons = delivered.judged.drop_nulls(contract.REASON).group_by("_line").agg(pl.col(contract.REASON).unique())
    said = {line: " ".join(words) for line, words in reasons.iter_rows()}
    assert said.keys() == {2, 3, 4}
    assert "voix: « trente » is not a whole number" in said[2]
    assert "code_territoire" in said[3]
    assert "candidat: no value" in said[4]


@pytest.mark.parametrize(
    ("header", "row", "word"),
    [
        (
            "id,departement,circonscription,numPanneau,nomCandidat,prenomCandidat,codeNuance",
            "1,01,0101,1,LAHY,Éric,EXG",
            "a list of candidates, without results",
        ),
        ("Bureaux,Inscrits,Votants,Exprimés,NB_VOIX_Marine LE PEN", "105,1343,1113,1098,78", "Code de la commune"),
        ("code_commune,population", "01001,800", "none of the known datasets"),
    ],
)
def test_what_is_no_result_is_refused_with_what_it_lacks(header, row, word):
    with pytest.raises(Refusal) as refusal:
        take(*text_table(header.split(","), [row.split(",")]))
    assert refusal.value.rule == "unknown_dataset"
    assert word in refusal.value.reason


FIELDS = {
    "N°Panneau": "panneau",
    "Sexe": "sexe",
    "Nom": "nom",
    "Prénom": "prenom",
    "Voix": "voix",
    "% Voix/Ins": "share",
}
STYLES = {
    "repeated": lambda name, rank: name,
    "number at the end": lambda name, rank: f"{name} {rank}",
    "number at the start": lambda name, rank: f"{rank}_{name}",
    "number after a word": lambda name, rank: f"{name}_candi{rank}",
    "pandas": lambda name, rank: name if rank == 1 else f"{name}.{rank - 1}",
    "first only": lambda name, rank: name if rank == 1 else "",
    "first only, header ends": lambda name, rank: name if rank == 1 else None,
}


@st.composite
def election_files(draw):
    """A file with blocks of 4 to 6 fields in any order of fields and candidates, and the votes it holds."""
    optional = draw(st.sets(st.sampled_from(["N°Panneau", "Sexe", "% Voix/Ins"])))
    chosen = [name for name in FIELDS if name in optional or name in ("Nom", "Prénom", "Voix")]
    # A percentage never comes first: without names it could not be told from those of the participation.
    fields = draw(st.permutations(chosen).filter(lambda names: not names[0].startswith("%")))
    people = draw(
        st.lists(st.sampled_from(["ADAM", "BRUN", "COLIN", "DENIS", "ÉTÉ"]), min_size=1, max_size=5, unique=True)
    )
    name_of = draw(st.sampled_from(sorted(STYLES)))
    header = ["Code du département", "Code de la commune", "Inscrits", "Votants", "Exprimés"]
    for rank in range(1, len(people) + 1):
        header += [name for field in fields if (name := STYLES[name_of](field, rank)) is not None]
    rows, votes = [], {}
    for number in range(1, draw(st.integers(1, 4)) + 1):
        standing = draw(st.permutations(people))[: draw(st.integers(1, len(people)))]
        cells = ["1", str(number), "900", "900", "900"]
        for person in standing:
            voix = draw(st.integers(0, 900))
            votes[f"01{number:03}", f"{person} Camille"] = voix
            value = {"nom": person, "prenom": "Camille", "voix": str(voix), "panneau": "4", "sexe": "F", "share": "1,5"}
            cells += [value[FIELDS[field]] for field in fields]
        rows.append(cells)
    return header, rows, votes


@settings(max_examples=25, deadline=None)
@given(election_files())
def test_the_votes_come_back_whatever_the_layout(file):
    header, rows, votes = file
    delivered = take(*text_table(header, rows, hints={"scrutin": "2022-legislatives-t1"}))
    found = rows_of(delivered).select("code_territoire", "candidat", "voix").rows()
    assert {(code, candidat): voix for code, candidat, voix in found} == votes
    assert len(found) == len(votes)
