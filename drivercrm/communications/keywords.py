"""Words that mean something when they are the whole message (spec §3, §4): plain Python, lists to be added to."""

import re
import unicodedata
from enum import StrEnum


class Meaning(StrEnum):
    STOP = "stop"
    MAYBE_STOP = "maybe_stop"  # the word is somewhere in it: a person must look
    START = "start"
    YES = "yes"
    SIGNUP = "signup"
    HELP = "help"
    THANKS = "thanks"
    NONE = ""


# English, isiZulu, isiXhosa and Afrikaans; compared without case, accents, punctuation and emoji.
STOP = frozenset(
    "stop;unsubscribe;cancel;opt out;optout;end;quit;stop all;stopall;yeka;yima;misa;ngiyeke;ungangithumeleli;"
    "hou op;staak;teken uit;kanselleer;verwyder my;remove me;no more messages;opt_out".split(";")
)
START = frozenset("start;join;unstop;subscribe;opt in;optin;qala;begin;teken in;opt_in".split(";"))
YES = frozenset(
    "yes;y;yes please;yebo;yebo ngiyavuma;ngiyavuma;ewe;ja;ja asseblief;ok;okay;sure;i agree;agree;accept".split(
        ";"
    )
)
SIGNUP = frozenset("signup;sign up;sign me up;register;bhalisa;registreer".split(";"))
HELP = frozenset("help;usizo;siza;hulp;agent".split(";"))
THANKS = frozenset(
    "thanks;thank you;thx;ty;ngiyabonga;siyabonga;enkosi;dankie;baie dankie;ok thanks".split(";")
)
# Inside a longer message only words that hardly mean anything else.
STOPPING = re.compile(
    r"\b(stop|unsubscribe|opt[ -]?out|remove me|no more messages|ngiyeke|ungangithumeleli|hou op|verwyder my)\b"
)
_NOISE = re.compile(r"[^\w\s]+")
LONGEST = 60  # no such word is longer


def plain(text: str) -> str:
    """A text as the lists compare it: small letters, no accents, no punctuation, single spaces."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(one for one in folded if not unicodedata.combining(one))
    return " ".join(_NOISE.sub(" ", letters).split())


def meaning_of(text: str) -> Meaning:
    """What a whole message means; a button's own word is read the same way."""
    words = plain(text)
    if len(words) <= LONGEST:
        for meaning, known in (
            (Meaning.STOP, STOP),
            (Meaning.START, START),
            (Meaning.YES, YES),
            (Meaning.SIGNUP, SIGNUP),
            (Meaning.HELP, HELP),
            (Meaning.THANKS, THANKS),
        ):
            if words in known or text.strip().casefold() in known:
                return meaning
    return Meaning.MAYBE_STOP if STOPPING.search(words) else Meaning.NONE
