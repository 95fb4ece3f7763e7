"""What people are told when something goes wrong, and when it is over: once each, together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from elexxion_assets.quality.report_page import visible

LISTED = 20
"""Problems of a kind that a message spells out; the others are counted."""


class Kind(StrEnum):
    """What has gone wrong, in the order of a message."""

    RUN = "run failed"
    CHECK = "table refused by a check"
    REFUSED = "file refused"
    LATE = "release late"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong as long as it is found.

    Attributes:
        key: The same as long as it is the same problem.
        kind: What kind of problem.
        title: What it is about.
        words: What is wrong.
        link: Where to look, or empty.
        run: Identifier of the run that failed, or empty.
    """

    key: str
    kind: Kind
    title: str
    words: str
    link: str = ""
    run: str = ""

    @classmethod
    def from_json(cls, facts: Mapping[str, str]) -> Problem:
        """The problem that `asdict` wrote."""
        return cls(**{**facts, "kind": Kind(facts["kind"])})  # type: ignore[arg-type]


Problems = dict[str, Problem]
"""Problems by their key."""


@dataclass(frozen=True, kw_only=True)
class News:
    """What a receiver does not know yet.

    Attributes:
        new: Problems that it was not told of, those that are over again included.
        over: Problems that are over.
    """

    new: list[Problem] = field(default_factory=list)
    over: list[Problem] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.new or self.over)

    @property
    def subject(self) -> str:
        """The news in one line."""
        said = [f"{len(self.new)} new problem{'s' if len(self.new) > 1 else ''}"] if self.new else []
        said += [f"{len(self.over)} recovered"] if self.over else []
        return "Elexxion: " + ", ".join(said)

    @property
    def text(self) -> str:
        """The news in words, one problem a line."""
        lines = [self.subject]
        for kind in Kind:
            lines += _listed(str(kind).capitalize(), [problem for problem in self.new if problem.kind is kind])
        lines += _listed("Recovered", self.over)
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """The news for a program; `text` is what Slack and its like show."""
        # In their markup `<!channel>` would call everybody, and file names are anybody's.
        text = self.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return {
            "text": text,
            "subject": self.subject,
            "problems": [_told(problem) for problem in self.new],
            "recovered": [_told(problem) for problem in self.over],
        }


def _told(problem: Problem) -> dict[str, str]:
    return {name: visible(value) for name, value in asdict(problem).items()}


def _listed(head: str, problems: Iterable[Problem]) -> list[str]:
    found = list(problems)
    lines = [f"\n{head} ({len(found)}):"] if found else []
    lines += [f"- {_line(problem.title)}: {_line(problem.words)} {problem.link}".rstrip() for problem in found[:LISTED]]
    if len(found) > LISTED:
        lines.append(f"- and {len(found) - LISTED} more")
    return lines


def _line(text: str) -> str:
    """A text as one short line in which nothing is hidden."""
    said = visible(" ".join(text.split()))
    return said if len(said) <= 300 else f"{said[:299]}…"


def news(now: Problems, told: Problems, unsent: Problems) -> News:
    """What has changed for a receiver.

    Args:
        now: All problems there are.
        told: Those that it was told of and that were not over when it was.
        unsent: Those that it was to be told of when it could not be reached.
    """
    new = {**unsent, **{key: problem for key, problem in now.items() if key not in told}}
    over = [problem for key, problem in {**unsent, **told}.items() if key not in now]
    return News(new=list(new.values()), over=over)
