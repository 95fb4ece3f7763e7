"""Which datasets have an address, as their themes declare it.

The addresses were found in public text (repositories that fetch from them); none of them is tried by the tests.
`https://www.data.gouv.fr/.../datasets/r/<resource>` always leads to the newest release of a resource, and
the exports of data.gouv.fr's own pipelines and of the Dares keep their address. Insee gives every release an address of
its own: those of emploi and reference are the newest ones found, to be replaced each year. No address
was found of crime/regionale, association/rna_import, the ministry's results scrutin by scrutin, and the rest.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from elexxion_assets.declare import Dataset, Refusal, Theme


@dataclass(frozen=True)
class Source:
    """One address of one dataset.

    Attributes:
        theme: The theme, whose `fresh_within` tells the rhythm of publication.
        dataset: The dataset, with its publisher and licence.
        address: Address of its newest release.
    """

    theme: Theme
    dataset: Dataset
    address: str

    @property
    def name(self) -> str:
        """`theme/dataset`."""
        return f"{self.theme.name}/{self.dataset.name}"


def sources(themes: Mapping[str, Theme]) -> list[Source]:
    """Every declared address, in order of theme and dataset."""
    return [
        Source(theme, dataset, address)
        for theme in themes.values()
        for dataset in theme.datasets
        for address in dataset.addresses
    ]


def select(known: Sequence[Source], names: Iterable[str]) -> list[Source]:
    """The sources that people name: `theme/dataset`, `dataset` or `theme`; all of them without a name.

    Raises:
        Refusal: `unknown_source`, for a name that no source has.
    """
    chosen: list[Source] = []
    for name in names:
        found = [source for source in known if name in (source.name, source.dataset.name, source.theme.name)]
        if not found:
            near = difflib.get_close_matches(name, {source.name for source in known}, n=3, cutoff=0.4)
            said = f"no permanent address is known for « {name} »"
            raise Refusal("unknown_source", said + (f"; did you mean {', '.join(near)}?" if near else ""))
        chosen += [source for source in found if source not in chosen]
    return chosen or list(known)
