"""Vintages of the Code officiel géographique: any commune code of any vintage is carried to a chosen one.

What belongs here: communes, their movements since 1943, arrondissements of Paris, Lyon and Marseille, delegated and
associated communes, départements and régions, as pure functions over frames. What does not: storage, datasets, and
the addresses of publishers. The ministry's overseas letters are turned into COG codes by `ministry`, before.
"""

from elexxion_assets.geography.cog import Cog
from elexxion_assets.geography.passage import Motif
from elexxion_assets.geography.plm import double_counted, without_double_count

__all__ = ["Cog", "Motif", "double_counted", "without_double_count"]
