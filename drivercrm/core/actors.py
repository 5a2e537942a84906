"""Who did it: the text that `created_by` and the journal keep (spec §2)."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["user", "token", "automation", "campaign"]
Origin = Literal["web", "api", "cli", "job"]


@dataclass(frozen=True)
class Actor:
    """One person, token or automation, and the door it came in by.

    `str(actor)` is what is stored: `user:<id>`, `token:<id>`, `automation:<name>`.
    """

    kind: Kind
    id: str
    origin: Origin = "web"

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"

    @property
    def is_person(self) -> bool:
        """Whether a person acted, in the browser or through the command line as themselves."""
        return self.kind == "user"


def automation(name: str) -> Actor:
    """A job or rule acting by itself."""
    return Actor("automation", name, "job")
