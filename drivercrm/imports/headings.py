"""What a column of a list can be, and what its heading says of that (spec §10)."""

import re
import unicodedata
from collections.abc import Iterable
from enum import StrEnum


class Target(StrEnum):
    """What a column can be read as: the seed's column names, and what only lists have."""

    NAME = "name"
    GIVEN_NAME = "given_name"
    SURNAME = "surname"
    PHONE = "phone"
    SECOND_PHONE = "second_phone"
    WHATSAPP = "whatsapp_number"
    EMAIL = "email"
    TELEGRAM = "telegram_username"
    AREA = "area"
    LANGUAGE = "language"
    TIMO_ID = "timo_driver_id"
    PATHPULSE_ID = "pathpulse_account_id"
    STATUS = "onboarding_status"
    FIRST_CONTACT = "first_contact_date"
    NOTES = "notes"
    OPT_IN = "communication_opt_in"
    IDENTITY = "identity_number"
    IGNORE = "ignore"


LABELS: dict[Target, str] = {
    Target.NAME: "Name",
    Target.GIVEN_NAME: "First name",
    Target.SURNAME: "Surname",
    Target.PHONE: "Phone",
    Target.SECOND_PHONE: "Phone, where the first is empty",
    Target.WHATSAPP: "WhatsApp number",
    Target.EMAIL: "Email",
    Target.TELEGRAM: "Telegram username",
    Target.AREA: "Area",
    Target.LANGUAGE: "Language",
    Target.TIMO_ID: "Timo driver ID",
    Target.PATHPULSE_ID: "PathPulse account id",
    Target.STATUS: "Onboarding status",
    Target.FIRST_CONTACT: "First contact date",
    Target.NOTES: "Notes",
    Target.OPT_IN: "Opt-in",
    Target.IDENTITY: "Identity number",
    Target.IGNORE: "Leave out",
}


class Confidence(StrEnum):
    CERTAIN = "certain"
    LIKELY = "likely"
    NONE = "none"


_ALIASES: dict[Target, str] = {
    Target.NAME: "name|names|full name|full names|fullname|driver|driver name|drivers name|name of driver"
    "|driver full name|drivers|driver names|partner name|contact name|display name|naam|igama",
    Target.GIVEN_NAME: "first name|first names|firstname|given name|given names|forename|fore name"
    "|christian name|known as|called name|voornaam",
    Target.SURNAME: "surname|last name|lastname|family name|van|isibongo",
    Target.PHONE: "phone|phone no|phone nr|phone number|phone numbers|phonenumber|telephone|telephone no"
    "|telephone number|tel|tel no|tel number|mobile|mobile no|mobile nr|mobile number|mobile phone|cell"
    "|cell no|cell nr|cell number|cell phone|cellphone|cellphone no|cellphone number|cell phone number"
    "|contact|contact no|contact nr|contact number|contact numbers|contact details|driver phone|driver cell"
    "|msisdn|selfoon|selfoon nommer|inombolo",
    Target.WHATSAPP: "whatsapp|whats app|whatsapp no|whatsapp number|whats app number|wa number|wa",
    Target.EMAIL: "email|e mail|mail|email address|e mail address|email id|mail address|emailaddress|epos"
    "|driver email",
    Target.TELEGRAM: "telegram|telegram username|telegram user|telegram handle|telegram name",
    Target.AREA: "area|city|town|suburb|location|region|township|place|residence|residential area"
    "|operating area|zone|province|city town|town city|gebied|indawo|home area|base",
    Target.LANGUAGE: "language|preferred language|home language|lang|taal|ulimi",
    Target.TIMO_ID: "timo driver id|timo id|timorides id|timorides driver id|timo rides id|driver id"
    "|driver code|fleet id",
    Target.PATHPULSE_ID: "pathpulse account id|pathpulse id|path pulse id|pathpulse account|pathpulse",
    Target.STATUS: "onboarding status|status|driver status|stage|onboarding stage|progress",
    Target.FIRST_CONTACT: "first contact date|first contact|first contacted|date contacted|contacted on"
    "|date of first contact|contact date",
    Target.NOTES: "notes|note|comment|comments|remark|remarks|feedback",
    Target.OPT_IN: "communication opt in|opt in|opted in|consent|consent given",
    Target.IDENTITY: "id no|id nr|id number|id num|idno|id|identity|identity no|identity number|id document"
    "|identity document|identity document number|sa id|sa id no|sa id number|rsa id|rsa id no|rsa id number"
    "|national id|national id number|passport|passport no|passport number|id passport|id or passport"
    "|id passport no|id passport number|id no passport no|id nommer"
    "|ids|id nos|id numbers|idnumber|idnumbers|idnr|id doc|id copy|ident|ident no|identification|identification no"
    "|identification number|said|said no|said number|document no|document nr|document number|passports"
    "|drivers id|drivers id no|asylum|asylum no",
    Target.IGNORE: "no|nr|row|s n|sn|serial|serial no|item|count|line",
}
_ALIAS_TARGETS = {alias: target for target, aliases in _ALIASES.items() for alias in aliases.split("|")}
_SURNAME_FIRST = frozenset(
    {
        "surname and name",
        "surname name",
        "surname and names",
        "surname and first name",
        "surname and first names",
        "surname and full name",
        "surname and full names",
        "surname first name",
        "surname names",
        "last name first name",
        "last name and first name",
        "surname and initials",
        "driver surname and name",
        "drivers surname and name",
        "van en naam",
    }
)
_GIVEN_FIRST = frozenset(
    {
        "name and surname",
        "name surname",
        "names and surname",
        "first name and surname",
        "first names and surname",
        "full name and surname",
        "full names and surname",
        "first name and last name",
        "first name last name",
        "driver name and surname",
        "drivers name and surname",
        "initials and surname",
        "naam en van",
    }
)

# Words inside longer headings, strongest first: “Driver's WhatsApp cell number” is the WhatsApp number.
_WORDS: tuple[tuple[re.Pattern[str], Target], ...] = (
    (
        re.compile(
            r"^(?!.*\b(?:timo|timorides|path ?pulse|whats ?app|telegram|e ?mail)\b).*"
            r"\b(?:identity|identification|ident|passports?|asylum|id ?(?:nos?|nrs?|num|numbers?|doc|documents?"
            r"|copy|copies|card|digits|\d+ digits))\b"
        ),
        Target.IDENTITY,
    ),
    (re.compile(r"\b(?:consent\w*|agree[ds]?|permission|opt(?:ed|s)? ?(?:in|out))\b"), Target.OPT_IN),
    (re.compile(r"\bwhats ?app\b"), Target.WHATSAPP),
    (re.compile(r"\btelegram\b"), Target.TELEGRAM),
    (re.compile(r"\be ?mail\b"), Target.EMAIL),
    (re.compile(r"\b(?:cell|cellphone|mobile|phone|telephone|tel|msisdn)\b"), Target.PHONE),
    (re.compile(r"\bpath ?pulse\b"), Target.PATHPULSE_ID),
    (re.compile(r"\btimo ?(?:rides)?\b.*\bid\b"), Target.TIMO_ID),
    (re.compile(r"\bsurname\b.*\bname"), Target.NAME),
    (re.compile(r"\bname.*\bsurname\b"), Target.NAME),
    (re.compile(r"\b(?:surname|last name|family name)\b"), Target.SURNAME),
    (re.compile(r"\b(?:first|given) names?\b"), Target.GIVEN_NAME),
    (re.compile(r"\b(?:driver|full|driver s)\b.*\bnames?\b"), Target.NAME),
    (re.compile(r"\b(?:suburb|town|city|area|township)\b"), Target.AREA),
    (re.compile(r"\bstatus\b"), Target.STATUS),
    (re.compile(r"\blanguage\b"), Target.LANGUAGE),
    (re.compile(r"\b(?:notes?|comments?|remarks?)\b"), Target.NOTES),
    (re.compile(r"\bids?\b"), Target.IDENTITY),
)
# A number that belongs to somebody else, or to a car, is not the driver's.
_NOT_THE_DRIVERS = re.compile(
    r"\b(?:next of kin|kin|emergency|owner|spouse|guardian|manager|bank|account|vehicle|car|registration|plate"
    r"|model|make|fax|alternative|alternate|other|second|referee|referred)\b"
)

_SPELLED = re.compile(r"\b(\w) (?=\w\b)")  # I.D. is ID

REACHES = {Target.PHONE, Target.SECOND_PHONE, Target.WHATSAPP, Target.EMAIL}


def heading_key(heading: str) -> str:
    """A heading without case, accents and punctuation: `CELL NO ` and `Cell-No.` are the same."""
    text = unicodedata.normalize("NFKD", heading).casefold().replace("&", " and ").replace("'", "")
    text = "".join(c if c.isalnum() else " " for c in text if not unicodedata.combining(c))
    return _SPELLED.sub(r"\1", " ".join(text.split()))


def is_surname_first(heading: str) -> bool:
    """Whether the heading says that the last word of each name is the given one."""
    key = heading_key(heading)
    return key in _SURNAME_FIRST or bool(re.search(r"\bsurname\b.*\bname", key))


def target_of(heading: str) -> tuple[Target, Confidence] | None:
    """What a heading alone says, or None when it is unknown."""
    key = heading_key(heading)
    if not key:
        return None
    if key in _SURNAME_FIRST or key in _GIVEN_FIRST:
        return Target.NAME, Confidence.CERTAIN
    if key in _ALIAS_TARGETS:
        return _ALIAS_TARGETS[key], Confidence.CERTAIN
    for words, target in _WORDS:
        if words.search(key):
            others = target is not Target.IDENTITY and _NOT_THE_DRIVERS.search(key)
            return None if others else (target, Confidence.LIKELY)
    return None


def header_score(headings: Iterable[str]) -> int:
    """How much a row looks like headings: one per different target it names, more for a name and an address."""
    found = {named[0] for heading in headings if len(heading) < 80 and (named := target_of(heading))}
    found.discard(Target.IGNORE)
    names = found & {Target.NAME, Target.GIVEN_NAME, Target.SURNAME}
    return len(found) + (10 if names and found & REACHES else 0)
