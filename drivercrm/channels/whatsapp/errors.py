"""What Meta's error codes mean for us (channels.md §1.6).

Meta asks to act on the code alone: titles, subcodes and HTTP statuses change. The same code comes as the answer to
a send and in a `failed` status.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from drivercrm.channels.provider import Failure

CODES: dict[Failure, tuple[int, ...]] = {
    # Meta's own trouble; 131052 and 131053 are files that it could not fetch or take over, often only just then
    Failure.TEMPORARY: (1, 2, 131000, 131016, 131052, 131053, 131057),
    # calls of the app (4, 17, 32, 613), of the business account (80007), messages of the number (130429), registering
    Failure.RATE: (4, 17, 32, 613, 80007, 130429, 133016),
    Failure.RECIPIENT_RATE: (131056,),
    # the person's share of marketing is used up (131049), or they are in Meta's experiment (130472): nobody's fault
    Failure.NOT_NOW: (130472, 131049),
    Failure.NEEDS_TEMPLATE: (131047,),
    # Meta does not say whether there is no WhatsApp, an old app or a block (131026), so it is no opt-out; 131030: not
    # on a test number's list; 137000: the person's key has changed
    Failure.UNREACHABLE: (131026, 131030, 137000),
    Failure.MARKETING_STOPPED: (131050,),
    Failure.CONTENT: (
        *(
            100,
            131008,
            131009,
            131021,
            131051,
            131062,
            132000,
            132005,
            132007,
            132008,
            132012,
            132018,
            135000,
        ),
    ),
    Failure.TEMPLATE: (132001, 132015, 132016, 132068, 132069),
    # marked as spam (131048), templates in the wrong category (131063, 131064), payment (131042, 131044): answers in
    # the open window still go out
    Failure.CAMPAIGN: (131042, 131044, 131048, 131063, 131064),
    # token (190), permission (0, 3, 10, 200–299, 131005), policy (368, 131031, 130497), number (131037, 131045, 133010)
    Failure.ACCOUNT: (
        *(0, 3, 10, 190, *range(200, 300)),
        *(368, 130497, 131005, 131031, 131037, 131045, 133010),
    ),
}

_BY_CODE = {code: failure for failure, codes in CODES.items() for code in codes}

# after these the same message may go again, but not at once
PAUSES: dict[Failure, timedelta] = {
    Failure.NOT_NOW: timedelta(hours=24),
    Failure.RECIPIENT_RATE: timedelta(seconds=6),
}


def failure_of(code: int | None) -> Failure:
    """What to do about a code; UNKNOWN_CODE where the table has no row for it."""
    return Failure.UNKNOWN_CODE if code is None else _BY_CODE.get(code, Failure.UNKNOWN_CODE)


def code_of(error: object) -> int | None:
    """The code of one of Meta's error objects, whatever type it was written in."""
    value = error.get("code") if isinstance(error, Mapping) else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9 else None


def words_of(error: object) -> str:
    """What Meta says about an error, for people: the details where there are any, else the message or the title."""
    if not isinstance(error, Mapping):
        return ""
    data: Any = error.get("error_data")
    details = data.get("details") if isinstance(data, Mapping) else None
    for words in (error.get("error_user_msg"), details, error.get("message"), error.get("title")):
        if isinstance(words, str) and words.strip():
            return words.strip()[:1000]
    return ""
