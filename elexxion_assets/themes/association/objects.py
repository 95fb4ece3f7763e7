"""The families of social objects of the WALDEC nomenclature, from `objets_sociaux.csv`."""

from __future__ import annotations

from dataclasses import dataclass

from elexxion_assets.themes.association.reference import rows_of


@dataclass(frozen=True, kw_only=True)
class Family:
    """One family of social objects.

    Attributes:
        code: First three digits of `objet_social1`.
        name: Short name in column names.
        label: Official name.
    """

    code: str
    name: str
    label: str


FAMILIES = tuple(Family(code=code, name=name, label=label) for code, name, label in rows_of("objets_sociaux.csv"))
