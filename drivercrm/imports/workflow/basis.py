"""What a list's opt-in rests on: who agreed to what, said in one line (spec §4)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from drivercrm.consent.enums import ConsentChannel, Purpose
from drivercrm.core.errors import Refused

LONGEST = 500
_WORDS: dict[str, ConsentChannel | Purpose] = {
    "whatsapp": ConsentChannel.WHATSAPP,
    "telegram": ConsentChannel.TELEGRAM,
    "email": ConsentChannel.EMAIL,
    "mail": ConsentChannel.EMAIL,
    "phone": ConsentChannel.PHONE,
    "calls": ConsentChannel.PHONE,
    "call": ConsentChannel.PHONE,
    "service": Purpose.SERVICE,
    "marketing": Purpose.MARKETING,
}
EXAMPLE = "“TimoRides driver agreement, 2025-11: service, WhatsApp”"


@dataclass(frozen=True)
class Basis:
    """The words of an agreement, what proves it, and the channels and purposes that it covers."""

    wording: str = ""
    evidence: str = ""
    channels: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()

    @property
    def covers(self) -> tuple[tuple[str, str], ...]:
        """The (channel, purpose) pairs; none when nothing is stated, and drivers stay never asked."""
        return tuple((channel, purpose) for channel in self.channels for purpose in self.purposes)


NOTHING = Basis()


def make_basis(
    wording: str, *, evidence: str = "", channels: Sequence[str] = (), purposes: Sequence[str] = ()
) -> Basis:
    """A basis from a form or a program; refuses one that names channels without purposes, or no wording."""
    wording, evidence = wording.strip(), evidence.strip()
    if not wording and not channels and not purposes:
        return NOTHING
    if not wording:
        raise Refused(
            "basis_missing", f"Say what the drivers agreed to, for example {EXAMPLE}.", field="wording"
        )
    for name, given, known in (
        ("channels", channels, ConsentChannel.values),
        ("purposes", purposes, Purpose.values),
    ):
        unknown = next((one for one in given if one not in known), None)
        if unknown:
            raise Refused(
                f"unknown_{name[:-1]}", f"“{unknown}” is not one of: {', '.join(known)}.", field=name
            )
        if not given:
            raise Refused(
                f"{name}_missing", f"Say which {name} the basis covers: {', '.join(known)}.", field=name
            )
    if max(len(wording), len(evidence)) > LONGEST:
        raise Refused("too_long", f"Keep basis and evidence under {LONGEST} letters each.", field="wording")
    return Basis(
        wording, evidence, _in_order(channels, ConsentChannel.values), _in_order(purposes, Purpose.values)
    )


def read_basis(text: str, *, evidence: str = "") -> Basis:
    """A basis from one line: the agreement, a colon, then its purposes and channels."""
    if not text.strip():
        if evidence.strip():
            raise Refused("basis_missing", f"Evidence needs a basis, for example {EXAMPLE}.", field="basis")
        return NOTHING
    _, colon, after = text.rpartition(":")
    words = (
        [_WORDS.get(word.replace("-", "")) for word in re.findall(r"[\w-]+", after.lower())] if colon else []
    )
    channels = [str(word) for word in words if isinstance(word, ConsentChannel)]
    purposes = [str(word) for word in words if isinstance(word, Purpose)]
    if not channels or not purposes:
        raise Refused(
            "basis_unclear",
            f"Say after a colon which purposes and channels the basis covers, as in {EXAMPLE}.",
            field="basis",
        )
    return make_basis(text, evidence=evidence, channels=channels, purposes=purposes)


def _in_order(given: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    return tuple(value for value in known if value in given)
