"""The indicators of recorded crime: one code for each, over all the names that the SSMSI gave it.

What is counted, and where the names come from: SSMSI, « Documentation - Bases statistiques communale, départementale et
régionale de la délinquance enregistrée », releases 2022 to 2026, and the files themselves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import narwhals as nw

from elexxion_assets.declare import slug

UNITS = ("victime", "victime entendue", "infraction", "véhicule", "mis en cause")
"""What an indicator counts; figures of different units are not of one kind."""


@dataclass(frozen=True, kw_only=True)
class Indicator:
    """One indicator.

    Attributes:
        code: Our name, the same over all releases.
        labels: Published names, the newest first.
        unit: What is counted, one of `UNITS`.
        parts: Codes of the indicators that it is the total of.
        communal: Whether it is published for communes.
        per_dwelling: Whether its rate is per 1,000 dwellings, not inhabitants.
        warning: What a user must know before using it.
    """

    code: str
    labels: tuple[str, ...]
    unit: str
    parts: tuple[str, ...] = ()
    communal: bool = True
    per_dwelling: bool = False
    warning: str | None = None

    @property
    def label(self) -> str:
        """The newest published name."""
        return self.labels[0]


INDICATORS = (
    Indicator(code="homicides", labels=("Homicides",), unit="victime", communal=False),
    Indicator(
        code="tentatives_homicide",
        labels=("Tentatives d'homicide", "Tentatives d'homicides"),
        unit="victime",
        communal=False,
    ),
    Indicator(
        code="coups_et_blessures",
        labels=(
            "Coups et blessures volontaires",
            "Coups et blessures volontaires sur personne de 15 ans ou plus",
            "Coups et blessures volontaires sur personnes de 15 ans ou plus",
            "Violences physiques",
        ),
        unit="victime",
        parts=("violences_physiques_intrafamiliales", "violences_physiques_hors_cadre_familial"),
        warning="No longer published since July 2025; its two parts are.",
    ),
    Indicator(
        code="violences_physiques_intrafamiliales",
        labels=(
            "Violences physiques intrafamiliales",
            "Coups et blessures volontaires intrafamiliaux",
            "Coups et blessures volontaires (intrafamiliaux)",
            "Coups et blessures volontaires intrafamiliaux sur personne de 15 ans ou plus",
            "Coups et blessures volontaires intrafamiliaux sur personnes de 15 ans ou plus",
        ),
        unit="victime",
        warning="Until the releases of early 2025 victims of 15 years and over; later releases recount all years.",
    ),
    Indicator(
        code="violences_physiques_hors_cadre_familial",
        labels=(
            "Violences physiques hors cadre familial",
            "Autres coups et blessures volontaires",
            "Coups et blessures volontaires (Autres)",
            "Coups et blessures volontaires hors cadre familial",
            "Autres coups et blessures volontaires sur personne de 15 ans ou plus",
            "Autres coups et blessures volontaires sur personnes de 15 ans ou plus",
        ),
        unit="victime",
        warning="Until the releases of early 2025 victims of 15 years and over; later releases recount all years.",
    ),
    Indicator(code="violences_sexuelles", labels=("Violences sexuelles",), unit="victime"),
    Indicator(code="vols_avec_armes", labels=("Vols avec armes",), unit="infraction"),
    Indicator(code="vols_violents_sans_arme", labels=("Vols violents sans arme",), unit="infraction"),
    Indicator(
        code="vols_sans_violence",
        labels=("Vols sans violence contre des personnes",),
        unit="victime entendue",
    ),
    Indicator(
        code="cambriolages_logement",
        labels=("Cambriolages de logement", "Cambriolages de logements"),
        unit="infraction",
        per_dwelling=True,
        warning="The rate is per 1,000 dwellings.",
    ),
    Indicator(code="vols_de_vehicule", labels=("Vols de véhicule", "Vols de véhicules"), unit="véhicule"),
    Indicator(code="vols_dans_vehicules", labels=("Vols dans les véhicules",), unit="véhicule"),
    Indicator(code="vols_accessoires_vehicules", labels=("Vols d'accessoires sur véhicules",), unit="véhicule"),
    Indicator(
        code="destructions_degradations",
        labels=("Destructions et dégradations volontaires",),
        unit="infraction",
    ),
    Indicator(
        code="usage_stupefiants",
        labels=("Usage de stupéfiants",),
        unit="mis en cause",
        parts=("usage_stupefiants_afd", "usage_stupefiants_hors_afd"),
        warning="Persons that the police stopped: it follows their activity.",
    ),
    Indicator(
        code="usage_stupefiants_afd",
        labels=("Usage de stupéfiants (AFD)",),
        unit="mis en cause",
        warning="On-the-spot fines (amendes forfaitaires délictuelles), in general use since September 2020.",
    ),
    Indicator(
        code="usage_stupefiants_hors_afd",
        labels=("Usage de stupéfiants (hors AFD)",),
        unit="mis en cause",
        communal=False,
    ),
    Indicator(code="trafic_stupefiants", labels=("Trafic de stupéfiants",), unit="mis en cause"),
    Indicator(
        code="escroqueries",
        labels=("Escroqueries et fraudes aux moyens de paiement", "Escroqueries"),
        unit="victime",
        warning="Counted where the victim lives.",
    ),
)

CODES = tuple(indicator.code for indicator in INDICATORS)
PARTS = frozenset(part for indicator in INDICATORS for part in indicator.parts)
"""Indicators that are contained in another one."""


def _letters(text: str) -> str:
    return re.sub("[^a-z0-9]", "", text.lower())


def _spellings(names: tuple[str, ...]) -> set[str]:
    """Each name as `_same_letters` leaves it: with its accents lost, and with them replaced by plain letters."""
    return {spelling for name in names for spelling in (_letters(name), slug(name))}


_LABELS = {
    spelling: indicator.code for indicator in INDICATORS for spelling in _spellings((*indicator.labels, indicator.code))
}
_UNITS = {spelling: unit for unit in UNITS for spelling in _spellings((unit,))}


def _same_letters(text: nw.Expr) -> nw.Expr:
    """Text reduced to its plain letters and digits: one pass that also sees through broken accents and apostrophes."""
    return text.str.to_lowercase().str.replace_all("[^a-z0-9]", "")


def indicator_of(label: nw.Expr) -> nw.Expr:
    """The code of a published label; an unknown label stays as it is, for the contract to reject and to show."""
    return _same_letters(label).replace_strict(
        list(_LABELS), list(_LABELS.values()), default=label, return_dtype=nw.String()
    )


def unit_of(text: nw.Expr) -> nw.Expr:
    """The unit in its one spelling; an unknown unit stays as it is."""
    return _same_letters(text).replace_strict(
        list(_UNITS), list(_UNITS.values()), default=text, return_dtype=nw.String()
    )


def unit_of_indicator(code: nw.Expr) -> nw.Expr:
    """The unit in which an indicator is counted, for files that do not say; null for an unknown indicator."""
    return code.replace_strict(
        list(CODES),
        [indicator.unit for indicator in INDICATORS],
        default=nw.lit(None, dtype=nw.String()),
        return_dtype=nw.String(),
    )


def is_known(text: str) -> bool:
    """Whether a text is the name of an indicator or of a unit.

    >>> is_known("Vols de véhicules"), is_known("VOLS DE VEHICULE"), is_known("Victime entendue")
    (True, True, True)
    >>> is_known("Nombre de demandeurs d'emploi")
    False
    """
    return any(spelling in names for spelling in (_letters(text), slug(text)) for names in (_LABELS, _UNITS))
